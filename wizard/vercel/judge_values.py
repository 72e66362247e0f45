"""Judges variables, environments and stores: by name, target and branch; values are never told. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wizard.clients.vercel.models import Variable
from wizard.config import App
from wizard.vercel.findings import Fate, Finding, Judge, blocker, high, low, medium, ok
from wizard.vercel.inventory import Inventory

PUBLIC = re.compile(r"^(VITE|PUBLIC|NEXT_PUBLIC|NUXT_PUBLIC|GATSBY|REACT_APP)_")
_SECRET = re.compile(
    r"SECRET|PASSWORD|TOKEN|PRIVATE|CREDENTIAL|API_?KEY|ACCESS_KEY|SIGNING|DATABASE_URL|_DSN$"
)
VERCEL_NAME = re.compile(r"[\w.-]+\.vercel\.app\b")


def looks_secret(name: str) -> bool:
    return bool(_SECRET.search(name)) and not PUBLIC.match(name)


def variables(found: Inventory, app: App) -> Iterator[Finding]:
    for one in found.variables:
        yield _variable(one, app, one.name in found.supplied)
    if found.project.system_variables:
        how = (
            "VERCEL_URL, VERCEL_ENV and the like are not set there: give the ones that are read by env_extra"
        )
        yield low("system", "system variables are exposed", Fate.LOST, how)


def _variable(one: Variable, app: App, supplied: bool) -> Finding:
    key, what = f"variable.{one.label}", f"variable {one.label}"
    shared = ", shared by the team," if one.shared else ""
    if one.kind == "system":
        return low(key, what, Fate.LOST, "Vercel's own; the new host has none of that name")
    if "production" not in one.targets:
        return low(key, what, Fate.LOST, "there is production only; previews and development keep none")
    if one.value is None and supplied:
        return ok(key, what, Fate.CARRIED, "its value was given by you and is kept with your secrets")
    if one.value is None:
        return _unreadable(one, app, key, what)
    if VERCEL_NAME.search(one.value):
        how = "its value names an address of vercel.app that dies with the project: set another by env_extra"
        return high(key, what, Fate.NEEDS_YOU, how)
    if one.hint or one.integration:
        how = "carried over as it is, but an integration set it: it may be rotated or withdrawn from there"
        return medium(key, f"{what} of {one.hint or one.integration}", Fate.NEEDS_YOU, how)
    if not app.secrets_on_host and looks_secret(one.name):
        how = f"left out: the host of {app.name} holds no secret; move what needs it to the back end"
        return medium(key, what, Fate.LOST, how)
    when = "while building" if one.name in app.build_args else "while running"
    if PUBLIC.match(one.name) and one.name not in app.build_args:
        how = f"pages get it while they are built: add it to build_args of {app.name}"
        return medium(key, what, Fate.NEEDS_YOU, how)
    return ok(key, what, Fate.CARRIED, f"to the panel{shared} for use {when}")


def _unreadable(one: Variable, app: App, key: str, what: str) -> Finding:
    """Sensitive ones, and encrypted ones that Vercel did not decrypt: ciphertext is no value."""
    why = "nobody can read it back" if one.kind == "sensitive" else "Vercel did not decrypt it"
    return blocker(
        key, f"{what} is {one.kind}: {why}", "give its value, rotate it, or leave it behind knowingly"
    )


def environments(found: Inventory, app: App) -> Iterator[Finding]:
    for name in found.environments:
        how = "make a second application on a panel if it is still needed"
        yield low(f"environment.{name}", f"environment {name}", Fate.LOST, how)


def stores(found: Inventory, app: App) -> Iterator[Finding]:
    for one in found.stores:
        key, what = f"store.{one.name or one.id}", f"store {one.name or one.id} ({one.type})"
        if one.type == "blob":
            yield blocker(key, what, "it exists at Vercel only: copy its files elsewhere and change the code")
        else:
            how = "it goes on answering, but deleting the project may end it: claim it at its own vendor"
            yield high(key, what, Fate.NEEDS_YOU, how)
    known = {one.id for one in found.stores}
    for hinted in dict.fromkeys(v.store for v in found.variables if v.store and v.store not in known):
        what = f"store {hinted} that variables point to"
        yield high(f"store.{hinted}", what, Fate.NEEDS_YOU, "look at who bills it before the project goes")
    for one in found.edge_configs:
        how = "its items are exported; the application must read them from a file or a database"
        yield high(f"edge_config.{one.name}", f"Edge Config {one.name}", Fate.NEEDS_YOU, how)


JUDGES: tuple[Judge, ...] = (variables, environments, stores)
