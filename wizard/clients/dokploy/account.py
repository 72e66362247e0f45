"""From a bare panel to an API key: sign-up, sign-in, organization, key."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from wizard.clients.dokploy.errors import clean, problem
from wizard.clients.dokploy.wire import Answer, Wire
from wizard.errors import CredentialError, UnreachableError, VendorError
from wizard.redact import remember

SIGN_UP_TIMEOUT = 120.0
"""Real seconds: the first sign-up looks up the panel's public address before it answers."""
COOKIE = "better-auth.session_token"
_LOST = 2


class SignUp(StrEnum):
    """How a sign-up ended."""

    MADE = "made"
    TAKEN = "taken"
    """Somebody has an account already; whether it is ours, signing in tells."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`key` is shown once. `limited` keys die after a few calls."""

    id: str
    key: str
    limited: bool

    def __repr__(self) -> str:
        return f"ApiKey({self.id})"


class Session:
    """A signed-in person, by the cookie that the panel gave."""

    def __init__(self, wire: Wire, cookie: str) -> None:
        self._wire = wire
        self._cookie = remember(cookie)

    async def organization(self) -> str:
        """The id of the organization that this person works in. Raises VendorError when there is none."""
        seen = await self._ask("GET", "auth/get-session")
        active = ((seen or {}).get("session") or {}).get("activeOrganizationId")
        if active:
            return str(active)
        found = await self._ask("GET", "organization.all")
        if not found:
            raise VendorError(f"The account at the panel of {self._wire.host.name} has no organization")
        return str(found[0]["id"])

    async def create_key(self, name: str, organization: str) -> ApiKey:
        """A key without a rate limit: one made with the panel's defaults dies after five calls."""
        body = {"name": name, "metadata": {"organizationId": organization}, "rateLimitEnabled": False}
        made = await self._ask("POST", "user.createApiKey", body)
        return ApiKey(str(made["id"]), remember(str(made["key"])), bool(made.get("rateLimitEnabled")))

    async def key_ids(self, name: str) -> tuple[str, ...]:
        """Keys of this name that the account has; their values are never shown again."""
        person = await self._ask("GET", "user.get")
        keys = ((person or {}).get("user") or {}).get("apiKeys") or []
        return tuple(str(key["id"]) for key in keys if key.get("name") == name)

    async def delete_key(self, key_id: str) -> None:
        await self._ask("POST", "user.deleteApiKey", {"apiKeyId": key_id})

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Cookie": f"{COOKIE}={self._cookie}"}
        if method == "GET":
            answer = await self._wire.read(f"/api/{path}", headers=headers)
        else:
            answer = await self._wire.request(method, f"/api/{path}", headers=headers, body=body)
        if not answer.ok:
            raise problem(
                self._wire.host.name,
                path,
                answer.status,
                answer.text,
                body,
                reading=method == "GET",
                worked=False,
            )
        return answer.value()


class Door:
    """A panel as somebody without a key sees it."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    @property
    def name(self) -> str:
        return self._wire.host.name

    async def healthy(self) -> bool:
        """Whether the panel says of itself that it is well. Raises UnreachableError."""
        answer = await self._wire.read("/api/health")
        value = answer.value() if answer.ok else None
        return isinstance(value, dict) and (value.get("ok") is True or value.get("status") == "ok")

    async def page(self) -> tuple[int, str]:
        """Status and title or target of what a browser gets first."""
        answer = await self._wire.read("/")
        if answer.status in (301, 302, 307, 308):
            return answer.status, answer.headers.get("location", "")
        title = answer.text.partition("<title>")[2].partition("</title>")[0]
        return answer.status, title or answer.text[:60]

    async def has_admin(self) -> bool:
        """Whether the first account exists: then the page to register leads away, and sign-up is closed."""
        answer = await self._wire.read("/register")
        if answer.status in (301, 302, 307, 308):
            return True
        if answer.ok:
            return False
        raise self._problem(answer, "register", None, reading=True)

    async def sign_up(self, name: str, email: str, password: str) -> SignUp:
        """Make the first account. Raises UnreachableError when its answer was lost: sign in to find out."""
        remember(password)
        body = {"name": name, "lastName": "", "email": email, "password": password}
        answer = await self._wire.request(
            "POST", "/api/auth/sign-up/email", body=body, timeout=SIGN_UP_TIMEOUT
        )
        if answer.ok:
            return SignUp.MADE
        if answer.status == 422 or (answer.status == 400 and "already" in answer.text):
            return SignUp.TAKEN
        raise self._problem(answer, "sign-up", body, reading=False)

    async def sign_in(self, email: str, password: str) -> Session | None:
        """None when the panel has no such account or another password."""
        remember(password)
        body = {"email": email, "password": password}
        answer = await self._wire.request("POST", "/api/auth/sign-in/email", body=body)
        if answer.status in (401, 403) or (answer.status == 400 and "INVALID" in answer.text):
            return None
        if not answer.ok:
            raise self._problem(answer, "sign-in", body, reading=False)
        cookie = _cookie(answer)
        if not cookie:
            raise VendorError(
                f"The panel of {self.name} signed in without a session", clean(answer.text)[:200]
            )
        return Session(self._wire, cookie)

    async def open_account(self, name: str, email: str, password: str) -> Session:
        """Sign up unless the account exists, then sign in. A lost answer is settled by signing in.

        Raises CredentialError when the panel belongs to somebody else.
        """
        for attempt in range(1, _LOST + 1):
            session = await self.sign_in(email, password)
            if session is not None:
                return session
            try:
                await self.sign_up(name, email, password)
            except UnreachableError:
                if attempt == _LOST:
                    raise
                await self._wire.clock.sleep(2.0)
        session = await self.sign_in(email, password)
        if session is None:
            raise CredentialError(
                f"The panel of {self.name} has an account already, and it is not ours",
                f"the kept password of {email} is not accepted",
                "Give an API key of that account.",
                code="TAKEN",
                status=401,
            )
        return session

    def _problem(self, answer: Answer, doing: str, body: Any, *, reading: bool) -> Exception:
        return problem(self.name, doing, answer.status, answer.text, body, reading=reading, worked=False)


def _cookie(answer: Answer) -> str:
    text = answer.headers.get("set-cookie", "")
    return text.partition(f"{COOKIE}=")[2].partition(";")[0]
