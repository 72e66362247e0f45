"""Server-side TLS by name: each handshake gets the certificate that covers its SNI."""

from __future__ import annotations

import hashlib
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from wizard.checks.tls import alternative_names, covers


@dataclass
class StoredCertificate:
    """`source` is where it came from: "upload", "acme" or "given"."""

    names: tuple[str, ...]
    chain_pem: str
    key_pem: str
    source: str
    not_after: float


def stored(chain_pem: str, key_pem: str, source: str) -> StoredCertificate:
    """Raises ValueError when the text is no certificate."""
    leaf = x509.load_pem_x509_certificate(chain_pem.encode())
    return StoredCertificate(
        alternative_names(leaf), chain_pem, key_pem, source, leaf.not_valid_after_utc.timestamp()
    )


def best(certificates: list[StoredCertificate], name: str) -> StoredCertificate | None:
    """An exact name before a wildcard, then the one that lasts longest."""
    fitting = [item for item in certificates if covers(item.names, name)]
    return max(fitting, key=lambda item: (name in item.names, item.not_after), default=None)


_contexts: dict[str, ssl.SSLContext] = {}


def server_context(chain_pem: str, key_pem: str) -> ssl.SSLContext:
    """A context for one certificate, kept: connections are many, certificates few."""
    key = hashlib.sha256((chain_pem + key_pem).encode()).hexdigest()
    if key not in _contexts:
        _contexts[key] = _new_context(chain_pem, key_pem)
    return _contexts[key]


def choosing_context(
    choose: Callable[[str], ssl.SSLContext | None], chain_pem: str, key_pem: str
) -> ssl.SSLContext:
    """Shows the given certificate, unless `choose` has another for the SNI; None refuses, as Caddy does."""

    def by_name(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        found = choose((name or "").lower())
        if found is None:
            return int(ssl.ALERT_DESCRIPTION_INTERNAL_ERROR)
        tls.context = found
        return None

    context = _new_context(chain_pem, key_pem)
    context.sni_callback = by_name
    return context


def _new_context(chain_pem: str, key_pem: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    # The module reads certificates from files only, so they exist for a moment (mode 0600).
    with tempfile.TemporaryDirectory() as folder:
        both = Path(folder) / "both.pem"
        both.touch(mode=0o600)
        both.write_text(chain_pem + key_pem)
        context.load_cert_chain(both)
    return context
