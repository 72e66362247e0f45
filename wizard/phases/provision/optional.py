"""A server that the move can do without: asked for before it costs, and left out when it can't be had."""

from __future__ import annotations

from wizard.config import Server
from wizard.engine.plan import Ask, Change, Failed, Kind, Plan, Question, Skip
from wizard.engine.plan import Choice as Answer
from wizard.errors import WizardError
from wizard.phases.provision.choice import Choice

HAVE, WITHOUT = "have", "without"


def question_id(server: Server) -> str:
    return f"provision.{server.name}.address/optional"


def asked_first(server: Server, choice: Choice, answer: str) -> Ask | Skip | None:
    """What stands before the first thing that costs; None when it may be bought."""
    if not server.optional or answer == HAVE:
        return None
    if answer == WITHOUT:
        return Skip(
            f"{server.name} is optional, and you chose to go on without it. "
            "To have it after all: take optional = true out of the configuration, then run again"
        )
    return Ask(
        Question(
            question_id(server),
            f"{server.name} is optional. Have it made? {choice}",
            (Answer(HAVE, "Have it made"), Answer(WITHOUT, "Go on without it")),
            default=HAVE,
            why="the move needs no more than the other servers",
        )
    )


def held(server: Server, hold: Failed) -> Failed | Skip:
    """A refusal; for an optional server no more than a reason to go on without it."""
    return Skip(left_out(server, hold.why)) if server.optional else hold


def given_up(server: Server, hold: Failed, *, idle: bool) -> Plan:
    """Nothing can be had. An optional server is left out; an address that waits for it (`idle`) is given back
    first, by the change "release"."""
    held_by = held(server, hold)
    if not idle or not isinstance(held_by, Skip):
        return Plan(hold=held_by)
    release = Change(
        Kind.DELETE,
        "release",
        f"addresses of {server.name}",
        before="waiting for a machine, and billed",
        why=held_by.why,
        payload=held_by,
    )
    return Plan((release,))


def left_out(server: Server, why: str) -> str:
    return f"{server.name} is optional and left out: {why.rstrip('.')}. The next run looks again"


def because(error: WizardError) -> str:
    return f"{error.what} ({error.why})" if error.why else error.what
