"""Moments of a migration that are worth a picture."""

from __future__ import annotations

from decimal import Decimal

from tests.screens.fake_session import NOW, FakeSession
from wizard.checks.ports import PortMatrix, Standing, View, judge
from wizard.dns.view import (
    Asked,
    AuthorityRow,
    Cell,
    CertificateRow,
    HttpRow,
    Point,
    ResolverRow,
    Verdict,
    Visitors,
    WatchView,
)
from wizard.engine.check import Check, CheckState, Evidence
from wizard.engine.events import StepState
from wizard.engine.plan import Change, Choice, Kind, Money, Plan, Question
from wizard.net import Reach
from wizard.phases.cutover.go_list import GoList

SERVER = Plan(
    (
        Change(
            Kind.CREATE,
            "server",
            "server backend",
            after="cx33 in nbg1, Debian 12, IPv4 203.0.113.11 and IPv6, backups on",
            why="the first of your ranked types that can be had in nbg1",
            way_back="delete the server; what it cost stays",
            monthly=Money(Decimal("7.19")),
        ),
        Change(
            Kind.UPDATE,
            "labels",
            "address openmates-backend-v4",
            before="unassigned",
            after="openmates-backend",
            why="the address survives the server",
        ),
    ),
    notes=("cx23 is sold out in nbg1 and fsn1 at this moment.",),
)

DELETE = Plan(
    (
        Change(
            Kind.DELETE,
            "project",
            "Vercel project openmates-web",
            before="3 domains, 214 deployments",
            after="",
            why="nothing points to it since 7 days",
            confirm="openmates-web",
        ),
    )
)

ACCEPT = Question(
    "prepare.decide.lost",
    "Four things cannot be carried over. Go on without them?",
    choices=(
        Choice("accept", "Go on: I have read them and can do without"),
        Choice("stop", "Stop here: I want to change something first"),
    ),
    default="accept",
    why="Image optimisation at the edge, preview deployments of pull requests, web analytics, "
    "and 2 of 9 environment variables that Vercel never shows again.",
)


def approving() -> FakeSession:
    """A server is to be made; its plan waits."""
    session = FakeSession()
    session.done_until("provision.frontend.server")
    session.running = True
    session.set("provision.frontend.server", StepState.RUNNING)
    session.propose("provision.backend.server", SERVER)
    return session


def running() -> FakeSession:
    """The panel is being installed."""
    session = approving()
    session.approve("provision.backend.server", True)
    session.set("provision.backend.server", StepState.DONE)
    session.set("provision.frontend.server", StepState.DONE)
    step = "provision.backend.panel"
    install = Change(
        Kind.RUN, "install", "the panel's installer, version 0.26", after="detached, followed by its log"
    )
    session.planned(step, Plan((install,)))
    session.set(step, StepState.RUNNING)
    session.begin(step, install)
    session.output(
        step,
        "ports 80, 443 and 3000 are free; 3.6 GB of memory, 68 GB of disk",
        "installer fetched: sha256 4f1c…9a02, as expected",
        "Installing Docker 28.5 …",
        "Swarm initialized: current node (x5mzgt1) is now a manager.",
        "dokploy-network created, dokploy-postgres and dokploy-redis converged",
        "waiting for http://127.0.0.1:3000 to answer (through the tunnel)",
    )
    session.check(step, "version", "The panel answers with version 0.26", CheckState.PENDING,
                  seen="connection refused", vantage="backend, 127.0.0.1:3000", again=NOW + 4)  # fmt: skip
    session.check(step, "swarm", "Docker Swarm is active with one manager",
                  seen="Swarm: active, Managers: 1", vantage="backend by SSH", age=3)  # fmt: skip
    session.check(step, "closed", "Port 3000 of backend is closed to the world",
                  seen="203.0.113.11:3000 timed out", vantage="here, 192.0.2.10", age=65)  # fmt: skip
    return session


def failed() -> FakeSession:
    """A check does not hold."""
    session = running()
    session.set("provision.backend.panel", StepState.DONE)
    session.set("firewall.backend.host", StepState.DONE)
    step = "firewall.backend.ports"
    session.check(step, "backend.22", "Port 22 of backend is open from your address",
                  seen="SSH-2.0-OpenSSH_9.6", vantage="here, 192.0.2.10")  # fmt: skip
    session.check(step, "backend.3000", "Port 3000 of backend is closed from the world", CheckState.FAILED,
                  seen="203.0.113.11:3000 accepted the connection", vantage="frontend, 203.0.113.10",
                  advice="Docker publishes past ufw: apply firewall.backend.host again.")  # fmt: skip
    session.set(
        step,
        StepState.FAILED,
        "not true: Port 3000 of backend is closed from the world",
        ways=("Docker publishes past ufw: apply firewall.backend.host again.",),
    )
    session.over("failed")
    return session


def asking() -> FakeSession:
    session = FakeSession()
    session.done_until("prepare.decide")
    session.running = True
    session.ask("prepare.decide", ACCEPT)
    return session


def deleting() -> FakeSession:
    session = FakeSession(live=True)
    session.done_until("decommission.delete")
    session.running = True
    session.propose("decommission.delete", DELETE)
    return session


def _cell(resolver: int, row: int, share: float) -> Cell:
    place = (resolver * 37 + row * 11) % 100 / 100
    if resolver == 17:
        return Cell(Verdict.SILENT, queries=3)
    if resolver == 29 and row == 1:
        return Cell(Verdict.NEITHER, ("192.0.2.66",), NOW, NOW + 300, 2)
    if place < share:
        return Cell(Verdict.NEW, ("203.0.113.10",), NOW - 20, NOW + 40, 2, 1, 1)
    if resolver % 13 == 5:
        return Cell(Verdict.OLD, ("198.51.100.76",), NOW - 20, NOW + 25, 4, 3, 1)
    return Cell(Verdict.OLD, ("198.51.100.76",), NOW - 20, NOW + 5 + place * 240, 1)


def watch(share: float = 0.55) -> WatchView:
    """A watch in the middle: `share` of about fifty caches have flipped."""
    asked = (
        Asked("openmates.org", "A", ("198.51.100.76",), ("203.0.113.10",)),
        Asked("openmates.org", "AAAA", (), ("2001:db8::10",)),
        Asked("www.openmates.org", "A", ("198.51.100.76",), ("203.0.113.10",)),
        Asked("api.openmates.org", "A", ("198.51.100.20",), ("203.0.113.11",)),
        Asked("api.openmates.org", "AAAA", (), ("2001:db8::11",)),
    )
    houses = ("Quad9", "Cloudflare", "Google", "OpenDNS", "AdGuard", "DNS.SB", "Deutsche Telekom", "Orange")
    resolvers = tuple(
        ResolverRow(
            f"{houses[n % len(houses)]} {n // len(houses) + 1}",
            f"192.0.2.{n + 20}",
            "udp",
            tuple(_cell(n, row, share) for row in range(len(asked))),
            ("Frankfurt", "Ashburn", "Singapore")[n % 3],
        )
        for n in range(52)
    )
    servers = ("helium.ns.hetzner.de", "hydrogen.ns.hetzner.com", "oxygen.ns.hetzner.com")
    return WatchView(
        at=NOW,
        asked=asked,
        resolvers=resolvers,
        authorities=tuple(
            AuthorityRow(name, f"198.51.100.{n + 1}", 2026052801, (Verdict.NEW,) * len(asked))
            for n, name in enumerate(servers)
        ),
        certificates=(
            CertificateRow("openmates.org", "203.0.113.10", True, "Let's Encrypt R11", NOW + 7_000_000),
            CertificateRow("www.openmates.org", "203.0.113.10", True, "Let's Encrypt R11", NOW + 7_000_000),
            CertificateRow("api.openmates.org", "203.0.113.11", True, "Let's Encrypt R10", NOW + 7_000_000),
        ),
        http=(
            HttpRow("openmates.org/", "200, 61 ms", "200, 23 ms", True),
            HttpRow("api.openmates.org/health", "200, 48 ms", "200, 19 ms", True),
        ),
        flipped_at=NOW - 150,
        seen=tuple(Point(NOW - 150 + n * 5, share * (n / 30) ** 1.2) for n in range(31)),
        predicted=tuple(Point(NOW + n * 5, share + (1 - share) * (n / 30) ** 0.8) for n in range(31)),
        ends_at=NOW + 150,
        back_at=NOW + 60,
        visitors=Visitors(4210, 0, (), share),
    )


def going(seen: CheckState = CheckState.PASSED) -> FakeSession:
    """Right before the flip: its plan waits, and one line of the list is as `seen`."""
    session = FakeSession()
    session.done_until("cutover.flip")
    session.running = True
    moves = tuple(
        Change(Kind.REPLACE, f"flip.{name}/{kind}", f"{name} {kind}", f"{old} (TTL 60)", f"{new} (TTL 60)")
        for name, kind, old, new in (
            ("openmates.org", "A", "76.76.21.21", "203.0.113.10"),
            ("api.openmates.org", "A", "198.51.100.7", "203.0.113.11"),
            ("api.openmates.org", "AAAA", "2001:db8:1::7", "2001:db8::11"),
        )
    )
    session.propose("cutover.flip", Plan(moves))
    lines = [
        _said("lowered", "every name server serves the short TTL", "since 14:02:10, 3600 s before"),
        _said(
            "quiet", "no cache holds an old TTL any more, and none was asked by us of late", "since 15:03:10"
        ),
        _said("clear", "nothing in the zone stands in the way of the flip", "addresses only"),
    ]
    for name, address in (("openmates.org", "203.0.113.10"), ("api.openmates.org", "203.0.113.11")):
        question = f"{address} is ready for {name}: https://{name}/health answers 200 over trusted TLS"
        told = "200 TLSv1.3 in 23 ms" if seen is CheckState.PASSED else "tls: self-signed certificate"
        state = seen if name.startswith("api") else CheckState.PASSED
        lines.append(
            _said(f"{name}.ready", question, told if state is seen else "200 TLSv1.3 in 23 ms", state)
        )
    session.detail("go", GoList(NOW - 3, tuple(lines)), "cutover.flip")
    return session


def _said(name: str, question: str, seen: str, state: CheckState = CheckState.PASSED) -> Check:
    return Check(
        name, question, state, Evidence(seen, "operator", NOW - 3), "Look at the proxy of the panel."
    )


def flipped() -> FakeSession:
    """Half of the world has followed the flip."""
    session = FakeSession()
    session.done_until("cutover.watch")
    session.running = True
    session.remaining = 150.0
    session.set("cutover.watch", StepState.WAITING, "caches let go of the old records", NOW + 150)
    session.check("cutover.watch", "gone", "No cache holds an old value", CheckState.PENDING,
                  seen="23 of 52 hold one", vantage="52 resolvers", again=NOW + 3)  # fmt: skip
    session.detail("watch", watch())
    return session


def ports() -> FakeSession:
    """Two hosts looked at; one port of the back end is open that should not be."""
    session = failed()
    for host, address in (("backend", "203.0.113.11"), ("frontend", "203.0.113.10")):
        rows = []
        for vantage, standing, path in (
            ("here", Standing.ADMIN, "IPv4"),
            ("here", Standing.ADMIN, "IPv6"),
            ("old-backend", Standing.WORLD, "IPv4"),
        ):
            seen = {22: Reach.OPEN, 80: Reach.OPEN, 443: Reach.OPEN, 5432: Reach.REFUSED}
            if standing is Standing.ADMIN or host == "backend":
                seen[3000] = Reach.OPEN
            rows.append(judge(View(vantage, standing, address, path), seen))
        rows.append(judge(View("backend", Standing.APART, address, "private"), {}))
        session.detail("ports", PortMatrix(host, NOW - 30, tuple(rows)), step=f"firewall.{host}.ports")
    return session
