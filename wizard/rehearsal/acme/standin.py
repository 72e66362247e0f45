"""The certificate authority: RFC 8555 over HTTP, production and staging side by side.

Validates DNS-01 against the authoritative records and HTTP-01 through the rehearsal's internet, respects
CAA, and keeps Let's Encrypt's limits (letsencrypt.org/docs/rate-limits, 2026-08).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from aiohttp import web
from cryptography import x509

from wizard.rehearsal.acme import documents, jws
from wizard.rehearsal.acme.authority import Authority
from wizard.rehearsal.acme.jws import AcmeProblem, SignedRequest
from wizard.rehearsal.acme.state import Account, AcmeState, Authorization, CaState, Challenge, Order
from wizard.rehearsal.acme.validation import check_caa, dns01, http01

if TYPE_CHECKING:
    from wizard.rehearsal.stage import Stage

HOUR = 3600.0
FAILURES_PER_HOUR = 5
SAME_SET_PER_WEEK = 5
_LIFETIME = 7 * 86400.0
_NAME = re.compile(r"^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$")


class AcmeStandin:
    """`directory_url` and `staging_url` are known once started; `root_pem` is what visitors trust."""

    def __init__(self, stage: Stage, state: AcmeState) -> None:
        self.stage = stage
        self.state = state
        self.production = CertificateAuthority(stage, state.production, "/acme", "acme")
        self.staging = CertificateAuthority(stage, state.staging, "/staging", "acme-staging")
        self.directory_url = ""
        self.staging_url = ""

    @staticmethod
    def begin(stage: Stage) -> AcmeState:
        return AcmeState()

    @property
    def root_pem(self) -> str:
        return self.production.authority.root_pem

    def issue(self, *names: str) -> tuple[str, str]:
        """A certificate that exists beforehand, without any limit: (chain PEM, key PEM)."""
        return self.production.authority.issue(tuple(names), self.stage.clock.now())

    async def start(self) -> None:
        app = web.Application()
        for authority in (self.production, self.staging):
            authority.add_routes(app.router)
        address = await self.stage.serve(app, "acme")
        self.directory_url = f"http://{address}{self.production.prefix}/directory"
        self.staging_url = f"http://{address}{self.staging.prefix}/directory"

    async def stop(self) -> None:
        """Nothing is held open."""


Handler = Callable[[web.Request, SignedRequest, str], Awaitable[web.Response]]


class CertificateAuthority:
    """One directory under a path of its own."""

    def __init__(self, stage: Stage, state: CaState, prefix: str, system: str) -> None:
        self.stage = stage
        self.state = state
        self.prefix = prefix
        self.system = system
        self.authority = Authority(state.authority)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get(f"{self.prefix}/directory", self._directory)
        router.add_get(f"{self.prefix}/new-nonce", self._nonce)
        for path, handler, fresh in (
            ("new-account", self._new_account, True),
            ("account/{id}", self._account, False),
            ("new-order", self._new_order, False),
            ("order/{id}", self._order, False),
            ("order/{id}/finalize", self._finalize, False),
            ("authz/{id}", self._authorization, False),
            ("challenge/{id}/{type}", self._challenge, False),
            ("certificate/{id}", self._certificate, False),
        ):
            router.add_post(f"{self.prefix}/{path}", self._signed(handler, fresh))

    def _url(self, request: web.Request, path: str) -> str:
        return f"http://{request.host}{self.prefix}/{path}"

    def _fresh_nonce(self) -> str:
        self.state.counter += 1
        nonce = jws.pack(self.state.counter.to_bytes(6, "big") + self.stage.random.randbytes(12))
        self.state.nonces.add(nonce)
        return nonce

    def _answer(
        self, request: web.Request, body: Any, status: int = 200, headers: dict[str, str] | None = None
    ) -> web.Response:
        return web.json_response(
            body,
            status=status,
            headers={
                "Replay-Nonce": self._fresh_nonce(),
                "Link": f'<{self._url(request, "directory")}>;rel="index"',
                "Cache-Control": "public, max-age=0, no-cache",
                **(headers or {}),
            },
        )

    def _refusal(self, request: web.Request, problem: AcmeProblem) -> web.Response:
        answer = self._answer(request, problem.document(), problem.status)
        answer.content_type = "application/problem+json"
        if problem.retry_after:
            answer.headers["Retry-After"] = str(problem.retry_after)
        return answer

    def _signed(self, handler: Handler, fresh: bool) -> Callable[[web.Request], Awaitable[web.Response]]:
        """`fresh`: the request is signed by a key that it brings itself (newAccount)."""

        async def handle(request: web.Request) -> web.Response:
            try:
                signed, account = self._check(request, await request.read(), fresh)
                return await handler(request, signed, account)
            except AcmeProblem as problem:
                return self._refusal(request, problem)

        return handle

    def _check(self, request: web.Request, body: bytes, fresh: bool) -> tuple[SignedRequest, str]:
        if request.content_type != "application/jose+json":
            raise AcmeProblem("malformed", "Content-Type must be application/jose+json", 415)
        signed = jws.parse(body)
        if signed.url != f"http://{request.host}{request.path}":
            raise AcmeProblem("unauthorized", "The JWS url is not the one that was asked for", 401)
        if self.stage.faults.roll("acme", "nonce") == "bad_nonce":
            self.state.nonces.discard(signed.nonce)
        if signed.nonce not in self.state.nonces:
            raise AcmeProblem("badNonce", "The nonce was not issued here or was used before")
        self.state.nonces.discard(signed.nonce)
        if fresh:
            if not signed.jwk:
                raise AcmeProblem("malformed", "newAccount must bring its key")
            signed.verify(signed.jwk)
            return signed, ""
        account = self.state.accounts.get(signed.kid.rpartition("/")[2])
        if account is None or signed.kid != self._url(request, f"account/{account.id}"):
            raise AcmeProblem("accountDoesNotExist", "No account has this key ID")
        signed.verify(account.jwk)
        if account.status != "valid":
            raise AcmeProblem("unauthorized", "The account is deactivated", 403)
        return signed, account.id

    async def _directory(self, request: web.Request) -> web.Response:
        document = {
            "newNonce": self._url(request, "new-nonce"),
            "newAccount": self._url(request, "new-account"),
            "newOrder": self._url(request, "new-order"),
            "meta": {"termsOfService": "https://ca.example/terms", "caaIdentities": ["letsencrypt.org"]},
        }
        return web.json_response(document)

    async def _nonce(self, request: web.Request) -> web.Response:
        status = 200 if request.method == "HEAD" else 204
        return web.Response(
            status=status, headers={"Replay-Nonce": self._fresh_nonce(), "Cache-Control": "no-store"}
        )

    async def _new_account(self, request: web.Request, signed: SignedRequest, _: str) -> web.Response:
        assert signed.jwk is not None
        wish = signed.payload or {}
        account_id = jws.thumbprint(signed.jwk)[:16]
        known = self.state.accounts.get(account_id)
        if known is None and wish.get("onlyReturnExisting"):
            raise AcmeProblem("accountDoesNotExist", "No account has this key")
        if known is None and not wish.get("termsOfServiceAgreed"):
            raise AcmeProblem("userActionRequired", "The terms of service must be agreed to", 403)
        if known is None:
            contact = list(wish.get("contact", []))
            self.state.accounts[account_id] = Account(account_id, signed.jwk, contact)
            # By its person and not by its key: a second key of the same operator is a second account.
            whose = ", ".join(contact) or account_id
            self.stage.ledger.record(self.system, "create", f"account {whose}")
        location = self._url(request, f"account/{account_id}")
        return self._answer(
            request,
            self._account_document(account_id),
            200 if known else 201,
            {"Location": location},
        )

    def _account_document(self, account_id: str) -> dict[str, Any]:
        account = self.state.accounts[account_id]
        return {"status": account.status, "contact": account.contact}

    async def _account(self, request: web.Request, signed: SignedRequest, account: str) -> web.Response:
        if signed.payload and signed.payload.get("status") == "deactivated":
            self.state.accounts[account].status = "deactivated"
        return self._answer(request, self._account_document(account))

    async def _new_order(self, request: web.Request, signed: SignedRequest, account: str) -> web.Response:
        names = sorted({str(item["value"]).lower() for item in (signed.payload or {}).get("identifiers", [])})
        if not names or not all(_NAME.match(name) for name in names):
            raise AcmeProblem("rejectedIdentifier", "Only DNS names are certified here")
        self.check_limits(tuple(names), account)
        now = self.stage.clock.now()
        order = Order(f"{len(self.state.orders) + 1}", account, names, [], now + _LIFETIME)
        order.authorizations = [self._authorize(account, name, now).id for name in names]
        self.state.orders[order.id] = order
        self.stage.ledger.record(self.system, "order", " ".join(names))
        location = self._url(request, f"order/{order.id}")
        return self._answer(request, self._shown(request, order), 201, {"Location": location})

    def check_limits(self, names: tuple[str, ...], account: str) -> None:
        """Raises AcmeProblem (rateLimited) where Let's Encrypt would."""
        if not self.state.limited:
            return
        now = self.stage.clock.now()
        for name in names:
            recent = [at for at in self.state.failures.get(f"{account} {name}", []) if now - at < HOUR]
            if len(recent) >= FAILURES_PER_HOUR:
                left = int(recent[0] + HOUR - now) + 1
                why = f"too many failed authorizations ({len(recent)}) for {name} in the last 1h0m0s"
                raise AcmeProblem("rateLimited", why, 429, left)
        week = [at for held, at in self.state.issued if held == names and now - at < _LIFETIME]
        if len(week) >= SAME_SET_PER_WEEK:
            why = f"too many certificates ({len(week)}) already issued for this exact set of identifiers"
            raise AcmeProblem("rateLimited", why, 429, int(week[0] + _LIFETIME - now) + 1)

    def _authorize(self, account: str, name: str, now: float) -> Authorization:
        bare, wildcard = name.removeprefix("*."), name.startswith("*.")
        for known in self.state.authorizations.values():
            same = (known.account, known.name, known.wildcard) == (account, bare, wildcard)
            if same and known.status == "valid" and known.expires > now:
                return known
        types = ("dns-01",) if wildcard else ("dns-01", "http-01")
        fresh = Authorization(
            id=f"{len(self.state.authorizations) + 1}",
            account=account,
            name=bare,
            wildcard=wildcard,
            expires=now + _LIFETIME,
            challenges=[
                Challenge(str(number), kind, jws.pack(self.stage.random.randbytes(32)))
                for number, kind in enumerate(types)
            ],
        )
        self.state.authorizations[fresh.id] = fresh
        return fresh

    def _own_order(self, request: web.Request, account: str) -> Order:
        order = self.state.orders.get(request.match_info["id"])
        if order is None or order.account != account:
            raise AcmeProblem("malformed", "No such order", 404)
        self._settle(order)
        return order

    def _settle(self, order: Order) -> None:
        if order.status != "pending":
            return
        states = {self.state.authorizations[key].status for key in order.authorizations}
        if "invalid" in states:
            order.status = "invalid"
        elif states == {"valid"}:
            order.status = "ready"

    def _shown(self, request: web.Request, order: Order) -> dict[str, Any]:
        self._settle(order)
        return documents.order(order, partial(self._url, request))

    async def _order(self, request: web.Request, signed: SignedRequest, account: str) -> web.Response:
        return self._answer(request, self._shown(request, self._own_order(request, account)))

    async def _finalize(self, request: web.Request, signed: SignedRequest, account: str) -> web.Response:
        order = self._own_order(request, account)
        if order.status != "ready":
            raise AcmeProblem("orderNotReady", f"The order is {order.status}", 403)
        if self.stage.faults.roll("acme", "finalize") == "refused":
            problem = AcmeProblem("serverInternal", "Error finalizing order", 500)
            order.status, order.problem = "invalid", problem.document()
            raise problem
        request_der = jws.unpack(str((signed.payload or {}).get("csr", "")))
        try:
            csr = x509.load_der_x509_csr(request_der)
            wanted = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            names = sorted(wanted.get_values_for_type(x509.DNSName))
        except (ValueError, x509.ExtensionNotFound) as error:
            raise AcmeProblem("badCSR", "The request is not a signing request with names") from error
        if names != order.names or not csr.is_signature_valid:
            raise AcmeProblem("badCSR", "The names are not those of the order, or the signature is wrong")
        chain = self.certify(tuple(names), csr.public_key())
        order.certificate = order.id
        self.state.certificates[order.id] = chain
        order.status = "valid"
        return self._answer(
            request,
            self._shown(request, order),
            headers={"Location": self._url(request, f"order/{order.id}")},
        )

    def certify(self, names: tuple[str, ...], public_key: object) -> str:
        """Sign, and count it against the limit of same sets."""
        now = self.stage.clock.now()
        self.state.issued.append((names, now))
        self.stage.ledger.record(self.system, "issue", " ".join(names))
        return self.authority.sign(names, public_key, now)

    def _own_authorization(self, request: web.Request, account: str) -> Authorization:
        item = self.state.authorizations.get(request.match_info["id"])
        if item is None or item.account != account:
            raise AcmeProblem("malformed", "No such authorization", 404)
        return item

    async def _authorization(self, request: web.Request, signed: SignedRequest, account: str) -> web.Response:
        item = self._own_authorization(request, account)
        return self._answer(request, documents.authorization(item, partial(self._url, request)))

    async def _challenge(self, request: web.Request, signed: SignedRequest, account: str) -> web.Response:
        item = self._own_authorization(request, account)
        one = next((c for c in item.challenges if c.id == request.match_info["type"]), None)
        if one is None:
            raise AcmeProblem("malformed", "No such challenge", 404)
        if signed.payload is not None and one.status == "pending" and item.status == "pending":
            one.status = "processing"
            self.stage.spawn(self._validate(item, one))
        up = self._url(request, f"authz/{item.id}")
        return self._answer(
            request,
            documents.challenge(item, one, partial(self._url, request)),
            headers={"Link": f'<{up}>;rel="up"'},
        )

    async def _validate(self, item: Authorization, one: Challenge) -> None:
        await self.stage.clock.sleep(1.0)
        expected = jws.key_authorization(one.token, jws.thumbprint(self.state.accounts[item.account].jwk))
        try:
            if self.stage.faults.roll("acme", "validate") == "unreachable":
                raise AcmeProblem("connection", "During secondary validation: timeout")
            await self.validate(item.name, one.type, one.token, expected, wildcard=item.wildcard)
        except AcmeProblem as problem:
            one.status = item.status = "invalid"
            one.problem = problem.document()
            self.count_failure(item.account, item.name)
        else:
            one.status = item.status = "valid"
            one.validated = self.stage.clock.now()

    async def validate(self, name: str, kind: str, token: str, expected: str, *, wildcard: bool) -> None:
        """Raises AcmeProblem where the authority would refuse."""
        check_caa(self.stage, name, wildcard)
        if kind == "dns-01":
            await dns01(self.stage, name, jws.dns_value(expected))
        else:
            await http01(self.stage, name, token, expected)

    def count_failure(self, account: str, name: str) -> None:
        self.state.failures.setdefault(f"{account} {name}", []).append(self.stage.clock.now())
        self.stage.ledger.record(self.system, "validation failed", name)

    async def _certificate(self, request: web.Request, signed: SignedRequest, account: str) -> web.Response:
        order = self._own_order(request, account)
        answer = self._answer(request, {})
        answer.text = self.state.certificates[order.certificate]
        answer.content_type = "application/pem-certificate-chain"
        return answer
