"""The few signs that screens use, once for terminals with Unicode and once for ASCII."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from wizard.engine.check import CheckState
from wizard.engine.events import StepState
from wizard.engine.plan import Kind


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Every sign is one cell wide, so that columns stay aligned; no meaning rests on colour alone."""

    ascii: bool
    done: str
    failed: str
    running: str
    waiting: str
    asking: str
    pending: str
    undone: str
    skipped: str
    unknown: str
    opened: str
    closed: str
    rule: str
    upright: str
    more: str
    arrow: str
    dot: str
    full: str
    half: str
    empty: str
    marker: str
    cell: str
    """A full cell of a matrix, with a gap to the row above."""
    pointer: str
    predicted: tuple[str, ...]
    """The outline of what is not seen yet, from low to high within a cell."""
    block: tuple[str, ...]
    """From empty to full, for columns of a chart."""

    def of_step(self, state: StepState) -> str:
        return {
            StepState.PENDING: self.pending,
            StepState.RUNNING: self.running,
            StepState.WAITING: self.waiting,
            StepState.ASKING: self.asking,
            StepState.DONE: self.done,
            StepState.FAILED: self.failed,
            StepState.UNDOING: self.undone,
            StepState.UNDONE: self.undone,
            StepState.SKIPPED: self.skipped,
        }[state]

    def of_check(self, state: CheckState) -> str:
        return {
            CheckState.PASSED: self.done,
            CheckState.FAILED: self.failed,
            CheckState.PENDING: self.waiting,
            CheckState.UNKNOWN: self.unknown,
            CheckState.WAIVED: self.skipped,
        }[state]

    def of_kind(self, kind: Kind) -> str:
        return {
            Kind.CREATE: "+",
            Kind.UPDATE: "~",
            Kind.REPLACE: "%",
            Kind.DELETE: "-",
            Kind.RUN: ">",
            Kind.ASK: "?",
        }[kind]


UNICODE = Glyphs(
    ascii=False,
    done="✓",
    failed="✗",
    running="●",
    waiting="◷",
    asking="▲",
    pending="·",
    undone="↺",
    skipped="–",
    unknown="?",
    opened="▾",
    closed="▸",
    rule="─",
    upright="│",
    more="…",
    arrow="→",
    dot="·",
    full="█",
    half="▒",
    empty="░",
    marker="▌",
    cell="▇",
    pointer="◆",
    predicted=("⣀", "⠤", "⠒", "⠉"),
    block=(" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"),
)

ASCII = Glyphs(
    ascii=True,
    done="+",
    failed="x",
    running="*",
    waiting="o",
    asking="!",
    pending=".",
    undone="<",
    skipped="-",
    unknown="?",
    opened="v",
    closed=">",
    rule="-",
    upright="|",
    more="~",
    arrow=">",
    dot="-",
    full="#",
    half="=",
    empty=".",
    marker="|",
    cell="#",
    pointer="@",
    predicted=("_", ".", "-", "'"),
    block=(" ", ".", ".", ":", ":", "+", "+", "#", "#"),
)

_PLAIN = str.maketrans("–—…·→←≥≤×“”‘’•✓✗", "--~-><><x\"\"''*+x")


def plain(text: str) -> str:
    """`text` in ASCII: known signs by a likeness, the rest by a question mark."""
    return text.translate(_PLAIN).encode("ascii", "replace").decode()


def wants_ascii(environ: Mapping[str, str] | None = None, encoding: str | None = None) -> bool:
    """Whether the terminal is to be spared from Unicode: by wish, by its kind, or by its encoding."""
    environ = os.environ if environ is None else environ
    encoding = encoding if encoding is not None else (getattr(sys.__stdout__, "encoding", "") or "")
    if environ.get("DOKPLOY_WIZARD_ASCII", "") not in ("", "0"):
        return True
    if environ.get("TERM", "") in ("dumb", "vt100", "vt220"):
        return True
    return bool(encoding) and "utf" not in encoding.lower()


def glyphs(ascii_only: bool) -> Glyphs:
    return ASCII if ascii_only else UNICODE
