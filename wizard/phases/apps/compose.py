"""The compose file that a stack gets: reviewed, rewritten as far as the operator accepts it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from wizard.engine.step import Context
from wizard.errors import WizardError
from wizard.phases.apps.production import PinnedImages, Production
from wizard.phases.apps.review import declined
from wizard.phases.compose_setting import memory_of, setting_of, siblings_of
from wizard.phases.data.places import boxes
from wizard.phases.hosts import old_host

if TYPE_CHECKING:
    from wizard.compose.finding import Finding
    from wizard.compose.review import Review
    from wizard.config import App


async def original_of(ctx: Context, app: App) -> str:
    """The compose file as it stands in the branch. Raises WizardError when it is not there."""
    text: str | None = await ctx.world.git.of(app.git_host).read_file(
        app.repository, app.compose_file, app.branch
    )
    if text is None:
        raise WizardError(
            f"{app.compose_file} is not in {app.repository}",
            f"the branch {app.branch} has no such file",
            "Correct compose_file or branch in the configuration.",
        )
    return text


async def production(
    ctx: Context, app: App, pins: PinnedImages | None = None, *, advised: bool = False
) -> Production:
    """Review and rewrite of the stack's file, with the operator's decisions.

    `pins`: images in place of those without a version; None takes those that apps.<app>.source kept.
    `advised`: the file's neighbours and the host's memory are looked at too, for what a person has to do.
    """
    from wizard.compose.review import review

    original = await original_of(ctx, app)
    kept = pins or ctx.saved.load("pins", PinnedImages, step=f"apps.{app.name}.source")
    setting = await setting_of(
        ctx,
        app,
        original,
        siblings=await siblings_of(ctx, app) if advised else (),
        memory_mb=await memory_of(ctx, app.server) if advised else 0,
    )
    found = pinned(review(original, setting), dict(kept.images) if kept else {})
    return judged(app, found, declined(ctx.answers, app, found))


async def images_of_today(ctx: Context, app: App) -> PinnedImages:
    """What the old host runs for each service, by digest; empty without an old host or if it is not known."""
    from wizard.clients import commands
    from wizard.clients.ssh import CommandError

    if ctx.config.old_host is None:
        return PinnedImages()
    host = await old_host(ctx)
    names = [box.name for box in await boxes(host) if box.service]
    found: dict[str, str] = {}
    listed = (await host.run(commands.inspect_containers(*names))).stdout if names else "[]"
    for item in json.loads(listed):
        service = str(item["Config"]["Labels"]["com.docker.compose.service"])
        try:
            shown = await host.run(commands.docker("image", "inspect", str(item["Image"])))
        except CommandError:
            continue
        digests = json.loads(shown.stdout)[0].get("RepoDigests") or ()
        if digests:
            found[service] = str(digests[0])
    return PinnedImages(tuple(sorted(found.items())))


def pinned(found: Review, images: Mapping[str, str]) -> Review:
    """The review with an edit for each image without a version whose digest is known. Pure."""
    from wizard.compose import edits
    from wizard.compose.finding import Rule
    from wizard.compose.stack import read

    stack = read(found.text)

    def mended(finding: Finding) -> Finding:
        service = stack.service(finding.service)
        node = service.get("image") if service else None
        digest = images.get(finding.service)
        if finding.rule is not Rule.FLOATING_IMAGE or node is None or digest is None or finding.edits:
            return finding
        return replace(finding, edits=edits.replace(stack.document, node.value, digest))

    return replace(found, findings=tuple(map(mended, found.findings)))


def judged(app: App, found: Review, left: frozenset[str]) -> Production:
    """Pure: the file with all edits but those of the findings `left`, and what it then needs."""
    from wizard.compose.rewrite import rewrite

    made = rewrite(found, declined=left, name=app.compose_file)
    proposed = tuple(finding for finding in found.findings if finding.edits)
    return Production(
        found.text,
        made.text,
        made.diff,
        made.values,
        proposed,
        tuple(finding for finding in found.blocking if not finding.edits),
        _needs_clone(made.text),
        external_volumes(made.text),
        found.services,
        frozenset(finding.id for finding in made.declined),
        tuple(_own_diff(found, finding, app.compose_file) for finding in proposed),
    )


def _own_diff(found: Review, finding: Finding, name: str) -> str:
    """What one finding's edit changes by itself, secrets hidden."""
    from wizard.compose.finding import apply
    from wizard.compose.rewrite import diff

    secrets = {value for one in found.findings for _, value in one.values}
    return diff(found.text, apply(found.text, finding.edits), name, secrets)


def external_volumes(text: str) -> tuple[str, ...]:
    """Real names of the volumes that a compose file expects to exist."""
    from wizard.compose.document import entries, get, value_of
    from wizard.compose.stack import read

    section = read(text).document.section("volumes")
    if section is None:
        return ()
    names = []
    for entry in entries(section):
        external = get(entry.value, "external") if entry.value is not None else None
        if external is not None and value_of(entry.value, "external") != "false":
            names.append(value_of(entry.value, "name") or entry.key)
    return tuple(names)


def _needs_clone(text: str) -> bool:
    from wizard.compose.stack import read

    for service in read(text).services:
        if service.build_context is not None or any(mount.relative for mount in service.mounts):
            return True
    return "file: ./" in text or "file: ../" in text
