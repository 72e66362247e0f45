"""The panel's first account, its sessions, its organization and its API keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from wizard.rehearsal.panels.state import KeyState, Person, Refused, Row

if TYPE_CHECKING:
    from wizard.rehearsal.panels.standin import Panel

COOKIE = "better-auth.session_token"
_SESSION_SECONDS = 3 * 86400.0
_SIGN_UP_SECONDS = 8.0
_SHORTEST_PASSWORD = 8


async def sign_up(panel: Panel, given: Row) -> tuple[Row, str]:
    """The first account is made at once; the answer waits for the panel's look at its public address."""
    email, password = str(given.get("email") or ""), str(given.get("password") or "")
    if "@" not in email:
        raise Refused(400, "INVALID_EMAIL", "Invalid email")
    if len(password) < _SHORTEST_PASSWORD:
        raise Refused(400, "PASSWORD_TOO_SHORT", "Password too short")
    person = panel.state.person
    if person is not None and person.email == email:
        raise Refused(422, "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL", "User already exists. Use another email.")
    if person is not None:
        raise Refused(400, "BAD_REQUEST", "Admin is already created")
    person = panel.state.person = Person(panel.new_id(), str(given.get("name") or ""), email, password)
    panel.state.organization = {
        "id": panel.new_id(),
        "name": "My Organization",
        "ownerId": person.id,
        "createdAt": panel.stamp(),
        "members": [{"role": "owner", "userId": person.id}],
    }
    panel.record("create", f"{panel.name} account")
    await panel.stage.clock.sleep(_SIGN_UP_SECONDS)
    token = _open(panel)
    return {"token": token, "user": _shown(person)}, token


def sign_in(panel: Panel, given: Row) -> tuple[Row, str]:
    person = panel.state.person
    if person is None or (given.get("email"), given.get("password")) != (person.email, person.password):
        raise Refused(401, "INVALID_EMAIL_OR_PASSWORD", "Invalid email or password")
    token = _open(panel)
    return {"redirect": False, "token": token, "user": _shown(person)}, token


def session(panel: Panel, headers: Mapping[str, str]) -> Row | None:
    person = panel.state.person
    if person is None or not signed_in(panel, headers):
        return None
    return {
        "session": {"userId": person.id, "activeOrganizationId": panel.state.organization["id"]},
        "user": _shown(person),
    }


def signed_in(panel: Panel, headers: Mapping[str, str]) -> bool:
    token = headers.get("cookie", "").partition(f"{COOKIE}=")[2].partition(";")[0]
    return panel.state.sessions.get(token, 0.0) > panel.now()


def _open(panel: Panel) -> str:
    token = f"{panel.new_id()}{panel.new_id()}"
    panel.state.sessions[token] = panel.now() + _SESSION_SECONDS
    return token


def _shown(person: Person) -> Row:
    return {"id": person.id, "name": person.name, "email": person.email, "emailVerified": False}


def create_key(panel: Panel, given: Row) -> Row:
    """The value is shown this once. Without a word about it the key has a limit."""
    limited = given.get("rateLimitEnabled", True) is not False
    prefix = str(given.get("prefix") or "")
    made = KeyState(panel.new_id(), str(given["name"]), f"{prefix}{panel.new_id()}{panel.new_id()}", limited)
    panel.state.keys[made.id] = made
    panel.record("create", f"{panel.name} key {made.name}")
    return {**shown_key(made), "key": made.key, "metadata": given["metadata"]}


def shown_key(key: KeyState) -> Row:
    return {
        "id": key.id,
        "name": key.name,
        "start": key.key[:6],
        "enabled": True,
        "rateLimitEnabled": key.limited,
        "rateLimitMax": 10,
        "rateLimitTimeWindow": 86_400_000,
    }


def delete_key(panel: Panel, key_id: str) -> None:
    key = panel.state.keys.pop(key_id, None)
    if key is None:
        raise Refused(404, "NOT_FOUND", "API key not found")
    panel.record("delete", f"{panel.name} key {key.name}")
