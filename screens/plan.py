"""Every plan that is to come, as far as it can be known now, with the costs before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from screens.base import Page
from screens.help import HelpPage
from screens.model import Model
from screens.text import count, money, wrap
from screens.widgets.bars import Key
from screens.widgets.paint import Line, Lines
from screens.widgets.plan_rows import plan_rows
from screens.widgets.rows import Row, Rows
from wizard.engine.events import Event, Planned, StepState
from wizard.engine.info import Costs, StepInfo
from wizard.engine.plan import Failed, Money, Plan, Skip
from wizard.engine.step import Phase
from wizard.errors import WizardError

FINISHED = (StepState.DONE, StepState.SKIPPED)
_ORDER = {phase: number for number, phase in enumerate(Phase)}
HELP = HelpPage(
    "Every plan",
    "What each step would change if it began now, in order. Nothing is changed by looking. Steps that build "
    "on others say so: their plan is known when those are done.",
    (("enter", "go to the step"), ("R", "look again"), ("a", "show steps without changes too")),
    (
        (
            "What do the costs mean?",
            "Monthly prices, as the vendors give them now and as you gave them for what exists today. "
            "Traffic above what is included, and taxes unless the vendor names them, are not in it.",
        ),
    ),
)


class CostLine(Lines):
    """Before, after, and the difference where both are in one currency."""

    DEFAULT_CSS = "CostLine { padding: 1 1 0 1; }"

    def lines(self, width: int) -> Sequence[Line]:
        page = self.screen
        assert isinstance(page, PlanPage)
        spans = cost_spans(page.model.costs, self.glyphs.arrow)
        tally = page.tally()
        return (spans, ((tally, "dim"),), ())


def cost_spans(costs: Costs, arrow: str) -> Line:
    if not costs.before and not costs.after:
        return (("The costs are known when prepare.costs is done.", "dim"),)
    spans: Line = (
        ("a month: ", "dim"),
        (money(costs.before), ""),
        (f" {arrow} ", "dim"),
        (money(costs.after), "strong"),
    )
    change = difference(costs)
    if change is None:
        return spans
    role = "ok" if change.amount <= 0 else "accent"
    return (*spans, (f"   {change.amount:+.2f} {change.currency}", role))


def difference(costs: Costs) -> Money | None:
    """After minus before; None when the currencies are not the same one."""
    currencies = {item.currency for item in (*costs.before, *costs.after)}
    if len(currencies) != 1:
        return None
    before = sum((item.amount for item in costs.before), Decimal(0))
    after = sum((item.amount for item in costs.after), Decimal(0))
    return Money(after - before, currencies.pop())


class PlanPage(Page):
    CSS_PATH = "plan.tcss"
    heading = "every plan"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back"),
        Binding("enter", "jump", "go to the step"),
        Binding("R", "look", "look again"),
        Binding("a", "all", "steps without changes"),
    ]

    plans: Mapping[str, Plan] | None = None
    everything = False

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self._seen: dict[str, Plan] = {}

    def compose(self) -> ComposeResult:
        yield self.top_bar()
        yield CostLine()
        yield Rows(self._rows, id="plans")
        yield self.key_bar()
        yield self.notice_bar()

    def on_mount(self) -> None:
        self.query_one(Rows).focus()
        self.action_look()

    def paint(self) -> None:
        self.query_one(Rows).paint()

    def action_look(self) -> None:
        self.plans = None
        self.run_worker(self._look(), exclusive=True)

    async def _look(self) -> None:
        self._seen = {}
        unsubscribe = self.session.subscribe(self._take)
        try:
            self.plans = await self.session.preview()
        except WizardError as error:
            from screens.message import Trouble

            self.plans = {}
            self.app.push_screen(Trouble(error))
        finally:
            unsubscribe()
        self.repaint()

    def _take(self, event: Event) -> None:
        """Plans are shown as they come."""
        if isinstance(event, Planned):
            self._seen[event.step] = event.plan

    def tally(self) -> str:
        if self.plans is None:
            unfinished = sum(info.state not in FINISHED for info in self.model.steps)
            return f"looking at the outside, changing nothing: {len(self._seen)} of {unfinished} steps …"
        changes = sum(len(plan.changes) for plan in self.plans.values())
        parts = [f"{count(changes, 'change')} in {count(len(self.plans), 'unfinished step')}"]
        early = {info.id: self._early(info) for info in self.model.steps}
        stopped = [step for step, plan in self.plans.items() if isinstance(plan.hold, Failed)]
        later = sum(early.get(step, False) for step in stopped)
        left_out = sum(isinstance(plan.hold, Skip) for plan in self.plans.values())
        tallies = ((later, "known later"), (left_out, "left out"), (len(stopped) - later, "refused"))
        return ", ".join([*parts, *(f"{number} {what}" for number, what in tallies if number)])

    def _rows(self, width: int) -> Sequence[Row]:
        plans = self._seen if self.plans is None else self.plans
        rows: list[Row] = []
        phase = ""
        for info in self.model.steps:
            plan = plans.get(info.id)
            if plan is None or (plan.empty and not self.everything):
                continue
            if info.phase != phase:
                phase = info.phase
                rule = self.glyphs.rule * max(0, width - len(phase) - 2)
                rows.append(Row("", ((), ((f"{phase} ", "title"), (rule, "rule")))))
            rows.extend(self._of_step(info, plan, width))
        return rows

    def _of_step(self, info: StepInfo, plan: Plan, width: int) -> list[Row]:
        mark = " !" if info.point_of_no_return else ""
        title: list[Line] = [((text, "strong"),) for text in wrap(f"{info.title}", width - len(mark))]
        title[0] = (*title[0], (mark, "bad"))
        if len(info.title) + len(info.id) + 4 <= width:
            title[0] = (*title[0], (f"  {info.id}", "dim"))
        details = plan_rows(plan, {}, self.glyphs, width - 2, early=self._early(info))
        lines = [(("  ", ""), *spans) for row in details for spans in row.lines]
        return [Row(info.id, (*title, *lines), info.id)]

    def _early(self, info: StepInfo) -> bool:
        """Whether something that comes before `info` is not done yet."""
        for other in self.model.steps:
            before = other.id in info.needs or _ORDER[other.phase] < _ORDER[info.phase]
            if before and other.state not in FINISHED:
                return True
        return False

    def keys(self) -> Sequence[Key]:
        return (
            Key("enter", "go to step", "jump"),
            Key("R", "look again", "look"),
            Key("a", "only changes" if self.everything else "all steps", "all"),
            Key("esc", "back", "leave"),
            Key("c", "copy", "app.copy"),
        )

    def help_page(self) -> HelpPage:
        return HELP

    def copy_value(self) -> str:
        return self.query_one(Rows).key

    def action_all(self) -> None:
        self.everything = not self.everything
        self.repaint()

    def action_jump(self) -> None:
        key = self.query_one(Rows).key
        if key:
            self.wizard.jump(key)

    def on_rows_chosen(self) -> None:
        self.action_jump()


PAGE = PlanPage
