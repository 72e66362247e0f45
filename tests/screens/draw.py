"""Draws the pictures of screens in docs/: ``python -m tests.screens.draw``."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

from screens.app import WizardApp
from tests.screens import scenes
from tests.screens.fake_session import FakeSession

DOCS = Path(__file__).parents[2] / "docs"
DRAWN: dict[str, tuple[Callable[[], FakeSession], tuple[int, int], tuple[str, ...]]] = {
    "screen": (scenes.flipped, (112, 38), ("w",)),
    "overview": (scenes.running, (112, 36), ()),
}


async def draw(name: str) -> str:
    """The picture as SVG, without fonts from elsewhere."""
    scene, size, keys = DRAWN[name]
    app = WizardApp(scene(), ascii_only=False, start=False)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        for key in keys:
            await pilot.press(key)
        await pilot.pause()
        await pilot.pause()
        picture = app.export_screenshot(title="dokploy-wizard")
    picture = re.sub(r"<!-- .*? -->\s*", "", picture)
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    picture = picture.replace(
        "font-family: Fira Code", "font-family: 'Fira Code', 'DejaVu Sans Mono', monospace"
    )
    # A number that changes with every run names the picture's classes: ours does not change.
    return re.sub(r"terminal-\d+-", "screen-", picture)


def main() -> None:
    for name in DRAWN:
        (DOCS / f"{name}.svg").write_text(asyncio.run(draw(name)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
