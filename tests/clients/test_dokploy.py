"""The panel's client: what is repeated, what is sent once, and what never shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from tests.rehearsal.panels_stage import EMAIL, PASSWORD, PanelWorld, panel_world
from wizard.clients.dokploy import DokployClient, MissingError, RefusedError, TroubleError
from wizard.clients.dokploy.account import SignUp
from wizard.clients.dokploy.errors import clean, is_secret, problem, secrets_in
from wizard.clients.ssh import generate_key
from wizard.errors import CredentialError, UnreachableError, VendorError
from wizard.redact import redact
from wizard.rehearsal.hosts.standin import Host


@dataclass
class Served:
    """A real stand-in with its client."""

    world: PanelWorld
    host: Host
    client: DokployClient

    def made(self, thing: str) -> int:
        return int(self.world.stage.ledger.count("panel", "create", f"backend {thing}"))


@pytest_asyncio.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with panel_world(tmp_path) as world:
        host, _ = world.install("backend", 20)
        yield Served(world, host, await world.client(host))


@dataclass
class Script:
    """A panel that answers as it is told: a status, a body, or nothing at all (None)."""

    answers: list[tuple[int, str] | None]
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    received: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    slow: bool = False

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.path_qs, dict(request.headers)))
        self.received.set()
        if self.slow:
            await self.go_on.wait()
        answer = self.answers.pop(0) if self.answers else (200, "{}")
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        status, text = answer
        return web.Response(status=status, text=text, content_type="application/json")


async def scripted(world: PanelWorld, script: Script) -> DokployClient:
    """A client of a host whose port 3000 is the script's."""
    host = world.small.boot("backend", 30)
    host.state.booted = 0.0
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", script.handle)
    runner = await world.stage.runner(app)

    async def take(sock: Any, source: str) -> None:
        await world.stage.serve_socket(sock, runner)

    host.listen(3000, take, "dokploy", published=True)
    return world.clients.at(world.target(host), "a-key-of-the-panel")


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[PanelWorld]:
    async with panel_world(tmp_path) as found:
        yield found


# Repeating


async def test_a_question_is_asked_again_after_trouble_that_passes(world: PanelWorld) -> None:
    script = Script([(500, '{"message":"x","code":"INTERNAL_SERVER_ERROR"}'), None, (200, '["shop"]')])
    client = await scripted(world, script)
    assert await client.get("project.all") == ["shop"]
    assert len(script.asked) == 3


async def test_trouble_that_stays_is_told_with_the_panels_reason(world: PanelWorld) -> None:
    body = '{"message":"No container or service found","code":"INTERNAL_SERVER_ERROR"}'
    script = Script([(500, body)] * 9)
    client = await scripted(world, script)
    with pytest.raises(VendorError) as told:
        await client.get("application.readLogs", applicationId="a")
    assert told.value.status == 500 and "No container or service found" in told.value.why
    assert len(script.asked) == 4


async def test_a_panel_that_restarts_is_waited_for_longer_than_one_that_fails(world: PanelWorld) -> None:
    script = Script([None] * 5 + [(200, '"back"')])
    client = await scripted(world, script)
    began = world.small.world.clock.now()
    assert await client.get("settings.health") == "back"
    assert world.small.world.clock.now() - began >= 30.0


async def test_a_host_that_lets_nobody_in_is_not_asked_again_and_again(
    world: PanelWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await scripted(world, Script([]))
    asked = []

    async def forward(port: int) -> int:
        asked.append(port)
        raise UnreachableError("backend does not answer SSH")

    monkeypatch.setattr(client._wire.host, "forward", forward)
    with pytest.raises(UnreachableError, match="SSH"):
        await client.get("settings.health")
    assert asked == [3000]


@pytest.mark.parametrize("answer", [None, (500, '{"message":"x"}'), (502, "Bad Gateway")])
async def test_a_change_without_a_clear_answer_is_sent_once_and_left_open(
    world: PanelWorld, answer: tuple[int, str] | None
) -> None:
    script = Script([answer])
    client = await scripted(world, script)
    with pytest.raises(UnreachableError):
        await client.post("project.create", {"name": "shop"})
    assert len(script.asked) == 1


async def test_a_change_is_finished_even_if_nobody_waits_for_it_any_more(world: PanelWorld) -> None:
    script = Script([(200, "{}")], slow=True)
    client = await scripted(world, script)
    task = asyncio.create_task(client.post("project.create", {"name": "shop"}))
    await script.received.wait()
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    script.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not script.answers


async def test_a_lost_answer_leaves_one_thing_behind_that_is_found_by_looking(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wizard.rehearsal.faults import PROFILES, Rule

    monkeypatch.setitem(PROFILES, "lost", (Rule("panel", "project.create", "lost_answer", times=1),))
    served.world.stage.faults.profile = "lost"
    with pytest.raises(UnreachableError, match="did not answer"):
        await served.client.post("project.create", {"name": "shop"})
    assert [row["name"] for row in await served.client.get("project.all")] == ["shop"]


# The way there


async def test_a_broken_connection_is_opened_again(served: Served) -> None:
    await served.client.get("settings.health")
    for _ in range(3):
        served.host.cut_connections()
        assert await served.client.get("settings.health") == {"status": "ok"}


async def test_a_proxy_of_the_operator_is_left_aside(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    fresh = served.world.clients.__class__(served.world.small.world.ssh, served.world.small.world.clock)
    door = fresh.door(served.world.target(served.host))
    assert await door.healthy()
    await fresh.aclose()


async def test_the_key_goes_in_its_header_and_no_session_goes_with_it(served: Served) -> None:
    target = served.world.target(served.host)
    session = await served.world.clients.door(target).sign_in(EMAIL, PASSWORD)
    assert session is not None
    with pytest.raises(CredentialError):
        await served.world.clients.at(target, "not-a-key").get("settings.health")


async def test_parameters_are_written_as_the_panel_reads_them(world: PanelWorld) -> None:
    script = Script([])
    client = await scripted(world, script)
    await client.get("a.b", applicationId="x y&z", tail=50, fresh=True, search=None)
    assert script.asked[0][1] == "/api/a.b?applicationId=x+y%26z&tail=50&fresh=true"
    assert script.asked[0][2]["x-api-key"] == "a-key-of-the-panel"


@pytest.mark.parametrize(
    ("text", "value"), [("", None), ('"v0.30.2"', "v0.30.2"), ("plain log", "plain log"), ("[]", [])]
)
async def test_an_empty_body_is_nothing_and_text_is_text(world: PanelWorld, text: str, value: Any) -> None:
    client = await scripted(world, Script([(200, text)]))
    assert await client.get("a.b") == value


async def test_without_a_key_nothing_is_sent(world: PanelWorld) -> None:
    script = Script([])
    known = await scripted(world, script)
    client = world.clients.at(known._wire.host.target, "")
    with pytest.raises(CredentialError, match=r"provision\.backend\.account"):
        await client.get("project.all")
    assert not script.asked


# The account


async def test_a_second_sign_up_is_taken_whoever_asks(served: Served) -> None:
    door = served.world.clients.door(served.world.target(served.host))
    assert await door.sign_up("Admin", EMAIL, PASSWORD) is SignUp.TAKEN
    assert await door.sign_up("Eve", "eve@elsewhere.example", "another-password") is SignUp.TAKEN


async def test_a_panel_of_somebody_else_is_not_entered(served: Served) -> None:
    door = served.world.clients.door(served.world.target(served.host))
    with pytest.raises(CredentialError, match="not ours"):
        await door.open_account("Eve", "eve@elsewhere.example", "another-password")


async def test_a_password_that_the_panel_refuses_is_told(world: PanelWorld) -> None:
    host, panel = world.install("backend", 20)
    with pytest.raises(RefusedError, match="too short"):
        await world.clients.door(world.target(host)).sign_up("A", EMAIL, "short")
    assert panel.state.person is None


# What never shows


async def test_a_failed_storage_test_tells_why_without_the_keys_that_the_panel_quotes(served: Served) -> None:
    body = {
        "name": "s3", "provider": "Other", "accessKey": "AKIAEXAMPLEKEY", "bucket": "", "region": "r",
        "endpoint": "https://s3.example", "secretAccessKey": "wJalrXUtnFEMIexample", "additionalFlags": [],
    }  # fmt: skip
    with pytest.raises(RefusedError) as refused:
        await served.client.post("destination.testConnection", body)
    told = str(refused.value)
    assert "SignatureDoesNotMatch" in told
    assert "AKIAEXAMPLEKEY" not in told and "wJalrXUtnFEMIexample" not in told


async def test_what_an_answer_holds_of_secrets_is_never_shown_later(served: Served) -> None:
    private, public = generate_key()
    organization = (await served.client.get("organization.all"))[0]["id"]
    key = {"name": "shop", "privateKey": private, "publicKey": public, "organizationId": organization}
    await served.client.post("sshKey.create", key)
    found = await served.client.get("sshKey.all")
    assert private not in redact(f"seen: {found[0]['privateKey']}")
    project = await served.client.post("project.create", {"name": "shop"})
    made = await served.client.post(
        "compose.create", {"name": "api", "environmentId": project["environment"]["environmentId"]}
    )
    assert made["refreshToken"] not in redact(f"/deploy/compose/{made['refreshToken']}")


@given(
    st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789/+=_-", min_size=6, max_size=60),
    st.sampled_from(("secretAccessKey", "password", "privateKey", "webhookUrl", "apiToken", "accessKey")),
    st.text(max_size=40),
    st.integers(400, 599),
)
def test_no_error_repeats_a_secret_that_was_sent(secret: str, name: str, around: str, status: int) -> None:
    sent = {"name": "x", "nested": [{name: secret}]}
    text = f'{{"message": "{around.encode("unicode_escape").decode()} {secret}", "code": "X"}}'
    error = problem("backend", "a.b", status, text, sent, reading=False, worked=False)
    public = str(
        problem("backend", "a.b", status, '{"message": "", "code": "X"}', {}, reading=False, worked=False)
    )
    assert secret not in str(error) or secret in public


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=6, max_size=30))
def test_values_of_variables_are_secrets_of_what_was_sent(value: str) -> None:
    sent = {"env": f"PUBLIC=1\nTOKEN='{value}'\n", "buildArgs": f"A={value}"}
    assert value in set(secrets_in(sent)) and value not in clean(f"said {value}", sent).removeprefix("said")


def test_names_of_secrets_are_known_in_the_panels_spelling() -> None:
    assert all(map(is_secret, ("secretAccessKey", "privateKey", "key", "refreshToken", "webhookUrl")))
    assert not any(map(is_secret, ("publicKey", "name", "applicationId", "bucket", "email")))


@given(st.binary(max_size=400), st.integers(400, 599), st.booleans(), st.booleans())
def test_no_answer_breaks_the_reading_of_errors(
    body: bytes, status: int, reading: bool, worked: bool
) -> None:
    error = problem("b", "a.b", status, body.decode("utf-8", "replace"), {}, reading=reading, worked=worked)
    assert error.what and len(str(error)) < 1000


def test_each_refusal_has_a_kind_of_its_own() -> None:
    def kind(status: int, text: str, *, reading: bool = False) -> type[Exception]:
        return type(problem("b", "a.b", status, text, {}, reading=reading, worked=False))

    assert kind(404, '{"message":"Application not found","code":"NOT_FOUND"}') is MissingError
    assert kind(404, '{"message":"Not found"}') is RefusedError
    assert kind(401, '{"message":"Unauthorized"}') is CredentialError
    assert kind(403, '{"message":"x","code":"FORBIDDEN"}') is CredentialError
    assert kind(500, "{}") is TroubleError and kind(500, "{}", reading=True) is VendorError
