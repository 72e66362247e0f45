"""What holds for every compose file, whatever is in it."""

from __future__ import annotations

from pathlib import Path
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.compose.files import compose_files
from tests.compose.oracle import complaint
from wizard.compose.document import ComposeError
from wizard.compose.finding import apply, inverse
from wizard.compose.review import finding_json, review
from wizard.compose.rewrite import prepare, rewrite

unhurried = settings(deadline=None)


@unhurried
@given(compose_files())
def test_the_edits_of_each_finding_are_taken_back_by_its_undo(text: str) -> None:
    for finding in review(text).findings:
        assert apply(apply(text, finding.edits), inverse(finding.edits)) == text
        for edit in finding.edits:
            assert text[edit.start : edit.end] == edit.before
            assert apply(apply(text, [edit]), inverse([edit])) == text


@unhurried
@given(compose_files(), st.randoms(use_true_random=False))
def test_any_choice_of_findings_can_be_made_and_taken_back(text: str, chance: Random) -> None:
    found = review(text)
    accepted = [finding.id for finding in found.findings if chance.random() < 0.5]
    made = rewrite(found, accepted)
    assert apply(made.text, inverse(made.edits)) == text
    assert review(made.text).services == found.services


@unhurried
@given(compose_files())
def test_nothing_accepted_changes_nothing(text: str) -> None:
    assert prepare(text, accepted=()).text == text


@unhurried
@given(compose_files())
def test_rewriting_again_changes_nothing_more(text: str) -> None:
    once = prepare(text).text
    again = prepare(once)
    assert again.text == once, again.diff
    assert not again.accepted


@unhurried
@given(compose_files())
def test_every_offered_edit_mends_what_it_was_offered_for(text: str) -> None:
    made = prepare(text)
    left = {(finding.rule, finding.what) for finding in review(made.text).findings if finding.edits}
    assert not left


@unhurried
@given(compose_files())
def test_findings_have_an_identity_and_no_secret_is_shown(text: str) -> None:
    found = review(text)
    ids = [finding.id for finding in found.findings]
    assert len(ids) == len(set(ids))
    shown = "".join(str(finding_json(finding)) for finding in found.findings)
    for secret in ("hunter2", "letmein", "p4ss"):
        assert secret not in shown + prepare(text).diff + repr(found) + repr(prepare(text).accepted)


@st.composite
def cut_short(draw: st.DrawFn) -> str:
    text = draw(compose_files())
    return text[: draw(st.integers(0, len(text)))]


@unhurried
@given(st.one_of(st.text(), st.text(alphabet="&*:-{}[]!<|>#'\"\t\n ax$"), cut_short()))
def test_a_review_of_anything_answers_or_says_what_is_wrong(text: str) -> None:
    try:
        found = review(text)
    except ComposeError as error:
        assert error.what
        return
    assert rewrite(found, ()).text == text


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=compose_files())
def test_what_compose_accepts_it_accepts_after_the_rewriting(text: str, tmp_path: Path) -> None:
    (tmp_path / "db.env").write_text("")
    (tmp_path.parent / ".env").write_text("")
    env = "WHERE=./where\n"
    if complaint(tmp_path, text, env):
        return
    made = prepare(text)
    values = "".join(f"{name}={value}\n" for name, value in made.values)
    (tmp_path / "db.env").unlink()
    assert complaint(tmp_path, made.text, env + values) == ""
