"""What a deployed app writes is watched, and a proof by webhook names the commit that was deployed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from tests.phases.apps_stage import Scene, example, scene
from wizard.clients.git import Head
from wizard.engine.check import Check, CheckState
from wizard.errors import WizardError
from wizard.phases.apps.delivery import Proven, _same


async def log_check(found: Scene, app: str) -> Check:
    step = found.step(f"apps.{app}.healthy")
    checks = await step.verify(found.bench.context(step))
    return next(one for one in checks if one.name == f"{app}.log")


async def test_what_an_app_writes_is_watched_since_its_deployment(tmp_path: Path) -> None:
    async with scene(tmp_path, example(), servers=["backend"]) as found:
        assert (await found.until("apps.api.healthy")).done
        calm = await log_check(found, "api")
        assert calm.state is CheckState.PASSED and "0 of" in calm.evidence.seen

        panel = found.panel("backend")
        box = next(box for box in panel.docker.containers.values() if box.service == "api")
        box.log.append("2001-01-01T00:00:00.000Z panic: long ago")
        assert (await log_check(found, "api")).state is CheckState.PASSED

        box.log += [f"{panel.stamp()} ERROR one", f"{panel.stamp()} panic: nil map"]
        told = await log_check(found, "api")
        assert told.state is CheckState.FAILED
        assert "api: panic: nil map" in told.evidence.seen and "api: ERROR one" in told.evidence.seen

        box.log[:] = [
            f"{panel.stamp()} ERROR one" if n % 4 == 0 else f"{panel.stamp()} INFO" for n in range(40)
        ]
        assert (await log_check(found, "api")).state is CheckState.PASSED, "there is nothing to compare with"
        old = {box.service: box for box in found.host("old-backend").docker.containers.values()}
        old["api"].log += ["INFO usual"] * 400
        # What another project's service wrote there excuses nothing here.
        other = next(box for box in old.values() if box.service != "api")
        other.service = "blog"
        other.log += ["ERROR of the blog"] * 400
        compared = await log_check(found, "api")
        assert compared.state is CheckState.FAILED and "on the old host 0.0%" in compared.evidence.seen
        old["api"].log += ["ERROR usual"] * 100
        assert (await log_check(found, "api")).state is CheckState.PASSED, "it wrote the same there"


@dataclass
class GitOfOneBranch:
    """Stands for the world, its git hosts and one of them."""

    sha: str

    @property
    def world(self) -> GitOfOneBranch:
        return self

    @property
    def git(self) -> GitOfOneBranch:
        return self

    def of(self, host: object) -> GitOfOneBranch:
        return self

    async def head(self, repository: str, branch: str) -> Head:
        return Head(branch, self.sha, "News")


async def test_a_deployment_of_another_commit_proves_no_webhook() -> None:
    app, ctx = example().app("web"), cast(Any, GitOfOneBranch("c" * 40))
    await _same(ctx, app, "a" * 40, "a" * 40)
    await _same(ctx, app, "a" * 40, "c" * 40)
    await _same(ctx, app, "a" * 40, "")
    with pytest.raises(WizardError) as refused:
        await _same(ctx, app, "a" * 40, "b" * 40)
    assert "a" * 12 in refused.value.why and "b" * 12 in refused.value.why


@pytest.mark.parametrize("pushed, commit, says", [
    ("a" * 40, "a" * 40, "as pushed"),
    ("a" * 40, "b" * 40, "came after aaaaaaaaaaaa"),
    ("a" * 40, "", "is not told"),
])  # fmt: skip
def test_a_proof_says_which_commit_was_deployed(pushed: str, commit: str, says: str) -> None:
    assert says in Proven("1", "2", 200, "d", 0.0, pushed, commit).told
