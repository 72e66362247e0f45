"""provision.<server>.server for a machine outside Hetzner Cloud: nothing is bought, it is taken as it is.

Who it is, is the operator's to say: by a fingerprint in the configuration, by known_hosts, or by typing the
fingerprint that its console shows. From then on no other key is accepted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from wizard.config import Server
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Ask, Change, Failed, Kind, Plan, Question, Refusal, Skip
from wizard.engine.step import Context, Phase, Step
from wizard.errors import UnreachableError
from wizard.phases.hosts import new_host_target, owned_target, passphrase_secret
from wizard.phases.provision import optional
from wizard.records import HostKeyRecord, ServerRecord

OUTSIDE = "outside Hetzner Cloud"


@dataclass(frozen=True, slots=True)
class OwnedFacts:
    """`shown` is the fingerprint of the key that the machine shows, `public_key` its line.

    `vouched` says who vouches for it, `contradicted` who knows another one. `locked`: its login key's file
    needs a passphrase that nobody gave. `silent` tells why an optional one was not reached.
    """

    record: ServerRecord | None
    shown: str = ""
    public_key: str = ""
    vouched: str = ""
    contradicted: str = ""
    locked: bool = False
    silent: str = ""


class OwnedMachine(Step[OwnedFacts]):
    phase = Phase.PROVISION
    needs = ("provision.ssh_key", "provision.firewall")
    way_back = "The machine is left as it is: it is yours, and no provider's API is used."

    def __init__(self, server: Server) -> None:
        self.server = server
        self.id = f"provision.{server.name}.server"
        self.title = f"Machine {server.name}, {OUTSIDE}"

    @property
    def question_id(self) -> str:
        return f"{self.id}/host_key"

    async def observe(self, ctx: Context) -> OwnedFacts:
        from wizard.clients.ssh import fingerprint
        from wizard.clients.ssh_login import is_locked

        server = self.server
        record = ctx.saved.load("server", ServerRecord)
        pinned = ctx.saved.load("host_key", HostKeyRecord)
        here = pinned is not None and pinned.port == server.port
        if record is not None and here and self._as_configured(record):
            return OwnedFacts(record)
        target = await owned_target(ctx, server, "")
        if target.identity and not target.passphrase and is_locked(target.identity):
            return OwnedFacts(None, locked=True)
        client = ctx.world.ssh.fresh(target)
        try:
            line = await client.shown_key()
        except UnreachableError as error:
            if not server.optional:
                raise
            return OwnedFacts(None, silent=optional.because(error))
        return self._judged(ctx, line, fingerprint(line))

    def _judged(self, ctx: Context, line: str, shown: str) -> OwnedFacts:
        from wizard.clients.ssh_login import known_keys

        server, known_hosts = self.server, ctx.world.endpoints.known_hosts
        answer = ctx.answers.get(self.question_id, "")
        known = [key.split()[:2] for key in known_keys(known_hosts, server.address, server.port)]
        alike = [key for key in known if key[0] == line.split()[0]]
        here = OwnedFacts(None, shown, " ".join(line.split()[:2]))
        if server.host_key:
            return _says(here, "host_key in the configuration", server.host_key == shown)
        if alike:
            return _says(here, "your known_hosts", line.split()[:2] in alike)
        return _says(here, "what you typed", answer == shown) if answer else here

    def _as_configured(self, record: ServerRecord) -> bool:
        return (record.ipv4, record.ipv6) == (self.server.address, self.server.address6)

    def plan(self, facts: OwnedFacts) -> Plan:
        name = self.server.name
        if facts.record is not None:
            return Plan()
        if facts.silent:
            return Plan(hold=Skip(optional.left_out(self.server, facts.silent)))
        if facts.locked:
            return Plan(hold=Ask(self._passphrase()))
        if facts.contradicted:
            return Plan(
                hold=Failed(
                    f"{name} shows the host key {facts.shown}, and {facts.contradicted} says another one",
                    (
                        "If it was reinstalled: compare the fingerprint on its console, then correct that.",
                        "Otherwise somebody sits in between: stop here.",
                    ),
                    Refusal.THIRD_VALUE,
                    answer=self.question_id,
                )
            )
        if not facts.vouched:
            return Plan(hold=Ask(self._fingerprint(facts)))
        take = Change(
            Kind.UPDATE,
            "take_over",
            f"{name} at {self.server.address}{self._port}",
            before=f"yours, {OUTSIDE}",
            after=f"used as it is; host key {facts.shown}, vouched for by {facts.vouched}",
            why="everything is installed on it; nothing is bought",
            way_back=self.way_back,
            payload=facts.public_key,
        )
        return Plan((take,), (self._honest(),))

    def _honest(self) -> str:
        return (
            f"{self.server.name} is {OUTSIDE}: no Cloud Firewall stands before it, nothing protects it from "
            "deletion, and no price of it is known here. The firewall on the machine itself is all there is: "
            "with SSH dead nothing can be undone from here: use its provider's console."
        )

    def _fingerprint(self, facts: OwnedFacts) -> Question:
        return Question(
            self.question_id,
            f"{self.server.name} ({self.server.address}{self._port}) shows the host key {facts.shown}. "
            "Compare it with what `ssh-keygen -lf` says of it on its console, then type it.",
            typed=facts.shown,
            why="neither the configuration nor known_hosts knows this machine",
        )

    @property
    def _port(self) -> str:
        return f" port {self.server.port}" if self.server.port != 22 else ""

    def _passphrase(self) -> Question:
        return Question(
            passphrase_secret(self.server.name),
            f"The passphrase of {self.server.identity}, the key that logs in on {self.server.name}",
            secret=True,
            why="needed once: then the machine lets the wizard's own key in",
        )

    async def apply(self, change: Change, ctx: Context) -> None:
        server = self.server
        if change.key == "forget":
            ctx.saved.drop("server")
            ctx.saved.drop("host_key")
            return
        public_key: str = change.payload
        client = ctx.world.ssh.fresh(await owned_target(ctx, server, public_key))
        try:
            await client.connect()
        finally:
            await client.aclose()
        ctx.saved.save("host_key", HostKeyRecord(public_key, server.port))
        ctx.saved.save(
            "server",
            ServerRecord(
                name=server.name,
                server_id=0,
                type="a machine of your own",
                location=OUTSIDE,
                ipv4=server.address,
                ipv6=server.address6,
                adopted=True,
                outside=True,
            ),
        )

    async def verify(self, ctx: Context) -> Sequence[Check]:
        record, name = ctx.saved.load("server", ServerRecord), self.server.name
        if record is None:
            nothing = Evidence("nobody logged in on it", "here", ctx.now())
            return (Check("running", f"{name} runs", CheckState.FAILED, nothing, "Run again."),)
        client = ctx.world.ssh.fresh(await new_host_target(ctx, name))
        try:
            await client.connect()
        finally:
            await client.aclose()
        now = ctx.now()
        return (
            check("running", f"{name} runs", True,
                  seen="a new SSH connection got in, with the known host key", vantage="operator", at=now),
            check("addresses", f"{name} has the addresses that the configuration says",
                  self._as_configured(record), seen=", ".join(filter(None, (record.ipv4, record.ipv6))),
                  vantage="progress file", at=now, advice="Undo this step and run it again."),
        )  # fmt: skip

    async def undo(self, ctx: Context) -> Plan:
        if ctx.saved.load("server", ServerRecord) is None:
            return Plan()
        return Plan((Change(Kind.UPDATE, "forget", f"machine {self.server.name}", after="left as it is"),))


def _says(here: OwnedFacts, who: str, agrees: bool) -> OwnedFacts:
    return replace(here, vouched=who) if agrees else replace(here, contradicted=who)
