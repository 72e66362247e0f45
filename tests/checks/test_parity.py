"""Twelve planted differences are found, each by its kind; a twin that differs by chance only is equal."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
from aiohttp import web

from wizard.checks.crawl import Place, Report, asker, survey
from wizard.checks.http import HttpClient
from wizard.checks.parity import Difference, Weight
from wizard.net import LiveNet

ORIGIN = "https://app.example"
_counter = itertools.count(1)


@dataclass(frozen=True)
class Plant:
    """Which difference the shop has; "" for none."""

    name: str = ""
    build: str = "a1b2c3d4"


def page(request: web.Request, plant: Plant, title: str, text: str) -> web.Response:
    picture = "http://cdn.example/logo.png" if plant.name == "mixed" else "/logo.png"
    html = f"""<!doctype html><html><head><title>{title}</title>
        <meta name="csrf-token" content="{uuid.uuid4()}"><meta name="build" content="{plant.build}">
        <link rel="canonical" href="http://{request.host}{request.path}">
        <script nonce="{uuid.uuid4().hex}" src="/_app/immutable/start.{plant.build}.js"></script></head>
        <body><!-- rendered {next(_counter)} --><h1>{title}</h1><p>{text}</p>
        <a href="/about">About</a> <a href="/products">Products</a> <a href="/old-price">Prices</a>
        <a href="/docs/intro">Docs</a><img src="{picture}"><p>visitor {next(_counter)}</p></body></html>"""
    headers = {
        "X-Frame-Options": "DENY",
        "Content-Security-Policy": f"object-src 'none'; script-src 'nonce-{uuid.uuid4().hex}'",
        "Cache-Control": "public, max-age=60",
        "Date-Rendered": str(next(_counter)),
    }
    if plant.name == "header":
        del headers["X-Frame-Options"]
    if plant.name == "cache" and title == "Products":
        headers["Cache-Control"] = "no-store"
    response = web.Response(text=html, content_type="text/html", headers=headers)
    domain = "example" if plant.name == "cookie" else "shop.example"
    response.set_cookie("seen", uuid.uuid4().hex, domain=domain, path="/", secure=True, httponly=True)
    if plant.name != "compression":
        response.enable_compression()
    return response


def shop(plant: Plant) -> web.Application:
    async def home(request: web.Request) -> web.StreamResponse:
        wants_german = request.headers.get("Accept-Language", "").startswith("de")
        if wants_german and plant.name != "locale":
            raise web.HTTPFound("/de")
        return page(request, plant, "Home", "Welcome")

    def static(title: str, text: str) -> Callable[[web.Request], object]:
        async def show(request: web.Request) -> web.StreamResponse:
            if plant.name == "shell" and title == "Introduction":
                return page(request, plant, "Home", "Welcome")
            return page(request, plant, title, text)

        return show

    async def moved(request: web.Request) -> web.StreamResponse:
        if plant.name == "redirect":
            return page(request, plant, "Prices", "Old prices")
        raise web.HTTPMovedPermanently("/products")

    async def slash(request: web.Request) -> web.StreamResponse:
        if plant.name == "slash":
            return page(request, plant, "About", "Who we are")
        raise web.HTTPPermanentRedirect("/about")

    async def association(request: web.Request) -> web.Response:
        kind = "text/plain" if plant.name == "type" else "application/json"
        return web.Response(text='{"applinks": {"details": []}}', content_type=kind)

    async def api(request: web.Request) -> web.Response:
        headers = {"Vary": "Origin"}
        if request.headers.get("Origin") == ORIGIN:
            headers["Access-Control-Allow-Origin"] = "*" if plant.name == "cors" else ORIGIN
            headers["Access-Control-Allow-Credentials"] = "true"
        body = {"items": [1, 2, 3], "request_id": uuid.uuid4().hex, "buildTime": "2026-01-02T03:04:05Z"}
        return web.json_response(body, headers=headers)

    async def logo(request: web.Request) -> web.Response:
        if plant.name == "asset":
            raise web.HTTPNotFound
        return web.Response(body=b"\x89PNG picture", content_type="image/png")

    async def script(request: web.Request) -> web.Response:
        if plant.build not in request.path:
            raise web.HTTPNotFound
        return web.Response(text=f'export const build = "{plant.build}";', content_type="text/javascript")

    app = web.Application()
    app.router.add_get("/", home)
    app.router.add_get("/de", static("Start", "Willkommen"))
    app.router.add_get("/about", static("About", "Who we are"))
    app.router.add_get("/about/", slash)
    app.router.add_get("/products", static("Products", "What we sell"))
    app.router.add_get("/docs/intro", static("Introduction", "How it works"))
    app.router.add_get("/old-price", moved)
    app.router.add_get("/.well-known/apple-app-site-association", association)
    app.router.add_route("*", "/api/items", api)
    app.router.add_get("/logo.png", logo)
    app.router.add_get("/_app/immutable/{name}", script)
    return app


async def serve(app: web.Application) -> tuple[web.AppRunner, int]:
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, int(runner.addresses[0][1])


@pytest.fixture
async def compared() -> AsyncIterator[Callable[[Plant], object]]:
    """Compare the shop as it is with one that has the plant."""
    runners: list[web.AppRunner] = []
    client = HttpClient(LiveNet())

    async def run(plant: Plant) -> Report:
        places = []
        for each in (Plant(), plant):
            runner, port = await serve(shop(each))
            runners.append(runner)
            places.append(Place(f"http://shop.example:{port}", "127.0.0.1"))
        old, new = (asker(client, place) for place in places)
        return await survey(
            old,
            new,
            ["/.well-known/apple-app-site-association", "/api/items"],
            old_host="shop.example",
            new_host="shop.example",
            origins=(ORIGIN, "https://evil.example"),
        )

    yield run
    await client.aclose()
    await asyncio.gather(*(runner.cleanup() for runner in runners))


PLANTS = {
    "redirect": Difference.LOST_REDIRECT,
    "header": Difference.LOST_HEADER,
    "shell": Difference.SHELL,
    "type": Difference.CONTENT_TYPE,
    "mixed": Difference.MIXED_CONTENT,
    "cookie": Difference.COOKIE,
    "cors": Difference.CORS,
    "cache": Difference.CACHE,
    "slash": Difference.TRAILING_SLASH,
    "asset": Difference.MISSING_ASSET,
    "compression": Difference.COMPRESSION,
    "locale": Difference.LOCALE_REDIRECT,
}


@pytest.mark.parametrize(("name", "kind"), PLANTS.items(), ids=list(PLANTS))
async def test_a_planted_difference_is_found_and_nothing_else(
    compared: Callable[[Plant], object], name: str, kind: Difference
) -> None:
    report: Report = await compared(Plant(name))  # type: ignore[misc]

    assert {item.kind for item in report.found} == {kind}, [str(item) for item in report.found]
    assert all(item.old != item.new for item in report.found)


async def test_a_twin_of_another_build_has_no_difference(compared: Callable[[Plant], object]) -> None:
    report: Report = await compared(Plant(build="ffee0099"))  # type: ignore[misc]

    assert report.found == ()
    assert report.asked >= 20 and not report.cut


async def test_a_new_side_that_does_not_answer_is_one_breaking_difference_a_question() -> None:
    runner, port = await serve(shop(Plant()))
    client = HttpClient(LiveNet())
    old = asker(client, Place(f"http://shop.example:{port}", "127.0.0.1"))
    new = asker(client, Place("http://shop.example:9", "127.0.0.1"), timeout=2.0)

    report = await survey(old, new, [], old_host="shop.example", new_host="shop.example", most=5)

    assert report.cut and {item.kind for item in report.found} == {Difference.UNREACHABLE}
    assert all(item.weight is Weight.BREAKS and "refused" in item.new for item in report.found)
    await client.aclose()
    await runner.cleanup()
