"""A certificate authority's keys: a root made once, an intermediate, and the leaves it signs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LEAF_DAYS = 90
_YEARS = timedelta(days=3650)


@dataclass
class AuthorityState:
    """PEM texts; empty until made."""

    name: str
    root_pem: str = ""
    root_key_pem: str = ""
    intermediate_pem: str = ""
    intermediate_key_pem: str = ""
    serial: int = 1000


class Authority:
    """Signs leaves. Dates span the world's time and the machine's: TLS is verified by the latter."""

    def __init__(self, state: AuthorityState) -> None:
        self.state = state
        if not state.root_pem:
            self._make(state)
        self._intermediate = x509.load_pem_x509_certificate(state.intermediate_pem.encode())
        self._key = _load_key(state.intermediate_key_pem)

    def _make(self, state: AuthorityState) -> None:
        root_key = ec.generate_private_key(ec.SECP256R1())
        root_name = _name(f"{state.name} Root X1")
        root = _certificate(root_name, root_name, root_key.public_key(), 1, _YEARS, authority=True)
        signed_root = root.sign(root_key, hashes.SHA256())
        key = ec.generate_private_key(ec.SECP256R1())
        middle = _certificate(
            _name(f"{state.name} E1"), root_name, key.public_key(), 2, _YEARS, authority=True
        ).sign(root_key, hashes.SHA256())
        state.root_pem, state.root_key_pem = pem(signed_root), key_pem(root_key)
        state.intermediate_pem, state.intermediate_key_pem = pem(middle), key_pem(key)

    def issue(self, names: tuple[str, ...], now: float) -> tuple[str, str]:
        """A new key with its chain (leaf and intermediate), both PEM: (chain, key)."""
        key = ec.generate_private_key(ec.SECP256R1())
        return self.sign(names, key.public_key(), now), key_pem(key)

    def sign(self, names: tuple[str, ...], public_key: object, now: float) -> str:
        """The chain for a public key, valid for 90 days from `now` (the world's time)."""
        self.state.serial += 1
        builder = _certificate(
            _name(names[0]),
            self._intermediate.subject,
            public_key,
            self.state.serial,
            timedelta(days=LEAF_DAYS),
            now=now,
        )
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        ).add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        return pem(builder.sign(self._key, hashes.SHA256())) + self.state.intermediate_pem

    @property
    def root_pem(self) -> str:
        return self.state.root_pem


def self_signed(common_name: str) -> tuple[str, str]:
    """A self-signed leaf and its key, as Traefik makes for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(common_name)
    builder = _certificate(name, name, key.public_key(), 1, _YEARS)
    return pem(builder.sign(key, hashes.SHA256())), key_pem(key)


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: object,
    serial: int,
    valid: timedelta,
    *,
    authority: bool = False,
    now: float | None = None,
) -> x509.CertificateBuilder:
    moments = (time.time(), now if now is not None else time.time())
    begin = datetime.fromtimestamp(min(moments), UTC) - timedelta(hours=1)
    end = datetime.fromtimestamp(max(moments), UTC) + valid
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)  # type: ignore[arg-type]
        .serial_number(serial)
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )


def _name(common_name: str) -> x509.Name:
    # A common name holds 64 characters at most; the names that count are the alternative ones.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _load_key(text: str) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(text.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
