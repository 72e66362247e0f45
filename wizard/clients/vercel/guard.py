"""The one place that decides what may be sent to Vercel: reads, and on the ladder its few rungs.

A token of Vercel's has no read-only scope, so the wizard must be unable by itself. Account domains, DNS
records, teams and variables are on no list: nothing here can ever change them.
"""

from __future__ import annotations

import re

from wizard.errors import WizardError

READS = frozenset({"GET"})
_RUNGS = (
    ("POST", r"/v1/projects/{project}/(un)?pause"),
    ("DELETE", r"/v9/projects/{project}/link"),
    ("POST", r"/v9/projects/{project}/link"),
    ("DELETE", r"/v9/projects/{project}/domains/[^/]+"),
    ("POST", r"/v10/projects/{project}/domains"),
    ("DELETE", r"/v9/projects/{project}"),
)


class NotPermittedError(WizardError):
    """A call that must not be sent now. It is refused here, before Vercel hears of it."""


def permit(method: str, path: str, project: str = "") -> None:
    """Pure. `project`: id of the project whose ladder was entered, "" before any was.

    Raises NotPermittedError for everything but reads and that project's own rungs.
    """
    if method in READS:
        return
    if project and ".." not in path:
        for rung, pattern in _RUNGS:
            whole = pattern.replace("{project}", re.escape(project))
            if method == rung and re.fullmatch(whole, path):
                return
    raise NotPermittedError(
        "Nothing is changed at Vercel before its ladder is entered",
        f"{method} {path} was about to be sent",
        "This is a fault of the wizard: report it. Nothing was sent.",
    )
