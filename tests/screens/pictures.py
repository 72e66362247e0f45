"""Draws the pictures in docs/ from a real rehearsal: ``python -m tests.screens.pictures``.

The packaged example is rehearsed by the wizard's own engine behind its own screens. The overview is drawn in
the middle of the apps phase, the cutover when a good half of the world has followed.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from screens.app import WizardApp
from screens.cutover import CutoverPage
from screens.overview import Overview
from screens.question import AskQuestion
from wizard import configfile, phases
from wizard.engine.events import StepState
from wizard.engine.progress import load
from wizard.engine.step import Phase
from wizard.rehearsal.door import Wish, enter
from wizard.session import EngineSession

DOCS = Path(__file__).parents[2] / "docs"
SIZE = (112, 38)
_SLOW, _POLL, _LONG_ENOUGH = 10.0, 0.05, 20_000
_SHARE = (0.5, 0.95)


async def until(pilot: Pilot[int], holds: Callable[[WizardApp], bool]) -> None:
    """Let the operator apply and answer whatever is asked until `holds`."""
    app = pilot.app
    assert isinstance(app, WizardApp)
    for _ in range(_LONG_ENOUGH):
        if holds(app):
            await pilot.pause()
            # Still so when it is painted: an operator who follows is taken on with what happens.
            if holds(app):
                return
        if isinstance(app.screen, AskQuestion):
            await pilot.press("enter")
        for step in app.session.approvals:
            # Names of what cannot be undone need no typing where nobody is there to be warned.
            app.session.approve(step, True)
        await asyncio.sleep(_POLL)
    raise AssertionError("the rehearsal never came to that")


def in_the_middle(app: WizardApp) -> bool:
    """A step of the apps phase is at work, and has something to say."""
    if not isinstance(app.screen, Overview):
        return False
    info = app.model.info(app.overview.step)
    at_work = info is not None and info.phase is Phase.APPS and info.state is StepState.RUNNING
    done, _ = app.model.tally(app.model.of_phase(Phase.APPS))
    said = app.model.view(app.overview.step).total
    return at_work and done >= 4 and said >= 9 and app.model.plan(app.overview.step) is not None


def half_the_world(app: WizardApp) -> bool:
    page = app.screen
    if not isinstance(page, CutoverPage) or page.view is None:
        return False
    view = page.view
    return _SHARE[0] <= view.share <= _SHARE[1] and bool(view.http) and view.ends_at is not None


def picture(app: WizardApp) -> str:
    """The screen of now as SVG, without fonts from elsewhere and alike when it is drawn again."""
    drawn = app.export_screenshot(title="dokploy-wizard")
    drawn = re.sub(r"<!-- .*? -->\s*", "", drawn)
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
    drawn = drawn.replace("font-family: Fira Code", "font-family: 'Fira Code', 'DejaVu Sans Mono', monospace")
    return re.sub(r"terminal-\d+-", "screen-", drawn) + "\n"


async def draw(folder: Path) -> dict[str, str]:
    """The pictures by name. `folder` holds the rehearsal meanwhile."""
    config, drawn = configfile.example(), {}
    with configfile.example_file() as path:
        async with enter(config, path, folder / "progress.toml", Wish(speed=_SLOW)) as door:
            session = EngineSession(phases.steps(config), door.world, load(folder / "progress.toml"))
            app = WizardApp(session, ascii_only=False)
            async with app.run_test(size=SIZE) as pilot:
                for name, moment in (("overview", in_the_middle), ("screen", half_the_world)):
                    await until(pilot, moment)
                    drawn[name] = picture(app)
                await session.stop()
            await door.end()
    return drawn


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        for picture_name, svg in asyncio.run(draw(Path(name))).items():
            (DOCS / f"{picture_name}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
