"""Rules of vercel.json as a snippet for the front end's own Caddyfile, and paths as expressions."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.real.acme_servers import free_ports, needs, running
from tests.shared import shared_dir
from wizard.errors import WizardError
from wizard.vercel import json as vercel_json
from wizard.vercel.caddy import caddyfile
from wizard.vercel.json import HeaderRule, PathRule, VercelJson
from wizard.vercel.paths import UntranslatableError, destination, pattern


def openmates() -> VercelJson:
    return vercel_json.read((shared_dir() / "inputs/openmates/vercel.json").read_text(encoding="utf-8"))


def test_the_real_file_is_translated_and_what_is_lost_is_listed() -> None:
    found = openmates()
    made = caddyfile(found)
    assert made.lost == () and made.rules == len(found.headers) + len(found.rewrites) == 8
    assert "(?!" not in made.caddyfile
    assert {one.key for one in found.settings if one.lost} == {"ignoreCommand"}
    assert {one.key for one in found.settings if not one.lost} == {"installCommand"}
    for name in ("Clear-Site-Data", "Service-Worker-Allowed", "max-age=31536000, immutable"):
        assert name in made.caddyfile


EVERY_FORM = VercelJson(
    redirects=(
        PathRule("/blog/:slug", "/posts/:slug", 308),
        PathRule("/a/(\\d+)", "https://x.example/$1", 307),
        PathRule("/q", "/r?own=1", 308),
    ),
    rewrites=(
        PathRule("/proxy/:path*", "http://127.0.0.1:UPSTREAM/:path*"),
        PathRule("/dev/:path*", "/"),
        PathRule("/((?!_app|docs).*)", "/"),
    ),
    headers=(
        HeaderRule("/sw.js", (("Cache-Control", "no-store"), ("Clear-Site-Data", '"cache"'))),
        HeaderRule("/_app/immutable/(.*)", (("Cache-Control", "max-age=31536000, immutable"),)),
    ),
    clean_urls=True,
    trailing_slash=False,
)
ASKED = (
    ("/", 200, "home"),
    ("/dev/x/y", 200, "home"),
    ("/anything", 200, "home"),
    ("/docs/none", 404, ""),
    ("/_app/none.js", 404, ""),
    ("/about", 200, "about"),
    ("/proxy/k/l?z=1", 200, "upstream /k/l?z=1"),
    ("/blog/one?q=1", 308, "/posts/one?q=1"),
    ("/blog/two", 308, "/posts/two"),
    ("/a/12", 307, "https://x.example/12"),
    ("/a/x", 200, "home"),
    ("/q?z=1", 308, "/r?own=1"),
    ("/about.html?x=1", 308, "/about?x=1"),
    ("/index.html", 308, "/"),
    ("/about/", 308, "/about"),
)


@pytest.mark.real
async def test_a_real_caddy_answers_as_vercel_did(tmp_path: Path) -> None:
    needs("caddy")
    site = tmp_path / "site"
    (site / "_app/immutable").mkdir(parents=True)
    files = {"index.html": "home", "about.html": "about", "sw.js": "sw", "_app/immutable/a.js": "a"}
    for name, text in files.items():
        (site / name).write_text(text)
    port, upstream = free_ports(2)
    made = caddyfile(EVERY_FORM)
    assert made.lost == ()
    snippet = made.caddyfile.replace("UPSTREAM", str(upstream))
    (tmp_path / "Caddyfile").write_text(
        "{\nadmin off\nauto_https off\n}\n"
        f":{upstream} {{\nrespond `upstream {{http.request.uri}}`\n}}\n"
        f":{port} {{\nroot * {site}\nfile_server\n{snippet}}}\n"
    )
    command = ("caddy", "run", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile")
    env = {"HOME": str(tmp_path), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    base = f"http://127.0.0.1:{port}"
    async with running(*command, port=port, env=env), httpx.AsyncClient(base_url=base) as client:
        seen = []
        for path, _, _ in ASKED:
            answer = await client.get(path)
            told = answer.headers.get("location", "") or (answer.text if answer.status_code == 200 else "")
            seen.append((path, answer.status_code, told))
        assert tuple(seen) == ASKED
        worker = await client.get("/sw.js")
        assert worker.headers["clear-site-data"] == '"cache"' and worker.text == "sw"
        assert "immutable" in (await client.get("/_app/immutable/a.js")).headers["cache-control"]


# Patterns


@pytest.mark.parametrize(
    ("source", "matching", "others"),
    [
        ("/dev/:path*", ("/dev", "/dev/a", "/dev/a/b"), ("/developer", "/de")),
        ("/blog/:slug", ("/blog/one",), ("/blog", "/blog/one/two")),
        ("/post/:id(\\d+)", ("/post/12",), ("/post/x",)),
        ("/(.*).html", ("/a.html", "/a/b.html"), ("/a.htm",)),
        ("/sw.js", ("/sw.js",), ("/swxjs",)),
        ("/((?!_app|s/).*)", ("/", "/x", "/static"), ("/_app/x", "/s/1")),
        ("/:a/:b?", ("/x", "/x/y"), ("/", "/x/y/z")),
    ],
)
def test_a_pattern_takes_what_vercel_would(
    source: str, matching: tuple[str, ...], others: tuple[str, ...]
) -> None:
    import re

    found = pattern(source)

    def takes(path: str) -> bool:
        unless = found.unless and re.match(found.unless, path)
        return bool(re.match(found.regex, path)) and not unless

    assert [path for path in matching if not takes(path)] == []
    assert [path for path in others if takes(path)] == []


@pytest.mark.parametrize("source", ["/a(?!b)/c", "/x(?<=y)", "/(open", "/((?!a).*)/tail"])
def test_what_has_no_form_is_listed_and_never_half_translated(source: str) -> None:
    with pytest.raises(UntranslatableError):
        pattern(source)
    made = caddyfile(VercelJson(rewrites=(PathRule(source, "/"),)))
    assert made.caddyfile == "" and made.lost[0].rule == source


def test_a_destination_names_only_what_its_source_has() -> None:
    found = pattern("/blog/:year/:slug")
    mark = "<{}>".format
    assert destination("/p/:slug?y=:year", found, mark) == "/p/<2>?y=<1>"
    assert destination("https://x.example/:slug", found, mark) == "https://x.example/<2>"
    with pytest.raises(UntranslatableError):
        destination("/p/:other", found, mark)


@settings(deadline=None)
@given(st.from_regex(r"/[a-z0-9_.-]{1,12}(/[a-z0-9_.-]{1,12}){0,3}", fullmatch=True))
def test_a_plain_path_takes_itself_and_nothing_else(path: str) -> None:
    import re

    found = pattern(path)
    assert re.match(found.regex, path) and not re.match(found.regex, path + "x")


@settings(deadline=None)
@given(st.text(max_size=200))
def test_text_that_is_no_vercel_json_is_refused_in_a_sentence(text: str) -> None:
    try:
        found = vercel_json.read(text)
    except WizardError as error:
        assert error.next
    else:
        assert json.loads(text) is not None and isinstance(found, VercelJson)
