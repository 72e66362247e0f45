"""decommission.tokens: what the wizard was given is taken back, and each side is asked whether it is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from wizard.config import Config, GitHost
from wizard.engine.check import Check, CheckState, Evidence
from wizard.engine.plan import Ask, Choice, Failed, Plan, Question
from wizard.engine.step import Context, Phase, Step
from wizard.errors import CredentialError, VendorError, WizardError
from wizard.phases.decommission.tokens import Token, tokens

REVOKED, LATER = "revoked", "later"
TOKENS = "decommission.tokens"


class Standing(StrEnum):
    """What its side says to a credential."""

    TAKEN = "still taken"
    REFUSED = "refused"
    NOT_HELD = "the wizard holds it no more"
    SILENT = "no answer"


@dataclass(frozen=True, slots=True)
class Seen:
    token: Token
    standing: Standing
    said: str = ""

    def __str__(self) -> str:
        told = f" ({self.said})" if self.said else ""
        return f"{self.token.name}: {self.token.what}: {self.standing}{told}"


@dataclass(frozen=True, slots=True)
class Facts:
    answer: str
    seen: tuple[Seen, ...]


class RevokeTokens(Step[Facts]):
    """The last of all: nothing is changed by it, and every side is only read."""

    id = TOKENS
    title = "Take the tokens back"
    phase = Phase.DECOMMISSION
    needs = ("decommission.subscription", "decommission.old_host")
    way_back = "New tokens can be made at any time."
    enduring = False

    def __init__(self, config: Config) -> None:
        self.config = config

    async def observe(self, ctx: Context) -> Facts:
        seen = await asyncio.gather(*(_look(ctx, one) for one in tokens(self.config)))
        return Facts(ctx.answers.get(TOKENS, ""), tuple(seen))

    def plan(self, facts: Facts) -> Plan:
        lines = tuple(f"{one}; it may {one.token.may}; revoke it at {one.token.where}" for one in facts.seen)
        taken = [one.token for one in facts.seen if one.standing is Standing.TAKEN]
        if facts.answer == REVOKED and taken:
            names = ", ".join(one.name for one in taken)
            ways = tuple(
                f"Revoke {one.name} at {one.where}, or answer that it is to be later." for one in taken
            )
            return Plan(notes=lines, hold=Failed(f"{names}: still taken", ways, answer=TOKENS))
        if facts.answer:
            return Plan(notes=lines)
        question = Question(
            TOKENS,
            "Revoke what the wizard was given, and take its app off the repository at the git host. Done?",
            choices=(Choice(REVOKED, "They are revoked"), Choice(LATER, "Later: the report lists them")),
            default=LATER,
            why="\n".join(lines),
        )
        return Plan(notes=lines, hold=Ask(question))

    async def verify(self, ctx: Context) -> Sequence[Check]:
        """Asked anew each time: to check again is how a token that was revoked later is seen."""
        facts, now = await self.observe(ctx), ctx.now()
        word = {REVOKED: "revoked, by your word", LATER: "to be revoked later"}.get(
            facts.answer, "not answered"
        )
        state = CheckState.WAIVED if facts.answer in (REVOKED, LATER) else CheckState.FAILED
        if facts.answer and all(one.standing is Standing.REFUSED for one in facts.seen):
            state, word = CheckState.PASSED, "every side refuses them"
        listed = Check(
            "listed",
            "the tokens that were used are known to you, for revocation",
            state,
            Evidence(f"{word}: {'; '.join(map(str, facts.seen))}", "operator, and each side", now),
            "" if facts.answer else "Run decommission.tokens.",
        )
        return [listed, *(_check(one, now) for one in facts.seen if facts.answer == REVOKED)]


_STATES = {
    Standing.TAKEN: CheckState.FAILED,
    Standing.REFUSED: CheckState.PASSED,
    Standing.NOT_HELD: CheckState.WAIVED,
    Standing.SILENT: CheckState.UNKNOWN,
}


def _check(seen: Seen, now: float) -> Check:
    token, state = seen.token, _STATES[seen.standing]
    advice = (
        "" if state in (CheckState.PASSED, CheckState.WAIVED) else f"Revoke it at {token.where}, check again."
    )
    evidence = Evidence(f"{seen.standing}: {seen.said}".removesuffix(": "), token.what, now)
    return Check(
        f"revoked.{token.name}", f"{token.name} is refused where it was good", state, evidence, advice
    )


async def _look(ctx: Context, token: Token) -> Seen:
    """One reading call; a refusal by the side itself is the proof. Who never got there proves nothing."""
    from wizard.clients.ssh import LoginError

    held = await ctx.world.secrets.get(token.name) or token.name.startswith("LEXICON_")
    if not held:
        return Seen(token, Standing.NOT_HELD)
    try:
        await _use(ctx, token)
    except LoginError as error:
        # The host on the way refused our key, not the panel its token.
        return Seen(token, Standing.SILENT, error.what)
    except CredentialError as error:
        return Seen(token, Standing.REFUSED, error.what)
    except VendorError as error:
        # It was let in, and then something else was wrong; a side that is out of order never looked at it.
        standing = Standing.SILENT if error.status >= 500 else Standing.TAKEN
        return Seen(token, standing, error.what)
    except WizardError as error:
        return Seen(token, Standing.SILENT, error.what)
    return Seen(token, Standing.TAKEN)


async def _use(ctx: Context, token: Token) -> None:
    from wizard.phases.panels import api_key_secret, panel

    world = ctx.world
    servers = {api_key_secret(server.name): server.name for server in ctx.config.servers}
    match token.name:
        case "HCLOUD_TOKEN":
            await world.hetzner.servers()
        case "VERCEL_TOKEN":
            await world.vercel.user()
        case "GITHUB_TOKEN":
            await world.git.of(GitHost.GITHUB).account()
        case "GITLAB_TOKEN":
            await world.git.of(GitHost.GITLAB).account()
        case name if name in servers:
            await (await panel(ctx, servers[name])).get("settings.health")
        case _:
            await world.dns_provider.snapshot()
