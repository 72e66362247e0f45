"""prepare.credentials: every token and login that the configuration needs, asked before anything is begun.

Nothing is changed by asking. Whether a token may write is asked with a thing that cannot be made: who may is
refused for what it says, who may not for who they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.config import Config, DnsProviderName, GitHost
from wizard.engine.check import Check, CheckState, Evidence
from wizard.engine.plan import Failed, Plan, Refusal
from wizard.engine.step import Context, Phase, Step
from wizard.errors import UnreachableError, WizardError
from wizard.phases.hosts import OLD_HOST, old_host

if TYPE_CHECKING:
    from wizard.config import App, VercelProject

_TRIES = 3
_NETWORK = "Check the network, and that the other side is up; then run again."


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to be asked: `ask` returns what was seen, or raises WizardError."""

    name: str
    statement: str
    vantage: str
    ask: Callable[[Context], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """`trouble` is empty when all is well; `silent` tells that nobody answered, so nothing is known."""

    question: Question
    seen: str = ""
    trouble: str = ""
    way_on: str = ""
    silent: bool = False


class CredentialsStep(Step[tuple[Answer, ...]]):
    id = "prepare.credentials"
    title = "Ask whether every token and login works"
    phase = Phase.PREPARE
    way_back = "Nothing is changed by asking."
    enduring = False

    def __init__(self, config: Config) -> None:
        self.config = config

    async def observe(self, ctx: Context) -> tuple[Answer, ...]:
        return await ask_all(ctx, questions(self.config))

    def plan(self, facts: tuple[Answer, ...]) -> Plan:
        wrong = [answer for answer in facts if answer.trouble]
        if not wrong:
            return Plan()
        # What is known to be wrong comes first: silence may pass by itself.
        wrong.sort(key=lambda answer: answer.silent)
        why = "; ".join(dict.fromkeys(answer.trouble for answer in wrong))
        ways = tuple(dict.fromkeys(answer.way_on for answer in wrong if answer.way_on))
        return Plan(hold=Failed(why, ways, Refusal.NOT_READY))

    async def verify(self, ctx: Context) -> Sequence[Check]:
        now = ctx.now()
        return [_check(answer, now) for answer in await self.observe(ctx)]


def _check(answer: Answer, now: float) -> Check:
    question = answer.question
    state = CheckState.PASSED
    if answer.trouble:
        state = CheckState.UNKNOWN if answer.silent else CheckState.FAILED
    seen = answer.trouble or answer.seen
    advice = answer.way_on if answer.trouble else ""
    return Check(question.name, question.statement, state, Evidence(seen, question.vantage, now), advice)


async def ask_all(ctx: Context, asked: Sequence[Question]) -> tuple[Answer, ...]:
    """All at once; each answer in the place of its question."""
    return tuple(await asyncio.gather(*(_ask(ctx, question) for question in asked)))


async def _ask(ctx: Context, question: Question) -> Answer:
    """Asked again after silence: nothing is changed by it."""
    for attempt in range(1, _TRIES + 1):
        try:
            return Answer(question, await question.ask(ctx))
        except UnreachableError as error:
            if attempt == _TRIES:
                return Answer(question, trouble=_said(error), way_on=error.next or _NETWORK, silent=True)
            await ctx.world.clock.sleep(2.0**attempt)
        except WizardError as error:
            return Answer(question, trouble=_said(error), way_on=error.next)
    raise AssertionError("unreachable")


def _said(error: WizardError) -> str:
    return f"{error.what} ({error.why})" if error.why else error.what


def questions(config: Config) -> tuple[Question, ...]:
    """What this configuration needs: Hetzner, Vercel, the git hosts, the DNS zone, the old host."""
    asked = []
    if config.asks_hetzner:
        asked.append(Question("hetzner", "the Hetzner token may read and write", "Hetzner API", _hetzner))
    asked += [_vercel(project) for project in config.vercel]
    asked += [_repository(*found) for found in repositories(config)]
    if config.dns.provider is not DnsProviderName.MANUAL:
        statement = f"the DNS provider shows the zone {config.dns.zone}"
        asked.append(Question("dns", statement, f"{config.dns.provider.value} API", _zone))
    if config.old_host is not None:
        asked.append(Question("old_host", "the old host lets us in over SSH", OLD_HOST, _old_host))
    return tuple(asked)


async def _hetzner(ctx: Context) -> str:
    servers = await ctx.world.hetzner.servers()
    if not await ctx.world.hetzner.may_write():
        raise WizardError(
            "The Hetzner token may only read",
            "a trial change that can never succeed was refused for the token's rights; nothing was changed",
            "Make a token with Read & Write (console: Security → API tokens), then set HCLOUD_TOKEN.",
        )
    return f"shows {len(servers)} servers; an SSH key that is none was refused for itself: it may write"


def _vercel(wanted: VercelProject) -> Question:
    where = f"of team {wanted.team}" if wanted.team else "of the person"

    async def ask(ctx: Context) -> str:
        project = await ctx.world.vercel.project(wanted.name, team=wanted.team)
        if project is None:
            raise WizardError(
                f"Vercel shows no project {wanted.name} {where}",
                "the token may be of another team, or the name is another",
                "Correct `name` and `team` under [[vercel]], or make a token with that team's scope.",
            )
        return f"shows the project {project.name} {where}"

    name = f"vercel.{wanted.name}"
    return Question(name, f"the Vercel token shows the project {wanted.name} {where}", "Vercel API", ask)


def repositories(config: Config) -> tuple[tuple[GitHost, str, tuple[App, ...]], ...]:
    """Each repository once, with the apps that come from it."""
    found: dict[tuple[GitHost, str], tuple[App, ...]] = {}
    for app in config.apps:
        key = (app.git_host, app.repository)
        found[key] = (*found.get(key, ()), app)
    return tuple((host, name, apps) for (host, name), apps in found.items())


def _repository(host: GitHost, name: str, apps: tuple[App, ...]) -> Question:
    private = any(app.private_repository for app in apps)
    keys = " and deploy keys" if private else ""

    async def ask(ctx: Context) -> str:
        client = ctx.world.git.of(host)
        account = await client.account()
        await client.may_hook(name)
        if private:
            await client.may_key(name)
        until = f", good until {account.expires}" if account.expires else ""
        return f"token of {account.login}{until}; what cannot be added was refused for itself: it may write"

    statement = f"the {host.value} token may read {name} and give it webhooks{keys}"
    return Question(f"{host.value}.{name}", statement, f"{host.value} API", ask)


async def _zone(ctx: Context) -> str:
    zone = await ctx.world.dns_provider.snapshot()
    return f"shows {len(zone.rrsets)} record sets of {ctx.config.dns.zone}"


async def _old_host(ctx: Context) -> str:
    from wizard.clients import commands

    await (await old_host(ctx)).run(commands.seconds_since_epoch())
    assert ctx.config.old_host is not None
    return f"logged in as {ctx.config.old_host.user}"
