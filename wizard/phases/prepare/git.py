"""prepare.git: every repository can be read, and what the panels will build is really in it."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.config import AppKind, Config
from wizard.engine.check import Check, check
from wizard.engine.plan import Failed, Plan, Refusal
from wizard.engine.step import Context, Phase, Step
from wizard.phases.prepare import dockerfile as dockerfiles

if TYPE_CHECKING:
    from wizard.clients.git import Head, Repository, Tree
    from wizard.config import App

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class AppSource:
    """What git has for an app; what could not be looked at is None. `text` is the Dockerfile's.

    `ignore` is the text of what keeps files from the build, `ignored_by` its path; both "" without one.
    """

    app: App
    repository: Repository | None
    head: Head | None = None
    tree: Tree | None = None
    text: str | None = None
    ignored_by: str = ""
    ignore: str = ""


class GitStep(Step[tuple[AppSource, ...]]):
    id = "prepare.git"
    title = "Look at the repositories"
    phase = Phase.PREPARE
    needs = ("prepare.credentials",)
    way_back = "The repositories are only read."
    enduring = False

    def __init__(self, config: Config) -> None:
        self.config = config

    async def observe(self, ctx: Context) -> tuple[AppSource, ...]:
        return tuple(await asyncio.gather(*(look(ctx, app) for app in self.config.apps)))

    def plan(self, facts: tuple[AppSource, ...]) -> Plan:
        found = [answer for source in facts for answer in judge(source)]
        wrong = [answer for answer in found if not answer.right]
        if not wrong:
            return Plan()
        why = "; ".join(dict.fromkeys(f"{answer.name}: {answer.seen}" for answer in wrong))
        ways = tuple(dict.fromkeys(answer.advice for answer in wrong))
        return Plan(hold=Failed(why, ways, Refusal.NOT_READY))

    async def verify(self, ctx: Context) -> Sequence[Check]:
        now = ctx.now()
        return [
            check(
                answer.name,
                answer.statement,
                answer.right,
                seen=answer.seen,
                vantage=f"{source.app.git_host.value} API",
                at=now,
                advice=answer.advice,
            )
            for source in await self.observe(ctx)
            for answer in judge(source)
        ]


async def look(ctx: Context, app: App) -> AppSource:
    """Raises CredentialError or UnreachableError; what is merely absent is None."""
    client = ctx.world.git.of(app.git_host)
    repository = await client.repository(app.repository)
    head = await client.head(app.repository, app.branch) if repository else None
    if head is None:
        return AppSource(app, repository)
    tree = await client.tree(app.repository, head.sha)
    if app.kind is not AppKind.DOCKERFILE:
        return AppSource(app, repository, head, tree)
    text = await client.read_file(app.repository, app.dockerfile, app.branch)
    # Beside the Dockerfile and named after it, or at the top of the context: the first that is there counts.
    named = (f"{app.dockerfile}.dockerignore", posixpath.join(app.context, ".dockerignore"))
    path = next((one.strip("/") for one in named if one.strip("/") in tree.files), "")
    ignore = await client.read_file(app.repository, path, app.branch) if path else None
    return AppSource(app, repository, head, tree, text, path, ignore or "")


@dataclass(frozen=True, slots=True)
class Judgement:
    name: str
    statement: str
    right: bool
    seen: str
    advice: str


def judge(source: AppSource) -> tuple[Judgement, ...]:
    """Pure. Later questions are left out when an earlier one shows that they can't be answered."""
    answers = [_repository(source)]
    if source.repository is None:
        return tuple(answers)
    answers.append(_branch(source))
    if source.head is None or source.tree is None:
        return tuple(answers)
    if source.app.kind is AppKind.COMPOSE:
        return (*answers, _file(source, source.app.compose_file, "compose_file"))
    answers.append(_file(source, source.app.dockerfile, "dockerfile"))
    if source.text is not None:
        found = dockerfiles.read(source.text)
        answers += [_context(source, found), _arguments(source, found)]
    return tuple(answers)


def _repository(source: AppSource) -> Judgement:
    app, found = source.app, source.repository
    name, statement = f"{app.name}.repository", f"{app.repository} can be read"
    if found is None:
        advice = "Correct `repository`, or give the token rights to read it (Contents: read)."
        return Judgement(name, statement, False, f"{app.repository} is not shown to this token", advice)
    secrecy = "private" if found.private else "public"
    seen = f"{found.name}, {secrecy}, default branch {found.default_branch}"
    if found.private and not app.private_repository:
        advice = "Set `private_repository = true`: the panel then gets a key of its own that may only read."
        return Judgement(name, statement, False, f"{seen}; the panel could not clone it", advice)
    if found.archived:
        return Judgement(name, statement, False, f"{seen}, archived", "Nobody can push to it: unarchive it.")
    if found.name.lower() != app.repository.lower():
        advice = f"It was renamed: set `repository` to {found.name!r}."
        return Judgement(name, statement, False, seen, advice)
    return Judgement(name, statement, True, seen, "")


def _branch(source: AppSource) -> Judgement:
    app = source.app
    assert source.repository is not None
    name, statement = f"{app.name}.branch", f"{app.repository} has the branch {app.branch}"
    if source.head is None:
        advice = f"Correct `branch`: the default one is {source.repository.default_branch}."
        return Judgement(name, statement, False, f"no branch {app.branch}", advice)
    first = source.head.message.splitlines()[0] if source.head.message else ""
    return Judgement(name, statement, True, f"{source.head.sha[:7]} {first}".strip(), "")


def _file(source: AppSource, path: str, key: str) -> Judgement:
    app, tree = source.app, source.tree
    assert tree is not None
    there = path.strip("/") in tree.files
    near = [one for one in tree.files if one.rpartition("/")[2] == path.rpartition("/")[2]]
    advice = f"Correct `{key}`" + (f": there is {', '.join(near[:_SHOWN])}." if near else ".")
    return Judgement(
        f"{app.name}.{key}",
        f"{path} is in {app.repository}, branch {app.branch}",
        there,
        path if there else f"not among {len(tree.files)} files",
        advice,
    )


def _context(source: AppSource, found: dockerfiles.Dockerfile) -> Judgement:
    app, tree = source.app, source.tree
    assert tree is not None
    name = f"{app.name}.context"
    statement = f"the build context {app.context} holds everything that {app.dockerfile} copies"
    lost = dockerfiles.missing(found, app.context, tree.files, source.ignore)
    if not tree.complete or not lost:
        cut = "" if tree.complete else "; the list of files was cut by the git host"
        return Judgement(name, statement, True, f"{len(found.copied)} paths are copied{cut}", "")
    shown = ", ".join(f"{path} (line {line})" for line, path in lost[:_SHOWN])
    if dockerfiles.missing(found, app.context, tree.files) == ():
        advice = f"{source.ignored_by} keeps it from the build: take it out, or add a line `!{lost[0][1]}`."
        return Judgement(name, statement, False, f"left out by {source.ignored_by}: {shown}", advice)
    if dockerfiles.missing(found, "/", tree.files) == ():
        advice = 'Set `context = "/"`: seen from the root of the repository everything is there.'
    else:
        advice = "Correct `context`, or the COPY lines of the Dockerfile."
    return Judgement(name, statement, False, f"not there: {shown}", advice)


def _arguments(source: AppSource, found: dockerfiles.Dockerfile) -> Judgement:
    app = source.app
    unknown = [name for name in app.build_args if name not in found.arguments]
    return Judgement(
        f"{app.name}.build_args",
        f"{app.dockerfile} takes every build argument of the configuration",
        not unknown,
        f"without ARG: {', '.join(unknown)}" if unknown else ", ".join(app.build_args) or "none configured",
        "Add `ARG NAME` before it is used, or take the name out of `build_args`: the build would not see it.",
    )
