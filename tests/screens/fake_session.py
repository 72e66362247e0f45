"""A session without an engine: a fixed clock, steps of all phases, and events by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from wizard.engine.check import Check, CheckState, Evidence
from wizard.engine.events import (
    Asked,
    ChangeEnded,
    ChangeStarted,
    Checked,
    Detail,
    Event,
    Output,
    Planned,
    RunEnded,
    StepChanged,
    StepState,
)
from wizard.engine.info import Costs, StepInfo
from wizard.engine.plan import Change, Money, Plan, Question
from wizard.engine.step import Phase
from wizard.errors import WizardError

NOW = 1_780_000_000.0

_STEPS: tuple[tuple[str, str, str, bool], ...] = (
    ("prepare.credentials", "Every token works and may do what is needed", "", False),
    ("prepare.vercel", "What Vercel runs today, and what carries over", "", False),
    ("prepare.dns_zone", "The zone openmates.org as it is", "", False),
    ("prepare.old_host", "What the old host runs", "", False),
    ("prepare.compose", "The compose files reviewed for production", "", False),
    ("prepare.decide", "What cannot be carried, accepted", "", False),
    ("provision.ssh_key", "The key that opens the new hosts", "remove the key; costs nothing", False),
    ("provision.network", "A private network between the hosts", "remove the network", False),
    ("provision.frontend.server", "Server frontend", "delete the server; what it cost stays", False),
    ("provision.backend.server", "Server backend", "delete the server; what it cost stays", False),
    ("provision.backend.panel", "The panel on backend", "remove the panel with its server", False),
    ("firewall.backend.host", "The packet filter of backend", "the old rules come back by themselves", False),
    ("firewall.backend.ports", "Who reaches which port of backend", "", False),
    ("apps.web.deploy", "web is built and runs", "remove the application from the panel", False),
    ("apps.api.deploy", "api is built and runs", "remove the stack from the panel", False),
    ("data.freeze", "Writes stop on the old host; reads go on", "writes are allowed again", False),
    ("data.openmates-postgres.move", "Database openmates-postgres moves", "drop the copy", False),
    ("cutover.certificates", "Certificates trusted at the new address", "remove them from the panel", False),
    ("cutover.lower_ttl", "Short TTLs, and the old ones waited out", "the old TTLs again", False),
    ("cutover.flip", "The records point to the new hosts", "the old records again; caches follow", False),
    ("cutover.watch", "Until the last cache has let go of the old", "", False),
    ("settle.renewal", "The panel renews its certificates itself", "our certificates stay valid", False),
    ("settle.backups", "Backups are made, and one was restored", "remove the schedule", False),
    ("decommission.soak", "Seven quiet days", "", False),
    ("decommission.delete", "The Vercel project is deleted", "", True),
)  # fmt: skip


def steps() -> tuple[StepInfo, ...]:
    return tuple(
        StepInfo(id, title, Phase(id.partition(".")[0]), way_back, last, StepState.PENDING)
        for id, title, way_back, last in _STEPS
    )


class FakeSession:
    """Keeps what commands were given in `calls`; tells its events to late readers as well."""

    def __init__(self, *, live: bool = False) -> None:
        self.paused = False
        self.live = live
        self.title = "openmates.org"
        self.running = False
        self.costs = Costs((Money(Decimal("52.40")),), (Money(Decimal("31.02")),))
        self.elapsed = 8047.0
        self.remaining: float | None = 2460.0
        self.calls: list[tuple[str, ...]] = []
        self.at = NOW
        self.fails: Exception | None = None
        self.rebuilt = ""
        self.remembered: tuple[Detail, ...] = ()
        self.trouble: WizardError | None = None
        self._infos = {info.id: info for info in steps()}
        self._plans: dict[str, Plan] = {}
        self._checks: dict[str, dict[str, Check]] = {}
        self._approvals: list[str] = []
        self._questions: dict[str, tuple[str, Question]] = {}
        self._readers: list[Callable[[Event], None]] = []
        self._history: list[Event] = []

    @property
    def steps(self) -> tuple[StepInfo, ...]:
        return tuple(self._infos.values())

    @property
    def questions(self) -> tuple[tuple[str, Question], ...]:
        return tuple(self._questions.values())

    @property
    def approvals(self) -> tuple[str, ...]:
        return tuple(self._approvals)

    def now(self) -> float:
        return self.at

    def subscribe(self, reader: Callable[[Event], None]) -> Callable[[], object]:
        self._readers.append(reader)
        for event in self._history:
            reader(event)
        return lambda: self._readers.remove(reader)

    def checks(self, step: str) -> tuple[Check, ...]:
        return tuple(self._checks.get(step, {}).values())

    def plan(self, step: str) -> Plan | None:
        return self._plans.get(step)

    async def preview(self) -> dict[str, Plan]:
        self.calls.append(("preview",))
        return dict(self._plans)

    async def report(self) -> str:
        self.calls.append(("report",))
        return REPORT

    async def start(self) -> None:
        self.calls.append(("start",))
        self.running = True

    def pause(self) -> None:
        self.calls.append(("pause",))
        self.paused = True

    def resume(self) -> None:
        self.calls.append(("resume",))
        self.paused = False

    def approve(self, step: str, yes: bool) -> None:
        self.calls.append(("approve", step, "yes" if yes else "no"))
        if step in self._approvals:
            self._approvals.remove(step)
        self.set(step, StepState.RUNNING if yes else StepState.PENDING)

    def approve_phase(self, phase: Phase) -> None:
        self.calls.append(("approve_phase", phase.value))

    def answer(self, question: str, text: str) -> None:
        self.calls.append(("answer", question, text))
        step, _ = self._questions.pop(question)
        self.set(step, StepState.RUNNING)

    async def verify(self, step: str) -> None:
        self.calls.append(("verify", step))
        if self.fails:
            raise self.fails

    async def undo(self, target: str) -> None:
        self.calls.append(("undo", target))

    @property
    def behind_back(self) -> tuple[Phase, ...]:
        return (Phase.SETTLE,) if self._infos["settle.renewal"].state is StepState.DONE else ()

    async def back(self) -> None:
        self.calls.append(("back",))
        if self.fails:
            raise self.fails

    async def stop(self) -> None:
        self.calls.append(("stop",))
        self.running = False

    # What a test lets happen.

    def publish(self, event: Event) -> None:
        self._history.append(event)
        for reader in tuple(self._readers):
            reader(event)

    def set(
        self,
        step: str,
        state: StepState,
        why: str = "",
        until: float | None = None,
        ways: tuple[str, ...] = (),
    ) -> None:
        self._infos[step] = replace(self._infos[step], state=state, why=why, until=until, ways=ways)
        self.publish(StepChanged(self.at, step, state, why, until, ways))

    def done_until(self, step: str) -> None:
        """Every step before `step` is done, quietly."""
        for id in self._infos:
            if id == step:
                return
            self._infos[id] = replace(self._infos[id], state=StepState.DONE)

    def propose(self, step: str, plan: Plan) -> None:
        self._plans[step] = plan
        self.publish(Planned(self.at, step, plan))
        self._approvals.append(step)
        self.set(step, StepState.ASKING, "its plan waits for approval")

    def planned(self, step: str, plan: Plan) -> None:
        self._plans[step] = plan
        self.publish(Planned(self.at, step, plan))

    def begin(self, step: str, change: Change) -> None:
        self.publish(ChangeStarted(self.at, step, change))

    def end(self, step: str, change: Change, result: str = "applied", why: str = "") -> None:
        self.publish(ChangeEnded(self.at, step, change, result, why))

    def output(self, step: str, *lines: str) -> None:
        for text in lines:
            self.publish(Output(self.at, step, text))

    def ask(self, step: str, question: Question) -> None:
        self._questions[question.id] = (step, question)
        self.set(step, StepState.ASKING, question.text)
        self.publish(Asked(self.at, step, question))

    def check(
        self,
        step: str,
        name: str,
        question: str,
        state: CheckState = CheckState.PASSED,
        *,
        seen: str = "as expected",
        vantage: str = "here",
        age: float = 12.0,
        advice: str = "",
        again: float | None = None,
    ) -> None:
        found = Check(name, question, state, Evidence(seen, vantage, self.at - age), advice, again)
        self._checks.setdefault(step, {})[name] = found
        self.publish(Checked(self.at, step, found))

    def detail(self, topic: str, payload: object, step: str = "cutover.watch") -> None:
        self.publish(Detail(self.at, step, topic, payload))

    def over(self, result: str) -> None:
        self.running = False
        self.publish(RunEnded(self.at, "", result))


REPORT = """# Migration of openmates.org

All steps of *prepare* and *provision* are done.

## Checklist

| box | answer | evidence |
|---|---|---|
| Port 3000 is closed to the world | proven | 203.0.113.11:3000 refused, seen from here |
| Backups are made and one was restored | open | not asked yet |

- the way back of `cutover.flip`: the old records again
"""
