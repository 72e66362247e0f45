"""A zone that is edited by hand: the exact lines to type, asked before the wizard begins to watch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from wizard.dns.providers.manual import to_type
from wizard.dns.records import RecordChange
from wizard.engine.plan import Ask, Choice, Question

_BEGIN = "begin"


def asked(
    step: str, changes: Sequence[RecordChange], answers: Mapping[str, str], by_hand: bool
) -> Ask | None:
    """The question that shows what to type; None when it was answered or somebody else edits."""
    if not by_hand or not changes:
        return None
    told = "\n".join(to_type(changes))
    digest = hashlib.sha256(told.encode()).hexdigest()[:8]
    identity = f"{step}/by-hand/{digest}"
    if answers.get(identity) == _BEGIN:
        return None
    text = f"Type these changes where the zone is edited; they are watched for from now on:\n{told}"
    choice = Choice(_BEGIN, "I am typing them now: watch the name servers")
    return Ask(Question(identity, text, (choice,), why="this zone is edited by hand"))
