"""`allow-me [ADDRESS …]`: let this address reach the panels' port again, through Hetzner's API alone.

It needs no lock: a wizard that works, or hangs, in another window is no reason to stay locked out.
"""

from __future__ import annotations

import argparse

from wizard.commands.lines import put_json, say
from wizard.commands.options import Options
from wizard.commands.place import squeezed_in
from wizard.errors import ExitCode


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "addresses",
        nargs="*",
        metavar="ADDRESS",
        help="an address or small network to let in (default: the one that a server sees you come from)",
    )


async def run(options: Options, arguments: argparse.Namespace) -> ExitCode:
    from wizard.allow_me import allow_me

    tell = (lambda line: None) if options.json else say
    async with squeezed_in(options) as place:
        done = await allow_me(
            place.world, place.config, place.progress, arguments.addresses, say=tell, shared=place.shared
        )
    if options.json:
        for one in done:
            put_json(
                {
                    "event": "allowed",
                    "firewall": one.firewall,
                    "addresses": list(one.addresses),
                    "changed": one.changed,
                    "before": one.before,
                    "after": one.after,
                }
            )
    return ExitCode.DONE
