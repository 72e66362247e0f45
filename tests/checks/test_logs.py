"""Logs: what counts as trouble, what does not, and when a person should look."""

from __future__ import annotations

import pytest

from wizard.checks.logs import Heard, hear
from wizard.redact import remember


@pytest.mark.parametrize("line", [
    "ERROR in api: connection refused",
    "2026-11-25T06:00:00.123456789Z Traceback (most recent call last):",
    'time="x" level=error msg="y"',
    '{"level":"error","msg":"y"}',
    "2026/11/25 06:00:00 [error] 29#29: open() failed",
    "FATAL:  password authentication failed",
    "Uncaught TypeError: x is undefined",
])  # fmt: skip
def test_lines_that_tell_of_errors(line: str) -> None:
    heard = hear([line])
    assert len(heard.errors) == 1 and not heard.crashes


@pytest.mark.parametrize("line", [
    "panic: assignment to entry in nil map",
    "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
    "Segmentation fault (core dumped)",
    "exec /bin/app: exec format error",
])  # fmt: skip
def test_lines_that_end_a_program(line: str) -> None:
    assert len(hear([line]).crashes) == 1
    assert hear([line]).worse_than(None)


@pytest.mark.parametrize("line", [
    "INFO finished with 0 errors",
    "GET /errors 200",
    '{"error":null,"status":200}',
    "loading error_handler",
    "ERROR_LOG=/dev/stderr",
    "NOTICE no ERROR was found",
    "",
])  # fmt: skip
def test_lines_that_only_look_so(line: str) -> None:
    heard = hear([line])
    assert not heard.errors and not heard.crashes


def test_what_was_written_before_is_passed_over() -> None:
    lines = ["2026-11-25T05:59:59Z ERROR old", "2026-11-25T07:00:01+01:00 ERROR new", "ERROR without a stamp"]
    heard = hear(lines, since=1795586400.0)
    assert heard.errors == ("ERROR new", "ERROR without a stamp")
    assert heard.lines == 2


def test_secrets_are_masked_and_what_is_shown_is_short() -> None:
    remember("wery-secret-value")
    heard = hear([f"ERROR wery-secret-value at postgres://u:p4ssword@db {'x' * 500}"], name="api")
    assert "wery" not in heard.told and "p4ssword" not in heard.told
    assert heard.errors[0].startswith("api: ERROR") and len(heard.told) < 260


@pytest.mark.parametrize("errors, lines, before, worse", [
    (3, 10, None, False),
    (30, 100, None, False),
    (60, 100, None, True),
    (10, 100, Heard(100), True),
    (10, 100, Heard(100, errors=("x",) * 8), False),
    (60, 100, Heard(100, errors=("x",) * 50), False),
    (60, 100, Heard(3, errors=("x",) * 3), True),
    (0, 0, None, False),
])  # fmt: skip
def test_errors_are_judged_against_what_was_usual(
    errors: int, lines: int, before: Heard | None, worse: bool
) -> None:
    heard = hear(["ERROR x"] * errors + ["INFO y"] * (lines - errors))
    assert heard.worse_than(before) is worse
