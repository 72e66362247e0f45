"""`allow-me`: let this address in again, through the API alone."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from wizard.allow_me import allow_me
from wizard.commands.options import Options
from wizard.commands.place import opened
from wizard.errors import ExitCode


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "addresses",
        metavar="ADDRESS",
        nargs="*",
        help="IPv4 or IPv6 address or network; without one, what a host that answers SSH sees",
    )


async def run(options: Options, arguments: argparse.Namespace) -> ExitCode:
    async with opened(options) as place:
        done = await allow_me(
            place.world,
            place.config,
            place.progress,
            arguments.addresses,
            say=None if options.json else print,
        )
        if options.json:
            for one in done:
                print(json.dumps({"event": "allowed", **asdict(one)}))
        elif any(one.changed for one in done):
            print("The hosts' own firewalls follow with the next run; SSH was never closed to you.")
    return ExitCode.DONE
