"""What the steps really send to a panel, from the first account to the last rehearsed rollback, fits."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.contract.harness import Exchange
from tests.contract.test_dokploy import UNDESCRIBED, body_of, contract, described, wrong
from tests.phases.apps_stage import Scene, example, scene
from wizard.engine.order import ready
from wizard.engine.progress import StepState
from wizard.engine.step import Step
from wizard.rehearsal.panels import http as panels_http
from wizard.rehearsal.panels.http import Reply
from wizard.rehearsal.panels.standin import Panel

pytestmark = pytest.mark.slow
BASE = "http://panel.test/api"
PHASES = ("apps", "data", "cutover", "settle")


class Tape:
    """Keeps every exchange with any panel."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self._plain = panels_http.respond

    async def respond(
        self, panel: Panel, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> Reply:
        reply = await self._plain(panel, method, path, query, headers, body)
        url = f"http://panel.test{path}" + (f"?{query}" if query else "")
        self.exchanges.append(
            Exchange(method, url, dict(headers), body, reply.status, reply.headers, reply.body)
        )
        return reply


async def walk(at: Scene, phase: str) -> None:
    """Every step of a phase, in the order in which the engine takes them."""
    steps: tuple[Step[Any], ...] = import_module(f"wizard.phases.{phase}.steps").steps(at.config)
    states = {step.id: StepState.PENDING for step in steps}
    while pending := ready(
        steps, states, {name for name, state in states.items() if state is StepState.DONE}
    ):
        turn = await at.drive(pending[0])
        assert turn.done, f"{pending[0].id}: {turn.story}"
        states[pending[0].id] = StepState.DONE


@pytest.fixture
async def tape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Exchange]]:
    kept = Tape()
    monkeypatch.setattr(panels_http, "respond", kept.respond)
    async with scene(tmp_path, example()) as at:
        for phase in PHASES:
            await walk(at, phase)
    yield [one for one in kept.exchanges if described(one)]


async def test_all_that_the_steps_send_fits_and_nothing_of_it_is_dropped(tape: list[Exchange]) -> None:
    assert not wrong(tape), "a step left out a field that the panel insists on"
    contract().check_all(tape, BASE)
    for exchange in tape:
        name = urlsplit(exchange.url).path.removeprefix("/api/")
        sent = json.loads(exchange.body) if exchange.body else {}
        assert set(sent) <= set(body_of(name).get("properties", {})), name
    asked = {urlsplit(exchange.url).path.removeprefix("/api/") for exchange in tape}
    assert len(asked) >= 30 and not any(name.startswith(UNDESCRIBED) for name in asked)
