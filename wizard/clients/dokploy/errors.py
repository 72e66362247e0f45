"""What a panel's refusals mean, as sentences without secrets.

The panel's own texts carry secrets (a failed storage test quotes both keys), so every one is cleaned of
what was sent and of everything shaped like a secret before it goes anywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from wizard.errors import CredentialError, UnreachableError, VendorError, WizardError
from wizard.redact import MASK, redact, remember

TRIED_VERSION = "v0.30.2"
"""The panel's version that all of this was tried on."""
_SECRET_WORDS = (
    "password", "secret", "privatekey", "accesskey", "apikey", "apitoken", "token", "webhookurl",
    "credential", "encryptionkey",
)  # fmt: skip
_TEXTS_OF_VARIABLES = frozenset({"env", "buildArgs", "buildSecrets"})
_LEAST = 6
_LEAST_REMEMBERED = 12
_SHOWN = 400
_QUOTED_PAIR = re.compile(r"(?i)((?:secret|access)[\w-]*(?:key|id)?\s*[=:]\s*\"?)[^\s\"',]+")


class RefusedError(VendorError):
    """The panel understood and refused. `fields` names what it did not like, if it said so."""

    def __init__(
        self,
        what: str,
        why: str = "",
        next: str = "",
        *,
        code: str = "",
        status: int = 0,
        fields: tuple[str, ...] = (),
    ) -> None:
        super().__init__(what, why, next, code=code, status=status)
        self.fields = fields


class MissingError(RefusedError):
    """The thing is not there (any more)."""


class TroubleError(UnreachableError):
    """The panel answered a change with an error of its own: it may have taken effect, so look first."""


def secrets_in(value: Any, *, shortest: int = _LEAST) -> Iterator[str]:
    """Every secret inside a body, sent or received: by the names of its fields."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            if isinstance(part, str) and name in _TEXTS_OF_VARIABLES:
                yield from _values_of(part, shortest)
            elif isinstance(part, str) and is_secret(str(name)):
                if len(part) >= shortest:
                    yield part
            else:
                yield from secrets_in(part, shortest=shortest)
    elif isinstance(value, list):
        for part in value:
            yield from secrets_in(part, shortest=shortest)


def is_secret(name: str) -> bool:
    """Whether a field of this name holds a secret, in the panel's spelling."""
    lower = name.lower()
    return any(word in lower for word in _SECRET_WORDS) or lower == "key"


def _values_of(text: str, shortest: int) -> Iterator[str]:
    for line in text.splitlines():
        value = line.partition("=")[2].strip().strip("\"'")
        if len(value) >= shortest:
            yield value


def note_secrets(value: Any) -> None:
    """Remember what an answer holds, so that it never shows. Variables are public as often as not."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            if isinstance(part, str) and is_secret(str(name)) and len(part) >= _LEAST_REMEMBERED:
                remember(part)
            elif not isinstance(part, str):
                note_secrets(part)
    elif isinstance(value, list):
        for part in value:
            note_secrets(part)


def clean(text: str, sent: Any = None) -> str:
    """`text` fit to be shown."""
    for secret in sorted(set(secrets_in(sent)), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return redact(_QUOTED_PAIR.sub(rf"\1{MASK}", text))


def problem(
    server: str, procedure: str, status: int, text: str, sent: Any, *, reading: bool, worked: bool
) -> WizardError:
    """The error of an answer that is not a success. `worked`: the key was accepted before."""
    said, code, fields = _read(text)
    why = clean("; ".join(part for part in (said, *fields) if part), sent)[:_SHOWN]
    what = f"The panel of {server} refused {procedure}"
    names = tuple(field.partition(":")[0] for field in fields)
    if status in (401, 403):
        return _unauthorized(server, procedure, status, why, worked)
    if status == 404 and not code:
        return RefusedError(
            f"The panel of {server} does not know {procedure}",
            f"the wizard was tried on {TRIED_VERSION}",
            "Compare with the panel's version under its settings.",
            code="UNKNOWN_PROCEDURE",
            status=status,
        )
    if status == 404:
        return MissingError(what, why, code=code, status=status)
    if status >= 500 and not reading:
        return TroubleError(
            f"The panel of {server} failed at {procedure}",
            f"{status}: {why}",
            "What it did is looked at next.",
        )
    if status >= 500:
        return VendorError(
            f"The panel of {server} failed at {procedure}",
            why,
            "Look at `docker service logs dokploy` on the host if it goes on.",
            code=code or "INTERNAL_SERVER_ERROR",
            status=status,
        )
    return RefusedError(what, why, code=code, status=status, fields=names)


def _unauthorized(server: str, procedure: str, status: int, why: str, worked: bool) -> CredentialError:
    if status == 403:
        return CredentialError(
            f"The API key of {server}'s panel may not call {procedure}",
            why,
            "Give a key of the organization's owner.",
            code="FORBIDDEN",
            status=status,
        )
    if worked:
        return CredentialError(
            f"The panel of {server} no longer accepts its API key",
            "it was deleted, or it has a rate limit: a used-up key is refused like a wrong one",
            f"Run provision.{server}.account: it makes a key without a limit.",
            code="LIMITED_OR_REVOKED",
            status=status,
        )
    return CredentialError(
        f"The panel of {server} does not accept its API key",
        "it is wrong, deleted, or its rate limit is used up",
        f"Run provision.{server}.account: it makes a new one, or asks for one.",
        code="UNAUTHORIZED",
        status=status,
    )


def _read(text: str) -> tuple[str, str, tuple[str, ...]]:
    """(message, code, ``field: complaint`` each) of an error body."""
    try:
        body = json.loads(text)
    except ValueError:
        return text.strip()[:_SHOWN], "", ()
    if not isinstance(body, dict):
        return str(body)[:_SHOWN], "", ()
    data = body.get("data") if isinstance(body.get("data"), dict) else {}
    zod = data.get("zodError") if isinstance(data, dict) else None
    complaints = (zod or {}).get("fieldErrors") or {}
    fields = tuple(f"{name}: {', '.join(map(str, texts))}" for name, texts in complaints.items())
    return str(body.get("message") or ""), str(body.get("code") or ""), fields
