"""Notifications: kept, tried, and sent when a deployment ends or a backup fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from wizard.rehearsal.panels.procedures import Handler, mutation, query
from wizard.rehearsal.panels.state import Row, bad

if TYPE_CHECKING:
    from wizard.rehearsal.panels.standin import Panel

_EVENTS = (
    "appBuildError databaseBackup dokployBackup volumeBackup dokployRestart name appDeploy dockerCleanup "
    "serverThreshold"
)
_KINDS = {
    "Discord": "webhookUrl decoration",
    "Slack": "webhookUrl channel",
    "Email": "smtpServer smtpPort username password fromAddress toAddresses",
}
_TESTS = {
    "Discord": "webhookUrl",
    "Slack": "webhookUrl channel",
    "Email": "smtpServer smtpPort username password toAddresses fromAddress",
}
_HOOKS = {"Discord": "https://discord.com/api/webhooks/", "Slack": "https://hooks.slack.com/services/"}
_TEST_TEXT = "Hi, From Dokploy 👋"


def _creator(kind: str) -> Callable[[Panel, Row], None]:
    def create(panel: Panel, given: Row) -> None:
        word = kind.lower()
        target = {name: given.get(name) for name in _KINDS[kind].split()}
        row = {
            "name": given["name"],
            "notificationType": word,
            **{name: bool(given.get(name)) for name in _EVENTS.split() if name != "name"},
            f"{word}Id": panel.new_id(),
            word: target,
            "organizationId": panel.state.organization.get("id", ""),
        }
        panel.add("notification", row, thing=f"notification {given['name']}")

    return create


def _tester(kind: str) -> Callable[[Panel, Row], bool]:
    def test(panel: Panel, given: Row) -> bool:
        _deliver(panel, kind, given, _TEST_TEXT)
        return True

    return test


def _deliver(panel: Panel, kind: str, target: Row, text: str) -> None:
    """Raises Refused with the target's own reason."""
    if kind in _HOOKS and not str(target.get("webhookUrl") or "").startswith(_HOOKS[kind]):
        raise bad("Error testing the notification: 404 Not Found")
    if kind == "Email" and not (target.get("smtpServer") and target.get("toAddresses")):
        raise bad("Error testing the notification: connect ECONNREFUSED 127.0.0.1:587")
    panel.state.delivered.append((kind.lower(), text))
    panel.record("message", f"{panel.name} {kind.lower()}", text)


def _register() -> None:
    for kind, fields in _KINDS.items():
        mutation(f"notification.create{kind}", f"{_EVENTS} {fields}")(_creator(kind))
        handler: Handler = _tester(kind)
        mutation(f"notification.test{kind}Connection", _TESTS[kind])(handler)


_register()


@query("notification.all")
def every(panel: Panel, given: Row) -> list[Row]:
    return list(reversed(panel.table("notification").values()))


@query("notification.one", "notificationId")
def one(panel: Panel, given: Row) -> Row:
    return panel.find("notification", given["notificationId"])


@mutation("notification.remove", "notificationId")
def remove(panel: Panel, given: Row) -> Row:
    row = panel.table("notification").pop(
        panel.find("notification", given["notificationId"])["notificationId"]
    )
    panel.record("delete", f"{panel.name} notification {row['name']}")
    return row


def tell(panel: Panel, event: str, text: str) -> None:
    """Send to every notification that wants `event`; a target that refuses is only logged, as in reality."""
    from wizard.rehearsal.panels.state import Refused

    for row in panel.table("notification").values():
        if not row.get(event):
            continue
        kind = str(row["notificationType"]).capitalize()
        try:
            _deliver(panel, kind, row[row["notificationType"]], text)
        except Refused as refusal:
            panel.record("undelivered", f"{panel.name} {row['name']}", refusal.message)


def deployment_ended(panel: Panel, row: Row, status: str) -> None:
    if status == "done":
        tell(panel, "appDeploy", f"Build success: {row['name']}")
    elif status == "error":
        tell(panel, "appBuildError", f"Build failed: {row['name']}")
