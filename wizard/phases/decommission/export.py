"""decommission.export: everything that Vercel shows of a project, on disk, read back before it counts.

Values that are secrets go to where secrets are kept, never into the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.clock import moment_text
from wizard.config import Config, VercelProject
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Change, Failed, Kind, Plan
from wizard.engine.step import Context, Phase, Step
from wizard.errors import UnreachableError, VendorError, WizardError
from wizard.phases.apps.variables import looks_secret
from wizard.phases.decommission.records import FRESH, ExportRecord, export_file
from wizard.phases.decommission.standing import project_of, stand_of
from wizard.phases.hosts import secret_word

if TYPE_CHECKING:
    from wizard.clients.vercel.calls import Call
    from wizard.clients.vercel.models import Project, Variable

_MASK = "(secret, not in this file)"
_SECRET_FIELDS = frozenset({"value", "vsmValue", "secret", "protectionBypass"})


@dataclass(frozen=True, slots=True)
class Facts:
    """`stale` says why an export is to be made; "" when the one on disk is good."""

    wanted: VercelProject
    project: Project | None
    record: ExportRecord | None
    stale: str = ""


class Export(Step[tuple[Facts, ...]]):
    id = "decommission.export"
    title = "Export everything from Vercel"
    phase = Phase.DECOMMISSION
    needs = ("decommission.soak",)
    way_back = "Vercel is only read; the export stays in backups/, mode 0600."
    enduring = False

    def __init__(self, config: Config) -> None:
        self.config = config

    async def observe(self, ctx: Context) -> tuple[Facts, ...]:
        return tuple([await self._one(ctx, wanted) for wanted in self.config.vercel])

    async def _one(self, ctx: Context, wanted: VercelProject) -> Facts:
        project = await project_of(ctx, wanted)
        record = ctx.saved.load(f"export_{wanted.name}", ExportRecord)
        stale = await _stale(ctx, wanted, project, record) if project is not None else ""
        return Facts(wanted, project, record, stale)

    def plan(self, facts: tuple[Facts, ...]) -> Plan:
        for one in facts:
            if one.project is None and one.record is None:
                why = f"{one.wanted.name} is gone from Vercel, and nothing was exported"
                return Plan(hold=Failed(why, ("Take the project out of [[vercel]].",)))
        return Plan(
            tuple(
                Change(
                    Kind.CREATE,
                    f"export.{one.wanted.name}",
                    f"backups/{export_file(one.wanted.name)}",
                    before=one.stale,
                    after="everything that the API shows, read back and compared",
                    way_back="none is needed: nothing changes at Vercel",
                    payload=one.project,
                )
                for one in facts
                if one.stale
            )
        )

    async def apply(self, change: Change, ctx: Context) -> None:
        wanted = next(p for p in self.config.vercel if change.key == f"export.{p.name}")
        project: Project = change.payload
        variables = await ctx.world.vercel.variables(project)
        secrets = await _keep_secrets(ctx, wanted, variables)
        document, unseen = await gather(ctx, project, variables)
        text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False)
        ctx.backup(export_file(wanted.name), text)
        if ctx.kept(export_file(wanted.name)) != text:
            raise WizardError(
                f"backups/{export_file(wanted.name)} does not read back as it was written",
                next="Look at the disk; then run again.",
            )
        ctx.saved.save(
            f"export_{wanted.name}",
            ExportRecord(
                project=project.name,
                id=project.id,
                owner=project.owner,
                file=export_file(wanted.name),
                digest=_digest(text),
                at=ctx.now(),
                stand=stand_of(project, variables),
                rows=tuple((name, _count(rows)) for name, rows in sorted(document.items())),
                missing=tuple(one.label for one in variables if one.value is None and one.kind != "system"),
                secrets=secrets,
                unseen=unseen,
                zones=tuple(sorted(str(row.get("name")) for row in document.get("account domains", ()))),
            ),
        )

    async def verify(self, ctx: Context) -> Sequence[Check]:
        if not self.config.vercel:
            seen = "the configuration names no project ([[vercel]])"
            return [check("none", "nothing is at Vercel", True, seen=seen, vantage="config", at=ctx.now())]
        return [one for wanted in self.config.vercel for one in await self._checks(ctx, wanted)]

    async def _checks(self, ctx: Context, wanted: VercelProject) -> list[Check]:
        record = ctx.saved.load(f"export_{wanted.name}", ExportRecord)
        project, now = await project_of(ctx, wanted), ctx.now()
        again = "Run decommission.export again."
        if record is None:
            question = f"{wanted.name} is exported"
            return [
                check(
                    f"{wanted.name}.whole",
                    question,
                    False,
                    seen="no",
                    vantage="backups/",
                    at=now,
                    advice=again,
                )
            ]
        problem = _broken(record, ctx.kept(record.file))
        lost = [name for name in record.secrets if not await ctx.world.secrets.get(name)]
        counts = ", ".join(f"{number} {name}" for name, number in record.rows if number)
        whole = check(
            f"{wanted.name}.whole",
            f"the export of {wanted.name} reads back whole",
            not problem and not lost,
            seen=problem or (f"values are gone: {', '.join(lost)}" if lost else counts),
            vantage="backups/",
            at=now,
            advice=again,
        )
        fresh = check(
            f"{wanted.name}.fresh",
            "nothing was changed at Vercel since, and it is of this day",
            project is None or not await _stale(ctx, wanted, project, record),
            seen=f"made {moment_text(record.at)}"
            + ("; the project is gone since" if project is None else ""),
            vantage="Vercel's API",
            at=now,
            advice=again,
        )
        gaps = (*record.missing, *record.unseen)
        known = Check(
            f"{wanted.name}.missing",
            "what is not in it is named",
            CheckState.WAIVED if gaps else CheckState.PASSED,
            Evidence("; ".join(gaps) or "nothing is missing", "Vercel's API", record.at),
        )
        return [whole, fresh, known]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _count(rows: Any) -> int:
    return len(rows) if isinstance(rows, list | dict) else 1


async def _stale(ctx: Context, wanted: VercelProject, project: Project, record: ExportRecord | None) -> str:
    if record is None:
        return "nothing is exported yet"
    if problem := _broken(record, ctx.kept(export_file(wanted.name))):
        return problem
    if ctx.now() - record.at > FRESH:
        return f"the export is of {moment_text(record.at)}"
    if stand_of(project, await ctx.world.vercel.variables(project, clear=False)) != record.stand:
        return "variables or production changed since"
    return ""


def _broken(record: ExportRecord, text: str | None) -> str:
    """What is wrong with the file on disk; "" when it is whole."""
    if text is None:
        return f"{record.file} is not in backups/"
    if _digest(text) != record.digest:
        return f"{record.file} is not what was written"
    document = json.loads(text)
    counted = {name: _count(rows) for name, rows in document.items()}
    return "" if counted == dict(record.rows) else f"{record.file} lacks rows"


async def _keep_secrets(
    ctx: Context, wanted: VercelProject, variables: Sequence[Variable]
) -> tuple[str, ...]:
    """Values of secrets, put where secrets are kept; the names they have there."""
    names: list[str] = []
    for one in variables:
        if one.value and _secret(one):
            name = f"VERCEL_{secret_word(wanted.name)}_{secret_word(one.label)}".rstrip("_")
            await ctx.world.secrets.put(name, one.value)
            names.append(name)
    return tuple(names)


async def gather(
    ctx: Context, project: Project, variables: Sequence[Variable]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Every document by the name of its call, without secrets; and what could not be read."""
    from wizard.clients.vercel import calls

    client, found, unseen = ctx.world.vercel, {}, []
    deployment = project.production.id if project.production else ""
    by_project = {"projectId": project.id}
    wanted: list[tuple[Call, str, dict[str, str]]] = [
        (calls.DOMAINS, "", {}), (calls.ENVIRONMENTS, "", {}), (calls.ALIASES, "", by_project),
        (calls.DEPLOYMENTS, "", by_project | {"target": "production"}), (calls.ACCOUNT_DOMAINS, "", {}),
        (calls.CERTIFICATES, "", {}), (calls.REDIRECTS, "", by_project), (calls.ROUTES, "", {}),
        (calls.EDGE_CONFIGS, "", {}), (calls.STORES, "", {}), (calls.WEBHOOKS, "", by_project),
        (calls.DRAINS, "", by_project), (calls.INTEGRATIONS, "", {"view": "account"}),
    ]  # fmt: skip
    if deployment:
        wanted.append((calls.FILES, deployment, {}))
    found["project"] = _clean(await client.thing(calls.PROJECT, project))
    found["variables"] = [_variable(one) for one in variables]

    async def read(name: str, call: Call, thing: str, params: dict[str, str]) -> list[Any]:
        try:
            rows = await client.rows(call, project, thing=thing, **params)
        except UnreachableError:
            raise
        except VendorError as error:
            unseen.append(f"{name}: {error.what}")
            return []
        found[name] = [_clean(row) for row in rows]
        return rows

    for call, thing, params in wanted:
        rows = await read(call.name, call, thing, params)
        if call is calls.EDGE_CONFIGS:
            for row in rows:
                await read(f"items of {row['id']}", calls.EDGE_ITEMS, str(row["id"]), {})
        if call is calls.ACCOUNT_DOMAINS:
            for row in rows:
                await read(f"records of {row['name']}", calls.RECORDS, str(row["name"]), {})
    for call, thing, params in ((calls.DEPLOYMENT, deployment, {}), (calls.FIREWALL, "", by_project)):
        if call is calls.FIREWALL or deployment:
            try:
                found[call.name] = _clean(await client.thing(call, project, thing, **params))
            except UnreachableError:
                raise
            except VendorError:
                # A project without a firewall of its own answers so: there is nothing to be kept.
                continue
    return found, tuple(unseen)


def _secret(one: Variable) -> bool:
    """By name and value, as the apps' variables are judged: "encrypted" is what Vercel calls every value.

    A word like ``production`` must not count as one: it would be masked wherever it stands from then on.
    """
    return one.kind != "plain" and (bool(one.hint) or looks_secret(one.name, one.value or ""))


def _variable(one: Variable) -> dict[str, Any]:
    """Values as they are; of secrets only that there is one."""
    shown = _MASK if one.value and _secret(one) else one.value
    return {
        "name": one.name, "kind": one.kind, "targets": list(one.targets), "branch": one.branch,
        "environments": list(one.environments), "store": one.store, "shared": one.shared, "value": shown,
    }  # fmt: skip


def _clean(value: Any, key: str = "") -> Any:
    """A document without its secrets: hooks' addresses, bypasses, values. Zone records keep theirs."""
    if isinstance(value, dict):
        record = "type" in value and "ttl" in value
        item = "edgeConfigId" in value and "key" in value
        return {
            name: _MASK
            if (name in _SECRET_FIELDS and not record and not item and one)
            or (key == "deployHooks" and name == "url")
            else _clean(one, name)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [_clean(one, key) for one in value]
    return value
