"""What an app's containers have written since it was deployed, judged against what the old host's wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wizard.config import AppKind
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.step import Context
from wizard.errors import WizardError
from wizard.phases.apps.panel import app_record
from wizard.phases.apps.running import containers
from wizard.phases.cutover.certificate_panel import log_of
from wizard.phases.hosts import new_host, old_host

if TYPE_CHECKING:
    from wizard.checks.logs import Heard
    from wizard.clients.ssh import HostClient
    from wizard.config import App

_TAIL = 2000
_OFTEN = 3
"""Restarts that are no longer waiting for a database."""
_BEFORE = 86_400.0
"""How far back the old host's logs are asked, in seconds: a day has its quiet and its busy hours."""


async def watched(ctx: Context, app: App, since: float) -> Check:
    """No program ended, and errors are not far more than on the old host. Bounded, secrets masked."""
    name, question = f"{app.name}.log", f"what {app.name} writes tells of no trouble since its deployment"
    try:
        heard, restarts, services = await _new(ctx, app, since)
        before = await _old(ctx, app, services) if heard.errors else None
    except WizardError as error:
        evidence = Evidence(f"the logs could not be read: {error.what}", app.server, ctx.now())
        return Check(
            name, question, CheckState.UNKNOWN, evidence, "Ask again; `docker logs` shows them there."
        )
    seen = heard.told
    if before is not None:
        seen += f"; on the old host {before.share:.1%} of {before.lines} lines, here {heard.share:.1%}"
    if restarts:
        seen += "; started again by Docker: " + ", ".join(f"{one} {count} times" for one, count in restarts)
    return check(
        name,
        question,
        not heard.worse_than(before) and all(count < _OFTEN for _, count in restarts),
        seen=seen,
        vantage=app.server,
        at=ctx.now(),
        advice=f"Read the log of {app.name} on the panel; accept this if these lines are its usual ones.",
    )


async def _new(ctx: Context, app: App, since: float) -> tuple[Heard, list[tuple[str, int]], frozenset[str]]:
    """What was heard, who was started again how often, and the stack's services."""
    from wizard.checks.logs import hear

    if app.kind is not AppKind.COMPOSE:
        return hear((await log_of(ctx, app, _TAIL)).splitlines()[-_TAIL:], since), [], frozenset()
    host, found = await new_host(ctx, app.server), hear(())
    restarts = []
    listed = await containers(host, app_record(ctx, app).app_name)
    for item in listed:
        service = _service(item)
        found += await _heard(host, item, since)
        count = int(item.get("RestartCount") or 0)
        if count:
            restarts.append((service, count))
    return found, restarts, frozenset(map(_service, listed))


async def _old(ctx: Context, app: App, services: frozenset[str]) -> Heard | None:
    """The same services on the old host; None without one, or where they wrote nothing."""
    from wizard.checks.logs import hear
    from wizard.clients import commands

    if ctx.config.old_host is None or app.kind is not AppKind.COMPOSE:
        return None
    host, found = await old_host(ctx), hear(())
    names = (await host.run(commands.docker("ps", "-a", "--format", "{{.Names}}"))).stdout.split()
    if not names:
        return None
    listed = json.loads((await host.run(commands.inspect_containers(*names))).stdout)
    for item in listed:
        if _service(item) in services - {""}:
            found += await _heard(host, item, ctx.now() - _BEFORE)
    return found if found.lines else None


def _service(item: Mapping[str, Any]) -> str:
    labels = (item.get("Config") or {}).get("Labels") or {}
    return str(labels.get("com.docker.compose.service") or "")


async def _heard(host: HostClient, item: Mapping[str, Any], since: float) -> Heard:
    from wizard.checks.logs import hear
    from wizard.clients import commands

    name = str(item["Name"]).lstrip("/")
    words = ("--timestamps", "--since", str(int(since)), "--tail", str(_TAIL), name)
    said = await host.run(commands.docker("logs", *words))
    # A container's standard error comes back as ours: that is where most programs write.
    return hear((said.stdout + said.stderr).splitlines()[-2 * _TAIL :], since, _service(item) or name)
