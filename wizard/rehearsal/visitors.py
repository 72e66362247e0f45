"""Visitors: they resolve through the caches, verify TLS and load pages, all the time, and keep count."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import dns.asyncquery
import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype

from wizard.clock import moment_text
from wizard.endpoints import Endpoints, SocketAddress
from wizard.rehearsal.fronts.vercel import VERCEL_ADDRESS

if TYPE_CHECKING:
    from wizard.rehearsal.stage import Stage

RATE = 10.0
"""Page loads per real second; each is followed by a call of an API, where there is one."""
_IN_FLIGHT = 12
_KEPT_FAILURES = 200
_SECONDS = 8.0
_DNS_TRIES = 6
"""As a stub resolver that knows three servers and asks each twice."""
_REDIRECTS = 3


@dataclass
class CachedAnswer:
    addresses: tuple[str, ...]
    expires: float


@dataclass
class Visitor:
    """`dual` asks for AAAA too and prefers it, as most clients do."""

    source: str
    dual: bool
    cache: dict[str, CachedAnswer] = field(default_factory=dict)


@dataclass(frozen=True)
class VisitorFailure:
    at: float
    url: str
    address: str
    reason: str

    def __str__(self) -> str:
        return f"{moment_text(self.at)} {self.url} at {self.address or 'no address'}: {self.reason}"


@dataclass
class VisitorsState:
    """`old` and `new` count answers by who gave them: what stood before, or anything made since."""

    requests: int = 0
    failed: int = 0
    old: int = 0
    new: int = 0
    visits: int = 0
    failures: list[VisitorFailure] = field(default_factory=list)
    people: list[Visitor] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Wish:
    """One request that a visitor wants answered; `resolver` None reads the authoritative records."""

    visitor: Visitor
    resolver: SocketAddress | None
    domain: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()


class VisitFailed(Exception):
    def __init__(self, address: str, reason: str) -> None:
        super().__init__(reason)
        self.address = address
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Page:
    status: int
    location: str
    body: bytes


class Visitors:
    """`rate` may be changed at any time; 0 pauses them."""

    def __init__(self, stage: Stage, state: VisitorsState) -> None:
        self.stage = stage
        self.state = state
        self.rate = RATE
        self._resolvers: tuple[SocketAddress, ...] = ()
        self._context: ssl.SSLContext | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None

    @staticmethod
    def begin(stage: Stage) -> VisitorsState:
        people = [Visitor(f"192.0.2.{100 + number}", dual=number % 4 == 0) for number in range(24)]
        return VisitorsState(people=people)

    @property
    def requests(self) -> int:
        return self.state.requests

    @property
    def failed(self) -> int:
        return self.state.failed

    @property
    def failures(self) -> tuple[str, ...]:
        """The latest ones, as sentences."""
        return tuple(str(failure) for failure in self.state.failures)

    async def start(self) -> None:
        found = self.stage.dns.endpoints(Endpoints()).resolvers or ()
        # Whoever asks a resolver that lies is lost before the move and after it: no word about the site.
        honest = [resolver for resolver in found if resolver.name not in self.stage.dns.liars]
        self._resolvers = tuple(resolver.address for resolver in honest)
        self._context = ssl.create_default_context(cadata=self.stage.acme.root_pem)
        if self.stage.config.names:
            self._loop = asyncio.create_task(self._come_and_go())

    async def stop(self) -> None:
        """Those on their way finish; nobody new comes."""
        if self._loop is not None:
            self._loop.cancel()
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _come_and_go(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            if self.rate <= 0:
                await asyncio.sleep(0.1)
                due = loop.time()
                continue
            # Never in a burst after a stall: a visitor who could not come is not counted.
            due = max(due + 1.0 / self.rate, loop.time())
            await asyncio.sleep(due - loop.time())
            if len(self._running) < _IN_FLIGHT:
                task = asyncio.create_task(self.visit())
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    async def visit(self) -> None:
        """One visitor loads one page and, where there is an API, calls it as the page would."""
        self.state.visits += 1
        number = self.state.visits
        visitor = self.state.people[number % len(self.state.people)]
        resolver = self._resolver(number % len(self.state.people))
        apps = self.stage.config.apps
        pages = [app for app in apps if app.domains and not self.stage.sites.is_api(app)] or list(apps)
        apis = [app for app in apps if app.domains and self.stage.sites.is_api(app)]
        page = pages[number % len(pages)]
        domain = page.domains[number // len(self.state.people) % len(page.domains)]
        await self._load(Wish(visitor, resolver, domain, "/"))
        if apis:
            api = apis[number % len(apis)]
            origin = (("Origin", api.allowed_origins[0]),) if api.allowed_origins else ()
            path = api.routes[number % len(api.routes)] if api.routes else api.health
            await self._load(Wish(visitor, resolver, api.domains[0], path, origin))

    def _resolver(self, number: int) -> SocketAddress | None:
        return self._resolvers[number % len(self._resolvers)] if self._resolvers else None

    async def _load(self, wish: Wish) -> None:
        self.state.requests += 1
        try:
            async with asyncio.timeout(_SECONDS):
                address = await self._follow(wish)
        except VisitFailed as failure:
            self._fail(wish, failure.address, failure.reason)
        except TimeoutError:
            self._fail(wish, "", f"nothing within {_SECONDS:g} s")
        else:
            if address in self._standing_before():
                self.state.old += 1
            else:
                self.state.new += 1

    def _standing_before(self) -> tuple[str, ...]:
        old = self.stage.config.old_host
        return (VERCEL_ADDRESS, old.address) if old is not None else (VERCEL_ADDRESS,)

    def _fail(self, wish: Wish, address: str, reason: str) -> None:
        self.state.failed += 1
        url = f"https://{wish.domain}{wish.path}"
        failure = VisitorFailure(self.stage.clock.now(), url, address, reason)
        self.state.failures = [*self.state.failures, failure][-_KEPT_FAILURES:]

    async def _follow(self, wish: Wish) -> str:
        """The address that gave the page, after redirects."""
        address = ""
        for _ in range(_REDIRECTS):
            address, page = await self._fetch(wish)
            if page.status in (301, 302, 307, 308) and page.location.startswith("https://"):
                domain, _, rest = page.location.removeprefix("https://").partition("/")
                wish = replace(wish, domain=domain, path=f"/{rest}")
                continue
            if page.status != 200:
                raise VisitFailed(address, f"status {page.status}: {page.body[:60]!r}")
            return address
        raise VisitFailed(address, f"more than {_REDIRECTS} redirects")

    async def _fetch(self, wish: Wish) -> tuple[str, _Page]:
        """In accelerated time a request can outlast its DNS answer; then it is asked again, once."""
        for last in (False, True):
            answer = await self._addresses(wish.visitor, wish.resolver, wish.domain)
            failure = VisitFailed("", "no address")
            for address in answer.addresses:
                try:
                    page = await self._exchange(wish, address)
                    if page.status < 400 or last or answer.expires > self.stage.clock.now():
                        return address, page
                    failure = VisitFailed(address, f"status {page.status}")
                except ssl.SSLCertVerificationError as error:
                    failure = VisitFailed(address, f"TLS: {error.verify_message}")
                except ssl.SSLError as error:
                    failure = VisitFailed(address, f"TLS: {error.reason}")
                except (OSError, TimeoutError, ValueError) as error:
                    failure = VisitFailed(address, f"connection: {error}")
            if last or answer.expires > self.stage.clock.now():
                raise failure
            wish.visitor.cache.clear()
        raise AssertionError("unreachable: the second turn returns or raises")

    async def _addresses(self, visitor: Visitor, resolver: SocketAddress | None, domain: str) -> CachedAnswer:
        known = visitor.cache.get(domain)
        if known is not None and known.expires > self.stage.clock.now():
            return known
        wanted = ("AAAA", "A") if visitor.dual else ("A",)
        addresses: list[str] = []
        shortest = 3600.0
        asked_at = self.stage.clock.now()
        for kind in wanted:
            found, ttl = await self._resolve(resolver, domain, kind)
            addresses += found
            if found:
                shortest = min(shortest, ttl)
        if not addresses:
            raise VisitFailed("", f"DNS: no address for {domain}")
        fresh = CachedAnswer(tuple(addresses), asked_at + shortest)
        visitor.cache[domain] = fresh
        return fresh

    async def _resolve(
        self, resolver: SocketAddress | None, domain: str, kind: str
    ) -> tuple[list[str], float]:
        if resolver is None:
            return list(self.stage.dns.lookup(domain, kind)), 60.0
        query = dns.message.make_query(domain, kind)
        for _ in range(_DNS_TRIES):
            with contextlib.suppress(dns.exception.DNSException, OSError):
                answer = await dns.asyncquery.udp(query, resolver.host, timeout=1.0, port=resolver.port)
                if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                    raise VisitFailed("", f"DNS: {dns.rcode.to_text(answer.rcode())} for {domain}")
                found = [item for item in answer.answer if item.rdtype == dns.rdatatype.from_text(kind)]
                ttls = [float(item.ttl) for item in answer.answer]
                return [str(value) for item in found for value in item], min(ttls, default=0.0)
        raise VisitFailed("", f"DNS: no answer for {domain}")

    async def _exchange(self, wish: Wish, address: str) -> _Page:
        sock = await self.stage.internet.dial(wish.visitor.source, address, 443, timeout=3.0)
        reader, writer = await asyncio.open_connection(
            sock=sock, ssl=self._context, server_hostname=wish.domain
        )
        try:
            lines = [f"GET {wish.path} HTTP/1.1", f"Host: {wish.domain}", "Connection: close"]
            lines += [f"{name}: {value}" for name, value in wish.headers]
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
            head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        finally:
            writer.close()
        return _parse(head, body)


def _parse(head: bytes, body: bytes) -> _Page:
    first, *rest = head.decode("latin-1").split("\r\n")
    words = first.split()
    if len(words) < 2 or not words[1].isdigit():
        raise ValueError("the connection ended without an answer")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    return _Page(int(words[1]), headers.get("location", ""), body)
