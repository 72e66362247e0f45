"""`init`: find what there is, read only, and write config.toml; asks only what cannot be found."""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.commands.lines import put_json, say
from wizard.commands.options import Options
from wizard.commands.place import live_secrets, opened
from wizard.config import Config, Dns, DnsProviderName, OldHost, Project
from wizard.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from wizard.init.ask import Asker
    from wizard.init.found import Wishes
    from wizard.world import World

_LOGIN = re.compile(r"(?:(?P<user>[^@\s]+)@)?(?P<address>\[[0-9a-fA-F:]+\]|[^:\s@]+)(?::(?P<port>\d{1,5}))?")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--write", type=Path, metavar="OUT", help="the file to write (default: the configuration)"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace a file that is there; it is kept as .bak"
    )
    parser.add_argument("--name", default="", help="a short name for the project")
    parser.add_argument("--email", default="", help="account of the panels, contact for certificates")
    parser.add_argument("--team", default="", help="the team at Vercel (default: all that the token sees)")
    parser.add_argument("--project", action="append", default=[], metavar="NAME", help="a project at Vercel")
    parser.add_argument("--repository", default="", metavar="OWNER/NAME", help="where the stack comes from")
    parser.add_argument("--branch", default="", help="its branch (default: the one that Vercel builds)")
    parser.add_argument("--zone", default="", help="the domain that the names lie in")
    parser.add_argument(
        "--old-host", default="", metavar="[USER@]ADDRESS[:PORT]", help="the machine of today"
    )
    parser.add_argument("--directory", default="", help="the checkout there that compose runs from")


async def run(options: Options, arguments: argparse.Namespace) -> ExitCode:
    from wizard import configfile
    from wizard.engine.files import write_atomically
    from wizard.init.found import Notes
    from wizard.init.interview import interview

    target = _target(options, arguments.write)
    asker = _asker(options)
    if target.exists() and not arguments.force:
        await _refuse_unasked(target, asker)
    notes = Notes()
    async with _outside(options, arguments) as (world, known):
        wishes = await _wishes(arguments, known, asker)
        found = await interview(world, wishes, asker, notes)
    text = _text(found)
    configfile.loads(text, str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, text, keep=target.with_name(f"{target.name}.bak"))
    _tell(options, target, notes.lines)
    return ExitCode.DONE


def _text(found: object) -> str:
    from wizard.init.describe import Described, tables
    from wizard.init.write import text

    assert isinstance(found, Described)
    introduction = (
        "What this migration is, as `dokploy-wizard init` found it: read it through and correct it.",
        "`dokploy-wizard check` reads it, asks every system, and changes nothing; config.toml.example shows",
        "everything that may stand here.",
        "No secret belongs here: tokens come from the environment, the system's keyring, or your own file.",
    )
    return text(introduction, tables(found))


def _target(options: Options, written: Path | None) -> Path:
    """A rehearsal's file lies with the rehearsal: it describes a world that isn't there."""
    if written is not None:
        return written
    return options.config_path if options.rehearsal is None else options.progress.with_name("config.toml")


def _asker(options: Options) -> Asker:
    from wizard.init.ask import Defaults, Terminal

    attended = not options.yes and not options.json and sys.stdin.isatty()
    return Terminal() if attended else Defaults()


async def _refuse_unasked(target: Path, asker: Asker) -> None:
    """Raises UsageError unless the operator lets the file be replaced."""
    from wizard.init.ask import text

    answer = await text(asker, "replace", f"There is a {target} already. Replace it? [y/N] ", "no")
    if answer.lower() not in ("y", "yes"):
        raise UsageError(
            f"There is a {target} already",
            "it may hold what you wrote by hand",
            "Use --write OUT for another file, or --force: the old one is then kept as .bak.",
        )


@contextlib.asynccontextmanager
async def _outside(
    options: Options, arguments: argparse.Namespace
) -> AsyncIterator[tuple[World, OldHost | None]]:
    """The world, and the old host as far as it is known without asking: in a rehearsal it is."""
    if options.rehearsal is not None:
        async with opened(options) as place:
            yield place.world, place.config.old_host
        return
    from wizard import configfile
    from wizard.world import World

    # Nothing is configured yet; the servers are those of the example, should Hetzner not be asked.
    blank = Config(
        Project(arguments.name, arguments.email),
        configfile.example().servers,
        (),
        Dns(DnsProviderName.MANUAL, arguments.zone),
    )
    world = World(blank, live_secrets(blank))
    try:
        yield world, None
    finally:
        await world.aclose()


async def _wishes(arguments: argparse.Namespace, known: OldHost | None, asker: Asker) -> Wishes:
    from wizard.init.ask import text
    from wizard.init.found import Wishes

    old = known
    if arguments.old_host:
        old = login(arguments.old_host)
    elif known is None:
        words = "Where does compose run today? [user@]address, empty for nowhere: "
        answer = await text(asker, "old_host", words, "")
        old = login(answer) if answer else None
    if old is not None and arguments.directory:
        old = replace(old, directory=arguments.directory)
    return Wishes(
        arguments.name,
        arguments.email,
        arguments.team,
        arguments.repository,
        arguments.branch,
        arguments.zone,
        old,
        tuple(arguments.project),
    )


def login(words: str) -> OldHost:
    """``[user@]address[:port]``. Raises UsageError."""
    found = _LOGIN.fullmatch(words.strip())
    if found is None:
        raise UsageError(f"{words!r} is no login", next="Write it like root@198.51.100.20 or root@host:2222.")
    address = found["address"].strip("[]")
    return OldHost(address, found["user"] or "root", int(found["port"] or 22))


def _tell(options: Options, target: Path, notes: list[str]) -> None:
    if options.json:
        put_json({"event": "written", "file": str(target), "notes": notes})
        return
    for note in notes:
        say(f"note: {note}")
    say(f"{target} is written. Read it through, then: dokploy-wizard check --config {target}")
