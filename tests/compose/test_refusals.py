"""What compose refuses is said with its line, and nothing that it takes: the real binary is the judge."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compose.oracle import complaint
from wizard.compose.document import ComposeError
from wizard.compose.finding import Rule
from wizard.compose.review import review
from wizard.compose.rewrite import rewrite

_SAY = {Rule.REFUSED, Rule.DUPLICATE_KEY, Rule.UNDEFINED, Rule.INTERPOLATION, Rule.NO_IMAGE}
TAKEN = (
    "networks: {a: {}}",
    "name: x",
    "services: {}",
    "services: {a: {image: x}}\n---\nservices: {b: {image: y}, a: {ports: ['2:2']}}",
    "services: {a: {image: x}}\n...",
    "x-a: &a {image: x}\nservices:\n  b: *a",
    "x-a: &a {image: x}\nx-b: &b {restart: always}\nservices:\n  b:\n    <<: [*a, *b]",
    "x-s: &s\n  a: {image: x}\nservices:\n  <<: *s\n  b: {image: y}",
    "services:\n  a:\t{image: x}",
    "services:\n  a: {image: x, ports: !reset null, command: !reset {}}",
    "services:\n  a: {image: x}\n  b: !reset {image: y}",
    "services:\n  a: {image: x}\n  c: !reset null",
    "services:\n  a: {image: x, ports: !override ['1:1']}",
    "services:\n  a: {image: x, labels: {a: '😀'}, environment: {Ä: ü}}",
    "services: {a: {image: x, read_only: yes, privileged: on}}",
    "services: {a: {image: x, ports: [22:22, 80]}}",
    "services:\n  ? a\n  : {image: x}",
    '{\n\t"services": {\n\t\t"a": {"image": "x", "container_name": "bb"}}}',
    "services: {a: {image: '${A:-${B:-x}}', command: '$$x $A ${B-} ${C:+d}'}}",
    "services: {a: {image: x, command: '$(x) $1 $- a$ $ ${A:-$$}'}}",
    "services: {a: {image: x, command: '${A:-}} {{ }} ${A-b:-c?d}'}}",
    "\ufeffservices: {a: {image: x}}",
    "services:\r  a: {image: x}\r",
    "x-a: &a 1\nx-b: &a 2\nservices: {a: {image: x}}",
    "services: {a: {image: x, environment: {A: , B: null, C: '', D: 1, E: true}}}",
    "services: {a: {image: x, command: null, x-mine: 1, mem_limit: 5}}",
    "services: {'1': {image: x}, b.c-d_e: {image: x}}",
    "services: {a: {image: x, depends_on: [b, c]}, b: {image: x, depends_on: [c]}, c: {image: x}}",
    "x-a: &a [1,1]\nx-b: &b [*a,*a]\nx-c: &c [*b,*b]\nservices: {a: {image: x}}",
)
REFUSED = (
    "version: '3'",
    "services:",
    "services: {a: {image: x}}\n---\n# nothing",
    "services: {a: {image: x}}\n---\nfoo",
    "services:\n  a:\n  b: {image: x}",
    "services:\n  1: {image: x}",
    "services: {true: {image: x}}",
    "services:\n  'a b': {image: x}",
    "services:\n  a: {image: x}\n  a: {image: y}",
    "services:\n\ta: {image: x}",
    "services:\n  a: {image: x, helthcheck: {}}",
    "foo: 1\nservices: {a: {image: x}}",
    "services:\n  a: {image: x, container_name: b}",
    "services: {a: {image: '${A'}}",
    "services: {a: {image: x, command: '${1}'}}",
    "services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [a]}}",
    "services: {a: {image: x, depends_on: [a]}}",
    "services: {a: *no}",
    "- a",
    "services: {a: {image: x, volumes: ['data::']}}",
    "services: {a: {image: x, volumes: [':/x:ro']}}",
    "services: {a: {image: x, volumes: ['a/b:/x']}}",
    "services: {a: {extends: b}, b: {extends: a}}",
    "services: {a: {image: x, extends: nope}}",
    "services: {a: {image: x, volumes: }}",
    "services: {a: {image: x, ports: null}}",
    "services: {a: {image: x, container_name: 5}}",
    "services: {a: {image: [x]}}",
    "services: {a: {image: x, restart: no, privileged: 1}}",
    "services: {a: {image: x}}\nvolumes:",
    "services: {a: {image: x}}\nnetworks: [a]",
    "include: a.yml\nservices: {a: {image: x}}",
)


@pytest.mark.parametrize("text", TAKEN)
def test_nothing_is_called_refused_that_compose_takes(text: str, tmp_path: Path) -> None:
    assert complaint(tmp_path, text) == ""
    found = review(text)
    assert not [finding for finding in found.findings if finding.rule in _SAY]
    made = rewrite(found)
    values = "".join(f"{name}='{value}'\n" for name, value in made.values)
    assert complaint(tmp_path, made.text, values) == ""


@pytest.mark.parametrize("text", REFUSED)
def test_what_compose_refuses_is_said_with_its_line(text: str, tmp_path: Path) -> None:
    assert complaint(tmp_path, text)
    try:
        found = [finding for finding in review(text).findings if finding.rule in _SAY]
    except ComposeError as error:
        assert error.what and error.line > 0
        return
    assert found
    assert all(finding.line > 0 and finding.why.endswith(".") for finding in found)


def test_a_key_that_is_nearly_right_is_named() -> None:
    text = "services:\n  web:\n    image: a:1\n    enviroment: {A: 1}\n"
    (found,) = [one for one in review(text).findings if one.rule is Rule.REFUSED]
    assert (found.service, found.line, found.what) == ("web", 4, "enviroment")
    assert "Did you mean `environment`?" in found.advice
