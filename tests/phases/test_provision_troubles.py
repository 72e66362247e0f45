"""Provision in trouble, through the whole engine: how it ends, what is left, what is billed and told."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.hetzner_stage import HetznerWorld, hetzner_world
from tests.rehearsal.small_stage import example
from wizard.config import Config
from wizard.engine import progress as progress_file
from wizard.engine.bus import Bus
from wizard.engine.events import Event, Output, StepChanged, StepState
from wizard.engine.operator import Unattended
from wizard.engine.progress import Progress
from wizard.engine.run import Result, engine_for
from wizard.engine.step import Phase, Step
from wizard.phases import costs_of
from wizard.phases.provision import adoption
from wizard.phases.provision import steps as provision
from wizard.phases.provision.server import ServerStep
from wizard.rehearsal.hetzner import servers as hetzner_servers
from wizard.rehearsal.hetzner.servers import Servers
from wizard.rehearsal.hetzner.state import EXPIRED_TOKEN, READ_ONLY_TOKEN, REHEARSAL_TOKEN, Document
from wizard.report import gather as report

WITH_ADDRESS = {"cx23": "7.13", "cpx12": "14.27", "cpx22": "23.79"}
ADDRESS_ALONE = "0.60"
"""Gross prices of a month in the rehearsal's catalogue."""


def config(**server: Any) -> Config:
    base = example()
    wishes = {"types": ("cx23", "cpx22"), "locations": ("nbg1", "fsn1"), **server}
    return dataclasses.replace(base, servers=tuple(dataclasses.replace(s, **wishes) for s in base.servers))


def machines(cfg: Config) -> tuple[Step[Any], ...]:
    """What Hetzner is needed for; logins and panels are others' tests."""
    return tuple(s for s in provision.steps(cfg) if not s.id.endswith((".login", ".panel", ".account")))


@dataclass
class Ended:
    """How a run ended, what it said, and what stands on disk."""

    result: Result
    progress: Progress
    events: list[Event]
    cfg: Config

    def state(self, step: str) -> StepState:
        return self.progress.state(f"provision.{step}")

    def why(self, step: str) -> str:
        return self.progress.step(f"provision.{step}").why

    @property
    def lines(self) -> list[str]:
        return [event.line for event in self.events if isinstance(event, Output)]

    @property
    def ways(self) -> list[str]:
        return [way for event in self.events if isinstance(event, StepChanged) for way in event.ways]

    @property
    def open_ends(self) -> list[str]:
        """Steps that failed or ask, the ones that are merely held up by them left out."""
        unsettled = (StepState.FAILED, StepState.ASKING)
        return [name for name, row in self.progress.steps.items() if row.state in unsettled]

    @property
    def told(self) -> Counter[str]:
        """Addresses that the report lists as billed, and its monthly prices."""
        costs = costs_of(self.cfg, self.progress)
        made = report.gather(self.cfg, machines(self.cfg), self.progress, costs.before, costs.after)
        return Counter(f"{host.ipv4} {host.monthly}" for host in made.hosts if host.ipv4)

    @property
    def after(self) -> list[str]:
        return [str(money.amount) for money in costs_of(self.cfg, self.progress).after]


async def run(small: HetznerWorld, folder: Path, cfg: Config) -> Ended:
    """A wizard's life: it reads its file, runs, and ends."""
    events: list[Event] = []
    bus = Bus()
    bus.subscribe(events.append)
    progress = progress_file.load(folder / "progress.toml")
    async with engine_for(machines(cfg), small.world, progress, Unattended(yes=True), bus) as engine:
        result = await engine.run(Phase.PROVISION)
        assert not engine.problems, engine.problems
    return Ended(result, progress, events, cfg)


def standing(small: HetznerWorld, table: str) -> list[Document]:
    return list(getattr(small.stage.hetzner.state, table).values())


def billed(small: HetznerWorld) -> Counter[str]:
    """What Hetzner writes on the invoice: machines with their address, and addresses by themselves."""
    found: Counter[str] = Counter()
    for ip in standing(small, "primary_ips"):
        if ip["type"] == "ipv4":
            server = small.stage.hetzner.state.servers.get(ip["assignee_id"] or 0)
            gross = WITH_ADDRESS[server["type"]] if server else ADDRESS_ALONE
            found[f"{ip['ip']} {gross} EUR/month"] += 1
    return found


async def test_no_capacity_in_two_types_and_one_place_ends_finished_and_billed_once(tmp_path: Path) -> None:
    cfg = config(types=("cx23", "cpx12", "cpx22"))
    async with hetzner_world(tmp_path, config=cfg) as small:
        short = {("cx23", "nbg1"), ("cpx12", "nbg1"), ("cpx12", "fsn1"), ("cpx22", "nbg1")}
        await small.world.hetzner.server_types()
        small.stage.hetzner.state.scarce |= short

        ended = await run(small, tmp_path, cfg)

        assert ended.result is Result.DONE
        assert {(row["type"], row["location"]) for row in standing(small, "servers")} == {("cpx22", "fsn1")}
        assert {ip["location"]["name"] for ip in standing(small, "primary_ips")} == {"fsn1"}
        assert any("Next choice: cpx22 in fsn1" in line and "gross" in line for line in ended.lines)
        assert ended.told == billed(small)
        assert ended.after == ["47.58"]


async def test_nothing_to_be_had_keeps_one_address_lists_it_and_names_what_could_be_had(
    tmp_path: Path,
) -> None:
    cfg = config(types=("cpx22",))
    async with hetzner_world(tmp_path, config=cfg) as small:
        await small.world.hetzner.server_types()
        small.stage.hetzner.state.scarce |= {("cpx22", "nbg1"), ("cpx22", "fsn1")}

        ended = await run(small, tmp_path, cfg)

        assert set(ended.open_ends) == {"provision.frontend.server", "provision.backend.server"}
        assert "tried: cpx22 in nbg1, cpx22 in fsn1" in ended.why("frontend.server")
        assert standing(small, "servers") == []
        assert {ip["location"]["name"] for ip in standing(small, "primary_ips")} == {"nbg1"}
        assert ended.told == billed(small) and sum(ended.told.values()) == 2
        assert any("one of these" in way and "gross" in way for way in ended.ways), ended.ways


async def test_a_full_placement_group_is_called_by_its_name_and_costs_no_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hetzner_servers, "_MOST_IN_GROUP", 0)
    base = config()
    cfg = dataclasses.replace(base, network=dataclasses.replace(base.network, placement_group=True))
    async with hetzner_world(tmp_path, config=cfg) as small:
        ended = await run(small, tmp_path, cfg)

        assert "apart from the others" in ended.why("frontend.server")
        assert any("placement_group = false" in way for way in ended.ways), ended.ways
        assert standing(small, "servers") == [] and ended.told == billed(small)


async def test_a_creation_that_hetzner_gives_up_leaves_no_torso_behind(tmp_path: Path) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg, faults="creation-fails") as small:
        ended = await run(small, tmp_path, cfg)

        assert ended.result is Result.DONE, ended.open_ends
        assert sorted(row["name"] for row in standing(small, "servers")) == ["backend", "frontend"]
        assert not any(row.get("stillborn") for row in standing(small, "servers"))
        assert ended.told == billed(small)
        assert small.stage.ledger.duplicates() == ()


async def test_a_name_taken_by_somebody_elses_server_is_one_question(tmp_path: Path) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg) as small:
        body = {"name": "frontend", "server_type": "cpx22", "location": "nbg1", "image": "ubuntu-24.04"}
        theirs = Servers(small.stage.hetzner).new(body)

        ended = await run(small, tmp_path, cfg)

        assert ended.result is Result.WAITING
        assert ended.open_ends == ["provision.frontend.server"]
        assert "Use it as it is?" in ended.why("frontend.server")
        assert small.stage.hetzner.state.servers[theirs["id"]]["labels"] == {}
        assert all(line in billed(small) for line in ended.told)


async def test_whoever_stopped_at_a_taken_name_is_asked_again_by_the_next_run(tmp_path: Path) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg) as small:
        body = {"name": "frontend", "server_type": "cpx22", "location": "nbg1", "image": "ubuntu-24.04"}
        Servers(small.stage.hetzner).new(body)
        progress = progress_file.load(tmp_path / "progress.toml")
        progress.answers["provision.frontend.server/foreign"] = adoption.STOP
        progress.save()

        stopped, asked = await run(small, tmp_path, cfg), await run(small, tmp_path, cfg)

        assert stopped.state("frontend.server") is StepState.FAILED
        assert any("Rename that server" in way for way in stopped.ways)
        assert asked.state("frontend.server") is StepState.ASKING


class Dies(BaseException):
    """The wizard is killed: nothing catches it."""


async def dies_before_it_notes_a_server(
    small: HetznerWorld, folder: Path, cfg: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(self: ServerStep, ctx: Any, made: Any, *, adopted: bool = False) -> None:
        raise Dies

    with monkeypatch.context() as patch:
        patch.setattr(ServerStep, "_save", die)
        with pytest.raises(BaseExceptionGroup):
            await run(small, folder, cfg)


async def test_our_own_half_built_server_from_a_dead_run_is_adopted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg) as small:
        await dies_before_it_notes_a_server(small, tmp_path, cfg, monkeypatch)
        assert standing(small, "servers")

        ended = await run(small, tmp_path, cfg)

        assert ended.result is Result.DONE
        assert small.stage.ledger.duplicates() == () and len(standing(small, "servers")) == 2
        assert ended.told == billed(small)


async def test_our_own_machine_that_never_came_to_life_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg) as small:
        await dies_before_it_notes_a_server(small, tmp_path, cfg, monkeypatch)
        for torso in standing(small, "servers"):
            torso["stillborn"] = True
        await small.stage.clock.leap(small.stage.clock.now() + 600)

        ended = await run(small, tmp_path, cfg)

        assert ended.result is Result.DONE, [ended.why(name[10:]) for name in ended.open_ends]
        assert sorted(row["name"] for row in standing(small, "servers")) == ["backend", "frontend"]
        assert not any(row.get("stillborn") for row in standing(small, "servers"))
        assert ended.told == billed(small)


@pytest.mark.parametrize(
    ("token", "said"), [(READ_ONLY_TOKEN, "may only read"), (EXPIRED_TOKEN, "does not accept the token")]
)
async def test_a_token_that_will_not_do_ends_before_anything_is_billed(
    tmp_path: Path, token: str, said: str
) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg, token=token) as small:
        ended = await run(small, tmp_path, cfg)

        assert ended.open_ends == ["provision.ssh_key"] and said in ended.why("ssh_key")
        assert small.stage.ledger.count("hetzner", "create") == 0
        assert ended.told == billed(small) == Counter()


async def test_a_server_limit_ends_with_its_name_and_lists_the_address_that_waits(tmp_path: Path) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg) as small:
        small.stage.hetzner.state.server_limit = 1

        ended = await run(small, tmp_path, cfg)

        assert ended.result is Result.FAILED and len(standing(small, "servers")) == 1
        (failed,) = ended.open_ends
        assert "server_limit" in ended.progress.step(failed).why
        assert ended.told == billed(small) and sum(ended.told.values()) == 2

        # and it goes on once the limit was raised
        small.stage.hetzner.state.server_limit = 5
        again = await run(small, tmp_path, cfg)
        assert again.result is Result.DONE and again.told == billed(small)
        assert small.stage.ledger.duplicates() == ()


async def test_a_token_that_expires_in_the_middle_is_replaced_and_nothing_is_made_twice(
    tmp_path: Path,
) -> None:
    cfg = config()
    async with hetzner_world(tmp_path, config=cfg, faults="expired-token") as small:
        ended = await run(small, tmp_path, cfg)

        assert set(ended.open_ends) == {"provision.frontend.server", "provision.backend.server"}
        assert "does not accept the token" in ended.why("frontend.server")
        assert standing(small, "servers") == []
        assert ended.told == billed(small) and sum(ended.told.values()) == 2
        assert ended.after == ["1.20"]

        small.stage.faults.profile = "none"
        await small.world.secrets.put("HCLOUD_TOKEN", REHEARSAL_TOKEN)
        again = await run(small, tmp_path, cfg)
        assert again.result is Result.DONE and again.told == billed(small)
        assert small.stage.ledger.duplicates() == ()
