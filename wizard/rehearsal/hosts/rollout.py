"""Docker on a rehearsal's host: services inspected and put on another image, images kept, stacks put back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import yaml

from wizard.rehearsal.hosts.state import Container, SwarmService

if TYPE_CHECKING:
    from wizard.config import App
    from wizard.rehearsal.hosts.shell import Call

UPDATE_SECONDS = 9.0
RECREATE_SECONDS = 7.0


async def _service_inspect(call: Call, words: list[str]) -> int:
    service = call.host.docker.services.get(words[-1])
    if service is None:
        await call.say("[]\n")
        return await call.fail(f"Error: no such service: {words[-1]}")
    status: dict[str, Any] = {"State": service.update_state} if service.update_state else {}
    container = {"Image": service.image, "Env": [f"{name}={value}" for name, value in service.env.items()]}
    spec = {
        "Name": service.name,
        "TaskTemplate": {"ContainerSpec": container},
        "Mode": {"Replicated": {"Replicas": service.replicas}},
        "EndpointSpec": {
            "Mode": "vip",
            "Ports": [
                {"Protocol": "tcp", "TargetPort": port, "PublishedPort": port, "PublishMode": "host"}
                for port in service.published
            ],
        },
    }
    return await call.say(json.dumps([{"Spec": spec, "UpdateStatus": status or None}]) + "\n")


async def update_image(call: Call, service: SwarmService, image: str) -> int:
    """Start-first: the old task answers until the new one is healthy."""
    docker = call.host.docker
    if image not in docker.images:
        return await call.fail(f"image {image} could not be accessed on a registry to record its digest.")
    docker.kept[service.image] = service.version
    service.update_state = "updating"
    await call.host.stage.clock.sleep(UPDATE_SECONDS)
    service.image, service.update_state = image, "completed"
    service.version = docker.kept.get(image, service.version)
    for box in docker.containers.values():
        if box.name.startswith(f"{service.name}."):
            box.image, box.version = image, service.version
    app = _app(call, service.name)
    if app is not None:
        call.host.stage.fronts.of(call.host.name).app_version(app.name, service.version)
    call.host.stage.ledger.record("host", "service update", f"{call.host.name} {service.name}", image)
    return await call.say(f"{service.name}\nverify: Service {service.name} converged\n")


async def publish(call: Call, service: SwarmService, wished: str, option: str) -> None:
    """A port taken away or added; the task is stopped and started anew, and nobody answers meanwhile.

    Docker compares the mode too, whose default is ingress: a port of mode host needs it said.
    """
    asked = dict(pair.split("=") for pair in wished.split(",")) if "=" in wished else {"target": wished}
    port, host = int(asked["target"]), call.host
    if option == "--publish-rm" and asked.get("mode") == "host":
        service.published = tuple(known for known in service.published if known != port)
        host.close(port)
    elif option == "--publish-add":
        service.published = (*service.published, port)
    if service.name == "dokploy":
        panel = host.stage.panels.of(host.name)
        panel.restart()
        if port in service.published:
            panel.open()
    host.stage.ledger.record("host", option, f"{host.name} {service.name}", wished)


def _app(call: Call, name: str) -> App | None:
    """Which of the configuration's apps runs under a name that the panel gave."""
    panel = call.host.stage.panels.of(call.host.name)
    rows = [row for table in ("application", "compose") for row in panel.table(table).values()]
    return next((panel.app_of(row) for row in rows if row["appName"] == name), None)


async def _tag(call: Call, words: list[str]) -> int:
    source, target = words[-2:]
    docker = call.host.docker
    source = next((name for name in docker.images if source in (name, _identity(name))), source)
    if source not in docker.images:
        return await call.fail(f"Error response from daemon: No such image: {source}")
    docker.images[target] = docker.images[source]
    running: list[SwarmService | Container] = [*docker.services.values(), *docker.containers.values()]
    docker.kept[target] = next(
        (one.version for one in running if one.image == source), docker.kept.get(source, "")
    )
    return 0


def _identity(image: str) -> str:
    """As `docker inspect` of a container tells its image."""
    return "sha256:" + hashlib.sha256(image.encode()).hexdigest()


async def _image_inspect(call: Call, words: list[str]) -> int:
    """By name, or by the identity that a container's `Image` tells."""
    for name, digest in call.host.docker.images.items():
        if words[-1] in (name, _identity(name)):
            image = {"Id": _identity(name), "RepoTags": [name], "RepoDigests": [digest]}
            return await call.say(json.dumps([image]) + "\n")
    return await call.fail(f"Error: No such image: {words[-1]}")


async def _image_rm(call: Call, words: list[str]) -> int:
    for name in [word for word in words if not word.startswith("-")]:
        call.host.docker.images.pop(name, None)
    return 0


async def _volume_rm(call: Call, words: list[str]) -> int:
    docker = call.host.docker
    for name in [word for word in words if not word.startswith("-")]:
        users = [box.name for box in docker.containers.values() if any(m.name == name for m in box.mounts)]
        if users:
            return await call.fail(f"Error response from daemon: remove {name}: volume is in use - {users}")
        if docker.volumes.pop(name, None) is None:
            return await call.fail(f"Error response from daemon: get {name}: no such volume")
        call.host.stage.ledger.record("host", "delete", f"volume {call.host.name} {name}")
    return 0


async def _compose_up(call: Call, words: list[str]) -> int:
    """``-p P -f FILE [-f OVERRIDE] up -d … --pull never SERVICES``: images of the last file win."""
    options = [words[at + 1] for at, word in enumerate(words) if word == "-f"]
    project = words[words.index("-p") + 1]
    services = words[words.index("never") + 1 :]
    boxes = [box for box in call.host.docker.of_project(project) if box.service in services or not services]
    if not boxes:
        return await call.fail(f"open {options[0]}: no such file or directory")
    wished = {box.name: _wished(call, options[1:], box) for box in boxes}
    missing = [image for image in wished.values() if image not in call.host.docker.images]
    if missing:
        return await call.fail(f"Error response from daemon: No such image: {missing[0]}")
    changed = [box for box in boxes if wished[box.name] != box.image]
    for box in changed:
        call.host.docker.kept[box.image] = box.version
        call.host.docker.kept.setdefault(f"file of {box.name}", box.image)
        box.image = wished[box.name]
        box.version = call.host.docker.kept.get(box.image, box.version)
    app = _app(call, project)
    for box in changed:
        if app is not None and box.service == app.service:
            front = call.host.stage.fronts.of(call.host.name)
            front.app_version(app.name, box.version, gap=RECREATE_SECONDS)
    await call.host.stage.clock.sleep(RECREATE_SECONDS if changed else 1.0)
    call.host.stage.ledger.record("host", "compose up", f"{call.host.name} {project}", " ".join(options))
    return await call.say("".join(f"Container {box.name}  Started\n" for box in changed))


def _wished(call: Call, overrides: list[str], box: Container) -> str:
    """The image that an override names for the service, else the one that the stack's own file does."""
    for path in overrides:
        file = call.host.state.files.get(path)
        services = (yaml.safe_load(file.content) or {}).get("services") or {} if file else {}
        if box.service in services:
            return str(services[box.service]["image"])
    return call.host.docker.kept.get(f"file of {box.name}", box.image)


VERBS: dict[tuple[str, ...], Callable[[Call, list[str]], Awaitable[int]]] = {
    ("service", "inspect"): _service_inspect,
    ("tag",): _tag,
    ("image", "inspect"): _image_inspect,
    ("image", "rm"): _image_rm,
    ("volume", "rm"): _volume_rm,
    ("compose",): _compose_up,
}
