"""What the operator said about a variable at Vercel counts when the variables are carried over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from tests.rehearsal.vercel_stage import VercelWorld, shop, vercel_world
from wizard.config import App, EnvSource
from wizard.engine.plan import Ask
from wizard.phases.apps.environment import EnvironmentFacts, EnvironmentStep, compare
from wizard.phases.apps.variables import Variables, gather, secret_name
from wizard.rehearsal.vercel.project import add_variable

QUESTION = "prepare.vercel.shop-web.variable.{} (production+preview)"


@asynccontextmanager
async def sensitive(folder: Path, name: str) -> AsyncIterator[tuple[VercelWorld, App]]:
    """A project with one variable that nobody can read back."""
    base = shop()
    web = replace(base.apps[0], env_source=EnvSource.VERCEL, secrets_on_host=True)
    config = replace(base, apps=(web, *base.apps[1:]))
    async with vercel_world(folder, config=config) as small:
        now = small.world.clock.now()
        add_variable(small.stage.vercel.state, small.project, name, "hidden-from-all", now, kind="sensitive")
        yield small, web


def asked(small: VercelWorld, app: App, variables: Variables) -> Ask | None:
    """The question about a value that the step of the variables would ask."""
    facts = EnvironmentFacts(
        variables,
        compare({}, variables.run),
        compare({}, variables.build),
        answers=small.bench.progress.answers,
    )
    hold = EnvironmentStep(small.world.config, app).plan(facts).hold
    return hold if isinstance(hold, Ask) else None


async def test_a_variable_that_is_left_behind_is_not_asked_about_again(tmp_path: Path) -> None:
    async with sensitive(tmp_path, "SIGNING_KEY") as (small, web):
        ctx = small.bench.context("apps.web.environment")
        before = asked(small, web, await gather(ctx, web))
        assert before is not None and "SIGNING_KEY" in before.question.text and before.question.secret
        small.bench.progress.answers[QUESTION.format("SIGNING_KEY")] = "leave"
        variables = await gather(ctx, web)
        assert variables.left == ("SIGNING_KEY",) and asked(small, web, variables) is None


async def test_what_pages_show_to_everybody_is_an_answer_and_masks_nothing(tmp_path: Path) -> None:
    from wizard.redact import redact

    async with sensitive(tmp_path, "VITE_PLACE") as (small, web):
        ctx = small.bench.context("apps.web.environment")
        question = asked(small, web, await gather(ctx, web))
        assert question is not None and not question.question.secret
        small.bench.progress.answers[secret_name(web, "VITE_PLACE")] = "lighthouse"
        variables = await gather(ctx, web)
        assert variables.run["VITE_PLACE"] == "lighthouse" and redact("a lighthouse") == "a lighthouse"
