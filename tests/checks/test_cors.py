from __future__ import annotations

import pytest

from wizard.checks.cors import judge_allowed, judge_forbidden
from wizard.checks.http import HttpAnswer

GOOD, EVIL = "https://shop.example", "https://evil.example"
GRANT = {
    "access-control-allow-origin": GOOD,
    "access-control-allow-credentials": "true",
    "access-control-allow-headers": "Authorization, Content-Type",
    "access-control-allow-methods": "GET, POST",
    "vary": "Accept, Origin",
}


def answer(status: int = 200, **changes: str | None) -> HttpAnswer:
    named = {key.replace("_", "-"): value for key, value in changes.items()}
    headers = {key: value for key, value in {**GRANT, **named}.items() if value is not None}
    return HttpAnswer("https://api.shop.example/", status, tuple(headers.items()), b"", False, "", 0.0)


def test_a_complete_grant_stops_nobody() -> None:
    assert judge_allowed(answer(), answer(), GOOD) == ()


@pytest.mark.parametrize(
    ("preflight", "actual", "words"),
    [
        (answer(403), answer(), "answered 403"),
        (answer(access_control_allow_origin="*"), answer(), "allows * instead"),
        (answer(), answer(access_control_allow_origin=None), "the request allows no origin"),
        (answer(access_control_allow_credentials=None), answer(), "credentials"),
        (answer(access_control_allow_headers="content-type"), answer(), "authorization"),
        (answer(), answer(vary=None), "Vary"),
    ],
)
def test_what_would_stop_a_browser_is_said(preflight: HttpAnswer, actual: HttpAnswer, words: str) -> None:
    assert any(words in text for text in judge_allowed(preflight, actual, GOOD))


def test_a_foreign_page_is_kept_out_when_it_is_not_named() -> None:
    assert judge_forbidden(answer(), answer(), EVIL) == ()


@pytest.mark.parametrize("granted", [EVIL, "*"])
def test_a_foreign_page_that_could_read_is_found(granted: str) -> None:
    loose = answer(access_control_allow_origin=granted)

    assert len(judge_forbidden(loose, loose, EVIL)) == 2
