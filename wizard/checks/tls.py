"""Which certificate an address shows for a name, and whether a visitor would trust it."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.checks.http import trust_context

if TYPE_CHECKING:
    from wizard.net import Net

DEFAULT_CERTIFICATE = "TRAEFIK DEFAULT CERT"
_CLOSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Certificate:
    """A leaf as it was served. Moments are seconds since the epoch; `sha256` is hex of the DER."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: float
    not_after: float
    sha256: str
    chain_length: int = 1

    @property
    def self_signed(self) -> bool:
        return self.subject == self.issuer

    @property
    def is_default(self) -> bool:
        """Traefik's stand-in for a certificate that it does not have."""
        return self.subject == DEFAULT_CERTIFICATE


@dataclass(frozen=True, slots=True)
class TlsView:
    """What `address` showed for `name`. `problem` is "" exactly when a visitor would trust it.

    `certificate` is what was served in any case; None if no handshake was possible at all.
    """

    name: str
    address: str
    problem: str
    certificate: Certificate | None
    version: str = ""
    alpn: str = ""

    @property
    def trusted(self) -> bool:
        return not self.problem

    def trusted_at(self, moment: float, *, seconds: float = 0.0) -> bool:
        """Trusted now and, by its own dates, at `moment` and for `seconds` more."""
        return (
            self.trusted and self.certificate is not None and self.certificate.not_after >= moment + seconds
        )

    @property
    def seen(self) -> str:
        """For evidence: one line, literal."""
        if self.certificate is None:
            return f"no certificate for {self.name} at {self.address}: {self.problem}"
        from wizard.clock import moment_text

        leaf = self.certificate
        verdict = "trusted" if self.trusted else f"not trusted ({self.problem})"
        return (
            f"{verdict}: {leaf.subject or ', '.join(leaf.names)} by {leaf.issuer}, "
            f"until {moment_text(leaf.not_after)}, sha256 {leaf.sha256[:16]}"
        )


async def look(
    net: Net, name: str, address: str, *, port: int = 443, trust: str = "", timeout: float = 10.0
) -> TlsView:
    """Two handshakes with SNI `name` at `address`: one that verifies, one that reads what is served.

    `timeout` is in real seconds for each. Never raises for what the peer does: the view says it.
    """
    problem = ""
    version = alpn = ""
    try:
        _, version, alpn = await _handshake(net, name, address, port, trust_context(trust), timeout)
    except ssl.SSLCertVerificationError as error:
        problem = error.verify_message
    except ssl.SSLError as error:
        problem = _alert(error)
    except TimeoutError:
        return TlsView(name, address, f"nothing within {timeout:g} s", None)
    except ConnectionRefusedError:
        return TlsView(name, address, f"port {port} refused the connection", None)
    except OSError as error:
        return TlsView(name, address, str(error) or type(error).__name__, None)
    try:
        chain, seen_version, seen_alpn = await _handshake(net, name, address, port, _unverified(), timeout)
    except (OSError, TimeoutError) as error:
        why = problem or (_alert(error) if isinstance(error, ssl.SSLError) else str(error))
        return TlsView(name, address, why or "the connection ended", None)
    return TlsView(name, address, problem, describe(chain), version or seen_version, alpn or seen_alpn)


def _alert(error: ssl.SSLError) -> str:
    reason = error.reason or str(error)
    if "INTERNAL_ERROR" in reason or "UNRECOGNIZED_NAME" in reason:
        return f"no certificate for this name yet ({reason})"
    return reason


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


async def _handshake(
    net: Net, name: str, address: str, port: int, context: ssl.SSLContext, timeout: float
) -> tuple[tuple[bytes, ...], str, str]:
    """The DER chain as served (leaf first), the protocol version, the ALPN protocol."""
    async with asyncio.timeout(timeout):
        sock = await net.connect(address, port, timeout=timeout)
        # What asyncio was given it closes itself, also when the handshake fails.
        _, writer = await asyncio.open_connection(sock=sock, ssl=context, server_hostname=name)
    try:
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return _chain(tls), tls.version() or "", tls.selected_alpn_protocol() or ""
    finally:
        writer.close()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await writer.wait_closed()
        except (OSError, TimeoutError):
            writer.transport.abort()


def _chain(tls: ssl.SSLObject) -> tuple[bytes, ...]:
    leaf = tls.getpeercert(binary_form=True) or b""
    # Public from Python 3.13 on; before, only the inner object tells.
    source: Any = tls if hasattr(tls, "get_unverified_chain") else getattr(tls, "_sslobj", None)
    whole = source.get_unverified_chain() if hasattr(source, "get_unverified_chain") else None
    if not whole:
        return (leaf,)
    return tuple(part if isinstance(part, bytes) else _der(part) for part in whole)


def _der(part: Any) -> bytes:
    # The inner object's public_bytes takes 2 (ENCODING_DER) and answers bytes.
    return bytes(part.public_bytes(2))


def describe(chain: tuple[bytes, ...]) -> Certificate:
    """The facts of a served chain of DER certificates, leaf first."""
    import hashlib

    from cryptography import x509

    leaf = x509.load_der_x509_certificate(chain[0])
    return Certificate(
        subject=_common_name(leaf.subject),
        issuer=_common_name(leaf.issuer),
        names=alternative_names(leaf),
        not_before=leaf.not_valid_before_utc.timestamp(),
        not_after=leaf.not_valid_after_utc.timestamp(),
        sha256=hashlib.sha256(chain[0]).hexdigest(),
        chain_length=len(chain),
    )


def _common_name(name: Any) -> str:
    from cryptography.x509.oid import NameOID

    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else str(name.rfc4514_string())


def alternative_names(leaf: Any) -> tuple[str, ...]:
    """The DNS names that an x509 certificate is good for."""
    from cryptography import x509

    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(extension.value.get_values_for_type(x509.DNSName))


def covers(names: tuple[str, ...], wanted: str) -> bool:
    """Whether one of a certificate's names is good for `wanted` (a wildcard stands for one label)."""
    parent = wanted.partition(".")[2]
    return any(name.lower() == wanted.lower() or name.lower() == f"*.{parent}".lower() for name in names)
