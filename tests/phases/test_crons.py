"""What Vercel called at set times is called by the panel, and never at both ends."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from tests.phases.apps_stage import example, scene
from wizard.config import VercelProject
from wizard.engine.plan import Ask, Failed
from wizard.phases.apps.crons import command
from wizard.phases.prepare.vercel_records import VercelRecord
from wizard.phases.settle.crons import OFF, QUESTION, EnableCrons

ROW = {"host": "openmates.org", "path": "/api/tick", "schedule": "0 5 * * *"}


async def test_a_schedule_is_off_until_vercel_s_is_off(tmp_path: Path) -> None:
    config = replace(example(), vercel=(VercelProject("openmates-web", "web"),))
    async with scene(tmp_path, config, servers=["frontend"], until="apps.web.trial") as found:
        project = next(iter(found.stage.vercel.state.projects.values()))
        project.document["crons"]["definitions"] = [ROW]
        record = VercelRecord(project.document["name"], project.id, "", crons=(("/api/tick", "0 5 * * *"),))
        found.bench.context("prepare.vercel").saved.save("vercel_openmates-web", record)
        made = await found.drive("apps.web.crons")
        assert made.done and len(made.applied) == 1, made.story
        (row,) = found.panel("frontend").table("schedule").values()
        assert row["enabled"] is False and row["timezone"] == "UTC"
        assert not (await found.drive("apps.web.crons")).applied

        step = EnableCrons(config)
        turn = await found.bench.drive(step)
        assert isinstance(turn.hold, Ask) and "/api/tick" in turn.hold.question.why
        assert not turn.hold.question.default
        turn = await found.bench.drive(step, {QUESTION: OFF})
        assert isinstance(turn.hold, Failed) and "still runs" in turn.hold.why and not row["enabled"]
        assert turn.hold.answer == QUESTION

        project.document["crons"]["disabledAt"] = 1
        turn = await found.bench.drive(step)
        assert turn.done and row["enabled"], turn.story
        project.document["crons"]["disabledAt"] = None
        (both,) = await step.verify(found.bench.context(step))
        assert not both.ok and "still at Vercel" in both.evidence.seen
        await found.bench.undo(step)
        assert not row["enabled"]


async def test_the_command_is_one_that_a_shell_understands(tmp_path: Path) -> None:
    text = command(example().app("web"), "/api/it's")
    process = await asyncio.create_subprocess_exec("sh", "-n", "-c", text)
    assert await process.wait() == 0
