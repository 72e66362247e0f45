"""The harness bites: what a description does not allow is refused, on both sides."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.contract.harness import Contract, ContractError, Exchange, recorded

DESCRIPTION: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "things", "version": "1"},
    "servers": [{"url": "https://things.example/v1"}],
    "security": [{"token": []}],
    "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    "paths": {
        "/things": {
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["name"],
                                "additionalProperties": False,
                                "properties": {"name": {"type": "string"}},
                            }
                        }
                    },
                },
                "responses": {
                    "201": {
                        "description": "made",
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "object",
                                    "required": ["id"],
                                    "properties": {"id": {"type": "integer"}},
                                }
                            }
                        },
                    }
                },
            }
        }
    },
}
URL = "https://things.example/v1/things"


def exchange(body: object, answer: object, *, token: str = "Bearer t", url: str = URL) -> Exchange:
    headers = {"Content-Type": "application/json", **({"Authorization": token} if token else {})}
    return Exchange(
        "POST",
        url,
        headers,
        json.dumps(body).encode(),
        201,
        {"Content-Type": "application/json"},
        json.dumps(answer).encode(),
    )


def test_what_the_description_allows_passes() -> None:
    Contract(DESCRIPTION).check(exchange({"name": "a"}, {"id": 1}))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (exchange({"name": 5}, {"id": 1}), "not of type 'string'"),
        (exchange({}, {"id": 1}), "'name' is a required property"),
        (exchange({"name": "a", "more": 1}, {"id": 1}), "Additional properties"),
        (exchange({"name": "a"}, {"id": "one"}), "not of type 'integer'"),
        (exchange({"name": "a"}, {}), "'id' is a required property"),
        (exchange({"name": "a"}, {"id": 1}, token=""), "ecurity"),
        (exchange({"name": "a"}, {"id": 1}, url=URL + "/nowhere"), "Path not found"),
    ],
)
def test_what_it_does_not_allow_is_refused_with_a_reason(wrong: Exchange, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        Contract(DESCRIPTION).check_all([wrong])


def test_nothing_recorded_proves_nothing() -> None:
    with pytest.raises(ContractError, match="no exchange"):
        Contract(DESCRIPTION).check_all([])


async def test_a_recorded_exchange_is_what_passed() -> None:
    # given a server on loopback
    async def make(request: web.Request) -> web.Response:
        return web.json_response({"id": len((await request.json())["name"])}, status=201)

    app = web.Application()
    app.router.add_post("/v1/things", make)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        # when something passes through the recorder
        async with recorded(f"http://127.0.0.1:{runner.addresses[0][1]}/v1") as tape:
            async with (
                aiohttp.ClientSession(headers={"Authorization": "Bearer t"}) as session,
                session.post(f"{tape.url}/things?a=b%2Fc", json={"name": "four"}) as answer,
            ):
                seen = await answer.json()
            # then the tape holds it, and it fits the description
            assert seen == {"id": 4}
            assert tape.exchanges[0].url.endswith("/v1/things?a=b/c")
            Contract(DESCRIPTION).check_all(tape.exchanges, tape.url)
    finally:
        await runner.cleanup()
