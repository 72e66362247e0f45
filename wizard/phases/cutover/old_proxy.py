"""cutover.old_proxy: the old host sends on what still reaches it, so that nobody meets two places.

From here on the data is written at the new place alone, whichever address a visitor's cache holds: the
write freeze of the data phase is over before the flip.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.config import Config, OldHost
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Change, Failed, Kind, Plan, Refusal
from wizard.engine.step import Context, Phase, Step
from wizard.errors import WizardError
from wizard.phases import dns01
from wizard.phases.cutover import certificate_gap, hand_on, ready
from wizard.phases.cutover.records import ProxyRecord
from wizard.phases.hosts import old_host

if TYPE_CHECKING:
    from wizard.clients.ssh import HostClient

CADDYFILE = "/etc/caddy/Caddyfile"
_BACKUP = "old-host-Caddyfile"
_AS_BEFORE = "hand_on"
_ASK_AGAIN = 3.0
_SETTLES_WITHIN = 60.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where the proxy's configuration lies on the old host; `container` is "" when it runs without one.

    `pid` of the container's first process, 0 where that is not known.
    """

    path: str
    container: str
    text: str
    pid: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """`targets`: domains that the proxy serves and that move, with their new addresses."""

    place: Place
    targets: tuple[tuple[str, str], ...]
    forwarded: tuple[tuple[str, str], ...]
    unnamed: tuple[str, ...]
    """Domains that lead to the old host, and that its configuration does not name."""
    unready: tuple[str, ...]
    bare: tuple[str, ...]
    """Domains in an accepted gap: served there by themselves until the new host has a certificate."""
    hands_on: bool = False
    """Whether a reload that was cut off left the host's setting changed."""


async def proxy_of(ctx: Context, old: OldHost) -> tuple[HostClient, Place]:
    """The old host and its proxy's configuration. Raises WizardError when there is none."""
    from wizard.clients import commands

    host = await old_host(ctx)
    result = await host.run(commands.inspect_containers(old.proxy_service), check=False)
    found = json.loads(result.stdout) if result.ok else []
    path, container = (_mounted(found[0]), old.proxy_service) if found else (CADDYFILE, "")
    text = await host.read(path) if path else None
    if text is None:
        raise WizardError(
            f"The configuration of {old.proxy_service} on the old host was not found",
            f"{CADDYFILE} is neither mounted into the container nor on the host",
            "Set old_host.proxy_service to the container of the proxy, or old_host.proxy = false.",
        )
    state = found[0].get("State") if found else None
    return host, Place(path, container, text, int(state.get("Pid") or 0) if isinstance(state, dict) else 0)


def _mounted(found: dict[str, object]) -> str:
    """The file on the host that the container sees as its Caddyfile."""
    mounts = found.get("Mounts")
    for mount in mounts if isinstance(mounts, list) else ():
        target, source = str(mount.get("Destination", "")), str(mount.get("Source", ""))
        if target == CADDYFILE or CADDYFILE.startswith(f"{target.rstrip('/')}/"):
            return source + CADDYFILE.removeprefix(target.rstrip("/"))
    return ""


class OldProxy(Step[Facts]):
    """cutover.old_proxy"""

    id = "cutover.old_proxy"
    title = "The old host sends visitors on"
    phase = Phase.CUTOVER
    needs = ("cutover.certificates",)
    way_back = (
        "The old configuration is put back and the old applications answer again; what was written at the "
        "new place since then stays there."
    )
    enduring = False

    def __init__(self, config: Config) -> None:
        assert config.old_host is not None
        self.config = config
        self.old = config.old_host

    async def observe(self, ctx: Context) -> Facts:
        from wizard.clients import caddyfile

        _, place = await proxy_of(ctx, self.old)
        moving, named = ready.targets(ctx), caddyfile.served(place.text)
        bare = self._bare(ctx)
        targets = tuple(
            (name, moving[name]) for name in self.config.names if name in named and name not in bare
        )
        unready = [
            one.evidence.seen
            for name, address in targets
            if not (one := await ready.answers_at(ctx, self.config.app_of(name), name, address)).ok
        ]
        here = [name for name in self.config.names if await self._leads_here(ctx, name)]
        return Facts(
            place=place,
            targets=targets,
            forwarded=tuple(caddyfile.forwards(place.text).items()),
            unnamed=tuple(name for name in here if name not in named),
            unready=tuple(unready),
            bare=tuple(name for name in bare if name in named),
            hands_on=ctx.saved.load(hand_on.RECORD, hand_on.HandOnRecord) is not None,
        )

    def _bare(self, ctx: Context) -> tuple[str, ...]:
        apps = [app for app in self.config.apps if certificate_gap.accepted(ctx, app)]
        return tuple(name for app in apps for name in app.domains)

    async def _leads_here(self, ctx: Context, name: str) -> bool:
        return self.old.address in await dns01.addresses(ctx, name)

    def plan(self, facts: Facts) -> Plan:
        from wizard.clients import caddyfile

        if facts.unnamed:
            why = f"{', '.join(facts.unnamed)} lead to the old host, but its {CADDYFILE} does not name them"
            ways = (
                "Give each of them a site of its own there, then run again.",
                "Set old_host.proxy = false: caches then keep the old place in use until they run out.",
            )
            return Plan(hold=Failed(why, ways, Refusal.NOT_READY))
        notes: tuple[str, ...] = ()
        if facts.bare:
            note = (
                f"{', '.join(facts.bare)}: without a trusted certificate at the new host the old one cannot "
                "forward, and goes on alone."
            )
            notes = (note,)
        if all(pair in facts.forwarded for pair in facts.targets):
            return Plan((_as_before(),) if facts.hands_on else (), notes)
        if facts.unready:
            why = f"The new host is not ready to be forwarded to: {'; '.join(facts.unready)}"
            return Plan(hold=Failed(why, ("Run cutover.certificates again.",), Refusal.NOT_READY))
        names = ", ".join(name for name, _ in facts.targets)
        after = caddyfile.forwarding(facts.place.text, dict(facts.targets))
        change = Change(
            Kind.UPDATE,
            "forward",
            f"proxy of the old host ({facts.place.path})",
            before=f"serves {names} itself",
            after=", ".join(f"{name} → {address}, over TLS by its name" for name, address in facts.targets),
            why="whoever is still led here reaches the new place: nothing is written at the old one any more",
            way_back=self.way_back,
            payload=(facts.place, after, tuple(name for name, _ in facts.targets)),
        )
        note = "The new host sees the old host's address as the visitor's until caches have run out."
        return Plan((change,), (*notes, note, hand_on.NOTE))

    async def apply(self, change: Change, ctx: Context) -> None:
        host, place = await proxy_of(ctx, self.old)
        if change.key == _AS_BEFORE:
            if place.container and not place.pid:
                # Its network ended with it, and the setting with that.
                ctx.saved.drop(hand_on.RECORD)
            else:
                await hand_on.put_back(ctx, host, place.pid)
            return
        if change.key == "restore":
            record: ProxyRecord = change.payload
            text = ctx.kept(record.backup)
            if text is None:
                raise WizardError(f"backups/{record.backup} is gone", next="Put the Caddyfile back by hand.")
            await _write(ctx, host, place, text)
            ctx.saved.drop("proxy")
            return
        before, after, domains = change.payload
        await _valid(host, place, after)
        if ctx.saved.load("proxy", ProxyRecord) is None:
            ctx.backup(_BACKUP, before.text)
            record = ProxyRecord(place.path, place.container, _BACKUP, domains, ctx.now())
            ctx.saved.save("proxy", record)
        await _write(ctx, host, place, after)

    async def verify(self, ctx: Context) -> Sequence[Check]:
        from wizard.clients import caddyfile

        _, place = await proxy_of(ctx, self.old)
        moving, named = ready.targets(ctx), caddyfile.served(place.text)
        found = [
            await self._forwarded(ctx, name, moving[name]) for name in self.config.names if name in named
        ]
        return found or [
            check(
                "none",
                "the old host serves none of the names that move",
                True,
                seen=f"{place.path} names {', '.join(named) or 'nothing'}",
                vantage="old host",
                at=ctx.now(),
            )
        ]

    async def _forwarded(self, ctx: Context, name: str, address: str) -> Check:
        """Asked at the old address; the proxy's own mark tells that the answer is the new host's."""
        from wizard.checks.http import HttpProblem
        from wizard.clients.caddyfile import MARK

        question = f"{name} asked at the old host is answered by {address}"
        vantage = f"operator, at {self.old.address}"
        if name in self._bare(ctx):
            evidence = Evidence("accepted by cutover.allow_certificate_gap", "configuration", ctx.now())
            return Check(f"{name}.forwarded", question, CheckState.WAIVED, evidence)
        url = f"https://{name}{self.config.app_of(name).health}"
        try:
            answer = await ctx.world.http.get(url, self.old.address, fresh=True)
            passed = answer.status == 200 and answer.header(MARK) == address
            seen = f"{answer.status}, {MARK}: {answer.header(MARK) or 'absent'}"
        except HttpProblem as problem:
            passed, seen = False, f"{problem.kind.value}: {problem.why}"
        record = ctx.saved.load("proxy", ProxyRecord)
        if not passed and record is not None and ctx.now() - record.at < _SETTLES_WITHIN:
            evidence = Evidence(seen, vantage, ctx.now())
            again = ctx.now() + _ASK_AGAIN
            return Check(f"{name}.forwarded", question, CheckState.PENDING, evidence, again=again)
        advice = "Look at the log of the old host's proxy; undo puts its old configuration back."
        return check(
            f"{name}.forwarded", question, passed, seen=seen, vantage=vantage, at=ctx.now(), advice=advice
        )

    async def undo(self, ctx: Context) -> Plan:
        record = ctx.saved.load("proxy", ProxyRecord)
        left = ctx.saved.load(hand_on.RECORD, hand_on.HandOnRecord) is not None
        if record is None:
            return Plan((_as_before(),) if left else ())
        change = Change(
            Kind.UPDATE,
            "restore",
            f"proxy of the old host ({record.path})",
            before=f"sends {', '.join(record.domains)} to the new host",
            after="serves them itself, as before",
            why=self.way_back,
            payload=record,
        )
        return Plan((change,), (hand_on.NOTE,))


def _as_before() -> Change:
    return Change(
        Kind.UPDATE,
        _AS_BEFORE,
        "net.ipv4.tcp_migrate_req of the old host",
        before="1, left by a reload that was cut off",
        after="as it was before",
    )


async def _valid(host: HostClient, place: Place, text: str) -> None:
    """Raises CommandError when the proxy would not take it; nothing is changed."""
    from wizard.clients import commands

    await host.run(commands.validate_caddy(place.container, text))


async def _write(ctx: Context, host: HostClient, place: Place, text: str) -> None:
    """Written in place: a file that is mounted by itself would stay the old one if it were replaced."""
    from wizard.clients import commands

    known = place.pid or not place.container
    async with hand_on.handing_on(ctx, host, place.pid) if known else contextlib.nullcontext():
        await host.run(commands.receive_file(place.path, text.encode()))
        await host.run(commands.reload_caddy(place.container))


async def install(ctx: Context, host: HostClient, place: Place, text: str) -> None:
    """Have the proxy serve by `text`. Raises CommandError, with nothing changed, if it would not take it."""
    await _valid(host, place, text)
    await _write(ctx, host, place, text)
