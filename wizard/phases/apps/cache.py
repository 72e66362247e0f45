"""apps.<app>.cache: what is cleared after a deployment, by which policy, and what that costs.

The panel has no hook for the time after a deployment. What it has: a command of a stack that may chain
further `docker compose` calls (no pipes, no variables), and schedules that run a command in a container,
also at once. So FLUSHALL becomes part of the stack's command and runs with every deployment; the selective
policy is a schedule that is run by the wizard after its own deployments, and from the panel by one key.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.config import AppKind, CachePolicy, Config
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Ask, Change, Failed, Kind, Plan, Question, Refusal
from wizard.engine.step import Context, Phase, Step
from wizard.errors import WizardError
from wizard.phases.apps import redeploy as app_redeploy
from wizard.phases.apps.panel import app_record, held
from wizard.phases.apps.running import containers
from wizard.phases.cutover.certificate_panel import calls
from wizard.phases.hosts import new_host

if TYPE_CHECKING:
    from wizard.config import App

NEVER = "0 0 31 2 *"
"""A day that no year has: the panel wants an expression even for what is only run by hand."""
DERIVED = "cache:"
_PREFIX = re.compile(r"[A-Za-z0-9_:.-]{2,60}")
_KEPT = re.compile(r"^(?:session|sess|celery|_kombu|unacked|kombu|bull|queue|rq|lock|draft)", re.IGNORECASE)
"""Beginnings of keys that hold what exists nowhere else: sessions, queued work, drafts."""
_PASSWORDS = ("DRAGONFLY_PASSWORD", "REDIS_PASSWORD", "VALKEY_PASSWORD", "KEYDB_PASSWORD", "CACHE_PASSWORD")
_VERSIONS = re.compile(
    r"^(?:DEPLOY|APP|BUILD|RELEASE|CACHE|GIT|SOURCE)_?(?:VERSION|SHA|COMMIT|ID|KEY_PREFIX)$"
)
DESTROYS = (
    "FLUSHALL empties every database of the cache: queued work, results, sessions and drafts that exist "
    "nowhere else are lost at every deployment"
)
_PAUSE = 3.0


@dataclass(frozen=True, slots=True)
class Ran:
    """Record "ran": when the cache was cleared last, and what the panel said."""

    schedule: str
    status: str
    at: float


@dataclass(frozen=True, slots=True)
class CacheFacts:
    """`names` are variables of the cache's container (names only). `command`: what the stack runs now."""

    names: tuple[str, ...]
    app_names: tuple[str, ...]
    prefixes: str
    schedule: str
    held: str
    command: str
    wished: str
    ran: Ran | None
    present: bool


class CacheStep(Step[CacheFacts]):
    phase = Phase.APPS
    way_back = "The schedule or the command is taken off the panel; what was cleared fills itself again."

    def __init__(self, config: Config, app: App) -> None:
        self.app = app
        self.policy = app.cache_policy
        self.id = f"apps.{app.name}.cache"
        self.title = f"The cache of {app.name} after a deployment: {app.cache_policy.value}"
        self.needs = (f"apps.{app.name}.routes",)
        if self.policy is CachePolicy.FLUSHALL:
            self.way_back = "The command is taken off the panel. What FLUSHALL emptied does not come back."

    @property
    def _question(self) -> str:
        return f"{self.id}.prefixes"

    @property
    def _name(self) -> str:
        return f"dokploy-wizard cache {self.app.name}"

    async def observe(self, ctx: Context) -> CacheFacts:
        host, project = await new_host(ctx, self.app.server), app_record(ctx, self.app).app_name
        boxes = await containers(host, project)
        names = _variables(boxes, self.app.cache_service)
        prefixes = ctx.answers.get(self._question, "")
        row = await self._schedule(ctx)
        view = await held(ctx, self.app)
        return CacheFacts(
            names,
            _variables(boxes, self.app.service),
            prefixes,
            str(row["scheduleId"]) if row else "",
            str(row.get("command") or "") if row else "",
            str(view.get("command") or ""),
            flush_command(str(await self._default(ctx)), self.app.cache_service, names),
            ctx.saved.load("ran", Ran),
            any(_service(box) == self.app.cache_service for box in boxes),
        )

    async def _schedule(self, ctx: Context) -> Mapping[str, Any] | None:
        client, record = await calls(ctx, self.app.server), app_record(ctx, self.app)
        rows = await client.get("schedule.list", id=record.id, scheduleType="compose")
        return next((row for row in rows or () if row.get("name") == self._name), None)

    async def _default(self, ctx: Context) -> str:
        if self.app.kind is not AppKind.COMPOSE:
            return ""
        client, record = await calls(ctx, self.app.server), app_record(ctx, self.app)
        return str(await client.get("compose.getDefaultCommand", composeId=record.id) or "")

    def plan(self, facts: CacheFacts) -> Plan:
        if not facts.present and self.policy is not CachePolicy.NONE:
            why = f"no container of {self.app.name} belongs to the service {self.app.cache_service}"
            return Plan(hold=Failed(why, ("Correct cache_service in the configuration.",)))
        match self.policy:
            case CachePolicy.SELECTIVE:
                return self._selective(facts)
            case CachePolicy.FLUSHALL:
                return self._flushall(facts)
            case CachePolicy.VERSIONED_KEYS:
                return Plan(
                    notes=("The application puts its version into its keys: nothing is to be cleared.",)
                )
        return Plan(notes=("Nothing is cleared: what a new version reads may be what the old one wrote.",))

    def _selective(self, facts: CacheFacts) -> Plan:
        if not facts.prefixes:
            return Plan(hold=Ask(self._ask()))
        wrong = unsafe(facts.prefixes.split())
        if wrong:
            ways = (f"Run this step again and answer without {', '.join(wrong)}.",)
            why = f"these beginnings of keys are not safe to clear: {', '.join(wrong)}"
            return Plan(hold=Failed(why, ways, answer=self._question))
        command = clear_command(facts.prefixes.split(), facts.names)
        changes = []
        target = f"schedule of {self.app.cache_service} on the panel of {self.app.server}"
        if not facts.schedule:
            after = f"clears keys that begin with {facts.prefixes}; by hand, never by the clock"
            changes.append(Change(Kind.CREATE, "schedule", target, after=after, payload=command))
        elif facts.held != command:
            changes.append(
                Change(
                    Kind.UPDATE,
                    "schedule",
                    target,
                    before="another command",
                    after="as wished",
                    payload=command,
                )
            )
        if facts.ran is None or changes:
            changes.append(
                Change(
                    Kind.RUN,
                    "run",
                    f"cache of {self.app.name} on {self.app.server}",
                    after="derived values are cleared; sessions, drafts and queued work stay",
                )
            )
        note = (
            "After a push, run it in the panel (Schedules → Run) if the new version reads values differently."
        )
        return Plan(tuple(changes), (note,))

    def _ask(self) -> Question:
        return Question(
            self._question,
            f"Which keys of {self.app.cache_service} are only derived from the database? (their beginnings)",
            default=DERIVED,
            why="keys that begin so are cleared after a deployment, all others stay; "
            "sessions, drafts and queues must not be among them",
        )

    def _flushall(self, facts: CacheFacts) -> Plan:
        if login_words(facts.names):
            why = (
                f"{self.app.cache_service} wants a password, and the stack's command may name no variable: "
                "redis-cli would be refused and every deployment would fail"
            )
            way = "Give its service REDISCLI_AUTH: ${…} in the compose file, or choose another cache_policy."
            return Plan(hold=Failed(why, (way,), Refusal.NOT_READY))
        changes = []
        if facts.command != facts.wished:
            changes.append(
                Change(
                    Kind.UPDATE,
                    "command",
                    f"command of {self.app.name} on the panel of {self.app.server}",
                    before=facts.command or "the panel's own",
                    after=facts.wished,
                    why=DESTROYS,
                    confirm="FLUSHALL",
                    payload=facts.wished,
                )
            )
        if facts.ran is None or changes:
            changes.append(
                Change(
                    Kind.RUN, "deploy", self.app.name, after="deployed once more, with FLUSHALL at its end"
                )
            )
        return Plan(tuple(changes), (DESTROYS,))

    async def apply(self, change: Change, ctx: Context) -> None:
        client, record = await calls(ctx, self.app.server), app_record(ctx, self.app)
        match change.key:
            case "schedule":
                await self._put_schedule(ctx, client, record.id, str(change.payload))
            case "run":
                await self._run(ctx, client)
            case "command":
                await client.post("compose.update", {"composeId": record.id, "command": change.payload})
            case "deploy":
                ended = await app_redeploy.redeploy(ctx, self.app, "Cache policy flushall")
                ctx.saved.save("ran", Ran(ended.id, ended.status, ctx.now()))
            case "drop":
                await client.post("schedule.delete", {"scheduleId": change.payload})
                ctx.saved.drop("ran")

    async def _put_schedule(self, ctx: Context, client: Any, identity: str, command: str) -> None:
        body: dict[str, Any] = {
            "name": self._name,
            "cronExpression": NEVER,
            "command": command,
            "scheduleType": "compose",
            "composeId": identity,
            "serviceName": self.app.cache_service,
            "shellType": "sh",
            "enabled": False,
        }
        row = await self._schedule(ctx)
        if row is None:
            await client.post("schedule.create", body)
        else:
            await client.post("schedule.update", {"scheduleId": row["scheduleId"], **body})

    async def _run(self, ctx: Context, client: Any) -> None:
        """A 200 says nothing: the answer's own status does."""
        row = await self._schedule(ctx)
        if row is None:
            raise WizardError(
                f"The schedule of {self.app.cache_service} is gone", next="Run this step again."
            )
        identity = str(row["scheduleId"])
        answer = await client.post("schedule.runManually", {"scheduleId": identity}, timeout=600.0)
        status = str(answer.get("status") if isinstance(answer, Mapping) else "")
        await ctx.world.clock.sleep(_PAUSE)
        log = await self._log(ctx, client, identity)
        if status != "done":
            raise WizardError(
                f"Clearing the cache of {self.app.name} failed",
                " / ".join(log.splitlines()[-4:]) or f"the panel said {status or 'nothing'}",
                "Does it have redis-cli, and its password as REDISCLI_AUTH? Then run this step again.",
            )
        ctx.saved.save("ran", Ran(identity, status, ctx.now()))

    async def _log(self, ctx: Context, client: Any, schedule: str) -> str:
        rows = await client.get("deployment.allByType", id=schedule, type="schedule")
        if not rows:
            return ""
        text = await client.get("deployment.readLogs", deploymentId=rows[0]["deploymentId"], tail=40)
        return text if isinstance(text, str) else ""

    async def verify(self, ctx: Context) -> Sequence[Check]:
        facts = await self.observe(ctx)
        name, vantage, now = f"{self.app.name}.cache", f"panel of {self.app.server}", ctx.now()
        match self.policy:
            case CachePolicy.NONE:
                evidence = Evidence("cache_policy = none: nothing is cleared", "configuration", now)
                question = f"the operator knows that the cache of {self.app.name} is left as it is"
                return [Check(name, question, CheckState.WAIVED, evidence)]
            case CachePolicy.VERSIONED_KEYS:
                versions = [one for one in facts.app_names if _VERSIONS.match(one)]
                return [
                    check(
                        name,
                        f"{self.app.name} is told its version, for its keys",
                        bool(versions),
                        seen=f"variables: {', '.join(versions) or 'none that names a version'}",
                        vantage=self.app.server,
                        at=now,
                        advice="Set DEPLOY_VERSION in env_extra, or choose another cache_policy.",
                    )
                ]
        ran, wanted = facts.ran, bool(facts.schedule)
        if self.policy is CachePolicy.FLUSHALL:
            wanted = facts.command == facts.wished
        done = ran is not None and ran.status == "done" and wanted
        how = f"keys beginning with {facts.prefixes}" if self.policy is CachePolicy.SELECTIVE else DESTROYS
        return [
            check(
                name,
                f"the cache of {self.app.name} is cleared by {self.policy.value} after a deployment, and was",
                done,
                seen=f"{how}; last run: {ran.status if ran else 'never'}"
                + ("" if wanted else "; the panel does not hold the command"),
                vantage=vantage,
                at=now,
                advice="Run this step again.",
            )
        ]

    async def undo(self, ctx: Context) -> Plan:
        facts = await self.observe(ctx)
        changes = []
        if facts.schedule:
            name = f"schedule of {self.app.cache_service} on the panel of {self.app.server}"
            changes.append(Change(Kind.DELETE, "drop", name, "there", "gone", payload=facts.schedule))
        if self.policy is CachePolicy.FLUSHALL and facts.command == facts.wished:
            name = f"command of {self.app.name}"
            changes.append(Change(Kind.UPDATE, "command", name, facts.command, "the panel's own", payload=""))
        return Plan(tuple(changes))


def unsafe(prefixes: Iterable[str]) -> tuple[str, ...]:
    """Beginnings that would clear too much, or what exists nowhere else."""
    return tuple(one for one in prefixes if not _PREFIX.fullmatch(one) or _KEPT.match(one))


def login_words(names: Iterable[str]) -> str:
    """How redis-cli gets the password: from the container's own variables, never from here."""
    known = set(names)
    if "REDISCLI_AUTH" in known:
        return ""
    found = next((name for name in _PASSWORDS if name in known), "")
    return f'REDISCLI_AUTH="${found}" ' if found else ""


def clear_command(prefixes: Iterable[str], names: Iterable[str]) -> str:
    """For a shell in the container: found by SCAN, removed by UNLINK, keys with blanks in them too."""
    login = login_words(names)
    auth = f"export {login.strip()}; " if login else ""
    parts = [
        f"redis-cli --scan --pattern {shlex.quote(prefix + '*')} | tr '\\n' '\\0' | "
        "xargs -0 -r -n 200 redis-cli UNLINK"
        for prefix in prefixes
    ]
    return f"set -e; {auth}{'; '.join(parts)}; redis-cli PING | grep -q PONG"


def flush_command(default: str, service: str, names: Iterable[str]) -> str:
    """The stack's own command with FLUSHALL after it. The panel adds `docker` in front by itself.

    It allows no variables there, so the container must have REDISCLI_AUTH if it wants a password.
    """
    own = default.removeprefix("docker ").strip()
    words = own.split()
    if "-p" not in words or "-f" not in words:
        return ""
    project, file = words[words.index("-p") + 1], words[words.index("-f") + 1]
    return f"{own} && docker compose -p {project} -f {file} exec -T {service} redis-cli FLUSHALL"


def _service(box: Mapping[str, Any]) -> str:
    return str(((box.get("Config") or {}).get("Labels") or {}).get("com.docker.compose.service") or "")


def _variables(boxes: Iterable[Mapping[str, Any]], service: str) -> tuple[str, ...]:
    """Names only."""
    for box in boxes:
        if _service(box) == service:
            return tuple(str(pair).partition("=")[0] for pair in (box.get("Config") or {}).get("Env") or ())
    return ()
