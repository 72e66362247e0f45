"""Where a panel clones an app from, and the read-only key with which it may.

| secret | what |
|---|---|
| DEPLOY_KEY_<APP> | private half of the key; a git host takes each key for one repository only |

The panel takes the git host's own key at first contact and appends whatever the host shows at each clone:
what is cloned is guarded by the branch and by what is read back here, not by that host key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.config import GitHost
from wizard.engine.step import Context
from wizard.errors import WizardError
from wizard.phases.cutover.certificate_panel import calls
from wizard.phases.hosts import secret_word
from wizard.records import PanelRecord

if TYPE_CHECKING:
    from wizard.config import App

_DOMAINS = {GitHost.GITHUB: "github.com", GitHost.GITLAB: "gitlab.com"}


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """Where the key lies already: `panel_id` on the panel ("" if not), `at_host` at the git host."""

    public: str = ""
    panel_id: str = ""
    at_host: bool = False


def clone_url(app: App) -> str:
    """Over HTTPS what everybody may read, over SSH what needs a key."""
    domain = _DOMAINS[app.git_host]
    if app.private_repository:
        return f"git@{domain}:{app.repository}.git"
    return f"https://{domain}/{app.repository}.git"


def key_secret(app: App) -> str:
    return f"DEPLOY_KEY_{secret_word(app.name)}"


def key_name(ctx: Context, app: App) -> str:
    """Its title on the panel and at the git host."""
    return f"dokploy-wizard {ctx.config.project.name} {app.name}"


async def look(ctx: Context, app: App) -> KeyFacts:
    """Empty for a public repository."""
    from wizard.clients.ssh import public_key_of

    if not app.private_repository:
        return KeyFacts()
    private = await ctx.world.secrets.get(key_secret(app))
    if not private:
        return KeyFacts()
    public = public_key_of(private)
    return KeyFacts(public, await _panel_id(ctx, app, public), await _at_host(ctx, app, public))


async def _panel_id(ctx: Context, app: App, public: str) -> str:
    known = await (await calls(ctx, app.server)).get("sshKey.all")
    return next((str(key["sshKeyId"]) for key in known or () if _same(key.get("publicKey"), public)), "")


async def _at_host(ctx: Context, app: App, public: str) -> bool:
    keys = await ctx.world.git.of(app.git_host).deploy_keys(app.repository)
    return any(_same(key.key, public) for key in keys)


def _same(one: object, other: str) -> bool:
    """Comments and blanks are no part of a key."""
    return str(one or "").split()[:2] == other.split()[:2]


async def make_key(ctx: Context, app: App) -> str:
    """The public half; made here once and kept as a secret."""
    from wizard.clients.ssh import generate_key, public_key_of

    private = await ctx.world.secrets.get(key_secret(app))
    if private:
        return public_key_of(private)
    private, public = generate_key(f"dokploy-wizard-{app.name}")
    await ctx.world.secrets.put(key_secret(app), private)
    return public


async def give_to_panel(ctx: Context, app: App) -> str:
    """The key's id on the panel, which checks the private half."""
    public = await make_key(ctx, app)
    known = await _panel_id(ctx, app, public)
    if known:
        return known
    record = ctx.saved.load("panel", PanelRecord, step=f"provision.{app.server}.account")
    if record is None:
        raise WizardError(
            f"The panel of {app.server} has no account yet", next=f"Run provision.{app.server}.account."
        )
    body = {
        "name": key_name(ctx, app),
        "description": f"Reads {app.repository}, writes nothing",
        "privateKey": await ctx.world.secrets.get(key_secret(app)),
        "publicKey": public,
        "organizationId": record.organization_id,
    }
    await (await calls(ctx, app.server)).post("sshKey.create", body)
    return await _panel_id(ctx, app, public)


async def give_to_host(ctx: Context, app: App) -> None:
    """A read-only deploy key at the git host; nothing happens when it is there."""
    public = await make_key(ctx, app)
    if not await _at_host(ctx, app, public):
        await ctx.world.git.of(app.git_host).add_deploy_key(app.repository, key_name(ctx, app), public)


async def take_back(ctx: Context, app: App) -> None:
    """Remove the key at the git host and on the panel."""
    from wizard.clients.ssh import public_key_of

    private = await ctx.world.secrets.get(key_secret(app))
    if not private:
        return
    public = public_key_of(private)
    host = ctx.world.git.of(app.git_host)
    for key in await host.deploy_keys(app.repository):
        if _same(key.key, public):
            await host.remove_deploy_key(app.repository, key.id)
    known = await _panel_id(ctx, app, public)
    if known:
        await (await calls(ctx, app.server)).post("sshKey.remove", {"sshKeyId": known})
    await ctx.world.secrets.drop(key_secret(app))
