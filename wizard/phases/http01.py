"""Proof over HTTP where the zone can't hold one: the old host's own proxy answers, for the names lead there.

The certificate exists before the flip all the same. It works for names that the old host's proxy serves
itself; a platform answers such questions on its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wizard.engine.step import Context
from wizard.errors import UnreachableError, WizardError
from wizard.phases import dns01
from wizard.phases.cutover.old_proxy import install, proxy_of

if TYPE_CHECKING:
    from wizard.clients.acme import ProofPage

_SEEN_WITHIN = 60.0
_ASK_AGAIN = 2.0


async def ability(ctx: Context, names: Sequence[str]) -> dns01.Ability:
    """Whether the old host's proxy can answer for every one of `names`."""
    from wizard.clients import caddyfile

    old = ctx.config.old_host
    if old is None or not old.proxy:
        return dns01.Ability(False, "there is no old host with a proxy of ours that could answer for them")
    elsewhere = [name for name in names if await dns01.addresses(ctx, name) != (old.address,)]
    if elsewhere:
        return dns01.Ability(False, f"{', '.join(elsewhere)} do not lead to the old host, which could answer")
    try:
        _, place = await proxy_of(ctx, old)
        caddyfile.proving(place.text, {name: {} for name in names})
    except (WizardError, ValueError) as error:
        return dns01.Ability(False, str(error))
    unnamed = [name for name in names if name not in caddyfile.served(place.text)]
    if unnamed:
        return dns01.Ability(False, f"the old host's proxy does not name {', '.join(unnamed)}")
    return dns01.Ability(True)


async def publish(ctx: Context, pages: Sequence[ProofPage]) -> None:
    """Have the old host answer, and return when it does. Raises UnreachableError when it does not."""
    from wizard.clients import caddyfile

    old = ctx.config.old_host
    assert old is not None
    wanted: dict[str, dict[str, str]] = {}
    for page in pages:
        wanted.setdefault(page.name, {})[page.path] = page.text
    host, place = await proxy_of(ctx, old)
    await install(ctx, host, place, caddyfile.proving(place.text, wanted))
    deadline = ctx.now() + _SEEN_WITHIN
    while not all(await asyncio.gather(*(_answered(ctx, page, old.address) for page in pages))):
        if ctx.now() > deadline:
            raise UnreachableError(
                f"The old host does not answer http://{pages[0].name}{pages[0].path}",
                "its proxy took the new configuration, and does something else",
                "Look at the log of the old host's proxy, and whether its port 80 is open; then run again.",
            )
        await ctx.world.clock.sleep(_ASK_AGAIN)


async def _answered(ctx: Context, page: ProofPage, address: str) -> bool:
    from wizard.checks.http import HttpProblem

    try:
        answer = await ctx.world.http.get(f"http://{page.name}{page.path}", address, fresh=True)
    except HttpProblem:
        return False
    return answer.status == 200 and answer.body.decode("utf-8", "replace").strip() == page.text


async def remove(ctx: Context) -> None:
    """Take every proof out of the old host's proxy again."""
    from wizard.clients import caddyfile

    old = ctx.config.old_host
    assert old is not None
    host, place = await proxy_of(ctx, old)
    text = caddyfile.without_proofs(place.text)
    if text != place.text:
        await install(ctx, host, place, text)
