"""The command line: a thin door. It finds the command, opens it, and turns errors into sentences."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import NoReturn

from wizard.commands.options import common, options_from, rehearsing
from wizard.errors import ExitCode, UsageError, WizardError
from wizard.redact import redact

PROGRAM = "dokploy-wizard"
WIZARD = "wizard"
COMMANDS = {
    WIZARD: ("screens", "the wizard itself; what you get without a command"),
    "init": ("init", "find what there is (read only) and write config.toml"),
    "check": ("check", "configuration, credentials and their rights, reachability; changes nothing"),
    "plan": ("plan", "what would change, and what it costs; changes nothing"),
    "run": ("run", "the same engine without screens"),
    "status": ("status", "where the migration stands"),
    "verify": ("verify", "ask the outside again; changes nothing"),
    "undo": ("undo", "take a step or a phase back"),
    "watch": ("watch", "watch a name change its value all over the world"),
    "compose": ("compose", "review a compose file"),
    "allow-me": ("allow_me", "let this address in again, through the API alone"),
    "report": ("report", "every check with its evidence, every change, the way back"),
}
"""Command: its module in wizard.commands, and what it does."""
REHEARSE = "rehearse"
_TAKE_A_VALUE = ("--config", "--progress", "--seed", "--faults", "--speed")


@dataclass(frozen=True, slots=True)
class Call:
    """A command line taken apart: the command's name, the rest, and whether it is rehearsed."""

    command: str
    rest: tuple[str, ...]
    rehearsal: bool


class Parser(argparse.ArgumentParser):
    """Says usage errors like every other error."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message[:1].upper() + message[1:], next=f"See `{self.prog} --help`.")


class Version(argparse.Action):
    """Prints the installed version. Looked up only when asked for: the look-up is slow."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        print(f"{PROGRAM} {version(PROGRAM)}")
        parser.exit()


def take_apart(argv: Sequence[str]) -> Call:
    """Options may stand before or behind the command; `rehearse` stands before it."""
    rest = list(argv)
    rehearsal = False
    at = 0
    while at < len(rest):
        word = rest[at]
        if word == "--":
            break
        if word in _TAKE_A_VALUE:
            at += 2
        elif word.startswith("-"):
            at += 1
        elif word == REHEARSE and not rehearsal:
            rehearsal = True
            del rest[at]
        else:
            del rest[at]
            return Call(word, tuple(rest), rehearsal)
    return Call("", tuple(rest), rehearsal)


def overview() -> str:
    """The text of --help without a command."""
    width = max(map(len, COMMANDS)) + 2
    rows = [f"  {name:<{width}}{summary}" for name, (_, summary) in COMMANDS.items() if name != WIZARD]
    rows.append(f"  {REHEARSE:<{width}}any of these in the rehearsal world; alone: the wizard itself")
    codes = (
        "0 done · 1 failed · 2 bad usage or configuration · 3 waiting for you · 4 locked · 130 interrupted"
    )
    return "\n".join(["commands:", *rows, "", f"exit codes: {codes}"])


def parser_for(call: Call) -> Parser:
    words = [PROGRAM, *([REHEARSE] if call.rehearsal else []), *([call.command] if call.command else [])]
    parser = Parser(
        prog=" ".join(words),
        description=COMMANDS[call.command or WIZARD][1],
        epilog=None if call.command else overview(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    common(parser)
    if call.rehearsal:
        rehearsing(parser)
    if not call.command:
        parser.add_argument("--version", action=Version)
    return parser


def module_of(command: str) -> str:
    """The module behind a command. Raises UsageError with the nearest one that exists."""
    name = command or WIZARD
    if name in COMMANDS:
        return f"wizard.commands.{COMMANDS[name][0]}"
    import difflib

    near = difflib.get_close_matches(command, [*COMMANDS, REHEARSE], n=1)
    advice = f"Did you mean `{near[0]}`?" if near else f"See `{PROGRAM} --help`."
    raise UsageError(f"There is no command {command!r}", next=advice)


def dispatch(argv: Sequence[str]) -> int:
    """Run one command to its exit code. Raises what the command raises."""
    call = take_apart(argv)
    command = import_module(module_of(call.command))
    parser = parser_for(call)
    command.arguments(parser)
    arguments = parser.parse_args(call.rest)
    options = options_from(arguments, rehearsal=call.rehearsal)
    return int(asyncio.run(command.run(options, arguments)))


def main(argv: Sequence[str] | None = None) -> int:
    """The console script. Every error becomes a sentence on standard error; --debug adds the traceback."""
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    try:
        code = dispatch(words)
        sys.stdout.flush()
        return code
    except WizardError as error:
        return _explain(error, debug)
    except (KeyboardInterrupt, asyncio.CancelledError):
        return _explain(Interrupted(), debug=False)
    except BrokenPipeError:
        # The reader of our output went away (head, less): nobody is left to be told.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.DONE)
    except ExceptionGroup as group:
        known, unknown = group.split(WizardError)
        if known is not None and unknown is None:
            return _explain(_first(known), debug)
        return _explain(_unexpected(_first(group)), debug)
    except Exception as error:
        return _explain(_unexpected(error), debug)


class Interrupted(WizardError):
    exit_code = ExitCode.INTERRUPTED

    def __init__(self) -> None:
        super().__init__("Interrupted", "by you", "Run again: it goes on from here.")


def _first(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


def _unexpected(error: BaseException) -> WizardError:
    text = str(error).strip().splitlines()
    what = f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
    wrapped = WizardError(
        "Something went wrong that should not", what, "Run again with --debug and report it."
    )
    wrapped.__cause__ = error
    return wrapped


def _explain(error: BaseException, debug: bool) -> int:
    if debug:
        import traceback

        cause = error.__cause__ if error.__cause__ is not None else error
        sys.stderr.write(redact("".join(traceback.format_exception(cause))))
    print(redact(str(error)), file=sys.stderr, flush=True)
    return int(error.exit_code) if isinstance(error, WizardError) else int(ExitCode.FAILED)


if __name__ == "__main__":
    sys.exit(main())
