"""The one-key return: what it does and when the world is back, then one Enter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screens.confirm import Confirm
from screens.text import clock, duration
from wizard.engine.events import NOTHING

if TYPE_CHECKING:
    from screens.app import WizardApp


FLIP = "cutover.flip"


def flipped(wizard: WizardApp) -> bool:
    """Whether there is something to go back from."""
    info = wizard.model.info(FLIP)
    return info is not None and info.state not in NOTHING


def offer_back(wizard: WizardApp) -> None:
    if not flipped(wizard):
        wizard.notify("Nothing is flipped, so there is nothing to go back from.", timeout=4, markup=False)
        return

    def answered(yes: bool | None) -> None:
        if yes:
            wizard.go_back()

    wizard.push_screen(Confirm("Back to the old records", back_text(wizard), "go back now"), answered)


def back_text(wizard: WizardApp) -> list[str]:
    text = ["Every record that was flipped gets its old values again, in one call for each set of records."]
    later = wizard.session.behind_back
    if later:
        names = " and ".join(phase.value for phase in reversed(later))
        text.insert(0, f"What {names} did so far rests on the new records, so it is taken back first.")
    entry = wizard.model.latest("watch")
    view = entry[1] if entry else None
    back_at = getattr(view, "back_at", None)
    if view is not None and back_at:
        # The view may be old: what counts from now on is how long the way back takes.
        left = max(0.0, back_at - view.at)
        text.append(
            f"The world is back at {clock(wizard.session.now() + left)} UTC, in {duration(left)}: "
            "then the last cache that holds a new value has let go of it."
        )
    else:
        text.append("The world is back when the caches that hold a new value have let go of it: one TTL.")
    text.append("Until then both places serve, so visitors notice nothing.")
    return text
