"""For how long visitors can meet a new place without a certificate: told beforehand, and measured.

It opens for a name when the first authoritative server leads to the new place, whatever the others and the
caches still say: from then on a cache that has just run out may bring a visitor.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wizard.config import AppKind
from wizard.engine.step import Context
from wizard.phases.cutover import authority
from wizard.phases.cutover.records import FLIP_STEP, FlipRecord, ProbeRecord
from wizard.phases.hosts import server_record

if TYPE_CHECKING:
    from wizard.config import App
    from wizard.dns.records import ChangeSet

_LOOK_AGAIN = 1.0
_AGREE_AT_MOST = 900.0
_AGREE_SPARE = 60.0
_ASKED_EVERY = 3.0
_ORDER = (5.0, 60.0)
"""Seconds from the order to a trusted certificate, at best and as a rule at most."""
_REDEPLOY = (5.0, 60.0)


@dataclass(frozen=True, slots=True)
class GapRecord:
    """`opened`: no server led to the new place before that. `told`: trusted since, and the operator knows."""

    opened: float
    told: bool = False


def leads(ctx: Context, app: App) -> Callable[[str, str, authority.Seen], bool]:
    """Whether an answer leads to the new place; one that leads on to another name counts with that."""
    address = server_record(ctx, app.server).ipv4

    def passes(name: str, kind: str, seen: authority.Seen) -> bool:
        return not seen.problem and (bool(seen.alias) or seen.values == (address,))

    return passes


def record_of(ctx: Context, name: str) -> GapRecord | None:
    """A name that is an alias has no change of its own: it opens with the flip."""
    own = _own(ctx, name)
    if own is not None:
        return own
    flip = ctx.saved.load("flip", FlipRecord, step=FLIP_STEP)
    return GapRecord(flip.started) if flip is not None else None


def _own(ctx: Context, name: str) -> GapRecord | None:
    return ctx.saved.load(f"gap_{name}", GapRecord, step=FLIP_STEP)


@contextlib.asynccontextmanager
async def opening(ctx: Context, apps: Sequence[App], part: ChangeSet) -> AsyncIterator[None]:
    """Around making `part`: note when visitors could first be led to its names, as far as `apps` have them.

    What is noted is never too late, and too early by one look at most, or by how long a server is silent.
    """
    names = {one.name for one in part.changes if one.type in ("A", "CNAME")}
    due = {name: app for app in apps for name in app.domains if name in names}
    due = {name: app for name, app in due.items() if _own(ctx, name) is None}
    for name in due:
        ctx.saved.save(f"gap_{name}", GapRecord(ctx.now()))
    opened: dict[str, float] = {}
    looks = [asyncio.create_task(_look(ctx, app, name, opened)) for name, app in due.items()]
    try:
        yield
    finally:
        for look in looks:
            look.cancel()
        await asyncio.gather(*looks, return_exceptions=True)
        for name, at in opened.items():
            ctx.saved.save(f"gap_{name}", GapRecord(at))


async def _look(ctx: Context, app: App, name: str, opened: dict[str, float]) -> None:
    """Until some server leads to the new place, the last moment at which none did."""
    passes = leads(ctx, app)
    while True:
        asked = ctx.now()
        seen = await authority.ask_all(ctx, name, "A")
        if any(passes(name, "A", one) for one in seen):
            return
        if seen and not any(one.problem for one in seen):
            opened[name] = asked
        await ctx.world.clock.sleep(_LOOK_AGAIN)


def tell(ctx: Context, name: str) -> None:
    """A name is trusted: say for how long it was not. Once."""
    record = record_of(ctx, name)
    if record is None or record.told:
        return
    ctx.saved.save(f"gap_{name}", replace(record, told=True))
    ctx.output(length(ctx, name))


def length(ctx: Context, name: str) -> str:
    """How long the gap was, if it ends now."""
    record = record_of(ctx, name)
    lasted = ctx.now() - record.opened if record is not None else 0.0
    return (
        f"{name} was without a trusted certificate for at most {lasted:.0f} s, from when the first name "
        "server could lead a visitor here."
    )


def still_open(ctx: Context, names: Sequence[str]) -> tuple[str, ...]:
    """Names whose end was not told yet."""
    found = {name: record_of(ctx, name) for name in names}
    return tuple(name for name, record in found.items() if record is not None and not record.told)


def forget(ctx: Context, apps: Sequence[App]) -> None:
    """After the way back: another flip opens another gap."""
    for name in (name for app in apps for name in app.domains):
        ctx.saved.drop(f"gap_{name}")


def forecast(ctx: Context, apps: Sequence[App]) -> str:
    """What visitors of `apps` will meet, as a range, and whom caches spare or keep there; "" without any."""
    if not apps:
        return ""
    probe = ctx.saved.load("probe", ProbeRecord, step="cutover.preflight")
    agree = probe.seconds if probe is not None else _AGREE_SPARE
    stack = any(app.kind is AppKind.COMPOSE for app in apps)
    together = ctx.world.dns_provider.atomic
    turns = 1 if together else max(len(app.domains) if app.kind is AppKind.COMPOSE else 1 for app in apps)
    least = _ORDER[0] + (_REDEPLOY[0] if stack else 0.0)
    most = (agree + _ASKED_EVERY) * turns + _ORDER[1] + (_REDEPLOY[1] if stack else 0.0)
    ttl = max(ctx.config.dns.cutover_ttl, ctx.world.dns_provider.min_ttl)
    names = ", ".join(name for app in apps for name in app.domains)
    return (
        f"Visitors of {names} meet a warning from the moment the first name server leads them to the new "
        f"place until a certificate was ordered there: {least:.0f} to {most:.0f} s for each name as a rule, "
        f"up to {(_AGREE_AT_MOST + most) / 60:.0f} min where a name server lags. A cache that holds the old "
        f"address spares its visitors for up to {ttl} s of that; after a way back one that holds the new "
        f"address keeps them there for up to {ttl} s more."
    )
