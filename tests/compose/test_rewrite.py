"""Edits of the text where it is tangled: anchors, merges, brackets, line ends, the end of the file."""

from __future__ import annotations

import pytest

from wizard.compose.finding import Edit, Rule, apply, inverse
from wizard.compose.review import review
from wizard.compose.rewrite import prepare


def test_line_ends_and_the_byte_order_mark_stay() -> None:
    text = "\ufeffservices:\r\n  web:\r\n    image: a:1\r\n    container_name: x\r\n"
    after = prepare(text).text
    assert after == "\ufeffservices:\r\n  web:\r\n    image: a:1\r\n    restart: unless-stopped\r\n"


def test_a_file_without_a_last_line_end_gets_its_parts_in_order() -> None:
    after = prepare("services:\n  web:\n    image: a:1\n    volumes: ['./d:/d']").text
    assert after == (
        "services:\n  web:\n    image: a:1\n    volumes: ['web-d:/d']\n    restart: unless-stopped\n"
        "\n\nvolumes:\n  web-d:\n    external: true\n"
    )


def test_sections_are_opened_once_for_all_that_goes_into_them() -> None:
    after = prepare("services:\n  a: {image: 'a:1', volumes: ['./x:/x', './y:/y']}\n").text
    assert after.count("volumes:\n") == 1
    assert review(after).services == ("a",)


def test_a_list_that_hides_a_merged_one_is_emptied_not_removed() -> None:
    text = (
        "x-b: &b\n  restart: always\n  ports: ['9000:9000']\n"
        "services:\n  web:\n    <<: *b\n    image: a:1\n    ports:\n      - '8080:80'\n"
    )
    assert "    ports: []\n" in prepare(text).text


def test_an_anchor_that_is_used_elsewhere_is_never_taken_away() -> None:
    text = (
        "services:\n  a:\n    image: a:1\n    restart: always\n    ports: &p\n      - '81:81'\nx-other: *p\n"
    )
    (found,) = (finding for finding in review(text).findings if finding.rule is Rule.PUBLISHED_PORT)
    assert not found.edits
    assert "By hand" in found.advice
    assert prepare(text).text == text


def test_an_anchored_list_that_loses_all_its_items_keeps_its_anchor() -> None:
    text = (
        "services:\n  a:\n    build: .\n    restart: always\n    volumes: &v\n      - ./logs:/app/logs\n"
        "x-other: *v\n"
    )
    assert "    volumes: &v []\n" in prepare(text).text


def test_an_anchor_made_twice_is_no_mistake() -> None:
    text = "services:\n  a: &s {image: 'a:1'}\n  b: &s {image: 'b:1'}\n  c: *s\n"
    assert review(text).services == ("a", "b", "c")


def test_a_bare_key_of_the_operators_own_is_left() -> None:
    text = "services:\n  a:\n    image: a:1\n    volumes:\n    restart: always\n"
    assert prepare(text).text == text


def test_blank_lines_at_the_end_of_a_kept_block_stay_in_it() -> None:
    text = "services:\n  a:\n    image: a:1\n    command: |+\n      x\n\n\n  b: {image: 'b:1', restart: no}\n"
    after = prepare(text).text
    assert "    command: |+\n      x\n\n\n    restart: unless-stopped\n  b:" in after


def test_comments_above_what_goes_stay() -> None:
    text = (
        "services:\n  a:\n    image: a:1\n    restart: always\n    volumes:\n      # logs\n"
        "      - ./logs:/logs # gone\n      # state\n      - d:/d\nvolumes:\n  d: {external: true}\n"
    )
    after = prepare(text).text
    assert "    volumes:\n      # logs\n      # state\n      - d:/d\n" in after


def test_findings_are_accepted_and_declined_by_id_or_rule() -> None:
    text = "services:\n  a:\n    image: a:1\n    container_name: x\n    ports: ['81:81']\n"
    only = prepare(text, accepted=["container-name"])
    assert [finding.rule for finding in only.accepted] == [Rule.CONTAINER_NAME]
    assert {finding.rule for finding in only.declined} == {Rule.PUBLISHED_PORT, Rule.NO_RESTART}
    some = prepare(text, declined=["container-name:a:4", "no-restart"])
    assert [finding.rule for finding in some.accepted] == [Rule.PUBLISHED_PORT]


@pytest.mark.parametrize("edits, after", [
    ([Edit(1, 1, "", "x"), Edit(1, 3, "bc", "")], "axd"),
    ([Edit(1, 3, "bc", ""), Edit(2, 4, "cd", "")], "a"),
    ([Edit(0, 4, "abcd", "z"), Edit(1, 2, "b", "y")], "z"),
    ([Edit(4, 4, "", "s\n", header="v:\n"), Edit(4, 4, "", "t\n", header="v:\n")], "abcdv:\ns\nt\n"),
    ([Edit(4, 4, "", "v:\n"), Edit(4, 4, "", "  deep\n")], "abcd  deep\nv:\n"),
])  # fmt: skip
def test_edits_of_one_place(edits: list[Edit], after: str) -> None:
    assert apply("abcd", edits) == apply("abcd", reversed(edits)) == after
    assert apply(after, inverse(edits)) == "abcd"
