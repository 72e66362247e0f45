"""Rules of Vercel as a file of the proxy: what they do there is what they did at Vercel."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shared import shared_dir
from wizard.clients.vercel.models import ProjectDomain
from wizard.rehearsal.fronts import rules as proxy
from wizard.rehearsal.fronts.front import Front
from wizard.rehearsal.sites import SiteAnswer, SiteRequest
from wizard.rehearsal.vercel.rules import EdgeRules, origin_of, with_headers
from wizard.vercel import json as vercel_json
from wizard.vercel.json import PathRule
from wizard.vercel.rules import Effect, proxy_rules
from wizard.vercel.traefik import Served, file_path, file_text, fitting

NAMES = ("shop.example", "www.shop.example")
FILES = ("/", "/about", "/app.js", "/app/page", "/sw.js", "/docs/one")


def site(name: str, path: str) -> SiteAnswer:
    """What a server behind either front answers: the app has some files, another server has everything."""
    found = path in FILES or name != "app"
    return SiteAnswer(200 if found else 404, (("X-Own", "yes"),), f"{name} {path}".encode())


def at_vercel(document: dict[str, Any], asked: SiteRequest) -> SiteAnswer:
    rules = EdgeRules(document)
    if led := rules.redirect(asked):
        answer = SiteAnswer(led[1], (("Location", led[0]),), b"")
    else:
        answer = site("app", asked.path)
        if answer.status == 404 and (target := rules.rewrite(asked)):
            host, path = origin_of(target)
            answer = site(host or "app", path)
    return with_headers(answer, rules.headers(asked))


class Proxied(Front):
    """A proxy whose host has one file; what no router takes goes to the app, as the panel's routers do."""

    def __init__(self, text: str) -> None:
        files = {file_path("web"): SimpleNamespace(content=text.encode())} if text else {}
        host = SimpleNamespace(state=SimpleNamespace(files=files))
        self.name = "frontend"
        self.stage = cast(Any, SimpleNamespace(hosts={"frontend": host}))


async def through(text: str, asked: SiteRequest, monkeypatch: pytest.MonkeyPatch) -> SiteAnswer:
    async def served(front: Front, address: str, request: SiteRequest, body: bytes) -> SiteAnswer:
        name = address.partition("://")[2]
        return site("app" if name == "web-abc:3000" else name, request.path)

    monkeypatch.setattr(proxy, "_served", served)
    return await proxy.answer(Proxied(text), asked, b"") or site("app", asked.path)


def translated(document: dict[str, Any], plain: tuple[str, ...] = ()) -> str:
    led = fitting(proxy_rules(vercel_json.read(json.dumps(document)), (), (), NAMES))
    return file_text(led.rules, Served("web", "http://web-abc:3000", NAMES, plain))


def asked(path: str, query: str = "", **headers: str) -> SiteRequest:
    return SiteRequest("GET", NAMES[0], path, headers, query)


def heads(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in pairs]


DOCUMENT: dict[str, Any] = {
    "redirects": [
        {"source": "/home", "destination": "/"},
        {"source": "/blog/:slug", "destination": "/posts/:slug", "permanent": False},
        {"source": "/out/:path*", "destination": "https://docs.example/:path*"},
        {"source": "/a/(\\d+)", "destination": "/b/$1"},
        {"source": "/own", "destination": "/r?own=1"},
        {"source": "/beta", "destination": "/new", "has": [{"type": "cookie", "key": "beta", "value": "1"}]},
        {"source": "/ask", "destination": "/n", "missing": [{"type": "query", "key": "q"}]},
        {"source": "/:path*", "destination": "https://shop.example/:path*",
         "has": [{"type": "host", "value": "www.shop.example"}]},
    ],
    "headers": [
        {"source": "/(.*)", "headers": heads(("X-All", "1"), ("Cache-Control", "no-cache"))},
        {"source": "/(.*).js", "headers": heads(("Cache-Control", "max-age=9"))},
        {"source": "/sw.js", "headers": heads(("Cache-Control", "no-store"), ("Clear-Site-Data", '"cache"'))},
        {"source": "/app/:path*", "headers": heads(("X-App", "1"))},
        {"source": "/price", "headers": heads(("X-Cost", "$1 {}"))},
    ],
    "rewrites": [
        {"source": "/api/:path*", "destination": "https://api.example/v1/:path*"},
        {"source": "/u/:name", "destination": "/app/:name"},
        {"source": "/((?!docs|out).*)", "destination": "/"},
    ],
    "cleanUrls": True,
    "trailingSlash": False,
}  # fmt: skip

REQUESTS = [
    *(asked(path) for path in ("/", "/home", "/blog/x", "/out/a/b", "/a/12", "/a/x", "/own", "/price")),
    *(asked(path) for path in ("/app.js", "/sw.js", "/none.js", "/app/page", "/app/none", "/app", "/appx")),
    *(asked(path) for path in ("/api/k/l", "/u/page", "/u/none", "/any/thing", "/docs/none", "/docs/one")),
    *(asked(path) for path in ("/about/", "/about.html", "/docs/index.html", "/beta", "/ask")),
    asked("/home", "a=1"), asked("/own", "z=1"), asked("/about/", "x=/"), asked("/a/12", "n=3"),
    asked("/ask", "q=1"), asked("/beta", "", cookie="a=b; beta=1"), asked("/beta", "", cookie="beta=12"),
    SiteRequest("GET", NAMES[1], "/any/page", {}, "k=v"), SiteRequest("POST", NAMES[0], "/home", {}, ""),
]  # fmt: skip


def same(old: SiteAnswer, new: SiteAnswer) -> bool:
    """The proxy redirects by 301 and 302 where Vercel does by 308 and 307, and by whole addresses."""
    if old.status in (307, 308):
        place = dict(new.headers).get("Location", "nowhere").removeprefix(f"https://{NAMES[0]}")
        wanted = dict(old.headers)["Location"].removeprefix(f"https://{NAMES[0]}")
        return (place or "/", new.status in (301, 308)) == (wanted or "/", old.status == 308)
    return (old.status, sorted(old.headers), old.body) == (new.status, sorted(new.headers), new.body)


@pytest.mark.parametrize(
    "request_", REQUESTS, ids=lambda one: f"{one.method} {one.host}{one.path}?{one.query}"
)
async def test_the_proxy_does_what_vercel_did(request_: SiteRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = at_vercel(DOCUMENT, request_), await through(translated(DOCUMENT), request_, monkeypatch)
    assert same(old, new), (old, new)


async def test_without_the_file_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    told = [
        one.path for one in REQUESTS if same(at_vercel(DOCUMENT, one), await through("", one, monkeypatch))
    ]
    assert told == []


SOURCES = st.sampled_from(
    ["/(.*)", "/:path*", "/app/(.*)", "/app/:x", "/(.*).js", "/app.js", "/sw.js", "/", "/docs/:a/:b*",
     "/((?!app|docs).*)", "/docs", "/:one", "/:one/:two"]
)  # fmt: skip
HEADERS = st.lists(
    st.tuples(SOURCES, st.sampled_from("ABC"), st.sampled_from("123")).map(
        lambda one: {"source": one[0], "headers": heads((f"X-{one[1]}", one[2]))}
    ),
    max_size=5,
)
REWRITES = st.lists(
    st.tuples(SOURCES, st.sampled_from(["/", "/about", "https://api.example/x"])).map(
        lambda one: {"source": one[0], "destination": one[1]}
    ),
    max_size=3,
)
PATHS = st.lists(st.sampled_from(["app", "docs", "sw.js", "app.js", "x", "y"]), max_size=3).map(
    lambda parts: "/" + "/".join(parts)
)


@settings(deadline=None)
@given(headers=HEADERS, rewrites=REWRITES, path=PATHS)
async def test_headers_add_up_and_the_first_rewrite_wins(
    headers: list[dict[str, Any]], rewrites: list[dict[str, Any]], path: str
) -> None:
    # A file counts before a rewrite at Vercel; another server's rules count before files in the proxy.
    if path in FILES:
        rewrites = [one for one in rewrites if not one["destination"].startswith("https")]
    document = {
        "headers": headers,
        "rewrites": [one for one in rewrites if ":" in one["source"] or "(" in one["source"]],
    }
    with pytest.MonkeyPatch.context() as patch:
        new = await through(translated(document), asked(path), patch)
    assert same(at_vercel(document, asked(path)), new), translated(document)


async def test_names_over_http_only_are_served_there_and_others_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = translated(DOCUMENT, plain=("trial.example",))
    tried = SiteRequest("GET", "trial.example", "/home", {}, "", "http")
    assert dict((await through(text, tried, monkeypatch)).headers)["Location"] == "http://trial.example/"
    clear = SiteRequest("GET", NAMES[0], "/home", {}, "", "http")
    # The panel's own router leads it to HTTPS first.
    assert proxy.chosen(Proxied(text), clear) is None


def test_only_what_traefik_knows_is_written_under_names_of_our_own() -> None:
    """Names of fields as in Traefik's own reference for files, version 3.6."""
    http = yaml.safe_load(translated(DOCUMENT))["http"]
    assert set(http) == {"routers", "services", "middlewares"}
    fields = {
        "redirectRegex": {"regex", "replacement", "permanent"},
        "headers": {"customResponseHeaders"},
        "replacePathRegex": {"regex", "replacement"},
        "errors": {"status", "statusRewrites", "service", "query"},
    }
    for one in http["middlewares"].values():
        ((kind, options),) = one.items()
        assert set(options) == fields[kind]
    for router in http["routers"].values():
        assert set(router) == {"rule", "entryPoints", "priority", "middlewares", "service", "tls"}
        # The certificates are the panel's affair: a resolver here would order before DNS leads here.
        assert router["tls"] == {} and router["entryPoints"] == ["websecure"]
        assert router["service"] in http["services"] and set(router["middlewares"]) <= set(
            http["middlewares"]
        )
    every = [name for part in http.values() for name in part]
    assert all(name.startswith("wizard-web-") for name in every) and len(set(every)) == len(every)
    foreign = [one for one in http["services"].values() if not one["loadBalancer"]["passHostHeader"]]
    assert [one["loadBalancer"]["servers"] for one in foreign] == [[{"url": "https://api.example"}]]


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (PathRule("/x/:a/:b(a(b)c)", "/y", 308), "group within"),
        (PathRule("/x`y", "/y", 308), "back-quote"),
        (PathRule("/x", "/{{y}}", 308), "template"),
        (PathRule("/a/((?!b).*)/c", "/y", 308), "look-ahead"),
    ],
)
def test_what_has_no_form_is_listed_with_why(rule: PathRule, why: str) -> None:
    led = proxy_rules(None, (rule,), (), NAMES)
    assert led.rules == () and why in dict(led.lost)[rule.source]


def test_headers_for_paths_that_the_proxy_cannot_compare_are_listed_too() -> None:
    document = {"headers": [{"source": "/((a|b)/\\2)", "headers": heads(("X-Twice", "1"))}]}
    led = proxy_rules(vercel_json.read(json.dumps(document)), (), (), NAMES)
    assert led.rules == () and "back-reference" in led.lost[0][1]


def test_header_rules_that_make_too_many_combinations_are_lost_and_said() -> None:
    rows = [{"source": f"/(.*)x{n}(.*)", "headers": heads((f"X-{n}", "1"))} for n in range(20)]
    led = fitting(proxy_rules(vercel_json.read(json.dumps({"headers": rows})), (), (), NAMES))
    assert 0 < len(led.rules) < 20 and len(led.rules) + len(led.lost) == 20
    assert len(file_text(led.rules, Served("web", "http://a:1", NAMES)).splitlines()) < 2000


async def test_whole_domains_lead_on_if_the_proxy_serves_them(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = (
        ProjectDomain("www.shop.example", "shop.example", "shop.example", 307),
        ProjectDomain("old.shop.example", "shop.example", "shop.example", 308),
    )
    led = proxy_rules(None, (), rows, NAMES)
    assert [one.source for one in led.rules] == ["www.shop.example"]
    text = file_text(led.rules, Served("web", "http://web-abc:3000", NAMES))
    new = await through(text, SiteRequest("GET", NAMES[1], "/a", {}, "b=1"), monkeypatch)
    assert (new.status, dict(new.headers)["Location"]) == (302, "https://shop.example/a?b=1")
    assert (await through(text, asked("/a"), monkeypatch)).status == 404


def test_the_real_file_has_a_form_there_whole() -> None:
    found = vercel_json.read((shared_dir() / "inputs/openmates/vercel.json").read_text(encoding="utf-8"))
    led = fitting(proxy_rules(found, (), (), ("app.example",)))
    assert led.lost == () and len(led.rules) == len(found.headers) + len(found.rewrites) == 8
    assert {one.effect for one in led.rules} == {Effect.HEADERS, Effect.FALLBACK}
    assert "(?!" not in file_text(led.rules, Served("web", "http://web-abc:3000", ("app.example",)))
