"""The operator's decisions on the findings of a stack's review: all edits at once, or each with its diff."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from wizard.engine.check import Check, CheckState, Evidence
from wizard.engine.plan import Ask, Choice, Failed, Question

if TYPE_CHECKING:
    from wizard.compose.finding import Finding
    from wizard.compose.review import Review
    from wizard.config import App
    from wizard.phases.apps.production import Production

ALL, EACH, NOT_NOW = "all", "each", "stop"
MAKE, LEAVE = "make", "leave"
_BREAKS = ("data-loss", "must-fix")


def edits_question(app: App, digest: str) -> str:
    """The question's id changes with the file, so that a new file is looked at anew."""
    return f"apps.{app.name}.source.edits.{digest}"


def finding_question(app: App, digest: str, finding: str) -> str:
    return f"{edits_question(app, digest)}.{finding}"


def declined(answers: Mapping[str, str], app: App, found: Review) -> frozenset[str]:
    """Ids of the findings whose edits are left out."""
    digest = hashlib.sha256(found.text.encode()).hexdigest()[:12]
    if answers.get(edits_question(app, digest)) != EACH:
        return frozenset()
    return frozenset(
        finding.id
        for finding in found.findings
        if finding.edits and answers.get(finding_question(app, digest, finding.id)) == LEAVE
    )


def hold(answers: Mapping[str, str], app: App, made: Production) -> Ask | Failed | None:
    """What has to be decided before the file is given to the panel. Pure."""
    name, question = app.compose_file, edits_question(app, made.digest)
    answer = answers.get(question)
    if not (made.proposed or made.by_hand):
        return None
    if answer == NOT_NOW:
        way = f"Change {name} in the repository, or name another file, then run again: you are asked again."
        return Failed("the rewritten file was not accepted", (way,), answer=question)
    if answer is None:
        return Ask(_first(question, app, made))
    if answer == EACH:
        for number, finding in enumerate(made.proposed, 1):
            if finding_question(app, made.digest, finding.id) not in answers:
                return Ask(_one(app, made, finding, number))
    return None


def decided(answers: Mapping[str, str], app: App, made: Production) -> bool:
    return hold(answers, app, made) is None


def _first(question: str, app: App, made: Production) -> Question:
    count, by_hand = len(made.proposed), len(made.by_hand)
    person = f"{by_hand} finding{'s' if by_hand > 1 else ''} that no edit can mend" if by_hand else ""
    if count:
        more = f", and has {person}" if person else ""
        edits = "1 edit" if count == 1 else f"{count} edits"
        text = f"{app.compose_file} needs {edits} for production{more}. Make them?"
        ways = [
            Choice(ALL, "Make all of them: the plan shows the whole diff"),
            Choice(EACH, "Show me each with its diff: I make it or leave it"),
        ]
    else:
        text, ways = f"{app.compose_file} has {person}. Go on?", [Choice(ALL, "Go on: I know what they mean")]
    return Question(
        question,
        text,
        (*ways, Choice(NOT_NOW, "Stop here")),
        default="" if made.by_hand else ALL,
        why="\n".join(
            [f"by hand: {_places(finding)}: {finding.why}" for finding in made.by_hand]
            + [f"{_places(finding)}: {finding.what}" for finding in made.proposed]
        ),
    )


def _one(app: App, made: Production, finding: Finding, number: int) -> Question:
    """A finding as a person decides about it: what stands there, why, what to do, and the diff."""
    return Question(
        finding_question(app, made.digest, finding.id),
        f"{number} of {len(made.proposed)}: {_places(finding)}. Make this edit?",
        (Choice(MAKE, "Make it"), Choice(LEAVE, "Leave the file as it is there")),
        default=MAKE,
        why="\n".join((finding.why, finding.advice, "", made.diffs[number - 1].rstrip("\n"))),
    )


def _places(finding: Finding) -> str:
    services = ", ".join(finding.services) or "the stack"
    return f"{finding.severity.value} {finding.rule.value}, {services}, line {finding.line}"


def reviewed(answers: Mapping[str, str], app: App, made: Production, at: float) -> Check:
    """Passed when every finding was mended; waived by the operator's word where one that breaks was not."""
    broken = [finding for finding in made.proposed if finding.id in made.left and _breaks(finding)]
    open_ones = [finding.id for finding in (*made.by_hand, *broken)]
    answer = answers.get(edits_question(app, made.digest), "none needed")
    seen = f"{len(made.proposed)} edits, answer {answer}"
    if made.left:
        seen += f"; left out: {', '.join(sorted(made.left))}"
    if open_ones:
        seen += f"; accepted as they are: {', '.join(open_ones)}"
    state = CheckState.WAIVED if open_ones else CheckState.PASSED
    return Check(
        f"{app.name}.reviewed",
        f"{app.compose_file} was reviewed for production, and the operator knows what changed",
        state if decided(answers, app, made) else CheckState.FAILED,
        Evidence(seen, "operator", at),
        "" if decided(answers, app, made) else "Run this step again and answer its question.",
    )


def _breaks(finding: Finding) -> bool:
    return finding.severity.value in _BREAKS
