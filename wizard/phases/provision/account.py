"""provision.<server>.account: the panel's first account, and an API key that does not run out.

The account is made through SSH: its password never crosses the network in the clear, and nobody else can be
first, because port 3000 is closed to all but the operator. A panel that has an account already is adopted:
by the password that was kept, else by an API key that the operator gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.config import DnsProviderName, Project, Server
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import NOTHING, Ask, Change, Kind, Plan, Question
from wizard.engine.step import Context, Phase, Step
from wizard.errors import CredentialError, WizardError
from wizard.phases import panel_domain
from wizard.phases.panels import api_key_secret, door, panel, password_secret
from wizard.records import PanelRecord, ServerRecord

if TYPE_CHECKING:
    from wizard.clients.dokploy import DokployClient

_NAME = "Operator"
_KEY_NAME_LENGTH = 32
_PASSWORD_BYTES = 24


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """Record "key": the API key's id and name on the panel; its value is a secret. Only of one we made."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """`key`: "works", "refused" or "" (there is none). `admin` None: the panel is not there to be asked."""

    admin: bool | None
    key: str = ""
    password: bool = False
    recorded: bool = False
    domain: panel_domain.DomainFacts | None = None


class Account(Step[AccountFacts]):
    phase = Phase.PROVISION
    way_back = "The API key is deleted; the account goes with the server."

    def __init__(self, project: Project, server: Server, provider: DnsProviderName) -> None:
        self.project = project
        self.server = server
        self.provider = provider
        self.id = f"provision.{server.name}.account"
        self.title = f"Create the panel's account on {server.name}"
        self.needs = (f"provision.{server.name}.panel",)

    @property
    def key_name(self) -> str:
        return f"dokploy-wizard {self.project.name}"[:_KEY_NAME_LENGTH].strip()

    async def observe(self, ctx: Context) -> AccountFacts:
        name = self.server.name
        if ctx.saved.load("server", ServerRecord, step=f"provision.{name}.server") is None:
            return AccountFacts(None)
        secrets = ctx.world.secrets
        key = "works" if await self._accepted(ctx) else ""
        if not key and await secrets.get(api_key_secret(name)):
            key = "refused"
        entrance = await door(ctx, name)
        domain = await panel_domain.look(ctx, self.server, self.provider, key=key == "works")
        return AccountFacts(
            await entrance.has_admin(),
            key,
            bool(await secrets.get(password_secret(name))),
            ctx.saved.load("panel", PanelRecord) is not None,
            domain,
        )

    async def _accepted(self, ctx: Context) -> bool:
        try:
            await (await panel(ctx, self.server.name)).get("settings.getDokployVersion")
        except CredentialError:
            return False
        return True

    def plan(self, facts: AccountFacts) -> Plan:
        if facts.key != "works" and facts.admin and not facts.password:
            return Plan(hold=Ask(self._question(facts)))
        if facts.key == "works":
            changes = [] if facts.recorded else [self._adopt()]
        else:
            changes = [] if facts.admin else [self._make_account()]
            changes.append(self._make_key(facts))
        if facts.domain is not None:
            return panel_domain.plan(self.server, facts.domain, tuple(changes))
        return Plan(tuple(changes))

    def _adopt(self) -> Change:
        name = self.server.name
        return Change(
            Kind.UPDATE,
            "adopt",
            f"panel of {name}",
            before="has an account, and the API key is accepted",
            after="its organization is noted",
        )

    def _make_account(self) -> Change:
        name = self.server.name
        return Change(
            Kind.CREATE,
            "account",
            f"account {self.project.email} on the panel of {name}",
            before="nobody has one: whoever comes first owns the panel",
            after=f"ours; its password is kept as the secret {password_secret(name)}",
            why="made through SSH, so that the password crosses no network in the clear",
            way_back="goes with the server",
        )

    def _make_key(self, facts: AccountFacts) -> Change:
        name = self.server.name
        before = "the kept one is not accepted" if facts.key else "none"
        return Change(
            Kind.REPLACE if facts.key else Kind.CREATE,
            "key",
            f"API key {self.key_name!r} on the panel of {name}",
            before=before,
            after=f"without a rate limit, kept as the secret {api_key_secret(name)}",
            why="a key with the panel's default limit is refused after its fifth call",
            way_back="deleted",
        )

    def _question(self, facts: AccountFacts) -> Question:
        name = self.server.name
        why = "the panel has an account that this wizard did not make, so it needs a key of that account"
        if facts.key:
            why += "; the key that was given is not accepted (deleted, or its rate limit is used up)"
        return Question(
            api_key_secret(name),
            f"An API key of the panel of {name} (Settings → Profile → API keys; switch rate limiting off)",
            secret=True,
            why=why,
        )

    async def apply(self, change: Change, ctx: Context) -> None:
        match change.key:
            case "account":
                await self._open(ctx)
            case "key":
                await self._new_key(ctx)
            case "adopt":
                await self._note(ctx, await panel(ctx, self.server.name))
            case "key.delete":
                await self._delete_key(ctx)
            case _:
                await panel_domain.apply(ctx, self.server, self.project.email, change)

    async def _open(self, ctx: Context) -> None:
        """The password is kept before it is used: a lost answer is settled by signing in with it."""
        import secrets as dice

        word = password_secret(self.server.name)
        password = await ctx.world.secrets.get(word)
        if not password:
            password = dice.token_urlsafe(_PASSWORD_BYTES)
            await ctx.world.secrets.put(word, password)
        await (await door(ctx, self.server.name)).open_account(_NAME, self.project.email, password)

    async def _new_key(self, ctx: Context) -> None:
        """Keys of our name go first: the value of one whose answer was lost is known to nobody."""
        name, world = self.server.name, ctx.world
        password = await world.secrets.get(password_secret(name)) or ""
        session = await (await door(ctx, name)).sign_in(self.project.email, password)
        if session is None:
            raise CredentialError(
                f"The panel of {name} does not accept the kept password of {self.project.email}",
                "somebody changed it, or made the first account",
                f"Give an API key of that account as the secret {api_key_secret(name)}, then run again.",
            )
        for old in await session.key_ids(self.key_name):
            await session.delete_key(old)
        organization = await session.organization()
        made = await session.create_key(self.key_name, organization)
        ctx.saved.save("key", KeyRecord(made.id, self.key_name))
        await world.secrets.put(api_key_secret(name), made.key)
        if made.limited:
            raise WizardError(
                f"The panel of {name} made a key with a rate limit although it was told not to",
                "it would be refused after a few calls",
                "Compare the panel's version with the one that the wizard was tried on.",
            )
        await self._note(ctx, await panel(ctx, name))

    async def _note(self, ctx: Context, client: DokployClient) -> None:
        version = str(await client.get("settings.getDokployVersion"))
        organizations = await client.get("organization.all")
        if not organizations:
            raise WizardError(f"The API key of {self.server.name}'s panel belongs to no organization")
        record = PanelRecord(
            self.server.name, version, str(organizations[0]["id"]), await self._admin(ctx, client)
        )
        ctx.saved.save("panel", record)

    async def _admin(self, ctx: Context, client: DokployClient) -> str:
        person = await client.get("user.get")
        found = ((person or {}).get("user") or {}).get("email")
        return str(found or self.project.email)

    async def verify(self, ctx: Context) -> Sequence[Check]:
        name = self.server.name
        entrance = await door(ctx, name)
        healthy = await entrance.healthy()
        status, title = await entrance.page()
        closed = await entrance.has_admin()
        vantage = f"operator, through SSH to {name}"
        checks = [
            await self._key_check(ctx, vantage),
            check("ui", f"the panel of {name} opens in a browser, through an SSH tunnel",
                  healthy and status == 200, seen=f"/api/health: {'ok' if healthy else 'not ok'}; / answers "
                  f"{status} {title}".rstrip(), vantage=vantage, at=ctx.now(),
                  advice=f"Look at `docker service logs dokploy` on {name}."),
            check("sign_up", f"nobody else can make an account on the panel of {name}", closed,
                  seen="the page to register leads away" if closed else "the page to register is open",
                  vantage=vantage, at=ctx.now(),
                  advice="Run this step again at once: whoever comes first owns the panel."),
            await self._version_check(ctx, vantage),
        ]  # fmt: skip
        if self.server.panel_domain:
            checks.append(await panel_domain.prove(ctx, self.server))
        return checks

    async def _key_check(self, ctx: Context, vantage: str) -> Check:
        name = self.server.name
        try:
            client = await panel(ctx, name)
            found = await client.get("organization.all")
            seen, good = f"{len(found)} organization(s) listed with it", bool(found)
        except CredentialError as error:
            seen, good = str(error), False
        return check(
            "key", f"the API key of {name}'s panel is accepted", good, seen=seen, vantage=vantage,
            at=ctx.now(), advice="Run this step again: it makes a new one, or asks for one.",
        )  # fmt: skip

    async def _version_check(self, ctx: Context, vantage: str) -> Check:
        from wizard.clients.dokploy import TRIED_VERSION

        name = self.server.name
        question = f"the panel of {name} is the version that the wizard was tried on, {TRIED_VERSION}"
        try:
            version = str(await (await panel(ctx, name)).get("settings.getDokployVersion"))
        except CredentialError as error:
            evidence = Evidence(str(error), vantage, ctx.now())
            return Check("version", question, CheckState.UNKNOWN, evidence, "The key must work first.")
        same = version == TRIED_VERSION
        evidence = Evidence(version if same else f"{version}: its answers may differ", vantage, ctx.now())
        # Another version is told, not refused: the operator chose to adopt it.
        state = CheckState.PASSED if same else CheckState.WAIVED
        return Check("version", question, state, evidence)

    async def undo(self, ctx: Context) -> Plan:
        changes = await panel_domain.undo(ctx, self.server)
        record = ctx.saved.load("key", KeyRecord)
        if record is not None:
            target = f"API key {record.name!r} on the panel of {self.server.name}"
            changes += (Change(Kind.DELETE, "key.delete", target, before="accepted", after="gone"),)
        return Plan(changes) if changes else NOTHING

    async def _delete_key(self, ctx: Context) -> None:
        """By the key itself. One that is not accepted any more is gone already."""
        name = self.server.name
        record = ctx.saved.load("key", KeyRecord)
        if record is not None and await ctx.world.secrets.get(api_key_secret(name)):
            try:
                await (await panel(ctx, name)).post("user.deleteApiKey", {"apiKeyId": record.id})
            except CredentialError:
                ctx.output(f"The key of {name}'s panel is not accepted any more, so it needs no deleting.")
        await ctx.world.secrets.drop(api_key_secret(name))
        ctx.saved.drop("panel")
        ctx.saved.drop("key")
