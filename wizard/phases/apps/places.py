"""Where an app answers: at its old place, and at its new one by whichever name works there already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.engine.step import Context
from wizard.errors import WizardError
from wizard.phases import dns01
from wizard.phases.cutover.certificate_panel import domains_of
from wizard.phases.hosts import server_record

if TYPE_CHECKING:
    from wizard.checks.crawl import Place
    from wizard.config import App


@dataclass(frozen=True, slots=True)
class NewPlace:
    """`production` tells whether it is asked by its production name or still by a trial's."""

    place: Place
    production: bool


async def old_place(ctx: Context, app: App) -> Place | None:
    """Where visitors are led today, by the authoritative records; None when they are led nowhere."""
    from wizard.checks.crawl import Place

    if not app.domains:
        return None
    addresses = await dns01.addresses(ctx, app.domains[0])
    new = server_record(ctx, app.server)
    old = [address for address in addresses if address not in (new.ipv4, new.ipv6)]
    return Place(f"https://{app.domains[0]}", old[0]) if old else None


async def new_place(ctx: Context, app: App) -> NewPlace:
    """The new address, by the production name if it has a trusted certificate there, else by the trial's."""
    from wizard.checks.crawl import Place
    from wizard.checks.tls import look

    address = server_record(ctx, app.server).ipv4
    if app.domains:
        view = await look(ctx.world.net, app.domains[0], address, trust=ctx.world.endpoints.trust)
        if view.trusted:
            return NewPlace(Place(f"https://{app.domains[0]}", address), True)
    for domain in await domains_of(ctx, app):
        if domain.host not in app.domains:
            scheme = "https" if domain.https and domain.certificate != "none" else "http"
            return NewPlace(Place(f"{scheme}://{domain.host}", address), False)
    raise WizardError(
        f"{app.name} has no name at its new place yet", next=f"Run apps.{app.name}.trial first."
    )
