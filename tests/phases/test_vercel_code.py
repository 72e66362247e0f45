"""Source code is searched for what counts at Vercel only: by file and line, bounded, and without values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.phases.test_prepare_vercel import driven, written
from tests.rehearsal.vercel_stage import VercelWorld, shop, vercel_world
from wizard.phases.prepare.vercel_records import VercelRecord
from wizard.vercel.code import MOST_FILES, Use, candidates, places
from wizard.vercel.findings import Fate, Finding, Severity

FILES = {
    "web/src/app.tsx": b"import { inject } from '@vercel/analytics'\nimport Image from 'next/image'\n",
    "web/src/lib/url.ts": b"const a = 1\nexport const home = `https://${process.env.VERCEL_URL}`\n",
    "web/src/auth.ts": b"const back = 'https://shop-web.vercel.app/callback?secret=never-told'\n",
    "web/src/geo.ts": b"headers.get('x-vercel-ip-country')\nexport const runtime = 'edge'\n",
    "web/src/env.ts": b"if (import.meta.env.VITE_VERCEL_ENV === 'production') log(process.env.VERCEL)\n",
    "web/static/index.html": b"<script src='/_vercel/insights/script.js'></script>\n",
    "web/node_modules/x/index.js": b"process.env.VERCEL_REGION\n",
    "web/package.json": b'{"dependencies": {"@vercel/analytics": "1", "@vercel/kv": "1"}}',
    "api/other.py": b"os.environ['VERCEL_REGION']\n",
}


async def findings(small: VercelWorld, files: dict[str, bytes]) -> dict[str, Finding]:
    await small.stage.git.push("owner/shop", "main", files, "code")
    _, record = await driven(small)
    assert isinstance(record, VercelRecord)
    return {one.key: one for one in record.findings}


async def test_each_use_is_found_with_file_and_line_and_graded(tmp_path: Path) -> None:
    async with vercel_world(tmp_path) as small:
        found = await findings(small, FILES)
        told = {
            key: (one.severity, one.fate)
            for key, one in found.items()
            if key.startswith(("code.", "package."))
        }
        needs, lost = (Severity.MEDIUM, Fate.NEEDS_YOU), (Severity.MEDIUM, Fate.LOST)
        assert told == {
            "code.vercel_app": needs,
            "code.variable.VERCEL_URL": needs,
            "code.variable.VERCEL": needs,
            "code.variable.VITE_VERCEL_ENV": needs,
            "code.vercel_path./_vercel/insights": (Severity.LOW, Fate.LOST),
            "code.vercel_header.x-vercel-ip-country": lost,
            "code.next_image": (Severity.MEDIUM, Fate.CARRIED),
            "code.edge_runtime": (Severity.LOW, Fate.CARRIED),
            "package.@vercel/analytics": needs,
            "package.@vercel/kv": needs,
        }
        assert "src/lib/url.ts:2" in found["code.variable.VERCEL_URL"].what
        assert "src/auth.ts:1" in found["code.vercel_app"].what
        assert "src/app.tsx:1" in found["package.@vercel/analytics"].what
        assert "package.json" in found["package.@vercel/kv"].what
        assert "never-told" not in written(tmp_path)
        assert {sent.partition(" ")[0] for sent in small.stage.vercel.state.counts} == {"GET"}


async def test_a_variable_that_the_configuration_gives_is_carried_over(tmp_path: Path) -> None:
    config = shop()
    apps = tuple(
        replace(app, env_extra=(("VERCEL_URL", "shop.example"),)) if app.name == "web" else app
        for app in config.apps
    )
    async with vercel_world(tmp_path, config=replace(config, apps=apps)) as small:
        found = await findings(small, FILES)
        one = found["code.variable.VERCEL_URL"]
        assert (one.severity, one.fate) == (Severity.OK, Fate.CARRIED)


async def test_a_large_repository_is_searched_as_far_as_is_bearable_and_the_rest_is_said(
    tmp_path: Path,
) -> None:
    files = {
        f"web/src/part{n}.ts": b"export const n = process.env.VERCEL_ENV\n" for n in range(MOST_FILES + 30)
    }
    async with vercel_world(tmp_path) as small:
        found = await findings(small, files)
        unread = found["code.unread"]
        assert unread.severity is Severity.LOW and unread.what.startswith(f"{MOST_FILES} of ")
        assert found["code.variable.VERCEL_ENV"].what.endswith("more)")


def test_settings_and_likely_names_are_read_first_and_foreign_code_never() -> None:
    paths = ["src/a.test.ts", "src/deep/er/b.ts", "src/auth.ts", ".env.production", "node_modules/x.js",
             "dist/a.js", "logo.png", "a.min.js", "types.d.ts", "next.config.mjs"]  # fmt: skip
    found = candidates(paths)
    assert found == (".env.production", "next.config.mjs", "src/auth.ts", "src/deep/er/b.ts", "src/a.test.ts")


@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        ("import kv from '@vercel/kv'", {Use.PACKAGE}),
        ("const x = await import('@vercel/og')", {Use.PACKAGE}),
        ('const y = require("@vercel/edge-config")', {Use.PACKAGE}),
        ("# we left Vercel; vercel is gone", set()),
        ("const VERCELLI = 1; overcel_URL", set()),
        ("process.env.NEXT_PUBLIC_VERCEL_ENV", {Use.VARIABLE}),
        ("https://my-app-git-main-team.vercel.app/x", {Use.ADDRESS}),
        ("https://vercel.application.example", set()),
        ("import Image from 'next/legacy/image'", {Use.IMAGE}),
        ("export const config = { runtime: 'edge' }", {Use.EDGE}),
    ],
)
def test_a_line_is_what_it_is(line: str, kinds: set[Use]) -> None:
    assert {one.kind for one in places("a.ts", line)} == kinds


@settings(deadline=None)
@given(st.text(max_size=400))
def test_any_text_can_be_searched(text: str) -> None:
    assert all(one.line >= 1 and one.name in text for one in places("a.ts", text))
