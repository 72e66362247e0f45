"""What was really done, gathered from configuration, progress file and journal: the report's content.

`gather` reads only; `wizard.report.render` turns the result into Markdown, HTML or JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wizard.clock import moment_text
from wizard.config import Config
from wizard.engine import journal
from wizard.engine.check import Check, settled
from wizard.engine.events import StepState
from wizard.engine.plan import Money
from wizard.engine.progress import Progress, decode
from wizard.engine.step import Step
from wizard.phases.costs import assumptions, idle_addresses, yearly
from wizard.phases.decommission.tokens import tokens
from wizard.records import PanelRecord, ServerRecord
from wizard.report.checklist import Answer, Kind, Verdict, judge
from wizard.report.runbook import Procedure, runbook

FINISHED = (StepState.DONE, StepState.SKIPPED)


@dataclass(frozen=True, slots=True)
class Answered:
    """A check with its evidence, as a reader needs it. `at` is RFC 3339."""

    step: str
    name: str
    statement: str
    state: str
    seen: str
    vantage: str
    at: str


@dataclass(frozen=True, slots=True)
class Line:
    """A box or a numbered step of the migration document."""

    section: str
    text: str
    answer: str
    note: str
    evidence: tuple[Answered, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """A change that was begun. `result` is applied, adopted, left out, failed or unknown (never ended)."""

    at: str
    kind: str
    target: str
    before: str
    after: str
    result: str
    way_back: str
    final: bool


@dataclass(frozen=True, slots=True)
class Chapter:
    """A step: its state, what it changed, what proves it."""

    id: str
    title: str
    phase: str
    state: str
    why: str
    changed: str
    way_back: str
    changes: tuple[Made, ...]
    checks: tuple[Answered, ...]


@dataclass(frozen=True, slots=True)
class Host:
    """A new host as it stands. `adopted`: it existed before and stays the operator's."""

    name: str
    role: str
    type: str
    location: str
    ipv4: str
    ipv6: str
    monthly: str
    adopted: bool
    panel_version: str


@dataclass(frozen=True, slots=True)
class Final:
    """Something that cannot be undone, and when it was passed ("" if not yet)."""

    what: str
    why: str
    passed: str


@dataclass(frozen=True, slots=True)
class UsedToken:
    """A credential to be revoked when all is over. `last` is the last use of it, "" if there was none."""

    name: str
    what: str
    where: str
    may: str
    last: str


@dataclass(frozen=True, slots=True)
class Totals:
    steps: int
    done: int
    failed: int
    checks: int
    holding: int
    boxes: int
    proven: int
    changes: int


@dataclass(frozen=True, slots=True)
class Report:
    project: str
    source: str
    started: str
    ended: str
    totals: Totals
    checklist: tuple[Line, ...]
    numbered: tuple[Line, ...]
    steps: tuple[Chapter, ...]
    hosts: tuple[Host, ...]
    costs_before: tuple[str, ...]
    costs_after: tuple[str, ...]
    yearly_before: str
    yearly_after: str
    assumptions: tuple[str, ...]
    final: tuple[Final, ...]
    procedures: tuple[Procedure, ...]
    tokens: tuple[UsedToken, ...]


def gather(
    config: Config,
    steps: Sequence[Step[Any]],
    progress: Progress,
    before: Sequence[Money] = (),
    after: Sequence[Money] = (),
) -> Report:
    """The report of a migration, however far it has come."""
    entries = tuple(journal.read(progress.journal_path))
    checks = latest_checks(entries)
    verdicts = judge(_without_skipped(config, progress), checks)
    chapters = tuple(_chapter(step, progress, entries, checks.get(step.id, ())) for step in steps)
    lines = [(verdict.item.kind, _line(verdict)) for verdict in verdicts]
    return Report(
        project=config.project.name,
        source=config.source,
        started=_when(progress.started),
        ended=_ended(steps, progress),
        totals=_totals(chapters, verdicts),
        checklist=tuple(line for kind, line in lines if kind is Kind.BOX),
        numbered=tuple(line for kind, line in lines if kind is Kind.NUMBERED),
        steps=chapters,
        hosts=tuple(_hosts(config, progress)),
        costs_before=tuple(map(str, before)),
        costs_after=tuple(map(str, after)),
        yearly_before=yearly(before),
        yearly_after=yearly(after),
        assumptions=assumptions(config, progress),
        final=_final(steps, chapters),
        procedures=runbook(config, progress.load_record),
        tokens=tuple(_used(config, progress)),
    )


def _without_skipped(config: Config, progress: Progress) -> Config:
    """What is left out has nothing to prove."""
    left_out = {s.name for s in config.servers if progress.state(f"provision.{s.name}.server") == "skipped"}
    return replace(config, servers=tuple(s for s in config.servers if s.name not in left_out))


def latest_checks(entries: Iterable[Mapping[str, Any]]) -> dict[str, tuple[Check, ...]]:
    """The last answer to each question, by step; those of steps that were undone are gone, and so are those
    of a step that came to be done without them."""
    latest: dict[str, dict[str, Check]] = {}
    for entry in entries:
        if entry["kind"] == journal.Entry.CHECK:
            check = decode(entry["check"], Check)
            latest.setdefault(entry["step"], {})[check.name] = check
        elif entry["kind"] == journal.Entry.STATE and entry["state"] == StepState.DONE:
            latest[entry["step"]] = settled(latest.get(entry["step"], {}))
        elif entry["kind"] == journal.Entry.STATE and entry["state"] in (StepState.UNDONE, StepState.SKIPPED):
            latest.pop(entry["step"], None)
    return {step: tuple(found.values()) for step, found in latest.items()}


def _used(config: Config, progress: Progress) -> Iterator[UsedToken]:
    """With the last step that was done with it."""
    for one in tokens(config):
        rows = [(row.changed, step) for step, row in progress.steps.items() if one.uses(step) and row.changed]
        moment, step = max(rows, default=(0.0, ""))
        yield UsedToken(one.name, one.what, one.where, one.may, f"{step}, {_when(moment)}" if step else "")


def _answered(step: str, check: Check) -> Answered:
    evidence = check.evidence
    return Answered(
        step,
        check.name,
        check.question,
        check.state.value,
        evidence.seen,
        evidence.vantage,
        _when(evidence.at),
    )


def _line(verdict: Verdict) -> Line:
    evidence = tuple(_answered(found.step, found.check) for found in verdict.found)
    item = verdict.item
    return Line(item.section, item.text, verdict.answer.value, item.note, evidence)


def _chapter(
    step: Step[Any], progress: Progress, entries: Sequence[Mapping[str, Any]], checks: Sequence[Check]
) -> Chapter:
    row = progress.steps.get(step.id)
    return Chapter(
        id=step.id,
        title=step.title,
        phase=step.phase.value,
        state=progress.state(step.id).value,
        why=row.why if row else "",
        changed=_when(row.changed) if row else "",
        way_back=step.way_back,
        changes=tuple(_made(step.id, entries)),
        checks=tuple(_answered(step.id, check) for check in checks),
    )


def _made(step: str, entries: Sequence[Mapping[str, Any]]) -> Iterable[Made]:
    """Every intent of the step with its outcome, described by the plan that it was part of."""
    planned: dict[str, Mapping[str, Any]] = {}
    begun: dict[str, Made] = {}
    made: list[Made] = []
    for entry in entries:
        if entry.get("step") != step:
            continue
        kind, key = entry["kind"], str(entry.get("key", ""))
        if kind == journal.Entry.PLAN:
            planned |= {change["key"]: change for change in entry["changes"]}
        elif kind == journal.Entry.INTENT:
            begun[key] = _begun(entry, planned.get(key, {}))
        elif kind == journal.Entry.OUTCOME and key in begun:
            made.append(replace(begun.pop(key), result=str(entry["result"])))
    return [*made, *begun.values()]


def _begun(entry: Mapping[str, Any], change: Mapping[str, Any]) -> Made:
    return Made(
        at=str(entry["at"]),
        kind=str(change.get("kind", "")),
        target=str(entry.get("target", "")),
        before=str(change.get("before", "")),
        after=str(change.get("after", "")),
        result="unknown",
        way_back=str(change.get("way_back", "")),
        final=bool(change.get("confirm")),
    )


def _totals(chapters: Sequence[Chapter], verdicts: Sequence[Verdict]) -> Totals:
    states = [chapter.state for chapter in chapters]
    checks = [check.state for chapter in chapters for check in chapter.checks]
    boxes = [verdict.answer for verdict in verdicts if verdict.item.kind is Kind.BOX]
    return Totals(
        steps=len(states),
        done=sum(state in FINISHED for state in states),
        failed=states.count(StepState.FAILED),
        checks=len(checks),
        holding=sum(state in ("passed", "waived") for state in checks),
        boxes=sum(answer is not Answer.ABSENT for answer in boxes),
        proven=boxes.count(Answer.PROVEN),
        changes=sum(change.result == "applied" for chapter in chapters for change in chapter.changes),
    )


def _hosts(config: Config, progress: Progress) -> Iterable[Host]:
    for server in config.servers:
        record = progress.load_record(f"provision.{server.name}.server", "server", ServerRecord)
        panel = progress.load_record(f"provision.{server.name}.account", "panel", PanelRecord)
        if record is not None:
            yield Host(
                name=server.name,
                role=server.role,
                type=record.type,
                location=record.location,
                ipv4=record.ipv4,
                ipv6=record.ipv6,
                monthly=f"{record.monthly_gross} {record.currency}/month" if record.monthly_gross else "",
                adopted=record.adopted,
                panel_version=panel.version if panel else "",
            )
        for address in idle_addresses(progress, server.name):
            yield Host(
                name=server.name,
                role=f"{address.kind} address without a server",
                type="",
                location=address.location,
                ipv4=address.ip if address.kind == "ipv4" else "",
                ipv6=address.ip if address.kind == "ipv6" else "",
                monthly=f"{address.monthly_gross} {address.currency}/month" if address.monthly_gross else "",
                adopted=False,
                panel_version="",
            )


def _final(steps: Sequence[Step[Any]], chapters: Sequence[Chapter]) -> tuple[Final, ...]:
    """Points of no return by the steps' own word, and each change that had to be typed for."""
    found = []
    for step, chapter in zip(steps, chapters, strict=True):
        if step.point_of_no_return:
            passed = chapter.changed if chapter.state in FINISHED else ""
            found.append(Final(step.title, step.way_back, passed))
        for change in chapter.changes:
            if change.final and change.result in ("applied", "adopted"):
                found.append(Final(f"{change.kind} {change.target}", change.way_back, change.at))
    return tuple(found)


def _ended(steps: Sequence[Step[Any]], progress: Progress) -> str:
    if not steps or any(progress.state(step.id) not in FINISHED for step in steps):
        return ""
    return _when(max(progress.step(step.id).changed for step in steps))


def _when(moment: float) -> str:
    return moment_text(moment) if moment else ""
