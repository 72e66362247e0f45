"""RFC 8555 requests: the signature, its nonce and its address are really checked."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature


class AcmeProblem(Exception):
    """An RFC 7807 problem with an ACME type (`urn:ietf:params:acme:error:` and `kind`)."""

    def __init__(self, kind: str, detail: str, status: int = 400, retry_after: int = 0) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.status = status
        self.retry_after = retry_after

    def document(self) -> dict[str, Any]:
        return {
            "type": f"urn:ietf:params:acme:error:{self.kind}",
            "detail": self.detail,
            "status": self.status,
        }


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """`payload` is None for POST-as-GET. Exactly one of `jwk` and `kid` is set."""

    payload: dict[str, Any] | None
    nonce: str
    url: str
    jwk: dict[str, str] | None
    kid: str
    alg: str
    signing_input: bytes
    signature: bytes

    def verify(self, jwk: dict[str, str]) -> None:
        """Raises AcmeProblem unless the key signed this request."""
        try:
            if self.alg == "ES256" and jwk.get("kty") == "EC":
                _verify_es256(jwk, self.signing_input, self.signature)
            elif self.alg == "RS256" and jwk.get("kty") == "RSA":
                key = rsa.RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"])).public_key()
                key.verify(self.signature, self.signing_input, padding.PKCS1v15(), hashes.SHA256())
            else:
                raise AcmeProblem("badSignatureAlgorithm", f"{self.alg} with a {jwk.get('kty')} key")
        except (InvalidSignature, ValueError, KeyError) as error:
            raise AcmeProblem("malformed", "JWS verification error") from error


def parse(body: bytes) -> SignedRequest:
    """A flattened JWS. Raises AcmeProblem (malformed) for anything else."""
    try:
        outer = json.loads(body)
        header = json.loads(unpack(outer["protected"]))
        payload = unpack(outer["payload"])
        parsed = SignedRequest(
            payload=json.loads(payload) if payload else None,
            nonce=str(header.get("nonce", "")),
            url=str(header.get("url", "")),
            jwk=header.get("jwk"),
            kid=str(header.get("kid", "")),
            alg=str(header.get("alg", "")),
            signing_input=f"{outer['protected']}.{outer['payload']}".encode(),
            signature=unpack(outer["signature"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise AcmeProblem("malformed", "The request is not a flattened JWS") from error
    if bool(parsed.jwk) == bool(parsed.kid):
        raise AcmeProblem("malformed", "Exactly one of jwk and kid must be given")
    return parsed


def _verify_es256(jwk: dict[str, str], data: bytes, signature: bytes) -> None:
    if jwk.get("crv") != "P-256" or len(signature) != 64:
        raise AcmeProblem("badSignatureAlgorithm", "ES256 needs P-256")
    key = ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), ec.SECP256R1()).public_key()
    r, s = (int.from_bytes(signature[i : i + 32], "big") for i in (0, 32))
    key.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))


def thumbprint(jwk: dict[str, str]) -> str:
    """RFC 7638."""
    members = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}.get(jwk.get("kty", ""), ())
    if not members or any(name not in jwk for name in members):
        raise AcmeProblem("badPublicKey", "The key must be P-256 or RSA")
    plain = json.dumps({name: jwk[name] for name in members}, sort_keys=True, separators=(",", ":"))
    return pack(hashlib.sha256(plain.encode()).digest())


def key_authorization(token: str, print_: str) -> str:
    return f"{token}.{print_}"


def dns_value(authorization: str) -> str:
    """What the TXT record of a DNS-01 challenge must hold (RFC 8555 section 8.4)."""
    return pack(hashlib.sha256(authorization.encode()).digest())


def pack(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unpack(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _number(text: str) -> int:
    return int.from_bytes(unpack(text), "big")
