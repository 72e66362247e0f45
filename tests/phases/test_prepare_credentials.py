"""prepare.credentials: what is missing or wrong is a sentence with a way on, and nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.phases.context import Bench
from tests.rehearsal.entered import Entered, entered
from wizard import configfile
from wizard.engine.check import Check, CheckState
from wizard.engine.plan import Failed
from wizard.phases.prepare.credentials import CredentialsStep
from wizard.rehearsal.git.state import READ_ONLY_TOKEN as GIT_READ_ONLY
from wizard.rehearsal.git.state import STRANGER_TOKEN
from wizard.rehearsal.hetzner.state import EXPIRED_TOKEN, READ_ONLY_TOKEN
from wizard.rehearsal.vercel.state import OTHER_TEAM_TOKEN

REPOSITORY = "github.glowingkitty/OpenMates"


@dataclass(frozen=True)
class Asked:
    checks: dict[str, Check]
    hold: Failed | None

    def wrong(self) -> dict[str, Check]:
        return {name: one for name, one in self.checks.items() if not one.ok}


async def _asked(there: Entered, folder: Path) -> Asked:
    bench, step = Bench(there.world, folder), CredentialsStep(there.world.config)
    checks = {one.name: one for one in await step.verify(bench.context(step))}
    hold = (await bench.plan(step)).hold
    assert hold is None or isinstance(hold, Failed)
    assert there.made == ()
    bench.close()
    return Asked(checks, hold)


async def test_all_is_well_in_a_world_that_is(tmp_path: Path) -> None:
    async with entered(tmp_path) as there:
        asked = await _asked(there, tmp_path)
        assert set(asked.checks) == {
            "hetzner",
            "vercel.openmates-web",
            "github.glowingkitty/OpenMates",
            "dns",
            "old_host",
        }
        assert asked.wrong() == {} and asked.hold is None


@pytest.mark.parametrize(
    ("secret", "value", "name", "what", "way"),
    [
        ("HCLOUD_TOKEN", "", "hetzner", "There is no Hetzner token", "Set HCLOUD_TOKEN"),
        ("HCLOUD_TOKEN", READ_ONLY_TOKEN, "hetzner", "may only read", "Read & Write"),
        ("HCLOUD_TOKEN", EXPIRED_TOKEN, "hetzner", "does not accept the token", "HCLOUD_TOKEN"),
        ("HCLOUD_TOKEN", "half a token…", "hetzner", "characters that no Hetzner token has", "Copy it again"),
        ("VERCEL_TOKEN", "", "vercel.openmates-web", "no Vercel token", "VERCEL_TOKEN"),
        ("VERCEL_TOKEN", OTHER_TEAM_TOKEN, "vercel.openmates-web", "not good for team", "VERCEL_TOKEN"),
        ("GITHUB_TOKEN", "", REPOSITORY, "no GitHub token", "set GITHUB_TOKEN"),
        ("GITHUB_TOKEN", GIT_READ_ONLY, REPOSITORY, "it lacks “Webhooks", "Webhooks: read"),
        ("GITHUB_TOKEN", STRANGER_TOKEN, REPOSITORY, "shows no such thing", "Webhooks"),
        ("OLD_HOST_SSH_KEY", "", "old_host", "old host", ""),
    ],
)  # fmt: skip
async def test_one_wrong_credential_is_named_with_a_way_on(
    tmp_path: Path, secret: str, value: str, name: str, what: str, way: str
) -> None:
    async with entered(tmp_path) as there:
        await (there.secrets.put(secret, value) if value else there.secrets.drop(secret))
        asked = await _asked(there, tmp_path)
        found = asked.checks[name]
        assert found.state is CheckState.FAILED
        assert what in found.evidence.seen and way in found.advice and found.advice
        assert asked.hold is not None and what in asked.hold.why
        assert found.advice in asked.hold.ways
        others = {"dns"} if secret == "HCLOUD_TOKEN" else set()
        assert set(asked.wrong()) <= {name} | others
        if len(value) > 20:
            assert value not in str(asked.checks)


async def test_a_read_only_hetzner_token_still_shows_the_zone(tmp_path: Path) -> None:
    async with entered(tmp_path, faults="read-only-token") as there:
        asked = await _asked(there, tmp_path)
        assert set(asked.wrong()) == {"hetzner"}
        assert "may only read" in asked.checks["hetzner"].evidence.seen


async def test_a_project_that_is_not_the_team_s_is_named(tmp_path: Path) -> None:
    config = configfile.example()
    other = replace(config, vercel=(replace(config.vercel[0], name="another"),))
    async with entered(tmp_path) as there:
        there.world.config = other
        asked = await _asked(there, tmp_path)
        assert "no project another of team openmates" in asked.checks["vercel.another"].evidence.seen


async def test_a_wrong_team_is_told_apart_from_a_bad_token(tmp_path: Path) -> None:
    async with entered(tmp_path, faults="wrong-team") as there:
        found = (await _asked(there, tmp_path)).checks["vercel.openmates-web"]
        assert found.state is CheckState.FAILED and "team" in found.evidence.seen
        assert "scope" in found.advice or "team" in found.advice


async def test_without_any_network_nothing_is_known_and_that_is_said(tmp_path: Path) -> None:
    async with entered(tmp_path) as there:
        dead = "http://127.0.0.1:9"
        there.world.endpoints = replace(
            there.world.endpoints, hetzner=f"{dead}/v1", vercel=dead, github=dead, gitlab=dead
        )
        there.stage.internet.detach("198.51.100.20")
        asked = await _asked(there, tmp_path)
        assert {one.state for one in asked.checks.values()} == {CheckState.UNKNOWN}
        ways = {name: one.advice for name, one in asked.checks.items()}
        assert all("Check the network" in way for way in ways.values()), ways
        assert asked.hold is not None and "does not answer" in asked.hold.why


async def test_passing_trouble_is_outlasted(tmp_path: Path) -> None:
    async with entered(tmp_path, faults="flaky") as there:
        assert (await _asked(there, tmp_path)).wrong() == {}
