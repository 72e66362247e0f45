"""The checklist's table against the migration document and against the steps that exist."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from importlib.util import find_spec

import pytest

from tests.shared import shared_dir
from wizard import phases
from wizard.configfile import example, example_text, loads
from wizard.engine.check import Check, CheckState, Evidence
from wizard.engine.step import Phase
from wizard.report import checklist
from wizard.report.checklist import Answer, Kind, expand, judge
from wizard.report.checklist_table import BOXES, NUMBERED


def document() -> str:
    seed = sorted((shared_dir() / "seed").glob("*.txt"))
    assert seed, "the migration document is missing"
    return seed[0].read_text()


def plain(text: str) -> str:
    return text.replace("**", "").strip()


def boxes_of(text: str) -> list[str]:
    return [plain(found) for found in re.findall(r"(?m)^- \[[ x]\] (.*)$", text)]


def numbered_of(text: str) -> list[tuple[str, str]]:
    """(nearest heading, text) of every numbered step but the table of contents."""
    heading, found = "", []
    for line in text.splitlines():
        if match := re.match(r"#{2,4} (.*)", line):
            heading = match[1]
        elif (match := re.match(r"(?:# )?\d+\. (.*)", line)) and heading != "Table of Contents":
            found.append((heading, plain(match[1])))
    return found


def test_every_box_of_the_document_is_in_the_table() -> None:
    assert [item.text for item in BOXES] == boxes_of(document())
    assert len(BOXES) == 48


def test_every_numbered_step_of_the_document_is_in_the_table() -> None:
    found = numbered_of(document())
    assert sorted((item.section, item.text) for item in NUMBERED) == sorted(found)


@pytest.mark.parametrize("item", checklist.items(), ids=lambda item: f"{item.section}: {item.text}")
def test_every_item_is_proven_by_something_in_the_example(item: checklist.Item) -> None:
    proofs = expand(item, example())
    assert proofs
    assert all("<" not in proof.step + proof.checks for proof in proofs)
    assert all(proof.step.split(".")[0] in set(Phase) for proof in proofs)


@pytest.mark.skipif(
    any(find_spec(f"wizard.phases.{phase.value}") is None for phase in Phase),
    reason="not all phases are there",
)
def test_every_step_that_the_table_names_exists() -> None:
    config = example()
    ids = [step.id for step in phases.steps(config)]
    named = {proof.step for item in checklist.items() for proof in expand(item, config)}
    assert {name for name in named if not any(fnmatchcase(id, name) for id in ids)} == set()


def test_names_of_any_configuration_are_put_in() -> None:
    text = example_text().replace('"frontend"', '"edge"').replace('role = "edge"', 'role = "frontend"')
    item = next(item for item in BOXES if item.text == "Install Dokploy")
    assert [proof.step for proof in expand(item, loads(text))] == ["provision.edge.panel"]


def answered(name: str, state: CheckState) -> Check:
    return Check(name, "it holds", state, Evidence("seen", "here", 1.0))


def verdict(text: str, checks: dict[str, list[Check]]) -> Answer:
    return next(v.answer for v in judge(example(), checks) if v.item.text == text and v.item.kind is Kind.BOX)


class TestJudge:
    BOX = "Configure Git repository connection"

    def test_without_checks_it_is_open(self) -> None:
        assert verdict(self.BOX, {}) is Answer.OPEN

    def test_half_of_its_checks_leave_it_open(self) -> None:
        assert verdict(self.BOX, {"prepare.git": [answered("x", CheckState.PASSED)]}) is Answer.OPEN

    def test_all_of_its_checks_prove_it(self) -> None:
        checks = {
            "prepare.git": [answered("x", CheckState.PASSED)],
            "apps.web.source": [answered("y", CheckState.WAIVED)],
        }
        assert verdict(self.BOX, checks) is Answer.PROVEN

    @pytest.mark.parametrize("state", [CheckState.FAILED, CheckState.UNKNOWN, CheckState.PENDING])
    def test_one_check_that_does_not_hold_breaks_it(self, state: CheckState) -> None:
        checks = {
            "prepare.git": [answered("x", CheckState.PASSED), answered("z", state)],
            "apps.web.source": [answered("y", CheckState.PASSED)],
        }
        assert verdict(self.BOX, checks) is Answer.BROKEN
