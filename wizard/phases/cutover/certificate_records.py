"""What the certificate steps remember. Chains are public; private keys are secrets, by app.

| record | saved by | name |
|---|---|---|
| CertificateRecord | cutover.certificates | certificate_<app> |
| AcmeOrder | cutover.certificates | order_<app>, staging_order_<app>: while it is open |
| StagingRecord | cutover.certificates | staging_<app> |
| FailureLedger | cutover.certificates | failures |
| PlacedRecord | cutover.certificates | placed_<app> |
"""

from __future__ import annotations

from dataclasses import dataclass

STEP = "cutover.certificates"
LIMIT = 3
"""We stop before the authority does: it allows five failures an hour for each name."""
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class CertificateRecord:
    """A certificate that was issued to us. Its key is the secret `key_secret(app)`."""

    app: str
    names: tuple[str, ...]
    chain_pem: str
    sha256: str
    not_after: float
    issued_at: float


@dataclass(frozen=True, slots=True)
class StagingRecord:
    """The staging authority went through the same proof: production's limits were not touched."""

    names: tuple[str, ...]
    at: float


@dataclass(frozen=True, slots=True)
class FailedTry:
    at: float
    names: tuple[str, ...]
    code: str
    why: str


@dataclass(frozen=True, slots=True)
class FailureLedger:
    """Refusals of the production authority, so that no retry runs into its limits."""

    tries: tuple[FailedTry, ...] = ()

    def recent(self, names: tuple[str, ...], now: float) -> tuple[FailedTry, ...]:
        """Those of the last hour that concern any of `names`."""
        return tuple(one for one in self.tries if now - one.at < HOUR and set(one.names) & set(names))

    def blocked_until(self, names: tuple[str, ...], now: float) -> float | None:
        """The moment at which the next order is safe; None for now."""
        recent = self.recent(names, now)
        return recent[-LIMIT].at + HOUR if len(recent) >= LIMIT else None

    def plus(self, one: FailedTry) -> FailureLedger:
        return FailureLedger((*self.tries, one)[-50:])


@dataclass(frozen=True, slots=True)
class PlacedRecord:
    """What was put on the panel for undo: the certificate's id and the domains that we added."""

    server: str
    certificate_id: str
    sha256: str
    at: float
    domains_made: tuple[str, ...] = ()


def key_secret(app: str) -> str:
    word = "".join(char if char.isalnum() else "_" for char in app.upper())
    return f"CERTIFICATE_{word}_KEY"


def staging_key_secret(app: str) -> str:
    return key_secret(app).removesuffix("_KEY") + "_STAGING_KEY"
