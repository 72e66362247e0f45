"""Names that browsers open over HTTPS only: a warning there cannot be clicked away."""

from __future__ import annotations

import re
from collections.abc import Sequence

from wizard.engine.step import Context
from wizard.errors import UnreachableError
from wizard.phases import dns01

PRELOADED = frozenset({
    "android", "app", "bank", "boo", "channel", "chrome", "dad", "day", "dev", "eat", "esq", "fly", "foo",
    "gle", "gmail", "google", "ing", "insurance", "meet", "meme", "mov", "new", "nexus", "page", "phd",
    "play", "prof", "rsvp", "search", "youtube", "zip",
})  # fmt: skip
"""Top-level domains that browsers carry in their list as a whole (Chromium's preload list)."""
_AGE = re.compile(r"max-age\s*=\s*\"?(\d+)", re.IGNORECASE)


def in_force(header: str) -> bool:
    """Whether a Strict-Transport-Security header binds browsers; max-age=0 sets them free. Pure."""
    found = _AGE.search(header)
    return found is not None and int(found[1]) > 0


async def strict(ctx: Context, names: Sequence[str]) -> tuple[str, ...]:
    """A sentence for each name over which browsers would refuse to go on, asked where it stands now."""
    found: list[str] = []
    zone = ctx.config.dns.zone
    apex = await _header(ctx, zone)
    for name in names:
        last = name.rpartition(".")[2]
        own = await _header(ctx, name) if name != zone else apex
        if last in PRELOADED:
            found.append(f"{name}: browsers know .{last} as HTTPS only")
        elif in_force(own):
            found.append(f"{name}: its pages say Strict-Transport-Security: {own}")
        elif in_force(apex) and "includesubdomains" in apex.lower():
            found.append(f"{name}: {zone} says Strict-Transport-Security: {apex}")
    return tuple(found)


async def _header(ctx: Context, name: str) -> str:
    try:
        for address in await dns01.addresses(ctx, name):
            answer = await ctx.world.http.get(f"https://{name}/", address)
            return answer.header("strict-transport-security")
    except UnreachableError:
        return ""
    return ""
