"""apps.<app>.redirects: what Vercel did with requests, the new proxy does, before anything is led there.

Redirects, headers and rewrites of vercel.json and of the dashboard become one file in the folder that the
proxy watches. It is our own file: the panel writes others and reads none, so nothing of it is overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wizard.config import AppKind, Config
from wizard.engine.check import Check, check
from wizard.engine.plan import NOTHING, Change, Kind, Plan
from wizard.engine.step import Context, Phase, Step
from wizard.phases.apps.panel import app_record
from wizard.phases.cutover.certificate_panel import calls, domains_of
from wizard.phases.hosts import new_host
from wizard.phases.prepare.vercel_records import vercel_record
from wizard.records import TrialRecord
from wizard.vercel.rules import ProxyRule
from wizard.vercel.traefik import Served, file_path, file_text

if TYPE_CHECKING:
    from wizard.config import App


@dataclass(frozen=True, slots=True)
class RulesRecord:
    """Record "rules": how many were put there, and what the file held before; "" if there was none."""

    rules: int
    before: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """`held` is the file's text, "" if there is none; `ours` whether we have put it there."""

    rules: tuple[ProxyRule, ...]
    wished: str
    held: str
    ours: bool


@dataclass(frozen=True, slots=True)
class FileWish:
    """What a change writes; "" takes the file away."""

    text: str
    rules: int = 0


def redirected(config: Config, app: App) -> bool:
    """Whether the step exists."""
    return any(project.app == app.name for project in config.vercel)


def rules_of(ctx: Context, app: App) -> tuple[ProxyRule, ...]:
    """What was found at Vercel that has a form there."""
    records = [vercel_record(ctx, project) for project in ctx.config.vercel if project.app == app.name]
    return tuple(one for record in records if record for one in record.rules)


async def served(ctx: Context, app: App) -> Served:
    """How the proxy reaches the app, and by which names: the temporary one too, while the panel has it."""
    trial = ctx.saved.load("trial", TrialRecord, step=f"apps.{app.name}.trial")
    there = trial is not None and any(view.host == trial.host for view in await domains_of(ctx, app))
    tried = (trial.host,) if trial and there and trial.host not in app.domains else ()
    return Served(app.name, await _address(ctx, app), app.domains, tried)


async def _address(ctx: Context, app: App) -> str:
    """In the network that the proxy shares with it: a service by its name, a stack's container by its own."""
    record = app_record(ctx, app)
    if app.kind is AppKind.DOCKERFILE:
        return f"http://{record.app_name}:{app.port}"
    client = await calls(ctx, app.server)
    rows = await client.get("docker.getContainersByAppNameMatch", appName=record.app_name)
    names = [str(row["name"]) for row in rows or ()]
    usual = f"{record.app_name}-{app.service}-1"
    others = [name for name in names if app.service in name]
    return f"http://{others[0] if others and usual not in names else usual}:{app.port}"


async def lead_trial(ctx: Context, app: App, host: str) -> None:
    """Write our file anew, with the temporary name `host` or with none. Nothing happens without a file."""
    made = ctx.saved.load("rules", RulesRecord, step=f"apps.{app.name}.redirects")
    if made is None:
        return
    machine = await new_host(ctx, app.server)
    if await machine.read(file_path(app.name)):
        wished = replace(await served(ctx, app), plain=(host,) if host else ())
        await machine.upload(file_path(app.name), file_text(rules_of(ctx, app), wished), 0o644)


class RedirectsStep(Step[Facts]):
    """apps.<app>.redirects"""

    phase = Phase.APPS
    way_back = "The file is taken away, or is as it was; what stands at Vercel was never touched."
    # Rules are changed on the host once all is over.
    enduring = False

    def __init__(self, config: Config, app: App) -> None:
        self.config, self.app = config, app
        self.id = f"apps.{app.name}.redirects"
        self.title = f"Redirects, headers and rewrites of {app.name}"
        self.needs = (f"apps.{app.name}.deploy",)

    async def observe(self, ctx: Context) -> Facts:
        rules = rules_of(ctx, self.app)
        made = ctx.saved.load("rules", RulesRecord)
        if not rules and made is None:
            return Facts((), "", "", False)
        wished = file_text(rules, await served(ctx, self.app))
        held = await (await new_host(ctx, self.app.server)).read(file_path(self.app.name))
        return Facts(rules, wished, held or "", made is not None)

    def plan(self, facts: Facts) -> Plan:
        from wizard.compose.rewrite import diff

        if facts.wished == facts.held:
            return NOTHING
        path = file_path(self.app.name)
        kind = Kind.UPDATE if facts.held else Kind.CREATE
        change = Change(
            kind if facts.wished else Kind.DELETE,
            "rules",
            f"{path} on {self.app.server}",
            f"{len(facts.held.splitlines())} lines" if facts.held else "",
            f"{len(facts.rules)} rules: {'; '.join(map(str, facts.rules[:6]))}"
            + (" …" if len(facts.rules) > 6 else ""),
            why="Vercel did this with requests, and nothing of vercel.json counts on the new host",
            way_back="the file is taken away again, or is as it was",
            payload=FileWish(facts.wished, len(facts.rules)),
        )
        return Plan((change,), notes=tuple(diff(facts.held, facts.wished, path).splitlines()))

    async def apply(self, change: Change, ctx: Context) -> None:
        from wizard.clients import commands

        wish: FileWish = change.payload
        host, path = await new_host(ctx, self.app.server), file_path(self.app.name)
        if change.key == "rules":
            known = ctx.saved.load("rules", RulesRecord)
            before = known.before if known else await host.read(path) or ""
            ctx.saved.save("rules", RulesRecord(wish.rules, before))
        if wish.text:
            # The proxy watches its folder: no restart, and a file is written whole or not at all.
            await host.upload(path, wish.text, 0o644)
        else:
            await host.run(commands.remove_file(path))

    async def verify(self, ctx: Context) -> Sequence[Check]:
        facts = await self.observe(ctx)
        there = "; ".join(map(str, facts.rules)) or "Vercel did nothing with requests"
        if facts.wished == facts.held:
            seen = there
        else:
            seen = "the file differs from what was found at Vercel" if facts.held else "there is no file"
        return [
            check(
                f"{self.app.name}.redirects",
                f"the proxy does for {self.app.name} what Vercel did: redirects, headers, rewrites",
                facts.wished == facts.held,
                seen=seen,
                vantage=f"{file_path(self.app.name)} on {self.app.server}",
                at=ctx.now(),
                advice=f"Run {self.id} again.",
            )
        ]

    async def undo(self, ctx: Context) -> Plan:
        known = ctx.saved.load("rules", RulesRecord)
        if known is None:
            return Plan()
        held = await (await new_host(ctx, self.app.server)).read(file_path(self.app.name)) or ""
        if held == known.before:
            return Plan()
        change = Change(
            Kind.UPDATE if known.before else Kind.DELETE,
            "back",
            f"{file_path(self.app.name)} on {self.app.server}",
            f"{known.rules} rules",
            "as it was" if known.before else "gone",
            payload=FileWish(known.before),
        )
        return Plan((change,))
