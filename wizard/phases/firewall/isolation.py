"""firewall.isolation: the front end's host holds no secret and reaches nothing of the back end but HTTPS."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from wizard.checks.ports import Standing
from wizard.config import Config
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Plan
from wizard.engine.step import Context, Phase, Step
from wizard.phases.firewall.ports import matrix_of
from wizard.phases.hosts import left_out, new_host

_HARMLESS = {"authorized_keys", "known_hosts", "known_hosts.old"}
_SECRET_NAME = re.compile(r"SECRET|PASSWORD|PASSWD|TOKEN|PRIVATE|CREDENTIAL|API_?KEY|ACCESS_KEY|DATABASE_URL")
_PUBLIC_NAME = re.compile(r"^(VITE|PUBLIC|NEXT_PUBLIC|NUXT_PUBLIC|GATSBY|REACT_APP)_")


class Isolation(Step[None]):
    id = "firewall.isolation"
    title = "The front end stands apart"
    phase = Phase.FIREWALL
    way_back = "Nothing is changed."

    def __init__(self, config: Config) -> None:
        self.fronts = tuple(server for server in config.servers if server.role == "frontend")
        self.backs = tuple(server for server in config.servers if server.role == "backend")
        self.needs = tuple(f"firewall.{server.name}" for server in config.servers)

    async def observe(self, ctx: Context) -> None:
        return None

    def plan(self, facts: None) -> Plan:
        return Plan()

    async def verify(self, ctx: Context) -> Sequence[Check]:
        fronts = [server.name for server in self.fronts if not left_out(ctx, server)]
        checks = [await _holds_no_secret(ctx, name) for name in fronts]
        for back in (server for server in self.backs if not left_out(ctx, server)):
            matrix = await matrix_of(ctx, back)
            rows = [row for row in matrix.rows if row.view.standing is Standing.APART and row.can_see]
            wrong = [f"{row.view.address} port {cell.port}" for row in rows for cell in row.wrong]
            paths = ", ".join(f"{row.view.vantage} over {row.view.path}" for row in rows)
            checks.append(
                Check(
                    f"{back.name}.reached",
                    f"the front end reaches nothing of {back.name} but HTTPS",
                    CheckState.FAILED if wrong else CheckState.PASSED if rows else CheckState.UNKNOWN,
                    Evidence(
                        f"open besides 443: {', '.join(wrong) or 'nothing'} (asked: {paths or 'nobody'})",
                        paths or "none",
                        matrix.at,
                    ),
                    f"Run firewall.{back.name}.host again." if wrong else "",
                )
            )
        return checks or [
            check("alone", "there is no front end's host to keep apart", True,
                  seen="no server has the role frontend", vantage="configuration", at=ctx.now())
        ]  # fmt: skip


async def _holds_no_secret(ctx: Context, server: str) -> Check:
    """Keys in root's SSH folder, and names of variables in containers; values are never looked at."""
    from wizard.clients import commands

    host = await new_host(ctx, server)
    listed = await host.run(commands.list_folder("/root/.ssh"), check=False)
    found = [f"/root/.ssh/{name}" for name in listed.stdout.split() if name not in _HARMLESS]
    rows = (await host.run(commands.containers())).stdout.splitlines()
    # The panel's own services are not the product's.
    names = [name for row in rows if not (name := str(json.loads(row)["Names"])).startswith("dokploy")]
    if names:
        for box in json.loads((await host.run(commands.inspect_containers(*names))).stdout):
            variables = [str(pair).partition("=")[0] for pair in box["Config"].get("Env") or ()]
            label = box["Name"].lstrip("/")
            found += [
                f"{label}: {name}"
                for name in variables
                if _SECRET_NAME.search(name) and not _PUBLIC_NAME.match(name)
            ]
    return check(
        f"{server}.no_secret",
        f"{server} holds no secret of the product",
        not found,
        seen="; ".join(found) or f"no private key, no secret variable in {len(names)} containers",
        vantage=server,
        at=ctx.now(),
        advice="Take these out of the front end's environment: they belong to the back end.",
    )
