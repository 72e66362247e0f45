"""Building an application's image and rolling it out as a swarm service."""

from __future__ import annotations

import hashlib
import posixpath
import re
from typing import TYPE_CHECKING, Any

from wizard.compose import dotenv
from wizard.rehearsal.hosts.state import Container, SwarmService
from wizard.rehearsal.panels.source import Failure, Write, fetch, home
from wizard.rehearsal.panels.state import Built, Row, Settling

if TYPE_CHECKING:
    from wizard.rehearsal.panels.standin import Panel

BUILD_SECONDS = 75.0
PULL_SECONDS = 12.0
UPDATE_SECONDS = 3.0
START_SECONDS = 8.0
"""From a new task's start until its application answers."""
_ARGUMENT = re.compile(r"(?im)^\s*ARG\s+(\w+)\s*(=?)")
_REQUIRED = re.compile(r"\$\{(\w+):?\?")
_TOO_MANY = (
    "toomanyrequests: You have reached your unauthenticated pull rate limit. "
    "https://www.docker.com/increase-rate-limit"
)


async def deploy(panel: Panel, row: Row, deployment: Row, write: Write) -> None:
    """Clone, build, update the service. Docker goes on with the rollout after this says done."""
    if row["sourceType"] == "docker":
        built = await _pull(panel, row, write)
    else:
        checkout = await fetch(panel, row, write)
        checkout.sign(deployment)
        built = await _build(panel, row, checkout.files, checkout.sha, write)
    if row["rollbackActive"] and row.get("rollbackRegistryId"):
        number = len(panel.rows("rollback", applicationId=row["applicationId"])) + 1
        rollback = panel.add(
            "rollback",
            {
                "applicationId": row["applicationId"],
                "deploymentId": deployment["deploymentId"],
                "version": number,
                "image": f"{row['appName']}:v{number}",
            },
        )
        deployment["rollbackId"] = rollback["rollbackId"]
        panel.state.kept[deployment["deploymentId"]] = built
        write(f"Pushed {row['appName']}:v{number} to the rollback registry")
    await roll_out(panel, row, built)
    write(f"Docker Deployed: ✅ {row['appName']}")


async def _pull(panel: Panel, row: Row, write: Write) -> Built:
    image = str(row.get("dockerImage") or "")
    if not image:
        raise Failure("Error: ❌ Docker image not found")
    write(f"Pulling {image}: ⏳")
    await pull(panel, [image])
    env = dotenv.parse(row.get("env") or "")
    return Built(image, image.rpartition(":")[2] if ":" in image.rpartition("/")[2] else "latest", env)


async def pull(panel: Panel, images: list[str]) -> None:
    """Images from a registry, which limits those who do not log in."""
    await panel.stage.clock.sleep(PULL_SECONDS)
    if images and panel.stage.faults.roll("panel", "pull") == "too_many_requests":
        raise Failure(f"Error response from daemon: {_TOO_MANY}")
    for image in images:
        digest = hashlib.sha256(image.encode()).hexdigest()
        panel.docker.images[image] = f"{image.partition(':')[0]}@sha256:{digest}"


async def _build(panel: Panel, row: Row, files: dict[str, bytes], sha: str, write: Write) -> Built:
    if row["buildType"] != "dockerfile":
        raise Failure(f"Error: ❌ {row['buildType']} failed to generate a build plan for this app")
    path = _inside(row.get("dockerfile") or "Dockerfile")
    context = _inside(row.get("dockerContextPath") or "/")
    write(f"Building {row['appName']}: docker build -f {home(row)}/{path} {home(row)}/{context}".rstrip("/"))
    if path not in files:
        raise Failure(
            f"ERROR: failed to solve: failed to read dockerfile: open {posixpath.basename(path)}: "
            "no such file or directory"
        )
    if context and not any(name.startswith(f"{context}/") for name in files):
        raise Failure(f"ERROR: unable to prepare context: path {home(row)}/{context} not found")
    await _run_build(panel, row, files[path].decode("utf-8", "replace"), write)
    panel.state.builds += 1
    version = f"{sha[:7]}-{panel.state.builds}"
    image = f"{row['appName']}:latest"
    panel.docker.images[image] = f"{row['appName']}@sha256:{hashlib.sha256(version.encode()).hexdigest()}"
    write(f"naming to docker.io/library/{image} done")
    return Built(image, version, dotenv.parse(row.get("env") or ""))


def _inside(path: str) -> str:
    """A path inside the clone, as the panel reads it: absolute ones begin at the repository's root."""
    found = posixpath.normpath(path.strip().lstrip("/") or ".")
    return "" if found == "." else found


async def _run_build(panel: Panel, row: Row, dockerfile: str, write: Write) -> None:
    given = dotenv.parse(row.get("buildArgs") or "")
    for name, has_default in _ARGUMENT.findall(dockerfile):
        if name not in given and not has_default:
            write(f"WARN: UndefinedVar: build argument '{name}' has no value")
    needed = [name for name in _REQUIRED.findall(dockerfile) if not given.get(name)]
    write("#5 [build 1/6] FROM docker.io/library/node")
    await pull(panel, [])
    fault = panel.stage.faults.roll("panel", "pull")
    if fault == "too_many_requests":
        raise Failure(f"ERROR: failed to solve: node: failed to resolve source metadata: {_TOO_MANY}")
    write("#9 [build 4/6] RUN pnpm install --frozen-lockfile")
    await panel.stage.clock.sleep(BUILD_SECONDS)
    if needed:
        raise Failure(
            f"#11 0.2 /bin/sh: {needed[0]}: parameter not set\nERROR: failed to solve: process "
            '"/bin/sh -c pnpm build" did not complete successfully: exit code: 2'
        )
    if panel.stage.faults.roll("panel", "build") == "fails":
        raise Failure(
            "#11 41.7 FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n"
            'ERROR: failed to solve: process "/bin/sh -c pnpm build" did not complete successfully: '
            "exit code: 134"
        )


async def roll_out(panel: Panel, row: Row, built: Built) -> None:
    """Tell Docker; whether the new task gets well is seen later (`settle`)."""
    await panel.stage.clock.sleep(UPDATE_SECONDS)
    service = panel.docker.services.get(row["appName"])
    first = service is None
    if service is None:
        service = SwarmService(row["appName"], built.image, running=0)
        panel.docker.services[row["appName"]] = service
    service.update_state = "updating"
    never = panel.stage.faults.roll("panel", "health") == "never"
    health: dict[str, Any] = row.get("healthCheckSwarm") or {}
    order = (row.get("updateConfigSwarm") or {}).get("Order", "start-first")
    seconds = START_SECONDS + (health.get("Interval") or 0) / 1e9 if health else START_SECONDS
    if (not health and not first) or order != "start-first":
        # Traffic goes to a task as soon as its process runs: until it answers, nobody does.
        show(panel, row, "" if never else built.version, gap=START_SECONDS)
    panel.state.settling.append(
        Settling(
            "application",
            row["applicationId"],
            row["appName"],
            built.version,
            panel.now() + seconds,
            not never,
            built.image,
            built.env,
        )
    )


def settle(panel: Panel, row: Row, due: Settling) -> None:
    """The end of a rollout: the new task took over, or Docker went back to the one before."""
    service = panel.docker.services.get(due.service)
    if service is None:
        return
    service.log.append(f"{panel.stamp()} INFO starting {due.version}")
    if not due.well:
        service.update_state = "rollback_completed" if service.running else "paused"
        service.log += [f"{panel.stamp()} ERROR health check failed: connection refused", "task: unhealthy"]
        return
    service.image, service.version, service.env = due.image, due.version, dict(due.env)
    service.running, service.update_state = service.replicas, "completed"
    service.log.append(f"{panel.stamp()} INFO listening, {due.version} is ready")
    _replace_task(panel, service)
    show(panel, row, due.version)


def _replace_task(panel: Panel, service: SwarmService) -> None:
    for name in [name for name in panel.docker.containers if name.startswith(f"{service.name}.")]:
        panel.docker.containers.pop(name)
    name = f"{service.name}.1.{panel.suffix()}{panel.suffix()}"
    panel.docker.containers[name] = Container(
        name,
        service.image,
        state="running",
        health="healthy",
        env=dict(service.env),
        networks=("dokploy-network",),
        restart="no",
        version=service.version,
        log=list(service.log),
    )


def show(panel: Panel, row: Row, version: str, *, gap: float = 0.0) -> None:
    """What visitors get from now on."""
    app = panel.app_of(row)
    if app is None:
        return
    run = panel.front.state.apps.get(app.name)
    if gap or run is None or run.version != version:
        panel.front.app_version(app.name, version, gap=gap)
