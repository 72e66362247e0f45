"""Bringing a compose stack up as the panel does: labels put in, `.env` beside it, then docker compose."""

from __future__ import annotations

import posixpath
import shlex
from typing import TYPE_CHECKING

import yaml

from wizard.rehearsal.hosts import postgres as hosts_postgres
from wizard.rehearsal.hosts.state import Container, File, Volume
from wizard.rehearsal.panels.composition import Composition, Part, compose
from wizard.rehearsal.panels.images import pull
from wizard.rehearsal.panels.source import Failure, Write, fetch, home
from wizard.rehearsal.panels.state import Row, Settling

if TYPE_CHECKING:
    from wizard.rehearsal.panels.standin import Panel

BUILD_SECONDS = 60.0
STOP_SECONDS, READY_SECONDS = 4.0, 3.0
"""Stopping an old container, and until a new one's process answers."""
RAW_PATH = "docker-compose.yml"


def path_of(row: Row) -> str:
    if row["sourceType"] == "raw":
        return RAW_PATH
    return posixpath.normpath(str(row.get("composePath") or RAW_PATH).lstrip("/"))


def stored_text(panel: Panel, row: Row) -> str | None:
    """The compose file as it lies there: what was typed in, or the last clone's."""
    if row["sourceType"] == "raw":
        return str(row["composeFile"]) or None
    content = panel.state.sources.get(row["composeId"], {}).get(path_of(row))
    return content.decode("utf-8", "replace") if content is not None else None


def with_labels(panel: Panel, row: Row, data: Row) -> Row:
    """The services that domains lead to, with the proxy's labels and its network."""
    services = data.get("services") or {}
    for domain in panel.rows("domain", composeId=row["composeId"]):
        service = services.get(domain["serviceName"])
        if not isinstance(service, dict):
            raise Failure(f"Error: ❌ The service {domain['serviceName']} not found in the compose")
        router = f"{row['appName']}-{domain['uniqueConfigKey']}-{'websecure' if domain['https'] else 'web'}"
        labels = service.setdefault("labels", [])
        wanted = [
            "traefik.enable=true",
            f"traefik.http.routers.{router}.rule=Host(`{domain['host']}`)",
            f"traefik.http.services.{router}.loadbalancer.server.port={domain['port']}",
        ]
        if domain["certificateType"] == "letsencrypt":
            wanted.append(f"traefik.http.routers.{router}.tls.certresolver=letsencrypt")
        if isinstance(labels, dict):
            labels.update(dict(label.split("=", 1) for label in wanted))
        else:
            labels.extend(label for label in wanted if label not in labels)
        networks = service.setdefault("networks", ["default"])
        if isinstance(networks, dict):
            networks.setdefault("dokploy-network", None)
        elif "dokploy-network" not in networks:
            networks.append("dokploy-network")
        data.setdefault("networks", {}).setdefault("dokploy-network", {"external": True})
    return data


async def deploy(panel: Panel, row: Row, deployment: Row, write: Write) -> None:
    """Raises Failure with what docker compose would say. What runs already goes on then."""
    path = path_of(row)
    if row["sourceType"] == "raw":
        files, sha = {path: str(row["composeFile"]).encode()}, ""
    else:
        checkout = await fetch(panel, row, write)
        checkout.sign(deployment)
        files, sha = checkout.files, checkout.sha
    if not files.get(path):
        raise Failure(f"Error: ❌ Compose file not found: {home(row)}/{path}")
    data = _parsed(files[path].decode("utf-8", "replace"))
    found = compose(
        with_labels(panel, row, data), files, path, row, panel.docker, sha, lambda line: write(line)
    )
    own = f"compose -p {row['appName']} -f {path} up -d --build --remove-orphans"
    command, *chained = str(row.get("command") or own).split("&&")
    write(f"docker {command.strip()}")
    await _obtain(panel, found, write)
    await _up(panel, row, found, write)
    _route(panel, row)
    for part in chained:
        await _also(panel, row, part.strip(), write)
    write("Docker Compose Deployed: ✅")


async def _also(panel: Panel, row: Row, command: str, write: Write) -> None:
    """What a custom command runs after the stack is up: `docker compose … exec -T SERVICE COMMAND`."""
    write(command)
    words = command.split()
    if "exec" not in words:
        return
    service, *inner = [word for word in words[words.index("exec") + 1 :] if word != "-T"]
    boxes = [box for box in panel.docker.of_project(row["appName"]) if box.service == service]
    if not boxes or boxes[0].state != "running":
        raise Failure(f'service "{service}" is not running')
    code, output = await panel.host.shell(shlex.join(["docker", "exec", boxes[0].name, *inner]))
    write(output.decode("utf-8", "replace").strip() or f"exit status {code}")
    if code:
        raise Failure(f"Error: ❌ {command} failed with exit status {code}")


def _parsed(text: str) -> Row:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Failure(f"Error: ❌ {str(error).splitlines()[0]}") from error
    if not isinstance(data, dict) or not isinstance(data.get("services"), dict):
        raise Failure("Error: ❌ The compose file has no services")
    return data


async def _obtain(panel: Panel, found: Composition, write: Write) -> None:
    images = [part.image for part in found.parts if not part.built and part.image not in panel.docker.images]
    if images:
        write(" ".join(("Pulling", *dict.fromkeys(images))))
        await pull(panel, list(dict.fromkeys(images)))
    built = [part for part in found.parts if part.built]
    if not built:
        return
    write(f"Building {', '.join(part.service for part in built)}")
    await panel.stage.clock.sleep(BUILD_SECONDS)
    if panel.stage.faults.roll("panel", "build") == "fails":
        raise Failure(
            f"target {built[0].service}: failed to solve: process "
            '"/bin/sh -c pip install -r requirements.txt" did not complete successfully: exit code: 1'
        )


async def _up(panel: Panel, row: Row, found: Composition, write: Write) -> None:
    docker = panel.docker
    for name, external in found.volumes.items():
        if not external and name not in docker.volumes:
            docker.volumes[name] = Volume(name, labels={"com.docker.compose.project": row["appName"]})
            write(f"Volume {name}  Created")
    for name in found.networks:
        docker.networks.setdefault(name, "bridge")
    fresh = [part for part in found.parts if panel.state.running.get(part.container) != part.digest]
    fresh += [part for part in found.parts if part not in fresh and part.container not in docker.containers]
    for box in docker.of_project(row["appName"]):
        if box.name not in {part.container for part in found.parts}:
            docker.containers.pop(box.name)
            panel.state.running.pop(box.name, None)
            write(f"Container {box.name}  Removed")
    for part in found.parts:
        if part in fresh:
            _make(panel, row, part)
            write(f"Container {part.container}  {'Started' if part.lasting else 'Exited'}")
        else:
            docker.containers[part.container].state = "running" if part.lasting else "exited"
            write(f"Container {part.container}  Running")
    _begin_settling(panel, row, found, fresh)
    await panel.stage.clock.sleep(STOP_SECONDS if fresh else 0.5)


def _make(panel: Panel, row: Row, part: Part) -> None:
    """A new container; what its volumes lack, the image or its set-up puts there at the first start."""
    box = Container(
        part.container,
        part.image,
        row["appName"],
        part.service,
        state="running" if part.lasting else "exited",
        health="starting" if part.check_seconds else "",
        env=dict(part.env),
        mounts=list(part.mounts),
        ports=part.ports,
        networks=part.networks,
        restart=part.restart,
        command=part.command,
        version=part.version,
        log=[f"{panel.stamp()} INFO {part.service} starts"],
    )
    panel.docker.containers[box.name] = box
    panel.state.running[box.name] = part.digest
    if hosts_postgres.is_postgres(box):
        hosts_postgres.server_of(panel.host.state, box)
        return
    for mount in box.mounts:
        volume = panel.docker.volumes.get(mount.name)
        if volume is not None and mount.writable and not volume.files and not volume.databases:
            volume.files["initialised"] = File(f"fresh, by {part.service}\n".encode(), 0o600)


def _begin_settling(panel: Panel, row: Row, found: Composition, fresh: list[Part]) -> None:
    """Containers that were made anew are away until they answer, and until a check has seen it."""
    app = panel.app_of(row)
    never = bool(fresh) and panel.stage.faults.roll("panel", "health") == "never"
    main = app.service or app.name if app else ""
    served = next((part for part in found.parts if part.service == main), None)
    if app is not None and served is not None and served in fresh:
        away = STOP_SECONDS + max(READY_SECONDS, served.check_seconds)
        panel.front.app_version(app.name, "" if never else served.version, gap=away)
    elif app is not None and served is not None:
        panel.front.app_version(app.name, served.version)
    if fresh:
        seconds = max(max(READY_SECONDS, part.check_seconds) for part in fresh)
        panel.state.settling.append(
            Settling(
                "compose",
                row["composeId"],
                main,
                served.version if served else "",
                panel.now() + STOP_SECONDS + seconds,
                not never,
                containers=tuple(part.container for part in fresh),
            )
        )


def settle(panel: Panel, row: Row, due: Settling) -> None:
    """New containers have become healthy, or the one that the domains lead to never does."""
    for name in due.containers:
        box = panel.docker.containers.get(name)
        if box is None or box.state != "running":
            continue
        sick = not due.well and box.service == due.service
        if sick:
            # So that the next deployment makes it anew.
            panel.state.running.pop(name, None)
        box.health = ("unhealthy" if sick else "healthy") if box.health or sick else ""
        said = "ERROR health check failed: connection refused" if sick else f"INFO {box.service} is ready"
        box.log.append(f"{panel.stamp()} {said}")


def _route(panel: Panel, row: Row) -> None:
    """Labels of this deployment take the place of the last one's."""
    app = panel.app_of(row)
    domains = panel.rows("domain", composeId=row["composeId"])
    for host in panel.state.labels.get(row["composeId"], []):
        if host not in {domain["host"] for domain in domains}:
            panel.front.unroute(host)
    panel.state.labels[row["composeId"]] = [domain["host"] for domain in domains]
    if app is None:
        return
    for domain in domains:
        panel.front.route(
            domain["host"],
            app.name,
            str(domain["serviceName"]),
            bool(domain["https"]),
            str(domain["certificateType"]),
        )


def start_again(panel: Panel, row: Row) -> None:
    """`docker compose up` over the containers that are there."""
    app = panel.app_of(row)
    for box in panel.docker.of_project(row["appName"]):
        if box.restart != "no":
            box.state = "running"
        if app is not None and box.service == (app.service or app.name):
            panel.front.app_version(app.name, box.version, gap=READY_SECONDS)
