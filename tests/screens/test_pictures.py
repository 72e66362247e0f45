"""Looks, held by pictures: ``pytest tests/screens/test_pictures.py --snapshot-update`` takes them anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from screens.app import WizardApp
from tests.screens import scenes
from tests.screens.conftest import LARGE, SMALL
from tests.screens.fake_session import FakeSession

PICTURES: dict[str, tuple[Callable[[], FakeSession], tuple[str, ...]]] = {
    "approving": (scenes.approving, ()),
    "running": (scenes.running, ()),
    "failed": (scenes.failed, ("3",)),
    "asking": (scenes.asking, ()),
    "deleting": (scenes.deleting, ("a",)),
    "evidence": (scenes.failed, ("3", "down", "enter")),
    "help": (scenes.running, ("question_mark",)),
    "plan": (scenes.approving, ("l",)),
    "cutover": (scenes.flipped, ("w",)),
    "go": (scenes.going, ("w",)),
    "back": (scenes.flipped, ("w", "b")),
    "ports": (scenes.ports, ("m",)),
    "report": (scenes.failed, ("r",)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_small(name: str, snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert snap_compare(*_picture(name, SMALL))


@pytest.mark.parametrize("name", ["approving", "running", "cutover", "plan"])
def test_large(name: str, snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert snap_compare(*_picture(name, LARGE))


@pytest.mark.parametrize("name", ["approving", "asking", "cutover", "report"])
def test_ascii(name: str, snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert snap_compare(*_picture(name, SMALL, ascii_only=True))


@pytest.mark.parametrize("name", ["running", "cutover"])
def test_without_colour(name: str, snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(*_picture(name, SMALL))


@pytest.mark.parametrize("name", PICTURES)
async def test_ascii_is_ascii_only(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app, _, size, before = _picture(name, SMALL, ascii_only=True)
    async with app.run_test(size=size) as pilot:
        await before(pilot)
        lines = app.screen._compositor.render_strips()
        foreign = {letter for strip in lines for letter in strip.text if ord(letter) > 126}
        assert not foreign


def _picture(name: str, size: tuple[int, int], *, ascii_only: bool = False) -> Any:
    scene, keys = PICTURES[name]
    app = WizardApp(scene(), ascii_only=ascii_only, start=False)

    async def before(pilot: Pilot[int]) -> None:
        await pilot.pause()
        for key in keys:
            await pilot.press(key)
        await pilot.pause()
        await app.workers.wait_for_complete()
        await pilot.pause()
        repaint = getattr(app.screen, "repaint", None)
        if repaint is not None:
            repaint()
        await pilot.pause()

    return app, (), size, before
