"""Why a deployment failed, read from its log: the cause in plain words, the lines that show it, ways on."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SHOWN = 12
_NOISE = re.compile(r"^\s*$|^[╔╚║═ ]+$|Error occurred ❌, check the logs")


@dataclass(frozen=True, slots=True)
class Cause:
    """`lines` are those of the log that show it, or its last ones. `passing`: trying again may be enough."""

    why: str
    ways: tuple[str, ...]
    lines: tuple[str, ...] = ()
    passing: bool = False


_KNOWN: tuple[tuple[str, str, str, bool], ...] = (
    (
        r"toomanyrequests|pull rate limit|429 Too Many Requests",
        "the image registry refuses more pulls for now",
        "Wait for its limit to pass (Docker Hub: six hours) or give the panel a login there, then run again.",
        True,
    ),
    (
        r"without a ssh key|Permission denied \(publickey\)|Host key verification failed"
        r"|could not read Username|Authentication failed for|[Rr]epository not found|Fail to clone",
        "the panel may not read the repository",
        "Set private_repository if it is private, then run apps.<app>.source again: it makes a deploy key.",
        False,
    ),
    (
        r"Remote branch .* not found|couldn't find remote ref",
        "the repository has no such branch",
        "Correct branch in the configuration, then run apps.<app>.source again.",
        False,
    ),
    (
        r"failed to read dockerfile|open [^\n]*Dockerfile[^\n]*: no such file|path .* does not exist",
        "the Dockerfile or the build's context is not where it is said to be",
        "Correct dockerfile or context in the configuration, then run apps.<app>.source again.",
        False,
    ),
    (
        r"failed to (?:compute cache key|calculate checksum)|COPY failed",
        "the build copies a file that its context does not have",
        'Set context to the folder that holds it; the whole repository is "/". Look at .dockerignore too.',
        False,
    ),
    (
        r"heap out of memory|exit code: 137|signal: killed|Killed\b|cannot allocate memory",
        "the build ran out of memory",
        "Take a larger server, or build the image elsewhere and deploy that.",
        False,
    ),
    (
        r"no space left on device",
        "the host's disk is full",
        "Free space there (the panel's Docker cleanup, `docker builder prune`), then run again.",
        False,
    ),
    (
        r"required variable (\S+) is missing a value|(\w+): parameter not set"
        r"|(\S+) (?:environment variable )?is (?:not set|required)",
        "a variable has no value",
        "Put it into the app's env_extra or its source, run apps.<app>.environment again, then this step.",
        False,
    ),
    (
        r"env file .* not found",
        "the stack reads a file of variables that is not there",
        "Accept the review's edit that reads .env, by apps.<app>.source.",
        False,
    ),
    (
        r"declared as external, but could not be found|external volume .* not found",
        "a network or volume that the stack expects does not exist",
        "Run apps.<app>.create again: it makes the volumes. An external network must be made or taken out.",
        False,
    ),
    (
        r"port is already allocated|address already in use",
        "a port that the stack publishes is taken on the host",
        "Take the port out: the panel's proxy reaches services without one.",
        False,
    ),
    (
        r"[Tt]he service .* not found in the compose|service .* does not exist",
        "a domain leads to a service that the stack does not have",
        "Correct service in the configuration, or take that domain off in the panel.",
        False,
    ),
    (
        r"dependency failed to start|is unhealthy|failed to become healthy",
        "a service did not become healthy",
        "Read that container's log in the panel: its health check, its variables, its database.",
        False,
    ),
    (
        r"ENOTFOUND|EAI_AGAIN|Temporary failure in name resolution|TLS handshake timeout|i/o timeout"
        r"|connection reset by peer|502 Bad Gateway|503 Service Unavailable",
        "something on the way was not reachable for a moment",
        "Run again.",
        True,
    ),
    (
        r"npm ERR!|ERR_PNPM|error TS\d+|SyntaxError|ModuleNotFoundError|Cannot find module"
        r"|ERROR: failed to solve|Docker build failed|did not complete successfully",
        "the build of the application itself failed",
        "Mend it in the repository and push, then run again; what ran before still runs.",
        False,
    ),
)


def cause(log: str, app: str) -> Cause:
    """The first known cause that the log shows; else its last lines speak for themselves."""
    lines = [line.rstrip() for line in log.splitlines() if not _NOISE.search(line)]
    for pattern, why, way, passing in _KNOWN:
        hits = [number for number, line in enumerate(lines) if re.search(pattern, line)]
        if hits:
            first = max(0, hits[0] - 2)
            shown = tuple(lines[first : first + _SHOWN])
            return Cause(why, (way.replace("<app>", app),), shown, passing)
    way = "Read the whole log on the panel; what ran before still runs."
    return Cause("the log names no cause that is known", (way,), tuple(lines[-_SHOWN:]))
