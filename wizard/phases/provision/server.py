"""provision.<server>.server: a machine is made, found again, or taken over as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.config import Config, Server
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Ask, Change, Choice, Failed, Kind, Plan, Question, Refusal
from wizard.engine.step import Context, Phase, Step
from wizard.errors import WizardError
from wizard.phases.provision import machine, naming
from wizard.phases.provision.address import ranking
from wizard.phases.provision.choice import Ranking
from wizard.phases.provision.shared import HETZNER
from wizard.records import HostKeyRecord, ServerRecord

if TYPE_CHECKING:
    from wizard.clients.hetzner.models import CloudServer

_BOOT_LIMIT = 300.0
ADOPT, STOP = "adopt", "stop"


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """`found` has the wished name, whoever made it; `ours` tells whether labels, place and image say us."""

    found: CloudServer | None
    ours: bool
    mismatch: str
    record: ServerRecord | None
    pinned: bool
    ranking: Ranking
    answer: str
    key_answer: str


class ServerStep(Step[ServerFacts]):
    """Exists before anything is installed anywhere; pinned to a host key that was made here."""

    phase = Phase.PROVISION
    needs: tuple[str, ...]
    way_back = "The server is deleted with all that is on it; its addresses stay until they are released."

    def __init__(self, config: Config, server: Server) -> None:
        self.config, self.server = config, server
        self.id = f"provision.{server.name}.server"
        self.title = f"Server {server.name}"
        shared = ("provision.ssh_key", "provision.network", "provision.firewall")
        self.needs = shared if server.adopt else (*shared, f"provision.{server.name}.address")

    @property
    def wanted_name(self) -> str:
        return self.server.adopt or self.server.name

    async def observe(self, ctx: Context) -> ServerFacts:
        servers = await ctx.world.hetzner.servers(name=self.wanted_name)
        found = servers[0] if servers else None
        return ServerFacts(
            found=found,
            ours=found is not None and naming.ours(found, self.config, self.server.name),
            mismatch=self._mismatch(found) if found else "",
            record=ctx.saved.load("server", ServerRecord, step=self.id),
            pinned=ctx.saved.load("host_key", HostKeyRecord, step=self.id) is not None,
            ranking=Ranking((), ()) if self.server.adopt else await ranking(ctx, self.server),
            answer=ctx.answers.get(f"{self.id}.foreign", ""),
            key_answer=ctx.answers.get(f"{self.id}.host_key", ""),
        )

    def _mismatch(self, found: CloudServer) -> str:
        if found.location not in self.server.locations:
            return f"it is in {found.location}"
        return f"it runs {found.image}" if found.image != self.server.image else ""

    def plan(self, facts: ServerFacts) -> Plan:
        if facts.found is None:
            return self._plan_new(facts)
        if facts.ours and not facts.mismatch:
            return self._plan_ours(facts, facts.found)
        return self._plan_foreign(facts, facts.found)

    def _plan_new(self, facts: ServerFacts) -> Plan:
        if self.server.adopt:
            return Plan(
                hold=Failed(
                    f"Hetzner has no server {self.server.adopt}",
                    ("Correct `adopt` in the configuration, or leave it out to have one made.",),
                    Refusal.NOT_READY,
                )
            )
        choices = facts.ranking.choices
        if not choices:
            return Plan(
                hold=Failed(
                    f"Nothing that is wished for {self.server.name} can be ordered: "
                    f"{' '.join(facts.ranking.notes)}",
                    ("Add types or locations to its wishes in the configuration, or try later.",),
                )
            )
        first = choices[0]
        create = Change(
            Kind.CREATE,
            "create",
            f"server {self.server.name}",
            after=f"{first}; {self.server.image}",
            why="a new home for what moves",
            way_back=self.way_back,
            monthly=first.money(first.machine),
            payload=choices,
        )
        notes = [*facts.ranking.notes, *(f"If that can't be had: {choice}." for choice in choices[1:])]
        backups = (self._backups(first.money(first.backups)),) if self.server.backups else ()
        return Plan((create, *backups), tuple(notes))

    def _plan_ours(self, facts: ServerFacts, found: CloudServer) -> Plan:
        if not facts.pinned:
            return Plan(
                hold=Failed(
                    f"Server {found.name} is ours, but the host key that was put into it is no longer known",
                    ("Delete it in the console (nothing is on it yet), then run again.",),
                )
            )
        changes = []
        if facts.record is None or facts.record.server_id != found.id:
            changes.append(
                Change(
                    Kind.UPDATE,
                    "adopt",
                    f"server {found.name}",
                    before="made by an earlier run that did not end",
                    after=f"{found.type} in {found.location}, {found.ipv4}",
                    payload=found.id,
                )
            )
        if self.server.backups and not found.backups:
            changes.append(self._backups(None))
        return Plan(tuple(changes))

    def _backups(self, monthly: object) -> Change:
        from wizard.engine.plan import Money

        return Change(
            Kind.UPDATE,
            "backups",
            f"backups of {self.server.name}",
            before="off",
            after="daily, seven kept, deleted with the server",
            way_back="Turned off again; kept images are deleted.",
            monthly=monthly if isinstance(monthly, Money) else None,
        )

    def _plan_foreign(self, facts: ServerFacts, found: CloudServer) -> Plan:
        if facts.record is not None and facts.record.server_id == found.id:
            return Plan()
        if not self.server.adopt and facts.answer != ADOPT:
            if facts.answer == STOP:
                return Plan(
                    hold=Failed(
                        f"The name {found.name} is taken by a server that this migration did not make",
                        ("Rename that server in the console, or ours in the configuration, then run again.",),
                        Refusal.NOT_OURS,
                    )
                )
            return Plan(hold=Ask(self._question(found, facts.mismatch)))
        if not facts.key_answer:
            return Plan(hold=Ask(self._key_question(found)))
        return Plan(
            (
                Change(
                    Kind.UPDATE,
                    "take_over",
                    f"server {found.name}",
                    before="made by somebody else",
                    after=f"used as it is: {found.type} in {found.location}, {found.ipv4}",
                    why="nothing at Hetzner is changed about it",
                    way_back="It is left as it is.",
                    payload=(found.id, facts.key_answer),
                ),
            )
        )

    def _question(self, found: CloudServer, mismatch: str) -> Question:
        because = mismatch or "its labels do not say that this migration made it"
        return Question(
            f"{self.id}.foreign",
            f"Hetzner has a server {found.name} already ({found.type} in {found.location}, {found.ipv4}), "
            f"and {because}. Use it as it is?",
            (
                Choice(ADOPT, "Use it; everything is installed on it"),
                Choice(STOP, "Stop; I rename one of them"),
            ),
            why="a server that somebody else made may hold what somebody needs",
        )

    def _key_question(self, found: CloudServer) -> Question:
        return Question(
            f"{self.id}.host_key",
            f"Paste the public host key of {found.name}: one line that begins with ssh-ed25519, as shown by "
            "`cat /etc/ssh/ssh_host_ed25519_key.pub` on its console.",
            why="without it nobody can tell the server from somebody in between",
        )

    async def apply(self, change: Change, ctx: Context) -> None:
        hetzner = ctx.world.hetzner
        match change.key:
            case "create":
                made = await machine.create(ctx, self.config, self.server, change.payload)
                self._save(ctx, made)
            case "backups":
                await hetzner.enable_backups((await self._mine(ctx)).id, True)
            case "adopt":
                self._save(ctx, await self._mine(ctx))
            case "take_over":
                _, public_key = change.payload
                ctx.saved.save("host_key", HostKeyRecord(_clean_key(public_key)))
                self._save(ctx, await self._mine(ctx), adopted=True)
            case "delete":
                await hetzner.delete_server(change.payload)
                await ctx.world.secrets.drop(machine.host_key_secret(self.server.name))
                for name in ("server", "host_key"):
                    ctx.saved.drop(name)
            case "forget":
                for name in ("server", "host_key"):
                    ctx.saved.drop(name)

    async def _mine(self, ctx: Context) -> CloudServer:
        servers = await ctx.world.hetzner.servers(name=self.wanted_name)
        if not servers:
            raise WizardError(f"Server {self.wanted_name} is gone", next="Run again: it is made anew.")
        return servers[0]

    def _save(self, ctx: Context, made: CloudServer, *, adopted: bool = False) -> None:
        ctx.saved.save(
            "server",
            ServerRecord(
                name=made.name,
                server_id=made.id,
                type=made.type,
                location=made.location,
                ipv4=made.ipv4,
                ipv6=made.ipv6,
                private_ip=made.private_ip,
                adopted=adopted,
            ),
        )

    async def verify(self, ctx: Context) -> Sequence[Check]:
        record = ctx.saved.load("server", ServerRecord)
        found = await ctx.world.hetzner.server(record.server_id) if record else None
        now = ctx.now()
        if record is None or found is None:
            evidence = Evidence("no such server", HETZNER, now)
            return (Check("running", f"{self.server.name} runs", CheckState.FAILED, evidence, "Run again."),)
        checks = [self._running(found, now), self._addresses(record, found, now)]
        if not record.adopted:
            names = await ctx.world.hetzner.firewalls()
            mine = naming.by_name(names, naming.firewall_name(self.config, self.server.name))
            checks.append(
                check(
                    "firewall",
                    f"the Cloud Firewall is attached to {self.server.name}",
                    mine is not None and mine.id in found.firewalls,
                    seen=f"{len(found.firewalls)} attached: {mine.name if mine else 'not ours'}",
                    vantage=HETZNER,
                    at=now,
                    advice="Attach it in the console, or undo this step and run it again.",
                )
            )
        if self.server.backups:
            seen = "on" if found.backups else "off"
            question = f"backups of {self.server.name} are on"
            checks.append(
                check(
                    "backups",
                    question,
                    found.backups,
                    seen=seen,
                    vantage=HETZNER,
                    at=now,
                    advice="Run again.",
                )
            )
        return checks

    def _running(self, found: CloudServer, now: float) -> Check:
        question, evidence = f"{self.server.name} runs", Evidence(found.status, HETZNER, now)
        if found.status == "running" and not found.locked:
            return Check("running", question, CheckState.PASSED, evidence)
        if found.status in ("initializing", "starting", "running") and now - found.created < _BOOT_LIMIT:
            return Check("running", question, CheckState.PENDING, evidence, again=now + 3.0)
        return Check("running", question, CheckState.FAILED, evidence, "Look at it in the Hetzner console.")

    def _addresses(self, record: ServerRecord, found: CloudServer, now: float) -> Check:
        seen = ", ".join(filter(None, (found.ipv4, found.ipv6, found.private_ip)))
        return check(
            "addresses",
            f"{self.server.name} has the addresses that were written down",
            (found.ipv4, found.ipv6) == (record.ipv4, record.ipv6) and bool(found.ipv4),
            seen=seen or "none",
            vantage=HETZNER,
            at=now,
            advice="Its addresses were changed: undo this step and run it again.",
        )

    async def undo(self, ctx: Context) -> Plan:
        record = ctx.saved.load("server", ServerRecord)
        found = await ctx.world.hetzner.server(record.server_id) if record else None
        if record is None or found is None:
            return Plan()
        if record.adopted:
            return Plan((Change(Kind.UPDATE, "forget", f"server {found.name}", after="left as it is"),))
        if found.protected:
            return Plan(
                hold=Failed(f"{found.name} is protected from deletion", ("Undo settle.protection first.",))
            )
        return Plan(
            (
                Change(
                    Kind.DELETE,
                    "delete",
                    f"server {found.name}",
                    before=f"{found.type} in {found.location}, {found.ipv4}",
                    why="all that is on it is lost",
                    way_back="none: only a backup elsewhere brings data back",
                    confirm=found.name,
                    payload=found.id,
                ),
            )
        )


def _clean_key(line: str) -> str:
    words = line.split()
    if len(words) < 2 or not words[0].startswith(("ssh-", "ecdsa-")):
        raise WizardError(
            "That is not a public host key", next="Paste the whole line, beginning with ssh-ed25519."
        )
    return " ".join(words[:2])
