"""A server that the move can do without: asked for, left out when it can't be had, and taken up again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from tests.phases.context import Bench
from tests.phases.test_provision_troubles import Ended, billed, machines, run, standing
from tests.rehearsal.hetzner_stage import HetznerWorld, hetzner_world
from tests.rehearsal.small_stage import example
from wizard.config import Config, Server
from wizard.engine import progress as progress_file
from wizard.engine.events import StepState
from wizard.engine.operator import Unattended
from wizard.engine.plan import Ask
from wizard.engine.run import Result, engine_for
from wizard.engine.step import Phase
from wizard.phases.firewall import steps as firewall
from wizard.phases.provision import optional
from wizard.phases.provision.address import ensure_address
from wizard.report import gather as report
from wizard.report.render import Form, render

OWN = ("dev.address", "dev.server")


def config(**dev: Any) -> Config:
    base = example()
    wishes: dict[str, Any] = {"types": ("cpx22",), "locations": ("nbg1", "fsn1")}
    needed = tuple(dataclasses.replace(server, **wishes) for server in base.servers)
    spare = Server("dev", "dev", ("cpx12",), ("nbg1",), optional=True)
    return dataclasses.replace(base, servers=(*needed, dataclasses.replace(spare, **dev)))


async def begun(small: HetznerWorld, scarce: set[tuple[str, str]]) -> None:
    await small.world.hetzner.server_types()
    small.stage.hetzner.state.scarce |= scarce


def nothing_is_left_of_dev(small: HetznerWorld, ended: Ended) -> bool:
    machines = {row["name"] for row in standing(small, "servers")}
    addresses = {row["labels"]["role"] for row in standing(small, "primary_ips")}
    return "dev" not in machines | addresses and ended.told == billed(small)


async def test_no_room_for_it_anywhere_and_the_move_goes_on_without_it(tmp_path: Path) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg) as small:
        await begun(small, {("cpx12", "nbg1")})

        ended = await run(small, tmp_path, cfg)

        assert ended.result is Result.DONE, ended.open_ends
        assert {ended.state(name) for name in OWN} == {StepState.SKIPPED}
        assert "optional and left out" in ended.why("dev.server")
        assert nothing_is_left_of_dev(small, ended)


async def test_sold_out_only_when_it_is_ordered_leaves_no_address_behind(tmp_path: Path) -> None:
    cfg = config(types=("cpx12",))
    async with hetzner_world(tmp_path, config=cfg) as small:
        # Hetzner's list says that it is there; the order says that it is not.
        await begun(small, set())
        listed = await small.world.hetzner.server_types()
        assert any(type_.name == "cpx12" for type_ in listed)
        small.stage.hetzner.state.scarce |= {("cpx12", "nbg1")}

        ended = await run(small, tmp_path, cfg)

        assert ended.result is Result.DONE, ended.open_ends
        assert {ended.state(name) for name in OWN} == {StepState.SKIPPED}
        assert "cpx12 in nbg1" in ended.why("dev.server")
        assert nothing_is_left_of_dev(small, ended)


async def test_an_address_of_an_interrupted_run_is_given_back_when_nothing_is_left_to_order(
    tmp_path: Path,
) -> None:
    """Given a run that was killed between the first address and the second."""
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg) as small:
        before = Bench(small.world, tmp_path / "before")
        await ensure_address(before.context("provision.dev.address"), "dev", "ipv4", "nbg1")
        assert "dev" in {row["labels"]["role"] for row in standing(small, "primary_ips")}

        ended = await run(small, tmp_path, config(types=("cpx99",)))

        assert ended.result is Result.DONE, ended.open_ends
        assert {ended.state(name) for name in OWN} == {StepState.SKIPPED}
        assert nothing_is_left_of_dev(small, ended)


async def test_a_limit_that_leaves_no_room_for_it_is_told_and_no_failure(tmp_path: Path) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg) as small:
        small.stage.hetzner.state.address_limit = 4
        needed = dataclasses.replace(cfg, servers=cfg.servers[:2])
        assert (await run(small, tmp_path, needed)).result is Result.DONE

        ended = await run(small, tmp_path, cfg)

        assert ended.result is Result.DONE, ended.open_ends
        assert "reached a limit" in ended.why("dev.address")
        assert nothing_is_left_of_dev(small, ended)


async def test_what_the_operator_declines_is_left_out_until_the_configuration_wants_it(
    tmp_path: Path,
) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg) as small:
        progress = progress_file.load(tmp_path / "progress.toml")
        progress.answers[optional.question_id(cfg.server("dev"))] = optional.WITHOUT
        progress.save()
        first, second = await run(small, tmp_path, cfg), await run(small, tmp_path, cfg)
        assert first.result is second.result is Result.DONE
        assert "you chose to go on without it" in second.why("dev.server")
        assert nothing_is_left_of_dev(small, second)

        wanted = await run(small, tmp_path, config(optional=False))

        assert wanted.state("dev.server") is StepState.DONE
        assert sorted(row["name"] for row in standing(small, "servers")) == ["backend", "dev", "frontend"]


async def test_nobody_is_asked_for_a_server_that_stands_and_nothing_is_bought_unasked(tmp_path: Path) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg) as small:
        progress = progress_file.load(tmp_path / "progress.toml")
        async with engine_for(machines(cfg), small.world, progress, Unattended(yes=False)) as engine:
            plan = (await engine.plan())["provision.dev.address"]
        assert isinstance(plan.hold, Ask) and "gross" in plan.hold.question.text
        assert (await run(small, tmp_path, cfg)).state("dev.server") is StepState.DONE
        assert (await run(small, tmp_path, cfg)).state("dev.address") is StepState.DONE


async def test_a_machine_to_be_adopted_that_is_not_there_is_left_out(tmp_path: Path) -> None:
    cfg = config(adopt="openmates-dev")
    async with hetzner_world(tmp_path, config=cfg) as small:
        ended = await run(small, tmp_path, cfg)
        assert ended.result is Result.DONE and ended.state("dev.server") is StepState.SKIPPED
        assert "no server openmates-dev" in ended.why("dev.server")


async def test_a_later_run_has_it_made_and_the_report_tells_both(tmp_path: Path) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg) as small:
        await begun(small, {("cpx12", "nbg1")})
        ended = await run(small, tmp_path, cfg)
        told = render(report.gather(cfg, machines(cfg), ended.progress), Form.MARKDOWN)
        assert "`provision.dev.server` · skipped" in told and "dev is optional and left out" in told

        small.stage.hetzner.state.scarce = frozenset()
        again = await run(small, tmp_path, cfg)

        assert again.state("dev.server") is StepState.DONE
        assert again.told == billed(small)
        assert small.stage.ledger.duplicates() == ()


async def test_its_firewall_and_ports_are_left_out_with_it(tmp_path: Path) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg) as small:
        await begun(small, {("cpx12", "nbg1")})
        progress = progress_file.load(tmp_path / "progress.toml")
        every = (*machines(cfg), *firewall.steps(cfg))
        async with engine_for(every, small.world, progress, Unattended(yes=True)) as engine:
            await engine.run(Phase.PROVISION)
        left = {name for name, row in progress.steps.items() if row.state is StepState.SKIPPED}
        assert left == {
            *(f"provision.{name}" for name in OWN),
            *(f"firewall.dev.{layer}" for layer in ("cloud", "host", "ports")),
        }
