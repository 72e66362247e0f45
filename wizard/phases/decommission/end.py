"""decommission.subscription: what only the operator can end, and what can be seen of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wizard.config import Config
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Ask, Choice, Plan, Question
from wizard.engine.step import Context, Phase, Step
from wizard.errors import UnreachableError, VendorError

CANCELLED, KEEP, LATER = "cancelled", "keep", "later"
SUBSCRIPTION = "decommission.subscription"


@dataclass(frozen=True, slots=True)
class Facts:
    answer: str
    left: tuple[str, ...] = ()
    """What is still there, or still to be revoked."""


class Subscription(Step[Facts]):
    """No API ends a plan: it is opened for the operator, confirmed, and what can be seen is asked."""

    id = SUBSCRIPTION
    title = "End the subscription at Vercel"
    phase = Phase.DECOMMISSION
    needs = ("decommission.delete",)
    way_back = "A plan can be taken out again in the team's settings; what was paid is not given back."
    enduring = False

    def __init__(self, config: Config) -> None:
        self.config = config

    @property
    def _wanted(self) -> bool:
        return bool(self.config.vercel) and self.config.decommission.subscription

    @property
    def _teams(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(project.team for project in self.config.vercel))

    async def observe(self, ctx: Context) -> Facts:
        return Facts(ctx.answers.get(SUBSCRIPTION, ""), await self._left(ctx) if self._wanted else ())

    async def _left(self, ctx: Context) -> tuple[str, ...]:
        """Projects that the teams still have: whoever cancels takes those down too."""
        found: list[str] = []
        for team in self._teams:
            try:
                found += [one.name for one in await ctx.world.vercel.projects(team)]
            except UnreachableError:
                raise
            except VendorError:
                continue
        return tuple(found)

    def plan(self, facts: Facts) -> Plan:
        if not self._wanted or facts.answer:
            return Plan()
        pages = ", ".join(
            f"https://vercel.com/teams/{team}/settings/billing"
            if team
            else "https://vercel.com/account/settings/billing"
            for team in self._teams
        )
        left = f"still there: {', '.join(facts.left)}" if facts.left else "no project is left"
        question = Question(
            SUBSCRIPTION,
            f"End the plan by hand at {pages}. Is it done?",
            choices=(
                Choice(CANCELLED, "It is cancelled"),
                Choice(KEEP, "It stays, for other projects"),
                Choice(LATER, "Later: remind me in the report"),
            ),
            default=LATER,
            why=f"{left}; no API can end it, it runs to the end of its period and is not refunded",
        )
        return Plan(hold=Ask(question))

    async def verify(self, ctx: Context) -> Sequence[Check]:
        if not self._wanted:
            seen = "no [[vercel]] in the configuration, or subscription is off"
            question = "there is no subscription to be ended"
            return [check("none", question, True, seen=seen, vantage="config", at=ctx.now())]
        facts = await self.observe(ctx)
        words = {
            CANCELLED: "cancelled, by your word",
            KEEP: "it stays, by your word",
            LATER: "still being billed: end it in the team's settings under Billing",
        }
        seen = words.get(facts.answer, "not answered")
        state = CheckState.WAIVED if facts.answer in words else CheckState.FAILED
        question = "the subscription at Vercel is ended, or stays knowingly"
        advice = "" if facts.answer in words else "Run decommission.subscription."
        found = [Check("confirmed", question, state, Evidence(seen, "operator", ctx.now()), advice)]
        if facts.answer == CANCELLED:
            found.append(
                check(
                    "projects",
                    "no project is left that the plan was for",
                    not facts.left,
                    seen=", ".join(facts.left) or "none",
                    vantage="Vercel's API",
                    at=ctx.now(),
                    advice="Move or delete these before the plan ends, or answer that it stays.",
                )
            )
        return found
