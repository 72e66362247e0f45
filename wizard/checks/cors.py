"""What browsers make of an answer to a request from another origin (Fetch standard, section 3.2)."""

from __future__ import annotations

from wizard.checks.http import HttpAnswer

WANTED_HEADERS = "authorization,content-type"


def preflight_headers(origin: str, method: str = "POST") -> tuple[tuple[str, str], ...]:
    """What a browser sends before a request with a token and a JSON body."""
    return (
        ("Origin", origin),
        ("Access-Control-Request-Method", method),
        ("Access-Control-Request-Headers", WANTED_HEADERS),
    )


def judge_allowed(
    preflight: HttpAnswer, actual: HttpAnswer, origin: str, method: str = "POST"
) -> tuple[str, ...]:
    """What would stop a browser from calling with credentials; empty when nothing does."""
    wrong: list[str] = []
    if not 200 <= preflight.status < 300:
        wrong.append(f"the preflight was answered {preflight.status}")
    for what, answer in (("preflight", preflight), ("request", actual)):
        granted = answer.header("access-control-allow-origin")
        if granted != origin:
            wrong.append(f"the {what} allows {granted or 'no origin'} instead of {origin}")
        elif answer.header("access-control-allow-credentials").lower() != "true":
            wrong.append(f"the {what} does not allow credentials")
    methods = _items(preflight.header("access-control-allow-methods"))
    if method.lower() not in methods and method not in ("GET", "HEAD", "POST"):
        wrong.append(f"the preflight does not allow {method}")
    missing = _items(WANTED_HEADERS) - _items(preflight.header("access-control-allow-headers"))
    if missing:
        wrong.append(f"the preflight does not allow the headers {', '.join(sorted(missing))}")
    if "origin" not in _items(actual.header("vary")) and actual.header("access-control-allow-origin") != "*":
        wrong.append("the answer depends on the origin but does not say so (Vary)")
    return tuple(wrong)


def judge_forbidden(preflight: HttpAnswer, actual: HttpAnswer, origin: str) -> tuple[str, ...]:
    """What would let a foreign page read answers with the visitor's credentials; empty when nothing does."""
    wrong: list[str] = []
    for what, answer in (("preflight", preflight), ("request", actual)):
        granted = answer.header("access-control-allow-origin")
        with_credentials = answer.header("access-control-allow-credentials").lower() == "true"
        if granted == origin or (granted == "*" and with_credentials):
            wrong.append(f"the {what} allows {granted}{' with credentials' if with_credentials else ''}")
    return tuple(wrong)


def _items(text: str) -> set[str]:
    return {item.strip().lower() for item in text.split(",") if item.strip()}
