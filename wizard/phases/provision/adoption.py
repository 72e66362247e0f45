"""A server that is there already: what is asked before it is used as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.engine.plan import Choice, Question
from wizard.errors import WizardError

if TYPE_CHECKING:
    from wizard.clients.hetzner.models import CloudServer

ADOPT, STOP = "adopt", "stop"


def foreign(step: str, found: CloudServer, mismatch: str) -> Question:
    """Whether a server of somebody else's making is to be used."""
    because = mismatch or "its labels do not say that this migration made it"
    return Question(
        f"{step}/foreign",
        f"Hetzner has a server {found.name} already ({found.type} in {found.location}, {found.ipv4}), "
        f"and {because}. Use it as it is?",
        (
            Choice(ADOPT, "Use it; everything is installed on it"),
            Choice(STOP, "Stop; I rename one of them"),
        ),
        why="a server that somebody else made may hold what somebody needs",
    )


def host_key(step: str, found: CloudServer) -> Question:
    """Which key the machine has: nobody here made it."""
    return Question(
        f"{step}/host_key",
        f"Paste the public host key of {found.name}: one line that begins with ssh-ed25519, as shown by "
        "`cat /etc/ssh/ssh_host_ed25519_key.pub` on its console.",
        why="without it nobody can tell the server from somebody in between",
    )


def clean_key(line: str) -> str:
    """The key without its comment. Raises WizardError when it is none."""
    words = line.split()
    if len(words) < 2 or not words[0].startswith(("ssh-", "ecdsa-")):
        raise WizardError(
            "That is not a public host key", next="Paste the whole line, beginning with ssh-ed25519."
        )
    return " ".join(words[:2])
