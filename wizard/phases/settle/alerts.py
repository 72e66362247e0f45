"""settle.<server>.alerts: the panel tells people of failed builds and backups; a test message was taken.

| secret | what |
|---|---|
| DISCORD_WEBHOOK | address of a Discord channel's webhook |
| SLACK_WEBHOOK | address of a Slack channel's webhook |
| SMTP_SERVER, SMTP_PORT, SMTP_USERNAME, SMTP_PASSWORD | the mail server; the port is 587 if it is not given |
| SMTP_FROM | sender of the mails; the receiver's address if it is not given |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from wizard.config import Config, Server
from wizard.engine.check import Check, CheckState, Evidence, check
from wizard.engine.plan import Ask, Change, Choice, Kind, Plan, Question
from wizard.engine.step import Context, Phase, Step
from wizard.errors import VendorError, WizardError
from wizard.phases.cutover.certificate_panel import calls

EVENTS: Mapping[str, bool] = {
    "appBuildError": True,
    "databaseBackup": True,
    "volumeBackup": True,
    "dokployBackup": True,
    "dokployRestart": True,
    "serverThreshold": True,
    "appDeploy": False,
    "dockerCleanup": False,
}
"""What is told: everything that needs somebody, nothing that goes well by itself."""


class Way(StrEnum):
    MAIL = "mail"
    DISCORD = "Discord"
    SLACK = "Slack"


_NEEDED: Mapping[Way, tuple[str, ...]] = {
    Way.MAIL: ("SMTP_SERVER", "SMTP_USERNAME", "SMTP_PASSWORD"),
    Way.DISCORD: ("DISCORD_WEBHOOK",),
    Way.SLACK: ("SLACK_WEBHOOK",),
}
_ROUTES = {Way.MAIL: "Email", Way.DISCORD: "Discord", Way.SLACK: "Slack"}


@dataclass(frozen=True, slots=True)
class Tried:
    """Record "tried <way>": a test message that its receiver's server took."""

    at: float


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """`lacking`: names of secrets that are not there, by way. `there`: ids on the panel, by way."""

    there: Mapping[Way, str]
    lacking: Mapping[Way, tuple[str, ...]]
    tried: Mapping[Way, Tried]
    answers: Mapping[str, str]


class AlertsStep(Step[AlertFacts]):
    phase = Phase.SETTLE
    way_back = "The notifications are taken off the panel."

    def __init__(self, config: Config, server: Server) -> None:
        self.config = config
        self.server = server
        self.id = f"settle.{server.name}.alerts"
        self.title = f"Who is told when something fails on {server.name}"
        wishes = config.settle
        self.ways = tuple(
            way
            for way, wished in (
                (Way.MAIL, bool(wishes.mail)),
                (Way.DISCORD, wishes.discord),
                (Way.SLACK, wishes.slack),
            )
            if wished
        )

    def _name(self, way: Way) -> str:
        return f"dokploy-wizard {self.config.project.name} {way.value}"

    def _without(self, way: str) -> str:
        # One answer for all servers: the mail server is the same.
        return f"settle.alerts.without.{way}"

    async def observe(self, ctx: Context) -> AlertFacts:
        rows = await (await calls(ctx, self.server.name)).get("notification.all")
        by_name = {str(row.get("name")): str(row["notificationId"]) for row in rows or ()}
        lacking = {way: await _lacking(ctx, way) for way in self.ways}
        tried = {way: ctx.saved.load(f"tried {way.value}", Tried) for way in self.ways}
        return AlertFacts(
            {way: by_name[self._name(way)] for way in self.ways if self._name(way) in by_name},
            lacking,
            {way: record for way, record in tried.items() if record is not None},
            dict(ctx.answers),
        )

    def plan(self, facts: AlertFacts) -> Plan:
        if not self.ways and facts.answers.get(self._without("all")) != "without":
            return Plan(hold=Ask(self._ask("all", "[settle] names nobody to be told", ())))
        for way in self.ways:
            answer = facts.answers.get(self._without(way))
            if facts.lacking[way] and way not in facts.there and answer != "without":
                if answer == "give":
                    name = facts.lacking[way][0]
                    return Plan(hold=Ask(Question(name, f"{name}, for messages by {way.value}", secret=True)))
                return Plan(
                    hold=Ask(self._ask(way, f"messages by {way.value} are wished", facts.lacking[way]))
                )
        changes = []
        for way in self.ways:
            if way in facts.there and way in facts.tried:
                continue
            if facts.lacking[way]:
                continue
            target = f"{self.config.settle.mail or way.value}" if way is Way.MAIL else way.value
            changes.append(
                Change(
                    Kind.RUN, f"test:{way.value}", f"a test message to {target}", after="taken by its server"
                )
            )
            if way not in facts.there:
                changes.append(
                    Change(
                        Kind.CREATE,
                        f"notify:{way.value}",
                        f"notification by {way.value} on the panel of {self.server.name}",
                        after="failed builds, backups, restarts, an overloaded server",
                        way_back="taken off again",
                    )
                )
        return Plan(tuple(changes))

    def _ask(self, way: str, what: str, lacking: Sequence[str]) -> Question:
        missing = f", but {', '.join(lacking)} is not known" if lacking else ""
        choices = [Choice("without", "Nobody is told: I look at the panel myself")]
        if lacking:
            choices.insert(0, Choice("give", "Give what is missing now; it is kept with your secrets"))
        return Question(
            self._without(way),
            f"{what}{missing}. How to go on?",
            choices=tuple(choices),
            default="without",
            why="a failed build or backup that nobody hears of is found when it is needed",
        )

    async def apply(self, change: Change, ctx: Context) -> None:
        client = await calls(ctx, self.server.name)
        verb, _, word = change.key.partition(":")
        if verb == "remove":
            await client.post("notification.remove", {"notificationId": word})
            return
        way = Way(word)
        target = await self._target(ctx, way)
        if verb == "test":
            try:
                await client.post(f"notification.test{_ROUTES[way]}Connection", target)
            except VendorError as error:
                raise WizardError(
                    f"The test message by {way.value} was refused",
                    error.why or error.what,
                    f"Correct {', '.join(_NEEDED[way])}, then run this step again.",
                ) from error
            ctx.saved.save(f"tried {way.value}", Tried(ctx.now()))
            return
        if way not in (await self.observe(ctx)).there:
            extra = {"decoration": True} if way is Way.DISCORD else {}
            body = {"name": self._name(way), **EVENTS, **target, **extra}
            await client.post(f"notification.create{_ROUTES[way]}", body)

    async def _target(self, ctx: Context, way: Way) -> dict[str, Any]:
        get = ctx.world.secrets.get
        if way is Way.DISCORD:
            return {"webhookUrl": await get("DISCORD_WEBHOOK")}
        if way is Way.SLACK:
            return {"webhookUrl": await get("SLACK_WEBHOOK"), "channel": ""}
        port = await get("SMTP_PORT") or "587"
        return {
            "smtpServer": await get("SMTP_SERVER"),
            "smtpPort": int(port) if port.isdecimal() else 587,
            "username": await get("SMTP_USERNAME"),
            "password": await get("SMTP_PASSWORD"),
            "fromAddress": await get("SMTP_FROM") or self.config.settle.mail,
            "toAddresses": [self.config.settle.mail],
        }

    async def verify(self, ctx: Context) -> Sequence[Check]:
        facts, now = await self.observe(ctx), ctx.now()
        vantage = f"panel of {self.server.name}"
        if not self.ways:
            return [self._waived("nobody", "[settle] names nobody, and the operator goes without", now)]
        found = []
        for way in self.ways:
            name = f"{self.server.name}.{way.value.lower()}"
            if way not in facts.there and facts.answers.get(self._without(way)) == "without":
                missing = ", ".join(facts.lacking[way])
                found.append(
                    self._waived(way.value.lower(), f"{missing} is missing; the operator goes without", now)
                )
                continue
            tried = facts.tried.get(way)
            found.append(
                check(
                    name,
                    f"the panel of {self.server.name} tells of failures by {way.value}",
                    way in facts.there and tried is not None,
                    seen=("set up" if way in facts.there else "not set up")
                    + ("; a test message was taken by its server" if tried else "; no test message was sent"),
                    vantage=vantage,
                    at=now,
                    advice="Run this step again.",
                )
            )
        return found

    def _waived(self, word: str, why: str, now: float) -> Check:
        question = f"somebody is told when something fails on {self.server.name}"
        evidence = Evidence(why, "operator", now)
        return Check(f"{self.server.name}.{word}", question, CheckState.WAIVED, evidence)

    async def undo(self, ctx: Context) -> Plan:
        facts = await self.observe(ctx)
        return Plan(
            tuple(
                Change(Kind.DELETE, f"remove:{identity}", f"notification by {way.value}", "there", "gone")
                for way, identity in facts.there.items()
            )
        )


async def _lacking(ctx: Context, way: Way) -> tuple[str, ...]:
    return tuple([name for name in _NEEDED[way] if not await ctx.world.secrets.get(name)])
