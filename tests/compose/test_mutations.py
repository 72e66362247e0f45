"""Real files, written oddly: what compose takes it takes after the rewriting, and untouched services stay."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.compose.oracle import canonical, complaint
from tests.compose.test_inputs import EXPECTED, NEEDED, NOT_ALONE, blocks
from tests.shared import shared_dir
from wizard.compose.document import ComposeError
from wizard.compose.finding import apply, inverse
from wizard.compose.review import review
from wizard.compose.rewrite import rewrite

ODD = """\
x-odd: &odd
  labels: {"ключ": "значение", long: "LONG"}
services:
  "1.5":
    <<: [*odd]
    image: ${A:-${B:-busybox:1}}
    command: [sh, -c, 'echo $$HOME $(date) ${C-a:-b}']
    environment:
    - "TOKEN=hunter2"
    - PASSED
    - EMPTY=
    secrets: [s]
    configs: [{source: c, target: /c}]
    networks: {default: null}
    ports: !override ["80:80", "127.0.0.1:9000-9002:9000-9002/udp"]
    volumes:
    # where it is kept
    - "./uploads:/uploads:ro"
    - {type: volume, source: kept, target: /kept, read_only: true}
    - type: bind
      source: ./state
      target: /state
      bind: {create_host_path: true}
    restart: "no"
  ? other
  : {image: busybox, container_name: other, profiles: [a, b], extends: {service: "1.5"}}
  gone: !reset null
secrets: {s: {environment: S}}
configs:
  c:
    content: |
      ports:
        - not a port

volumes: {kept: }
""".replace("LONG", "x" * 20_000)
_VALUES = "".join(f"{key}={value}\n" for key, value in {**NEEDED, "S": "s"}.items())


def _windows(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def _wider(text: str) -> str:
    return re.sub(r"^( +)(?=\S)", lambda found: found[1] * 2, text, flags=re.MULTILINE)


MUTATIONS: tuple[Callable[[str], str], ...] = (
    _windows,
    lambda text: "\ufeff" + text.removeprefix("\ufeff"),
    lambda text: text.rstrip("\n"),
    lambda text: text + "\n\n# the end\n\n",
    lambda text: "---\n" + text,
    lambda text: text + "\n...\n" if not text.endswith("...") else text,
    lambda text: re.sub(r"(\n  [\w-]+:)(\n    )", r"\1   # said\2", text),
    lambda text: re.sub(r"\n(    image: )", "\n\n\\1", text),
    lambda text: re.sub(r"(    image: \S+)\n", r"\1 # pinned?\n", text),
    lambda text: text + "\nx-last: {a: [1, 2], b: null}\n",
    _wider,
)


@st.composite
def written_oddly(draw: st.DrawFn) -> str:
    alone = sorted(set(EXPECTED) - NOT_ALONE)
    names = ["", *(name for name in alone if (shared_dir() / "inputs" / name).stat().st_size < 9000)]
    name = draw(st.sampled_from(names))
    text = (shared_dir() / "inputs" / name).read_text() if name else ODD
    for mutation in draw(st.lists(st.sampled_from(MUTATIONS), max_size=3)):
        text = mutation(text)
    return text


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=written_oddly())
def test_what_compose_takes_it_takes_after_the_rewriting(text: str, tmp_path: Path) -> None:
    for name in ("db.env", "backend.env"):
        (tmp_path / name).write_text("")
    if complaint(tmp_path, text, _VALUES):
        return
    found = review(text)
    made = rewrite(found)
    values = "".join(f"{name}='{value}'\n" for name, value in made.values)
    assert complaint(tmp_path, made.text, _VALUES + values) == ""
    assert apply(made.text, inverse(made.edits)) == text
    touched = {service for finding in made.accepted for service in finding.services}
    old, new = blocks(text), blocks(made.text)
    before, after = canonical(tmp_path, text)["services"], canonical(tmp_path, made.text)["services"]
    for service in old.keys() - touched:
        assert (old[service], before[service]) == (new[service], after[service])


@settings(max_examples=150, deadline=None)
@given(written_oddly(), st.data())
def test_a_file_that_somebody_broke_is_reviewed_or_refused_in_a_sentence(
    text: str, data: st.DataObject
) -> None:
    lines = text.split("\n")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        broken = (
            lines[at][1:],
            lines[at] + lines[at],
            f"\t{lines[at]}",
            lines[at].replace(":", "", 1),
            "",
            "- x",
            "a: 1",
        )
        lines[at : at + data.draw(st.integers(0, 2))] = [data.draw(st.sampled_from(broken))]
    try:
        found = review("\n".join(lines))
    except ComposeError as error:
        assert error.what and error.line >= 0 and "\n" not in error.what
        return
    made = rewrite(found)
    assert apply(made.text, inverse(made.edits)) == "\n".join(lines)
