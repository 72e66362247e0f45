"""The list before the flip: every line asked of the outside a moment ago, and none of them may say no."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.clock import moment_text
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.step import Context
from wizard.phases.cutover import ipv6, ready

if TYPE_CHECKING:
    from wizard.dns.records import ZoneSnapshot
    from wizard.phases.cutover.changes import Intent
    from wizard.phases.cutover.records import TtlRecord

TOPIC = "go"
FRESH = 60.0
"""Seconds for which an answer speaks of now."""


@dataclass(frozen=True, slots=True)
class GoList:
    """Published as Detail("go", …) by cutover.flip until the flip is made. `at`: when it was asked."""

    at: float
    lines: tuple[Check, ...]

    @property
    def no_go(self) -> tuple[Check, ...]:
        """Lines that hold the flip up; one that is only waited for is none of them."""
        return tuple(one for one in self.lines if not one.ok and one.state is not CheckState.PENDING)

    @property
    def waits(self) -> Check | None:
        return next((one for one in self.lines if one.state is CheckState.PENDING), None)

    @property
    def go(self) -> bool:
        return bool(self.lines) and all(one.ok for one in self.lines)

    @property
    def why_not(self) -> str:
        """Every line that says no with what was seen; "" when none does."""
        return "; ".join(f"no-go: {one.question}: {one.evidence.seen}" for one in self.no_go)


async def ask(
    ctx: Context,
    snapshot: ZoneSnapshot,
    intent: Intent,
    sixes: Mapping[str, ipv6.Six],
    lowered: TtlRecord | None,
) -> GoList:
    """Ask all of it. Authoritative servers and pinned addresses only: no cache is filled by it."""
    lines = [
        _lowered(ctx, lowered),
        _quiet(ctx, lowered),
        ready.third_check(ctx, intent.third),
        ready.clear_check(ctx, intent.troubles),
        *await ready.all_answer(ctx),
        *ipv6.checks(ctx, sixes),
        *await ready.same_zone(ctx, snapshot),
    ]
    return GoList(ctx.now(), tuple(lines))


def _lowered(ctx: Context, record: TtlRecord | None) -> Check:
    done = record is not None and bool(record.at)
    seen = f"since {moment_text(record.at)}, {record.old_ttl} s before" if record and done else "not lowered"
    return check(
        "lowered",
        "every name server serves the short TTL",
        done,
        seen=seen,
        vantage="progress file",
        at=ctx.now(),
        advice="Run cutover.lower_ttl first.",
    )


def _quiet(ctx: Context, record: TtlRecord | None) -> Check:
    """The moment from which the flip may be made: the old TTL is over, and so is the quiet window."""
    question = "no cache holds an old TTL any more, and none was asked by us of late"
    if record is None or not record.at:
        # Begun or not: how long a cache may hold the old TTL is not known before it is lowered everywhere.
        unknown = Evidence("the short TTL is not served everywhere yet", "our clock", ctx.now())
        return Check("quiet", question, CheckState.PENDING, unknown)
    until = record.waited_out + ctx.config.cutover.quiet_seconds
    over = ctx.now() >= until
    state = CheckState.PASSED if over else CheckState.PENDING
    evidence = Evidence(f"{'since' if over else 'at'} {moment_text(until)}", "our clock", ctx.now())
    return Check("quiet", question, state, evidence, again=None if over else until)
