"""`plan`: what every unfinished step would change, and the costs before and after. Changes nothing."""

from __future__ import annotations

import argparse

from wizard import phases
from wizard.commands.lines import plan_lines, put_json, say
from wizard.commands.options import Options
from wizard.commands.place import Place, opened
from wizard.engine.events import jsonable
from wizard.engine.plan import Failed, Money, Plan
from wizard.errors import ExitCode
from wizard.phases.costs import assumptions, foreseen, total, yearly


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("step", nargs="?", default="", metavar="STEP", help="only this step or phase")


async def run(options: Options, arguments: argparse.Namespace) -> ExitCode:
    async with opened(options) as place, place.engine() as engine:
        plans = await engine.plan()
        titles = {step.id: step.title for step in engine.steps}
        chosen = {id: plan for id, plan in plans.items() if _chosen(id, arguments.step)}
        before, after = costs(place, plans)
        if options.json:
            for id, plan in chosen.items():
                put_json({"event": "plan", "step": id, "title": titles[id], "plan": jsonable(plan)})
            sums = {"before": jsonable(before), "after": jsonable(after)}
            put_json({"event": "costs", **sums, "assumptions": assumptions(place.config, place.progress)})
        else:
            _print(chosen, titles)
            _print_costs(place, before, after)
    refused = any(isinstance(plan.hold, Failed) and plan.hold.refusal for plan in chosen.values())
    return ExitCode.FAILED if refused else ExitCode.DONE


def _chosen(step: str, wanted: str) -> bool:
    return not wanted or step == wanted or step.startswith(f"{wanted}.")


def _print(plans: dict[str, Plan], titles: dict[str, str]) -> None:
    for id, plan in plans.items():
        say(f"{titles[id]}  ({id})")
        for line in plan_lines(plan):
            say(f"  {line}")
    if not plans:
        say("Nothing is left to do.")


def _print_costs(place: Place, before: tuple[Money, ...], after: tuple[Money, ...]) -> None:
    say(f"Costs before: {_sum(before)}")
    say(f"Costs after:  {_sum(after)}")
    for line in assumptions(place.config, place.progress):
        say(f"  {line}")


def _sum(amounts: tuple[Money, ...]) -> str:
    monthly = " + ".join(map(str, amounts))
    return f"{monthly}, {yearly(amounts)}" if monthly else "not known yet"


def costs(place: Place, plans: dict[str, Plan]) -> tuple[tuple[Money, ...], tuple[Money, ...]]:
    """Monthly totals by currency: what is there already, and what the plans would add to it."""
    known = phases.costs_of(place.config, place.progress)
    return known.before, total([*known.after, *foreseen(place.config, place.progress, plans)])
