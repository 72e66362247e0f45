"""Certificates by RFC 8555, over the `acme` library; what touches DNS is the caller's.

The library blocks, so it lives in a thread of its own. Orders are plain data that survive a restart: an
order that was paid with a validation is picked up again, never made twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

import requests
from acme import challenges, errors, messages
from acme.client import ClientNetwork, ClientV2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from josepy.jwa import ES256
from josepy.jwk import JWKEC

from wizard.errors import UnreachableError, VendorError

if TYPE_CHECKING:
    from wizard.clock import Clock
    from wizard.secrets import Secrets

ACCOUNT_KEY = "ACME_ACCOUNT_KEY"
_NONCE_TRIES = 5
_TIMEOUT = 30
_POLL_SECONDS = 2.0
_POLLS = 60

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class TxtRecord:
    """What must be found at `name` (``_acme-challenge.…``): all values at once."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProofPage:
    """What ``http://name`` must answer at `path` (RFC 8555 §8.3)."""

    name: str
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class AcmeOrder:
    """An order as it can be saved: no secret in it. Proved by `records` or by `pages`, never by both;
    neither is there when all was proved before."""

    url: str
    names: tuple[str, ...]
    records: tuple[TxtRecord, ...]
    pages: tuple[ProofPage, ...] = ()


class AcmeRefusal(VendorError):
    """The authority said no. `names` are those whose validation failed; `counts` tells whether it is
    one of the failures that run into the authority's limits; `retry_after` is in seconds (0 if unsaid)."""

    def __init__(
        self, what: str, why: str, *, code: str, names: tuple[str, ...] = (), retry_after: float = 0.0
    ) -> None:
        super().__init__(what, why, _advice(code), code=code)
        self.names = names
        self.retry_after = retry_after

    @property
    def counts(self) -> bool:
        return bool(self.names)


def _advice(code: str) -> str:
    return {
        "rateLimited": "Wait until the limit has passed; an order before that is refused again.",
        "caa": "Add a CAA record that allows letsencrypt.org, or remove the one that does not.",
        "unauthorized": "Look at the TXT records on every name server, or at the page on the old host.",
        "dns": "Look at the zone's delegation: the authority could not ask its name servers.",
        "externalAccountRequired": "This authority wants an account of its own; choose Let's Encrypt.",
    }.get(code, "Try again later; nothing has changed for visitors.")


def new_key() -> str:
    """A P-256 private key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def signing_request(names: tuple[str, ...], key_pem: str) -> bytes:
    key = _ec_key(key_pem)
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    )
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    request = builder.add_extension(alternatives, critical=False).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def _ec_key(text: str) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(text.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the key is not an elliptic curve key")
    return key


class AcmeClient:
    """One directory. The account's key is the secret ACME_ACCOUNT_KEY, made when first needed."""

    def __init__(
        self, directory: str, *, secrets: Secrets, clock: Clock, email: str, trust: str = ""
    ) -> None:
        self.directory = directory
        self._secrets = secrets
        self._clock = clock
        self._email = email
        self._trust = trust
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="acme")
        self._client: ClientV2 | None = None
        self._key: JWKEC | None = None

    async def order(self, names: tuple[str, ...], key_pem: str, *, by_http: bool = False) -> AcmeOrder:
        """Order a certificate and learn what to publish: records, or `by_http` pages.

        Raises AcmeRefusal, UnreachableError.
        """
        client, key = await self._ready()
        made = await self._call(lambda: client.new_order(signing_request(names, key_pem)), names)
        values: dict[str, set[str]] = {}
        pages: list[ProofPage] = []
        for item in made.authorizations:
            if item.body.status == messages.STATUS_VALID:
                continue
            proof = _challenge(item.body, by_http=by_http).chall
            name, text = item.body.identifier.value, proof.validation(key)
            if by_http:
                pages.append(ProofPage(name, proof.path, text))
            else:
                values.setdefault(f"{challenges.DNS01.LABEL}.{name}", set()).add(text)
        records = tuple(TxtRecord(name, tuple(sorted(found))) for name, found in sorted(values.items()))
        return AcmeOrder(str(made.uri), names, records, tuple(pages))

    async def complete(self, order: AcmeOrder, key_pem: str) -> str:
        """Let the authority look, finalize, and return the chain (PEM, leaf first).

        Goes on from wherever the order stands. Raises AcmeRefusal when it ended badly.
        """
        client, key = await self._ready()
        body = await self._read_order(client, order)
        if body.status == messages.STATUS_PENDING:
            await self._prove(client, key, order, body)
            body = await self._until(client, order, lambda found: found.status != messages.STATUS_PENDING)
        if body.status == messages.STATUS_READY:
            csr = x509.load_pem_x509_csr(signing_request(order.names, key_pem))
            request = messages.CertificateRequest(csr=csr)
            await self._call(lambda: self._post(client, body.finalize, request), order.names)
            body = await self._until(client, order, lambda found: bool(found.certificate))
        if not body.certificate:
            raise _refused_order(body, order.names)
        answer = await self._call(partial(self._post, client, body.certificate, None), order.names)
        return str(answer.text)

    async def _prove(self, client: ClientV2, key: JWKEC, order: AcmeOrder, body: messages.Order) -> None:
        for url in body.authorizations:
            item = await self._read_authorization(client, url, order.names)
            if item.status == messages.STATUS_PENDING:
                challenge = _challenge(item, by_http=bool(order.pages))
                answer = challenge.chall.response(key)
                await self._call(partial(self._post, client, challenge.uri, answer), order.names)
        failed: list[tuple[str, str, str]] = []
        for url in body.authorizations:
            item = await self._settled_authorization(client, url, order.names)
            if item.status != messages.STATUS_VALID:
                failed.append((item.identifier.value, *_reason(item)))
        if failed:
            names = tuple(name for name, _, _ in failed)
            why = "; ".join(f"{name}: {detail}" for name, _, detail in failed)
            raise AcmeRefusal(
                "The certificate authority did not accept the proof", why, code=failed[0][1], names=names
            )

    async def _settled_authorization(
        self, client: ClientV2, url: str, names: tuple[str, ...]
    ) -> messages.Authorization:
        for _ in range(_POLLS):
            item = await self._read_authorization(client, url, names)
            if item.status not in (messages.STATUS_PENDING, messages.STATUS_PROCESSING):
                return item
            await self._clock.sleep(_POLL_SECONDS)
        raise UnreachableError(
            "The certificate authority did not finish looking",
            f"{names[0]} was still being validated after {_POLL_SECONDS * _POLLS:.0f} s",
            "Run the step again: the order is kept and goes on.",
        )

    async def _until(
        self, client: ClientV2, order: AcmeOrder, reached: Callable[[messages.Order], bool]
    ) -> messages.Order:
        for _ in range(_POLLS):
            body = await self._read_order(client, order)
            if reached(body) or body.status == messages.STATUS_INVALID:
                return body
            await self._clock.sleep(_POLL_SECONDS)
        raise UnreachableError(
            "The certificate authority did not finish the order",
            f"it was still {body.status.name} after {_POLL_SECONDS * _POLLS:.0f} s",
            "Run the step again: the order is kept and goes on.",
        )

    async def _read_order(self, client: ClientV2, order: AcmeOrder) -> messages.Order:
        answer = await self._call(lambda: self._post(client, order.url, None), order.names)
        return cast("messages.Order", messages.Order.from_json(answer.json()))

    async def _read_authorization(
        self, client: ClientV2, url: str, names: tuple[str, ...]
    ) -> messages.Authorization:
        answer = await self._call(lambda: self._post(client, url, None), names)
        return cast("messages.Authorization", messages.Authorization.from_json(answer.json()))

    def _post(self, client: ClientV2, url: str, body: Any) -> requests.Response:
        return client.net.post(url, body, new_nonce_url=client.directory["newNonce"])

    async def _ready(self) -> tuple[ClientV2, JWKEC]:
        if self._client is None or self._key is None:
            text = await self._secrets.get(ACCOUNT_KEY)
            if text is None:
                text = new_key()
                await self._secrets.put(ACCOUNT_KEY, text)
            key = JWKEC(key=_ec_key(text))
            self._client = await self._call(lambda: self._enter(key), ())
            self._key = key
        return self._client, self._key

    def _enter(self, key: JWKEC) -> ClientV2:
        """The directory and the account, made or found by its key."""
        net = ClientNetwork(key, alg=ES256, user_agent="dokploy-wizard", timeout=_TIMEOUT)
        if self._trust:
            # A path to authorities is what the requests library wants here, whatever the annotation says.
            net.verify_ssl = cast("bool", self._trust)
        # Proxies and .netrc of the environment are not ours to follow.
        net.session.trust_env = False
        client = ClientV2(ClientV2.get_directory(self.directory, net), net)
        wish = messages.NewRegistration.from_data(email=self._email, terms_of_service_agreed=True)
        try:
            client.new_account(wish)
        except errors.ConflictError as known:
            net.account = messages.RegistrationResource(uri=known.location, body=messages.Registration())
        return client

    async def _call(self, act: Callable[[], Answer], names: tuple[str, ...]) -> Answer:
        """In the thread; a refused nonce is asked again with the new one that came with the refusal."""
        loop = asyncio.get_running_loop()
        for attempt in range(_NONCE_TRIES):
            try:
                return await loop.run_in_executor(self._threads, act)
            except messages.Error as error:
                if error.code == "badNonce" and attempt + 1 < _NONCE_TRIES:
                    continue
                raise _refused(error, names) from error
            except (errors.Error, requests.RequestException, ValueError) as error:
                raise UnreachableError(
                    "The certificate authority did not answer as it should",
                    type(error).__name__,
                    "Run the step again: an order that was made is kept and goes on.",
                ) from error
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def aclose(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _challenge(item: messages.Authorization, *, by_http: bool) -> messages.ChallengeBody:
    wanted = challenges.HTTP01 if by_http else challenges.DNS01
    for challenge in item.challenges:
        if isinstance(challenge.chall, wanted):
            return challenge
    raise AcmeRefusal(
        f"The certificate authority offers no proof by {'HTTP' if by_http else 'DNS'}",
        f"for {item.identifier.value}",
        code="unsupported",
    )


def _reason(item: messages.Authorization) -> tuple[str, str]:
    for challenge in item.challenges:
        if challenge.error is not None:
            return challenge.error.code or "unknown", str(challenge.error.detail)
    return "unknown", f"the authorization is {item.status.name}"


def _refused(error: messages.Error, names: tuple[str, ...]) -> AcmeRefusal:
    code = error.code or "unknown"
    failed = names if code in ("unauthorized", "dns", "connection", "incorrectResponse") else ()
    return AcmeRefusal(
        "The certificate authority refused", f"{', '.join(names)}: {error.detail}", code=code, names=failed
    )


def _refused_order(body: messages.Order, names: tuple[str, ...]) -> AcmeRefusal:
    code = body.error.code if body.error is not None else "unknown"
    why = str(body.error.detail) if body.error is not None else f"the order is {body.status.name}"
    return AcmeRefusal("The certificate authority ended the order", why, code=code or "unknown")
