"""A finding: one cause, why it matters under the panel, and the edit that mends it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Severity(StrEnum):
    """In the order in which a reader wants them."""

    DATA_LOSS = "data-loss"
    MUST_FIX = "must-fix"
    EXPOSURE = "exposure"
    ADVICE = "advice"


class Rule(StrEnum):
    """What a review looks for. docs/what-does-the-review-say.md explains each."""

    CODE_MOUNT = "code-mount"
    CODE_ONLY_BY_MOUNT = "code-only-by-mount"
    DATA_IN_CLONE = "data-in-clone"
    DATA_VOLUME = "data-volume"
    VARIABLE_PATH = "variable-path"
    HOST_PATH = "host-path"
    ENV_MOUNT = "env-mount"
    SCRATCH_IN_CLONE = "scratch-in-clone"
    CONFIG_IN_CLONE = "config-in-clone"
    PUBLISHED_PORT = "published-port"
    PORT_TAKEN = "port-taken"
    SECRET_IN_FILE = "secret-in-file"
    HOST_POWER = "host-power"
    HOST_SERVICE = "host-service"
    CONTAINER_NAME = "container-name"
    PROJECT_NAME = "project-name"
    ENV_FILE = "env-file"
    SECRET_FILE = "secret-file"
    EXTERNAL_NETWORK = "external-network"
    FIXED_SUBNET = "fixed-subnet"
    BUILD_CONTEXT = "build-context"
    REPEATED_BUILD = "repeated-build"
    PROFILES = "profiles"
    OTHER_FILE = "other-file"
    OVERRIDE_FILE = "override-file"
    DOMAIN_SERVICE = "domain-service"
    UNDEFINED = "undefined"
    NO_IMAGE = "no-image"
    DUPLICATE_KEY = "duplicate-key"
    SEVERAL_DOCUMENTS = "several-documents"
    REFUSED = "refused"
    INTERPOLATION = "interpolation"
    VARIABLES = "variables"
    NO_HEALTH_CHECK = "no-health-check"
    SLOW_HEALTH_CHECK = "slow-health-check"
    NO_RESTART = "no-restart"
    NO_MEMORY_LIMIT = "no-memory-limit"
    MEMORY_OVER_HOST = "memory-over-host"
    FLOATING_IMAGE = "floating-image"


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the characters `start`..`end` of the file, which are `before`, by `header` + `after`.

    `header` opens a section that is not there yet; edits of one place that share it open it once.
    `secret` tells that `before` holds a secret, which is never shown.
    """

    start: int
    end: int
    before: str = field(repr=False)
    after: str
    header: str = ""
    secret: bool = False

    @property
    def removes(self) -> bool:
        return not self.after and not self.header


@dataclass(frozen=True, slots=True)
class Finding:
    """`service` is "" for the whole stack; `also` names further services with the same cause.

    `what` is what stands there, `why` what it means under the panel, `advice` what to do about it.
    `edits` is empty when no safe edit exists: `advice` then says what a person has to do.
    `values` are those that the edits take out of the file, by the variable that must hold them instead.
    """

    rule: Rule
    severity: Severity
    service: str
    line: int
    what: str
    why: str
    advice: str
    edits: tuple[Edit, ...] = ()
    also: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    number: int = 1
    """Tells apart those of one rule on one line."""
    file: str = ""
    """The included file that it speaks of, from the reviewed one's folder; "" for that one itself."""

    @property
    def id(self) -> str:
        """Stable as long as the file is: accepted and declined findings are kept by it."""
        place = f"{self.rule}:{self.service or '-'}:{f'{self.file}:' if self.file else ''}{self.line}"
        return place if self.number == 1 else f"{place}:{self.number}"

    @property
    def services(self) -> tuple[str, ...]:
        return (self.service, *self.also) if self.service else self.also


def settled(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """`edits` in the order of the text, none overlapping another, headers written out once.

    Insertions at one place become one, deeper lines before shallower ones, and come before what is removed
    there; removals that touch become one. Of any other two that overlap the larger one stays.
    """
    taken: list[Edit] = []
    opened: set[tuple[int, str]] = set()
    each = set(edits)
    for edit in sorted(each, key=_order) if len(each) > 1 else each:
        if taken and edit.start < taken[-1].end:
            taken[-1] = _joined(taken[-1], edit)
            continue
        header = "" if (edit.start, edit.header) in opened else edit.header
        opened.add((edit.start, edit.header))
        after = header + edit.after
        last = taken[-1] if taken else edit
        if taken and last.start == last.end == edit.start == edit.end:
            taken[-1] = replace(last, after=last.after + after)
        elif taken and last.end == edit.start and last.removes and not after:
            taken[-1] = _joined(last, edit)
        else:
            taken.append(edit if not edit.header else replace(edit, after=after, header=""))
    return tuple(taken)


def _joined(first: Edit, second: Edit) -> Edit:
    if not (first.removes and second.removes) or second.end <= first.end:
        return first
    more = second.before[first.end - second.start :]
    return replace(first, end=second.end, before=first.before + more, secret=first.secret or second.secret)


def _order(edit: Edit) -> tuple[int, bool, int, int, str]:
    first = (edit.header or edit.after).lstrip("\r\n")
    indent = len(first) - len(first.lstrip(" "))
    return edit.start, edit.end > edit.start, -edit.end, -indent, edit.header + edit.after


def apply(text: str, edits: Iterable[Edit]) -> str:
    """`text` with all `edits`, which speak of the unedited text."""
    parts: list[str] = []
    position = 0
    for edit in settled(edits):
        parts += [text[position : edit.start], edit.after]
        position = edit.end
    return "".join([*parts, text[position:]])


def inverse(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """The edits that take `edits` back; they speak of the text that `apply` gives."""
    undo: list[Edit] = []
    shift = 0
    for edit in settled(edits):
        start = edit.start + shift
        undo.append(Edit(start, start + len(edit.after), edit.after, edit.before, secret=edit.secret))
        shift += len(edit.after) - len(edit.before)
    return tuple(undo)
