"""Redirects of applications, which the host's proxy answers before the application is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.rehearsal.panels.procedures import chosen, mutation, query
from wizard.rehearsal.panels.state import Row

if TYPE_CHECKING:
    from wizard.rehearsal.panels.standin import Panel

_FIELDS = ("regex", "replacement", "permanent")


def _show(panel: Panel, application: str) -> None:
    """The proxy watches its folder: what is written there counts at once."""
    app = panel.app_of(panel.table("application")[application])
    if app is not None:
        rows = panel.rows("redirect", applicationId=application)
        panel.front.state.redirects[app.name] = [
            (row["regex"], row["replacement"], row["permanent"]) for row in rows
        ]


@mutation("redirects.create", "regex replacement permanent applicationId")
def create(panel: Panel, given: Row) -> bool:
    panel.find("application", given["applicationId"], "Application")
    row = {"applicationId": given["applicationId"], **chosen(given, *_FIELDS)}
    panel.add("redirect", row, thing=f"redirect {given['regex']} of {given['applicationId']}")
    _show(panel, given["applicationId"])
    return True


@query("redirects.one", "redirectId")
def one(panel: Panel, given: Row) -> Row:
    return panel.find("redirect", given["redirectId"])


@mutation("redirects.update", "redirectId regex replacement permanent")
def update(panel: Panel, given: Row) -> Row:
    row = panel.find("redirect", given["redirectId"])
    row.update(chosen(given, *_FIELDS))
    _show(panel, row["applicationId"])
    return row


@mutation("redirects.delete", "redirectId")
def delete(panel: Panel, given: Row) -> Row:
    row = panel.table("redirect").pop(panel.find("redirect", given["redirectId"])["redirectId"])
    panel.record("delete", f"{panel.name} redirect {row['regex']} of {row['applicationId']}")
    _show(panel, row["applicationId"])
    return row
