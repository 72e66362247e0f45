"""The client against trouble: what is repeated, what never is, what is shown, what is never blocked."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from tests.engine.outside import LeapingClock
from tests.rehearsal.hetzner_stage import hetzner_world
from wizard import voice
from wizard.clients.hetzner import HetznerClient, transport
from wizard.clients.hetzner.errors import CapacityError, sentence
from wizard.errors import CredentialError, UnreachableError, VendorError
from wizard.rehearsal.hetzner.state import REHEARSAL_TOKEN

ACTION = {
    "id": 1,
    "command": "set_firewall_rules",
    "status": "running",
    "progress": 0,
    "started": "2026-09-21T14:13:20+00:00",
    "finished": None,
    "resources": [],
    "error": None,
}


@dataclass
class Scripted:
    """A server that answers as told, in order, then with `last`."""

    answers: list[tuple[int, dict[str, object]]] = field(default_factory=list)
    last: tuple[int, dict[str, object]] = (200, {"pricing": {}})
    asked: list[str] = field(default_factory=list)
    cut: int = 0
    hold: asyncio.Event | None = None
    answered: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path_qs}")
        if self.hold is not None:
            await self.hold.wait()
        self.answered += 1
        if self.cut:
            self.cut -= 1
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        status, body = self.answers.pop(0) if self.answers else self.last
        headers = {
            "X-Correlation-Id": "c0ffee",
            "RateLimit-Limit": "3600",
            "RateLimit-Remaining": "3599",
            "RateLimit-Reset": "1790000000",
        }
        return web.json_response(body, status=status, headers=headers)


@pytest.fixture
async def served() -> AsyncIterator[tuple[Scripted, HetznerClient, LeapingClock]]:
    scripted, clock = Scripted(), LeapingClock()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", scripted.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()

    async def token() -> str:
        return f"  {REHEARSAL_TOKEN}\n"

    client = HetznerClient(f"http://127.0.0.1:{runner.addresses[0][1]}/v1", token, clock)
    yield scripted, client, clock
    await client.aclose()
    await runner.cleanup()


def error(code: str, message: str = "no") -> dict[str, object]:
    return {"error": {"code": code, "message": message, "details": None}}


Served = tuple[Scripted, HetznerClient, LeapingClock]


@pytest.mark.parametrize("code", ["locked", "conflict", "rate_limit_exceeded"])
async def test_what_was_refused_for_now_is_repeated_in_the_worlds_time(served: Served, code: str) -> None:
    scripted, client, clock = served
    began = clock.now()
    scripted.answers = [(423, error(code))] * 3
    scripted.last = (201, {"actions": []})
    await client.set_rules(7, ())
    assert len(scripted.asked) == 4 and clock.now() > began


@pytest.mark.parametrize("status", [500, 503])
async def test_a_change_that_may_have_happened_is_never_repeated(served: Served, status: int) -> None:
    scripted, client, _ = served
    scripted.last = (status, error("server_error" if status == 500 else "unavailable"))
    with pytest.raises(UnreachableError):
        await client.delete_server(7)
    assert len(scripted.asked) == 1


async def test_a_lost_answer_to_a_change_is_not_repeated_but_a_question_is(served: Served) -> None:
    scripted, client, _ = served
    scripted.cut = 1
    with pytest.raises(UnreachableError, match="does not answer"):
        await client.delete_server(7)
    assert len(scripted.asked) == 1

    scripted.cut, scripted.last = 2, (200, {"ssh_keys": [], "meta": {"pagination": {"next_page": None}}})
    assert await client.ssh_keys() == ()
    assert len(scripted.asked) == 4


async def test_trouble_that_stays_ends(served: Served) -> None:
    scripted, client, _ = served
    scripted.last = (503, error("unavailable"))
    with pytest.raises(UnreachableError):
        await client.pricing()
    assert 3 < len(scripted.asked) < 10


async def test_errors_name_the_limit_and_the_correlation_id(served: Served) -> None:
    scripted, client, _ = served
    scripted.last = (403, error("resource_limit_exceeded", "server limit reached"))
    with pytest.raises(VendorError) as caught:
        await client.delete_server(7)
    assert "c0ffee" in caught.value.why and caught.value.code == "resource_limit_exceeded"
    assert client.budget is not None and client.budget.remaining == 3599


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("resource_unavailable", "anything"),
        ("placement_error", "error during placement"),
        ("server_location", "server location disabled"),
        ("invalid_input", "we are unable to provision servers for this location"),
        ("invalid_input", "unsupported location for server type"),
        ("action_failed", "The requested server type is currently unavailable in this location"),
        ("conflict_of_stock", "cpx22 is sold out in nbg1"),
    ],
)
def test_no_capacity_is_one_error_in_all_its_wordings(code: str, message: str) -> None:
    assert isinstance(sentence(code, message, "creating server frontend"), CapacityError)
    if code != "resource_unavailable":
        assert not isinstance(sentence(code, message, "deleting a network"), CapacityError)


async def test_many_actions_are_followed_with_one_question(served: Served) -> None:
    scripted, client, _ = served
    running = [{**ACTION, "id": number} for number in (1, 2, 3)]
    scripted.last = (200, {"actions": [{**action, "status": "success"} for action in running]})
    await asyncio.gather(*(client._api.wait_for([action], "waiting") for action in running))
    assert scripted.asked == ["GET /v1/actions?id=1&id=2&id=3"]


async def test_an_action_that_fails_is_its_error(served: Served) -> None:
    scripted, client, _ = served
    failed = {**ACTION, "status": "error", "error": {"code": "resource_unavailable", "message": "none left"}}
    scripted.answers = [(201, {"action": ACTION})]
    scripted.last = (200, {"actions": [failed]})
    with pytest.raises(CapacityError):
        await client.enable_backups(7, True)


@pytest.mark.parametrize("pasted", ["", "  ", "abc…def", "two words", "tok\nen"])
async def test_a_token_that_cannot_be_one_is_said_before_anything_is_sent(pasted: str) -> None:
    async def token() -> str:
        return pasted

    client = HetznerClient("http://127.0.0.1:9/v1", token, LeapingClock())
    with pytest.raises(CredentialError):
        await client.ssh_keys()
    await client.aclose()


async def test_the_stand_in_survives_its_process(tmp_path: Path) -> None:
    async with hetzner_world(tmp_path) as small:
        await small.world.hetzner.create_network("kept", "172.31.0.0/16", "eu-central", {})
        kept = pickle.loads(pickle.dumps(small.stage.hetzner.state))
        assert [row["name"] for row in kept.networks.values()] == ["kept"]


async def test_lists_go_over_all_their_pages(tmp_path: Path) -> None:
    async with hetzner_world(tmp_path) as small:
        from wizard.rehearsal.hetzner.resources import Resources

        small.stage.hetzner.state.address_limit = 200
        resources = Resources(small.stage.hetzner)
        for number in range(73):
            resources.new_address(f"ip{number}", "ipv4", "nbg1", {}, auto_delete=False)
        assert len(await small.world.hetzner.primary_ips()) == 73


@dataclass
class Silent:
    """Accepts connections and never answers; counts what was asked."""

    asked: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        await reader.read()
        writer.close()


@pytest.fixture
async def silent(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Silent, HetznerClient]]:
    monkeypatch.setattr(transport, "TIMEOUT", (0.2, 0.2))
    one = Silent()
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)

    async def token() -> str:
        return REHEARSAL_TOKEN

    port = server.sockets[0].getsockname()[1]
    client = HetznerClient(f"http://127.0.0.1:{port}/v1", token, LeapingClock())
    yield one, client
    await client.aclose()
    server.close()


async def test_a_silent_api_ends_every_call_and_the_loop_turns_all_the_while(
    silent: tuple[Silent, HetznerClient],
) -> None:
    server, client = silent
    turns = 0

    async def screen() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    painting = asyncio.create_task(screen())
    await asyncio.sleep(0)
    before = turns
    calls = (client.pricing(), client.delete_server(7), client.set_rules(7, ()))
    ended = await asyncio.gather(*calls, return_exceptions=True)
    painting.cancel()

    assert [type(one) for one in ended] == [UnreachableError] * 3
    assert server.asked == transport._TRIES + 2, "a question is repeated, a change is not"
    assert turns - before > 100


async def test_actions_that_never_end_are_given_up(served: Served) -> None:
    scripted, client, clock = served
    scripted.answers = [(201, {"actions": [ACTION]})]
    scripted.last = (200, {"actions": [ACTION]})
    began = clock.now()
    with pytest.raises(UnreachableError, match="do not end"):
        await client.set_rules(7, ())
    assert clock.now() - began < 2 * transport._ACTION_LIMIT


async def test_an_answer_in_another_form_leaves_nobody_waiting(served: Served) -> None:
    scripted, client, _ = served
    scripted.answers = [(201, {"actions": [ACTION]})]
    scripted.last = (200, {"deeds": []})
    with pytest.raises(UnreachableError, match="another form"):
        await client.set_rules(7, ())


async def test_a_change_is_finished_before_a_cancellation_goes_through(served: Served) -> None:
    scripted, client, _ = served
    scripted.hold = asyncio.Event()
    scripted.last = (201, {"actions": []})
    change = asyncio.create_task(client.set_rules(7, ()))
    while not scripted.asked:
        await asyncio.sleep(0)
    change.cancel()
    for _ in range(50):
        await asyncio.sleep(0)
    held = change.done()
    scripted.hold.set()
    with pytest.raises(asyncio.CancelledError):
        await change

    assert not held, "the call was under way: it is waited for"
    assert scripted.answered == 1


async def test_what_is_waited_for_is_said(served: Served) -> None:
    scripted, client, _ = served
    heard: list[str] = []
    voice.listen(heard.append)
    scripted.answers = [(429, error("rate_limit_exceeded")), (423, error("locked"))]
    scripted.last = (201, {"actions": []})
    await client.set_rules(7, ())
    assert [line.partition(":")[0] for line in heard] == [
        "Hetzner's limit of requests is reached (set rules)",
        "Hetzner still works on this thing (set rules)",
    ]
