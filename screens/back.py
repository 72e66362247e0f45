"""The one-key return: what it does and when the world is back, then one Enter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screens.confirm import Confirm
from screens.text import clock, duration

if TYPE_CHECKING:
    from screens.app import WizardApp


def offer_back(wizard: WizardApp) -> None:
    def answered(yes: bool | None) -> None:
        if yes:
            wizard.go_back()

    wizard.push_screen(Confirm("Back to the old records", back_text(wizard), "go back now"), answered)


def back_text(wizard: WizardApp) -> list[str]:
    text = ["Every record that was flipped gets its old values again, in one call for each set of records."]
    entry = wizard.model.latest("watch")
    moment = getattr(entry[1], "back_at", None) if entry else None
    if moment:
        left = moment - wizard.session.now()
        text.append(
            f"The world is back at {clock(moment)} UTC, in {duration(left)}: "
            "then the last cache that holds a new value has let go of it."
        )
    else:
        text.append("The world is back when the caches that hold a new value have let go of it: one TTL.")
    text.append("Until then both places serve, so visitors notice nothing.")
    return text
