"""`report`: what was really done, with evidence, costs, points of no return and the runbook."""

from __future__ import annotations

import argparse
from pathlib import Path

from wizard import phases
from wizard.commands.lines import say
from wizard.commands.options import Options
from wizard.commands.place import configuration, loaded
from wizard.errors import ExitCode, UsageError
from wizard.report import gather as report
from wizard.report.render import Form, render


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=[form.value for form in Form], help="default: md")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there instead of printing")


async def run(options: Options, arguments: argparse.Namespace) -> ExitCode:
    config = configuration(options)
    progress = loaded(options)
    costs = phases.costs_of(config, progress)
    gathered = report.gather(config, phases.steps(config), progress, costs.before, costs.after)
    form = Form(arguments.format or (Form.JSON if options.json else Form.MARKDOWN))
    text = render(gathered, form)
    if arguments.output is None:
        say(text.rstrip("\n"))
        return ExitCode.DONE
    try:
        arguments.output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{arguments.output} cannot be written",
            (error.strerror or "").lower(),
            "Name another by --output.",
        ) from None
    return ExitCode.DONE
