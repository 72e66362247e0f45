"""`compose FILE`: the review of a compose file by itself; `--write OUT` the file for production."""

from __future__ import annotations

import argparse
from pathlib import Path

from wizard.commands.lines import put_json, say
from wizard.commands.options import Options
from wizard.compose.review import Review, finding_json, read_file, review, setting_of
from wizard.compose.rewrite import diff, rewrite
from wizard.engine.files import write_atomically
from wizard.errors import ExitCode, UsageError


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a compose file")
    parser.add_argument("--write", type=Path, metavar="OUT", help="write the file for production there")
    parser.add_argument("--diff", action="store_true", help="show what would change")
    parser.add_argument(
        "--decline",
        action="append",
        default=[],
        metavar="ID",
        help="leave this finding's edit out (repeatable)",
    )
    parser.add_argument(
        "--memory", type=int, default=0, metavar="MB", help="the host's memory, for the sum of limits"
    )


async def run(options: Options, arguments: argparse.Namespace) -> ExitCode:
    file: Path = arguments.file
    found = review(read_file(file), setting_of(file, memory_mb=arguments.memory))
    _refuse_unknown(found, arguments.decline)
    rewritten = rewrite(found, arguments.decline) if arguments.write or arguments.diff else ""
    if options.json:
        _print_json(file, found, arguments.write)
    else:
        _print(found)
    if arguments.diff and not options.json:
        say(diff(found.text, rewritten, file.name).rstrip("\n"))
    if arguments.write:
        _write(file, arguments.write, rewritten)
    return ExitCode.DONE


def _refuse_unknown(found: Review, declined: list[str]) -> None:
    unknown = set(declined) - {finding.id for finding in found.findings}
    if unknown:
        raise UsageError(
            f"There is no finding {', '.join(sorted(unknown))}",
            next="`compose FILE --json` lists their ids.",
        )


def _print_json(file: Path, found: Review, out: Path | None) -> None:
    for finding in found.findings:
        put_json({"event": "finding", **finding_json(finding)})
    put_json(
        {
            "event": "summary",
            "file": str(file),
            "services": list(found.services),
            "findings": len(found.findings),
            "blocking": len(found.blocking),
            "written": str(out) if out else None,
        }
    )


def _print(found: Review) -> None:
    for finding in found.findings:
        names = ", ".join(filter(None, (finding.service, *finding.also))) or "the stack"
        say(f"line {finding.line}  {finding.severity}  {names}  ({finding.id})")
        say(f"    {finding.why}")
        if finding.advice:
            say(f"    {finding.advice}")
        for edit in finding.edits:
            for sign, text in (("-", edit.before), ("+", edit.after)):
                for line in text.splitlines():
                    say(f"    {sign} {line}")
    count = len(found.findings)
    say(f"{len(found.services)} services, {count} findings, {len(found.blocking)} of them must be dealt with")


def _write(file: Path, out: Path, text: str) -> None:
    if out.exists() and out.samefile(file):
        raise UsageError(
            f"{out} is the file under review", next="Write to another file, then compare the two."
        )
    try:
        write_atomically(out, text)
        out.chmod(0o644)
    except OSError as error:
        raise UsageError(
            f"{out} cannot be written", (error.strerror or "").lower(), "Name another file by --write."
        ) from None
