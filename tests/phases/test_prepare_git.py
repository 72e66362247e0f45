"""prepare.git: what a panel would fail on in the middle of a build is found before anything is bought."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.phases.context import Bench, Turn
from tests.rehearsal.git_stage import SHOP, GitWorld, git_world, shop
from wizard.config import App, Config, GitHost
from wizard.engine.plan import Failed
from wizard.phases.prepare import dockerfile as dockerfiles
from wizard.phases.prepare.git import GitStep


async def _driven(there: GitWorld) -> Turn:
    bench = Bench(there.world, there.folder)
    turn = await bench.drive(GitStep(there.world.config))
    bench.close()
    return turn


def _web(config: Config, **changes: object) -> Config:
    web, api = config.apps
    changed: App = replace(web, **changes)  # type: ignore[arg-type]
    return replace(config, apps=(changed, api))


@pytest.mark.parametrize("host", list(GitHost))
async def test_a_repository_that_holds_everything_is_proven(tmp_path: Path, host: GitHost) -> None:
    async with git_world(tmp_path, config=shop(host=host)) as there:
        turn = await _driven(there)
        assert turn.done, turn.story
        assert {check.name for check in turn.checks} == {
            "web.repository",
            "web.branch",
            "web.dockerfile",
            "web.context",
            "web.build_args",
            "api.repository",
            "api.branch",
            "api.compose_file",
        }
        assert turn.applied == () and not there.stage.ledger.count(system="git", act="create")


@pytest.mark.parametrize(
    ("changes", "seen", "way"),
    [
        ({"repository": "owner/none"}, "owner/none is not shown", "Correct `repository`"),
        ({"branch": "production"}, "no branch production", "the default one is main"),
        ({"dockerfile": "Dockerfile"}, "not among", "there is web/Dockerfile"),
        ({"context": "web"}, "not there: package.json", 'Set `context = "/"`'),
        ({"build_args": ("VITE_NONE",)}, "without ARG: VITE_NONE", "ARG NAME"),
    ],
)
async def test_what_is_wrong_is_said_with_a_way_on(
    tmp_path: Path, changes: dict[str, object], seen: str, way: str
) -> None:
    async with git_world(tmp_path) as there:
        there.world.config = _web(there.world.config, **changes)
        turn = await _driven(there)
        assert isinstance(turn.hold, Failed)
        assert seen in turn.hold.why and any(way in one for one in turn.hold.ways)


async def test_a_private_repository_needs_its_key_to_be_wished_for(tmp_path: Path) -> None:
    async with git_world(tmp_path) as there:
        there.repository.private = True
        turn = await _driven(there)
        assert isinstance(turn.hold, Failed) and "could not clone" in turn.hold.why
        assert any("private_repository = true" in way for way in turn.hold.ways)


async def test_a_file_taken_out_later_is_noticed_when_asked_again(tmp_path: Path) -> None:
    async with git_world(tmp_path) as there:
        assert (await _driven(there)).done
        await there.git.push(SHOP, "main", {"deploy/docker-compose.prod.yml": b""}, "Tidy up")
        turn = await _driven(there)
        assert isinstance(turn.hold, Failed) and "api.compose_file" in turn.hold.why


DOCKERFILE = """\
# syntax=docker/dockerfile:1
ARG NODE=22
FROM node:${NODE} AS build
ARG VITE_URL VITE_ENV=prod
COPY --chown=node:node package.json \\
     # a remark in between
     "pnpm-lock.yaml" ./
COPY ["two words.txt", "/srv/"]
COPY src/*.ts docs ./
ADD https://example.org/a.tar.gz git@github.com:a/b.git /opt/
COPY $SOMEWHERE /x
COPY <<EOF /etc/motd
COPY never.txt /x
EOF
copy --from=build /repo/build /srv
RUN --mount=type=bind,source=x cp a b
"""


def test_what_a_dockerfile_takes_is_read_as_docker_reads_it() -> None:
    found = dockerfiles.read(DOCKERFILE)
    assert found.copied == (
        (5, "package.json"),
        (5, "pnpm-lock.yaml"),
        (8, "two words.txt"),
        (9, "src/*.ts"),
        (9, "docs"),
    )
    assert found.arguments == {"NODE", "VITE_URL", "VITE_ENV"}


def test_a_path_is_there_as_file_as_folder_and_by_pattern() -> None:
    found = dockerfiles.read(DOCKERFILE)
    files = ["app/package.json", "app/pnpm-lock.yaml", "app/two words.txt", "app/src/a.ts", "app/docs/x/y.md"]
    assert dockerfiles.missing(found, "/app/", files) == ()
    assert dockerfiles.missing(found, "app", files[:3]) == ((9, "src/*.ts"), (9, "docs"))
    assert len(dockerfiles.missing(found, "/", files)) == 5


@pytest.mark.parametrize(
    ("ignore", "left_out"),
    [
        ("", []),
        ("# docs\n\n!\n", []),
        ("docs\n", ["docs/x/y.md"]),
        ("/docs/\n", ["docs/x/y.md"]),
        ("**/*.md\n", ["docs/x/y.md", "top.md"]),
        ("*.md\n", ["top.md"]),
        ("*\n!src\n!package.json\n", ["docs/x/y.md", "top.md"]),
        ("docs\n!docs/x\n", []),
        ("src/[a-b].ts\n", ["src/a.ts"]),
        ("./src/?.ts\n", ["src/a.ts"]),
        ("src/[\n", []),
    ],
)
def test_what_a_dockerignore_leaves_out_is_missing(ignore: str, left_out: list[str]) -> None:
    files = ["package.json", "src/a.ts", "docs/x/y.md", "top.md"]
    found = dockerfiles.Dockerfile(tuple(enumerate(files)), frozenset())

    assert [path for _, path in dockerfiles.missing(found, "/", files, ignore)] == left_out


@pytest.mark.parametrize("name", [".dockerignore", "web/Dockerfile.dockerignore"])
async def test_a_file_that_is_copied_but_kept_from_the_build_is_said(tmp_path: Path, name: str) -> None:
    async with git_world(tmp_path) as there:
        await there.git.push(SHOP, "main", {name: b"**/*.json\n"}, "Smaller builds")

        turn = await _driven(there)

        assert isinstance(turn.hold, Failed)
        assert f"left out by {name}: package.json (line" in turn.hold.why
        assert any("`!package.json`" in way for way in turn.hold.ways)


@given(st.text(max_size=60), st.text(alphabet="ab/.*", min_size=1, max_size=20))
def test_any_dockerignore_is_read_without_a_crash(ignore: str, path: str) -> None:
    dockerfiles.missing(dockerfiles.read("COPY a b"), "/", [path], ignore)


@given(st.text(alphabet="COPYADRG \\\n\"'[]<-=$#aE./", max_size=200))
def test_any_text_is_read_without_a_crash(text: str) -> None:
    dockerfiles.missing(dockerfiles.read(text), "/", ["a"])
