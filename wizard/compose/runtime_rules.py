"""Rules about running: health, restarts, limits, images."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wizard.compose import edits
from wizard.compose.document import get, value_of
from wizard.compose.exposure_rules import is_long_running
from wizard.compose.finding import Edit, Finding, Severity
from wizard.compose.setting import Setting
from wizard.compose.stack import Service, Stack, resolved

_UNITS = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30}
_RESERVE_MB = 1500
"""For the system, the panel, its database and Traefik."""


def health_checks(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Without one, "running" is all that anybody knows; a slow first check is a gap at each deployment."""
    for service in stack.services:
        if not is_long_running(stack, service):
            continue
        found = service.get("healthcheck")
        if found is None or value_of(found.value, "disable") == "true":
            yield Finding(
                "no-health-check", Severity.ADVICE, service.name, service.line,
                "Has no health check in this file: unless its image has one, a container that hangs counts as running, "
                "and nothing waits until it is ready.",
                "Add a `healthcheck` that asks the service itself.",
            )  # fmt: skip
        elif service.ports and not found.merged and get(found.value, "start_interval") is None:
            yield Finding(
                "slow-health-check", Severity.ADVICE, service.name, found.line,
                "Traefik leaves a container out until its first check passes; with an interval of "
                f"{value_of(found.value, 'interval') or '30s'} and no start_interval that is the least gap of each deployment.",
                "Ask every 2 seconds while it starts.",
                _quick_start(stack, service),
            )  # fmt: skip


def _quick_start(stack: Stack, service: Service) -> tuple[Edit, ...]:
    from yaml.nodes import MappingNode

    found = service.get("healthcheck")
    if found is None or not isinstance(found.value, MappingNode):
        return ()
    lines = () if get(found.value, "start_period") else ("start_period: 90s",)
    edit = edits.add_key(stack.document, found.value, (*lines, "start_interval: 2s"))
    return (edit,) if edit else ()


def restart_policies(stack: Stack, setting: Setting) -> Iterator[Finding]:
    for service in stack.services:
        deploy = service.get("deploy")
        policy = deploy and get(deploy.value, "restart_policy")
        if not is_long_running(stack, service) or service.get("restart") or policy:
            continue
        edit = edits.add_key(stack.document, service.node, ("restart: unless-stopped",))
        yield Finding(
            "no-restart", Severity.ADVICE, service.name, service.line,
            "Is not restarted when it dies or when the host reboots.",
            "Add `restart: unless-stopped`.",
            (edit,) if edit else (),
        )  # fmt: skip


def memory_limits(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """One finding for those without a limit, one if the limits together pass the host's memory."""
    running = [service for service in stack.services if is_long_running(stack, service)]
    without = [service.name for service in running if memory_limit(service) is None]
    if without:
        yield Finding(
            "no-memory-limit", Severity.ADVICE, without[0], running[0].line,
            f"{len(without)} of {len(running)} services have no memory limit: one that leaks takes the panel and the "
            "database down with it.",
            "Give each a `mem_limit`, from what it uses today on the old host.",
            also=tuple(without[1:]),
        )  # fmt: skip
    limits = {service.name: limit for service in running if (limit := memory_limit(service)) is not None}
    total = sum(limits.values()) // 2**20
    if setting.memory_mb and total + _RESERVE_MB > setting.memory_mb:
        largest = ", ".join(
            f"{name} {limits[name] // 2**20} MB" for name in sorted(limits, key=lambda n: -limits[n])[:3]
        )
        yield Finding(
            "memory-over-host", Severity.MUST_FIX, "", stack.document.root.start_mark.line + 1,
            f"The limits add up to {total} MB; the new host has {setting.memory_mb} MB, of which the panel and the system "
            f"need about {_RESERVE_MB} MB. The largest: {largest}.",
            "Take a larger server type, or lower the limits.",
        )  # fmt: skip


def memory_limit(service: Service) -> int | None:
    """In bytes; None without a limit or with one that cannot be read."""
    text = service.text("mem_limit")
    if text is None and (deploy := service.get("deploy")):
        resources = get(deploy.value, "resources")
        limits = resources and get(resources.value, "limits")
        text = value_of(limits.value, "memory") if limits else None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([bkmg]?)b?", resolved(text or "").strip(), re.I)
    return int(float(found[1]) * _UNITS[found[2].lower()]) if found else None


def floating_images(stack: Stack, setting: Setting) -> Iterator[Finding]:
    """Images that mean something else tomorrow."""
    done: set[int] = set()
    for service in stack.services:
        entry = service.get("image")
        image = resolved(service.image or "")
        if entry is None or not image or id(entry.value) in done or service.build_context is not None:
            continue
        done.add(id(entry.value))
        tag = image.rsplit("/", 1)[-1].partition(":")[2]
        if "@" not in image and (not tag or tag == "latest") and "$" not in tag:
            yield Finding(
                "floating-image", Severity.ADVICE, service.name, entry.line,
                f"{service.image} means whatever is newest at the moment of the pull: the new host would get another "
                "version than the old one runs, together with its data.",
                "Pin the digest that the old host runs: `docker inspect -f '{{index .RepoDigests 0}}'`. "
                "Migrate first, upgrade later.",
            )  # fmt: skip
