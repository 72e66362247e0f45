"""What Vercel's refusals mean, as sentences with ways on. An answer may lack any body."""

from __future__ import annotations

from typing import Any

from wizard.clock import moment_text
from wizard.errors import CredentialError, VendorError
from wizard.redact import redact

TOKENS = "https://vercel.com/account/settings/tokens"


class NotFoundError(VendorError):
    """There is no such thing in this scope, or the path has moved."""


class ConflictError(VendorError):
    """A name is taken, or the project is being transferred."""


class PaymentError(VendorError):
    """The account is blocked until a bill is paid."""


class RateLimitError(VendorError):
    """Too many calls of one kind. `reset`: the moment from which they are taken again; 0 if not said."""

    def __init__(self, what: str, why: str = "", next: str = "", *, reset: float = 0.0) -> None:
        super().__init__(what, why, next, code="rate_limited", status=429)
        self.reset = reset


class WrongTeamError(CredentialError):
    """The token is good, but not for this team."""


def said(body: Any) -> tuple[str, str]:
    """Code and message of an error answer; empty texts for what it lacks."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return "", ""
    return str(error.get("code") or ""), str(error.get("message") or "")


def sentence(status: int, body: Any, doing: str, team: str = "") -> VendorError:
    """The error for a refusal while `doing` something in `team`'s scope ("" for the person's own)."""
    code, message = said(body)
    details = f"while {doing}: {message or 'no reason was given'} ({code or status})"
    why = redact(details)
    if status == 401 or (status == 403 and _invalid(body)):
        return CredentialError(
            "Vercel does not accept the token: it is wrong, expired or revoked",
            why,
            f"Make a new one at {TOKENS} and set VERCEL_TOKEN.",
            code=code,
            status=status,
        )
    if status == 403:
        return _forbidden(why, code, team)
    if status == 402:
        return PaymentError(
            "Vercel has blocked the account until a bill is paid",
            why,
            "Settle the bill in the team's settings under Billing, then run again.",
            code=code,
            status=status,
        )
    if status in (404, 410):
        return NotFoundError(
            "Vercel has no such thing" + (f" in team {team}" if team else ""),
            why,
            "Look at its name and its team in the configuration ([[vercel]]).",
            code=code,
            status=status,
        )
    if status == 409:
        return ConflictError(
            "Vercel has a conflict",
            why,
            "Wait until it is settled, then run again.",
            code=code,
            status=status,
        )
    return VendorError("Vercel refused", why, "Read the message, then run again.", code=code, status=status)


def _invalid(body: Any) -> bool:
    error = body.get("error") if isinstance(body, dict) else None
    return isinstance(error, dict) and bool(error.get("invalidToken"))


def _forbidden(why: str, code: str, team: str) -> VendorError:
    if team:
        return WrongTeamError(
            f"The Vercel token is not good for team {team}",
            f"{why}; it may be limited to another team, or the plan or your role lacks this",
            f"Make a token with the scope of {team} at {TOKENS} and set VERCEL_TOKEN.",
            code=code,
            status=403,
        )
    return CredentialError(
        "The Vercel token may not do this",
        f"{why}; it may be limited to a team or a project",
        f"Name the team under [[vercel]], or make a token with full scope at {TOKENS}.",
        code=code,
        status=403,
    )


def limited(body: Any, reset: float, doing: str) -> RateLimitError:
    """Too many calls, and the wait would be longer than a run should take."""
    until = f"until {moment_text(reset)}" if reset else "for a while"
    return RateLimitError(
        "Vercel takes no more calls of this kind for now",
        redact(f"while {doing}: refused {until} ({said(body)[1] or 'rate limited'})"),
        "Run again then: it goes on from here.",
        reset=reset,
    )
