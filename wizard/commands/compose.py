"""`compose FILE`: the review of a compose file by itself; `--write OUT` the file for production."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.commands.lines import put_json, say
from wizard.commands.options import Options
from wizard.errors import ExitCode, UsageError, WizardError

if TYPE_CHECKING:
    from wizard.compose.finding import Finding
    from wizard.compose.review import Review
    from wizard.compose.rewrite import Rewritten

_WIDTH = 78


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a compose file")
    parser.add_argument("--write", type=Path, metavar="OUT", help="write the file for production there")
    parser.add_argument("--diff", action="store_true", help="show what --write would change")
    parser.add_argument(
        "--accept",
        action="append",
        metavar="ID|RULE",
        help="make this finding's edit, or all of a rule, and no others (repeatable; default: all)",
    )
    parser.add_argument(
        "--decline",
        action="append",
        default=[],
        metavar="ID|RULE",
        help="leave this finding's edit out, or all of a rule (repeatable)",
    )
    parser.add_argument(
        "--memory", type=int, default=0, metavar="MB", help="the host's memory, for the sum of limits"
    )
    parser.add_argument(
        "--project", default="", metavar="NAME", help="the project's name on the old host, for its volumes"
    )


async def run(options: Options, arguments: argparse.Namespace) -> ExitCode:
    from wizard.compose.document import uncollected

    with uncollected():
        return _review(options, arguments)


def _review(options: Options, arguments: argparse.Namespace) -> ExitCode:
    from wizard.compose.files import read_file, setting_of
    from wizard.compose.review import review
    from wizard.compose.rewrite import rewrite

    file: Path = arguments.file
    _refuse_same(file, arguments.write)
    text = read_file(file)
    found = review(text, setting_of(file, memory_mb=arguments.memory, project=arguments.project))
    _refuse_unknown(found, [*(arguments.accept or ()), *arguments.decline])
    rewritten = rewrite(found, arguments.accept, declined=arguments.decline, name=file.name)
    if arguments.write:
        _write(arguments.write, rewritten.text)
    if options.json:
        _print_json(file, found, rewritten, arguments.write)
        return ExitCode.DONE
    _print(found)
    if arguments.diff and rewritten.changed:
        say(rewritten.diff.rstrip("\n"))
    if arguments.write:
        _print_written(rewritten, arguments.write)
    return ExitCode.DONE


def _refuse_same(file: Path, out: Path | None) -> None:
    if out is not None and out.exists() and file.exists() and out.samefile(file):
        raise UsageError(
            f"{out} is the file under review", next="Write to another file, then compare the two."
        )


def _refuse_unknown(found: Review, named: list[str]) -> None:
    from wizard.compose.finding import Rule

    unknown = set(named) - {finding.id for finding in found.findings} - {rule.value for rule in Rule}
    if unknown:
        raise UsageError(
            f"There is no finding {', '.join(sorted(unknown))}",
            next="`compose FILE --json` lists their ids.",
        )


def _print_json(file: Path, found: Review, rewritten: Rewritten, out: Path | None) -> None:
    from wizard.compose.review import finding_json

    for finding in found.findings:
        put_json({"event": "finding", **finding_json(finding)})
    put_json(
        {
            "event": "summary",
            "file": str(file),
            "services": list(found.services),
            "variables": list(found.variables),
            "findings": len(found.findings),
            "blocking": len(found.blocking),
            "accepted": [finding.id for finding in rewritten.accepted],
            "declined": [finding.id for finding in rewritten.declined],
            "by_hand": [finding.id for finding in rewritten.by_hand],
            "sets": [name for name, _ in rewritten.values],
            "written": str(out) if out else None,
        }
    )


def _print(found: Review) -> None:
    """Findings of one rule and reason under one heading, the places below."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for finding in found.findings:
        key = (finding.severity, finding.rule, finding.why, finding.advice)
        groups.setdefault(key, []).append(finding)
    for listed in groups.values():
        _print_group(listed)
    edited = sum(1 for finding in found.findings if finding.edits)
    say(
        f"{_many(len(found.services), 'service')}, {_many(len(found.findings), 'finding')}, "
        f"{len(found.blocking)} must be dealt with"
    )
    if edited:
        say(f"{edited} of them by edits that --write makes and --diff shows")


def _print_group(listed: list[Finding]) -> None:
    first = listed[0]
    how = "edit" if all(finding.edits for finding in listed) else "by hand"
    if how == "by hand" and any(finding.edits for finding in listed):
        how = "edit, some by hand"
    say(f"{first.severity.value.upper().replace('-', ' ')}  {first.rule}  [{how}]")
    for finding in listed:
        names = ", ".join(finding.services) or "the stack"
        place = f"{finding.file} line" if finding.file else "line"
        _say_wrapped(f"{names}: {finding.what}", f"  {place} {finding.line:<5} ", " " * 13)
    _say_wrapped(first.why, "  ", "  ")
    _say_wrapped(first.advice, "  -> ", "     ")
    say()


def _say_wrapped(text: str, first: str, rest: str) -> None:
    for line in textwrap.wrap(
        text, _WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    ):
        say(line)


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _print_written(rewritten: Rewritten, out: Path) -> None:
    say(
        f"{out} is written: {_many(len(rewritten.accepted), 'finding')} mended, "
        f"{len(rewritten.declined)} declined, {len(rewritten.by_hand)} left to be done by hand"
    )
    for finding in rewritten.declined:
        say(f"  declined: {finding.id}")
    if rewritten.values:
        names = ", ".join(name for name, _ in rewritten.values)
        _say_wrapped(f"to be set in the panel's environment, from the old file: {names}", "  ", "  ")


def _write(out: Path, text: str) -> None:
    from wizard.engine.files import write_atomically

    try:
        write_atomically(out, text)
        out.chmod(0o644)
    except (OSError, WizardError) as error:
        why = error.why if isinstance(error, WizardError) else (error.strerror or "").lower()
        raise UsageError(f"{out} cannot be written", why, "Name another file by --write.") from None
