"""Rules about running: health, restarts, limits, images."""

from __future__ import annotations

import re
from collections.abc import Iterator

from yaml.nodes import MappingNode

from wizard.compose import edits
from wizard.compose.document import get, value_of
from wizard.compose.finding import Edit, Finding, Rule, Severity
from wizard.compose.interpolation import InterpolationError, substitute, variables
from wizard.compose.setting import Setting
from wizard.compose.stack import Service, Stack
from wizard.compose.syntax import MountKind, resolved

_UNITS = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30}
_RESERVE_MB = 1500
"""For the system, the panel, its database and Traefik."""
_QUICK = re.compile(r"(?:[1-5]s|\d+ms)$")


def _known(stack: Stack) -> list[Service]:
    """Services that stay up and whose whole description could be read."""
    return [service for service in stack.running if not service.unread]


def health_checks(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Without one, "running" is all that anybody knows; a slow first check is a gap at each deployment."""
    without = [service for service in _known(stack) if not _has_check(service)]
    if without:
        yield Finding(
            Rule.NO_HEALTH_CHECK, Severity.ADVICE, without[0].name, without[0].line,
            f"{len(without)} of {len(stack.running)} services",
            "There is no health check in this file: unless the image has one, a container that hangs counts as running, "
            "and nothing waits until it is ready.",
            "Add a `healthcheck` that asks the service itself, first of all where visitors arrive.",
            also=tuple(service.name for service in without[1:]),
        )  # fmt: skip
    for shared in stack.shared("healthcheck"):
        service = shared.services[0]
        public = any(one.ports or one.name in setting.public for one in shared.services)
        checked = (
            isinstance(shared.value, MappingNode)
            and _has_check(service)
            and service.name not in stack.one_shots
        )
        interval = value_of(shared.value, "interval") or "30s"
        if not public or not checked or get(shared.value, "start_interval") or _QUICK.match(interval):
            continue
        assert isinstance(shared.value, MappingNode)
        lines = () if get(shared.value, "start_period") else ("start_period: 90s",)
        yield Finding(
            Rule.SLOW_HEALTH_CHECK, Severity.ADVICE, service.name, shared.line, f"interval: {interval}",
            "Traefik leaves a container out until its first check passes: without a start_interval, the interval is the "
            "least gap of each deployment.",
            "Ask every 2 seconds while it starts.",
            edits.add_key(stack.document, shared.value, (*lines, "start_interval: 2s")),
            shared.names[1:],
        )  # fmt: skip


def _has_check(service: Service) -> bool:
    found = service.get("healthcheck")
    if found is None or value_of(found.value, "disable") == "true":
        return False
    test = get(found.value, "test")
    return test is None or value_of(found.value, "test") != "NONE"


def restart_policies(stack: Stack, setting: Setting) -> Iterator[Finding]:
    for service in _known(stack):
        deploy = service.get("deploy")
        policy = deploy and get(deploy.value, "restart_policy")
        if service.get("restart") or policy:
            continue
        yield Finding(
            Rule.NO_RESTART, Severity.ADVICE, service.name, service.line, "no `restart`",
            "It is not started again when it dies or when the host reboots.",
            "Add `restart: unless-stopped`.",
            _restart(stack, service),
        )  # fmt: skip


def _restart(stack: Stack, service: Service) -> tuple[Edit, ...]:
    """() where a service that is made to end would take it over, and never end."""
    if service.entry.aliased or id(service.node) in stack.made_to_end:
        return ()
    return edits.add_key(stack.document, service.node, ("restart: unless-stopped",))


def memory_limits(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """One finding for those without a limit, one if the limits together pass the host's memory."""
    running = _known(stack)
    without = [service for service in running if memory_limit(service) is None]
    if without:
        yield Finding(
            Rule.NO_MEMORY_LIMIT, Severity.ADVICE, without[0].name, without[0].line,
            f"{len(without)} of {len(stack.running)} services",
            "Without a memory limit, one service that leaks takes the panel and the database down with it.",
            "Give each a `mem_limit`, from what it uses today on the old host.",
            also=tuple(service.name for service in without[1:]),
        )  # fmt: skip
    limits = {
        service.name: limit * replicas(service)
        for service in running
        if (limit := memory_limit(service)) is not None
    }
    total = sum(limits.values()) // 2**20
    if setting.memory_mb and total + _RESERVE_MB > setting.memory_mb:
        largest = sorted(limits, key=lambda name: -limits[name])[:3]
        listed = ", ".join(f"{name} {limits[name] // 2**20} MB" for name in largest)
        yield Finding(
            Rule.MEMORY_OVER_HOST, Severity.MUST_FIX, "", stack.document.root.start_mark.line + 1,
            f"{total} MB of limits; the largest: {listed}",
            f"The new host has {setting.memory_mb} MB, of which the system and the panel need about {_RESERVE_MB} MB: "
            "services are killed when they use what they may.",
            "Take a larger server type, or lower the limits.",
        )  # fmt: skip


def memory_limit(service: Service) -> int | None:
    """In bytes; None without a limit or with one that cannot be read."""
    text = service.text("mem_limit")
    if text is None and (deploy := service.get("deploy")):
        resources = get(deploy.value, "resources")
        limits = resources and get(resources.value, "limits")
        text = value_of(limits.value, "memory") if limits else None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([bkmg]?)i?b?", resolved(text or "").strip(), re.I)
    return int(float(found[1]) * _UNITS[found[2].lower()]) if found else None


def replicas(service: Service) -> int:
    deploy = service.get("deploy")
    text = service.text("scale") or (value_of(deploy.value, "replicas") if deploy else None) or "1"
    number = resolved(text)
    return int(number) if re.fullmatch(r"\d{1,4}", number) else 1


def floating_images(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Images that mean something else tomorrow."""
    for shared in stack.shared("image"):
        service = shared.services[0]
        image = _image(service.image or "")
        if not image or any(one.build_context is not None for one in shared.services) or "@" in image:
            continue
        tag = image.rsplit("/", 1)[-1].partition(":")[2]
        if any(letter.isdecimal() for letter in tag):
            continue
        keeps = [one.name for one in shared.services if _keeps_data(one)]
        yield Finding(
            Rule.FLOATING_IMAGE, Severity.MUST_FIX if keeps else Severity.ADVICE, shared.names[0], shared.line,
            service.image or "",
            "The tag names no version: the new host pulls whatever is newest, not what the old one runs."
            + (" A newer version may not read the data, or change it so that there is no way back." if keeps else ""),
            "Pin what the old host runs: `docker inspect -f '{{index .RepoDigests 0}}' IMAGE`. Migrate first, upgrade "
            "later.",
            also=shared.names[1:],
        )  # fmt: skip


def _image(written: str) -> str:
    """With the defaults of its variables; "" if one has none, for then the environment decides."""
    try:
        needed = [one for one in variables(written) if one.default is None]
        return "" if needed else substitute(written, {})
    except InterpolationError:
        return ""


def _keeps_data(service: Service) -> bool:
    return any(mount.source and mount.kind is MountKind.VOLUME for mount in service.mounts)
