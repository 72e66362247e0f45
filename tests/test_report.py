"""The report: every box with its evidence, every change, costs, points of no return, the runbook, tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from wizard.commands.summary import Counter
from wizard.config import DnsProviderName
from wizard.configfile import example
from wizard.dns.providers import cloudflare, rfc2136
from wizard.dns.records import ChangeSet
from wizard.engine import journal
from wizard.engine.check import Check, CheckState, Evidence
from wizard.engine.events import StepState, jsonable
from wizard.engine.journal import Entry, Journal
from wizard.engine.plan import Change, Kind, Money, Plan
from wizard.engine.progress import Progress, encode, load
from wizard.engine.step import Context, Phase, Step
from wizard.phases.cutover.records import FlipRecord
from wizard.phases.decommission.tokens import tokens
from wizard.records import AppRecord, PanelRecord, ServerRecord
from wizard.redact import remember
from wizard.report.checklist_table import BOXES
from wizard.report.gather import Report, gather, latest_checks
from wizard.report.render import Form, render

CONFIG = example()
DAY = 1_790_000_000.0
SECRET = "hetzner-token-of-this-test"


class Plain(Step[None]):
    def __init__(self, id: str, title: str, phase: Phase, way_back: str = "", final: bool = False) -> None:
        self.id, self.title, self.phase, self.way_back = id, title, phase, way_back
        self.final = final

    @property
    def point_of_no_return(self) -> bool:  # type: ignore[override]
        return self.final

    async def observe(self, ctx: Context) -> None:
        return None

    def plan(self, facts: None) -> Plan:
        return Plan()

    async def verify(self, ctx: Context) -> Sequence[Check]:
        return ()


STEPS = (
    Plain("provision.backend.server", "The server backend", Phase.PROVISION, "it is deleted"),
    Plain("provision.backend.account", "The panel's account", Phase.PROVISION),
    Plain("apps.api.create", "The application api", Phase.APPS),
    Plain("cutover.flip", "The flip", Phase.CUTOVER, "the old records again"),
    Plain(
        "decommission.delete", "Vercel's project is deleted", Phase.DECOMMISSION, "there is none", final=True
    ),
)
CREATE = Change(Kind.CREATE, "server", "server backend", after="cx43 in fsn1", way_back="delete it")
DELETE = Change(Kind.DELETE, "project", "project openmates-web", confirm="openmates-web")


def answer(name: str, seen: str, state: CheckState = CheckState.PASSED) -> Check:
    return Check(name, "the server exists", state, Evidence(seen, "Hetzner's API", DAY + 5))


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    """A migration that has come to its end, with one change whose outcome is not known."""
    progress = Progress(tmp_path / "progress.toml", CONFIG.project.name, DAY)
    records = Journal(progress.journal_path)
    for step in STEPS:
        row = progress.step(step.id)
        row.state, row.changed = StepState.DONE, DAY + 10
    progress.step("provision.backend.server").saved["server"] = encode(
        ServerRecord("backend", 7, "cx43", "fsn1", "203.0.113.7", monthly_gross="19.62")
    )
    progress.step("provision.backend.account").saved["panel"] = encode(
        PanelRecord("backend", "v0.30.2", "org", "admin@openmates.org")
    )
    progress.step("apps.api.create").saved["app"] = encode(
        AppRecord("api", "backend", "p", "e", "c", "openmates-api-x1")
    )
    flip = FlipRecord(ChangeSet(CONFIG.dns.zone, ()), DAY + 7, 3600, DAY + 6)
    progress.step("cutover.flip").saved["flip"] = encode(flip)
    step = "provision.backend.server"
    records.write(DAY, Entry.PLAN, step=step, changes=jsonable((CREATE,)))
    records.write(DAY, Entry.INTENT, step=step, key="server", target="server backend")
    records.write(DAY + 1, Entry.OUTCOME, step=step, key="server", result="applied")
    for seen in ("initializing", "running <script>alert(1)</script> | with " + SECRET):
        records.write(DAY + 5, Entry.CHECK, step=step, check=jsonable(answer("server.exists", seen)))
    records.write(DAY + 6, Entry.INTENT, step="cutover.flip", key="a", target="openmates.org A")
    step = "decommission.delete"
    records.write(DAY + 7, Entry.PLAN, step=step, changes=jsonable((DELETE,)))
    records.write(DAY + 7, Entry.INTENT, step=step, key="project", target="project openmates-web")
    records.write(DAY + 8, Entry.OUTCOME, step=step, key="project", result="applied")
    records.close()
    progress.save()
    return load(progress.path)


@pytest.fixture
def report(progress: Progress) -> Report:
    remember(SECRET)
    money = (Money(Decimal("20.00"), "USD"),), (Money(Decimal("27.80")),)
    return gather(CONFIG, STEPS, progress, *money)


def test_the_last_answer_is_the_evidence(report: Report) -> None:
    checks = report.steps[0].checks
    assert len(checks) == 1 and checks[0].seen.startswith("running")


def test_changes_are_told_with_their_outcome(report: Report) -> None:
    made = {step.id: step.changes for step in report.steps}
    assert [(c.target, c.after, c.result) for c in made["provision.backend.server"]] == [
        ("server backend", "cx43 in fsn1", "applied")
    ]
    assert [c.result for c in made["cutover.flip"]] == ["unknown"]
    assert report.totals.changes == 2


def test_what_cannot_be_undone_is_named(report: Report) -> None:
    assert [(final.what, bool(final.passed)) for final in report.final] == [
        ("Vercel's project is deleted", True),
        ("delete project openmates-web", True),
    ]


def test_the_runbook_is_for_these_hosts_and_apps(report: Report) -> None:
    commands = [action.command for procedure in report.procedures for action in procedure.actions]
    assert "ssh -N -L 3000:127.0.0.1:3000 root@203.0.113.7" in commands
    assert "ssh root@203.0.113.7 docker compose -p openmates-api-x1 ps --all" in commands
    assert "dokploy-wizard undo cutover.flip" in commands
    titles = " ".join(procedure.title for procedure in report.procedures)
    assert "web" not in titles, "the app web was never made"


def test_the_runbook_of_nothing_is_empty(tmp_path: Path) -> None:
    empty = gather(CONFIG, STEPS, Progress(tmp_path / "progress.toml"))
    assert empty.procedures == () and empty.started == "" and empty.totals.proven == 0
    for form in Form:
        assert render(empty, form)


def test_tokens_are_named_and_never_shown(report: Report) -> None:
    assert [token.name for token in report.tokens] == [
        "HCLOUD_TOKEN",
        "VERCEL_TOKEN",
        "GITHUB_TOKEN",
        "DOKPLOY_FRONTEND_API_KEY",
        "DOKPLOY_BACKEND_API_KEY",
    ]


@pytest.mark.parametrize(
    ("provider", "named"),
    [
        (DnsProviderName.CLOUDFLARE, cloudflare.VENDOR.secret),
        (DnsProviderName.RFC2136, rfc2136.SECRET),
        (DnsProviderName.VERCEL, "VERCEL_TOKEN"),
        (DnsProviderName.OTHER, "LEXICON_INWX_…"),
    ],
)
def test_the_token_for_the_zone_is_among_those_to_revoke(provider: DnsProviderName, named: str) -> None:
    dns = replace(CONFIG.dns, provider=provider, lexicon="inwx")
    assert named in [token.name for token in tokens(replace(CONFIG, dns=dns, vercel=()))]


@pytest.mark.parametrize("form", Form)
def test_every_form_prints_every_box_with_evidence_and_no_secret(report: Report, form: Form) -> None:
    text = render(report, form)
    assert SECRET not in text
    assert "running" in text and "20.00 USD/month" in text and "27.80 EUR/month" in text
    shown = Text.of(text) if form is Form.HTML else text.replace("\\\\", "").replace("\\", "")
    for item in BOXES:
        assert item.text in shown, item.text


def test_html_escapes_what_others_said(report: Report) -> None:
    text = render(report, Form.HTML)
    assert "<script>" not in text and "&lt;script&gt;" in text


def test_markdown_tables_survive_what_others_said(report: Report) -> None:
    rows = [line for line in render(report, Form.MARKDOWN).splitlines() if line.startswith("| 20")]
    assert rows and all(line.replace("\\|", "").count("|") == 6 for line in rows)


def test_json_is_one_object_with_the_whole_of_it(report: Report) -> None:
    data = json.loads(render(report, Form.JSON))
    assert len(data["checklist"]) == len(BOXES)
    assert data["hosts"][0]["ipv4"] == "203.0.113.7"


def test_a_step_that_was_undone_proves_nothing(progress: Progress) -> None:
    records = Journal(progress.journal_path)
    records.write(DAY + 20, Entry.STATE, step="provision.backend.server", state="undone", why="", until=None)
    records.close()
    assert gather(CONFIG, STEPS, progress).steps[0].checks == ()


def test_an_answer_that_nobody_gave_does_not_stay_with_a_step_that_is_done(progress: Progress) -> None:
    """What is asked after the end of a step counts, whatever it says."""
    step = "provision.backend.server"
    before = {check.name for check in latest_checks(journal.read(progress.journal_path))[step]}
    told = {state: Check(state, "it runs", state, Evidence("no answer", "here", DAY)) for state in CheckState}
    records = Journal(progress.journal_path)
    for moment, state in ((20, CheckState.UNKNOWN), (40, CheckState.FAILED)):
        records.write(DAY + moment, Entry.CHECK, step=step, check=jsonable(told[state]))
        records.write(DAY + moment + 1, Entry.STATE, step=step, state="failed", why="", until=None)
        if state is CheckState.UNKNOWN:
            records.write(DAY + 30, Entry.STATE, step=step, state="done", why="", until=None)
    records.close()

    after = {check.name for check in latest_checks(journal.read(progress.journal_path))[step]}
    assert after == before | {CheckState.FAILED}
    counter = Counter()
    counter.remember(progress)
    kept = {name for found, name in counter.answers if found == step}
    assert kept == after


class Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    @classmethod
    def of(cls, html: str) -> str:
        parser = cls()
        parser.feed(html)
        return "".join(parser.parts)
