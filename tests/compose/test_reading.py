"""Reading: mistakes are said with their line, and YAML of the old kind means what compose reads."""

from __future__ import annotations

import pytest

from tests.compose.test_rules import of
from wizard.compose.document import ComposeError
from wizard.compose.finding import Rule
from wizard.compose.review import review


@pytest.mark.parametrize("text, says, line", [
    ("", "empty", 1),
    ("- a", "not a compose file", 1),
    ("a: 1", "no services", 1),
    ("services: 1", "not a mapping", 1),
    ("services:\n  web:", "not a mapping", 2),
    ("services:\n\tweb: 1", "Line 2", 2),
    ("services:\n  a: {image: x}\n---\n- b", "not a compose file", 4),
    ("services: \0", "not valid YAML", 0),
    ("a: " + "[" * 5000, "not valid YAML", 1),
])  # fmt: skip
def test_what_is_no_compose_file_is_said_with_its_line(text: str, says: str, line: int) -> None:
    with pytest.raises(ComposeError) as told:
        review(text)
    assert says in told.value.what
    assert told.value.line == line


def test_a_key_that_stands_twice_is_said() -> None:
    (found,) = of(Rule.DUPLICATE_KEY, "web: {image: 'a:1', image: 'b:1'}")
    assert found.what.startswith("image")


def test_a_value_that_compose_refuses_is_said() -> None:
    assert of(Rule.INTERPOLATION, "web: {image: 'a:1', command: 'echo ${1}'}")


def test_yaml_of_the_old_kind_means_what_compose_reads() -> None:
    body = """
        web:
          image: a:1
          restart: no
          ports: [22:22]
          volumes: !override ["./data:/data"]
          env_file: !reset null
    """
    assert not of(Rule.NO_RESTART, body)
    assert of(Rule.PUBLISHED_PORT, body)[0].what == "22:22"
    assert of(Rule.DATA_IN_CLONE, body)
    assert not of(Rule.ENV_FILE, body)


def test_aliases_that_multiply_are_gone_through_once() -> None:
    text = "x-0: &a0 {k: 1}\n"
    for number in range(1, 40):
        before = f"*a{number - 1}"
        text += f"x-{number}: &a{number}\n  <<: [{before}, {before}]\n  k{number}: [{before}, {before}]\n"
    assert review(f"{text}services:\n  web:\n    <<: *a39\n    image: a:1\n").services == ("web",)


@pytest.mark.parametrize(
    "text", ["services: &s\n  a: *s\n", "services:\n  a: &a\n    image: x:1\n    <<: *a\n"]
)
def test_aliases_that_go_in_a_circle_end(text: str) -> None:
    assert review(text).services == ("a",)
