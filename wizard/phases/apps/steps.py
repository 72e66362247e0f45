"""Applications: made on the panels, built, reached by a temporary name, healthy, equal to the old ones.

Apps of different servers go side by side; the panel of one server deploys one thing at a time.
"""

from __future__ import annotations

from typing import Any

from wizard.config import Config
from wizard.engine.step import Step
from wizard.phases.apps.cache import CacheStep
from wizard.phases.apps.create import CreateStep
from wizard.phases.apps.crons import CronsStep, from_vercel
from wizard.phases.apps.deploy import DeployStep
from wizard.phases.apps.environment import EnvironmentStep
from wizard.phases.apps.healthy import HealthyStep
from wizard.phases.apps.parity import CorsStep, RoutesStep
from wizard.phases.apps.redirects import RedirectsStep, redirected
from wizard.phases.apps.source import SourceStep
from wizard.phases.apps.trial import TrialStep
from wizard.phases.apps.webhook import WebhookStep


def steps(config: Config) -> tuple[Step[Any], ...]:
    """Each app's way in the order in which it is gone, then what needs all of them."""
    found: list[Step[Any]] = []
    for app in config.apps:
        found += [
            CreateStep(config, app),
            SourceStep(config, app),
            EnvironmentStep(config, app),
            TrialStep(config, app),
            DeployStep(config, app),
            HealthyStep(config, app),
        ]
        if redirected(config, app):
            found.append(RedirectsStep(config, app))
        found.append(RoutesStep(config, app))
        if from_vercel(config, app):
            found.append(CronsStep(config, app))
        if app.cache_service:
            found.append(CacheStep(config, app))
        found.append(WebhookStep(config, app))
    return (*found, CorsStep(config))
