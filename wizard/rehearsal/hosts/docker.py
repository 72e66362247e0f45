"""Docker's command line on a rehearsal's host, over `Docker` in the host's state."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

from wizard.rehearsal.hosts import caddy as hosts_caddy
from wizard.rehearsal.hosts import postgres as hosts_postgres
from wizard.rehearsal.hosts import rollout as hosts_rollout
from wizard.rehearsal.hosts.kernel import pid_of
from wizard.rehearsal.hosts.shell import Call, program
from wizard.rehearsal.hosts.state import Container, Docker, File, Volume

VOLUMES = "/var/lib/docker/volumes/"
_ARCHIVE = b"USTAR"


@program("docker")
async def docker(call: Call) -> int:
    words = call.argv[1:]
    for verb, handler in _VERBS.items():
        if tuple(words[: len(verb)]) == verb:
            return await handler(call, words[len(verb) :])
    return await call.fail(f"'{' '.join(words[:2])}' is not known on this rehearsal's host")


async def _ps(call: Call, words: list[str]) -> int:
    wanted = [words[at + 1] for at, word in enumerate(words) if word == "--filter"]
    boxes = [
        box
        for box in call.host.docker.containers.values()
        if ("-a" in words or box.state == "running") and all(_matches(box, text) for text in wanted)
    ]
    if words[-1] == "{{.Names}}":
        return await call.say("".join(f"{box.name}\n" for box in boxes))
    return await call.say("".join(json.dumps(_row(box)) + "\n" for box in boxes))


def _matches(box: Container, text: str) -> bool:
    return text in (
        f"label=com.docker.compose.project={box.project}",
        f"label=com.docker.compose.service={box.service}",
        f"name={box.name}",
    )


def _row(box: Container) -> dict[str, str]:
    health = f" ({box.health})" if box.health else ""
    words = {"running": f"Up 12 days{health}", "paused": "Up 12 days (Paused)"}
    return {
        "ID": _id(box.name),
        "Names": box.name,
        "Image": box.image,
        "State": box.state,
        "Status": words.get(box.state, "Exited (0) 2 minutes ago"),
        "Labels": f"com.docker.compose.project={box.project},com.docker.compose.service={box.service}",
        "Mounts": ",".join(mount.name or mount.source for mount in box.mounts),
        "Ports": ", ".join(box.ports),
        "Networks": ",".join(box.networks),
    }


def _id(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


async def _inspect(call: Call, words: list[str]) -> int:
    names = [word for word in words if not word.startswith("-") and word != "container"]
    known = call.host.docker.containers
    missing = [name for name in names if name not in known]
    await call.say(json.dumps([_detail(known[name]) for name in names if name in known]) + "\n")
    return await call.fail(f"Error: No such container: {missing[0]}") if missing else 0


def _detail(box: Container) -> dict[str, Any]:
    state: dict[str, Any] = {
        "Status": box.state,
        "Running": box.state in ("running", "paused"),
        "Paused": box.state == "paused",
        "Pid": pid_of(box),
    }
    if box.health:
        state["Health"] = {"Status": box.health}
    return {
        "Id": _id(box.name),
        "Name": f"/{box.name}",
        "State": state,
        "Image": "sha256:" + _id(box.image),
        "HostConfig": {"RestartPolicy": {"Name": box.restart}},
        "Config": {
            "Image": box.image,
            "Cmd": box.command.split() or None,
            "Env": [f"{name}={value}" for name, value in box.env.items()],
            "Labels": {
                "com.docker.compose.project": box.project,
                "com.docker.compose.service": box.service,
            },
        },
        "Mounts": [
            {
                "Type": mount.kind,
                "Name": mount.name,
                "Source": mount.source or f"{VOLUMES}{mount.name}/_data",
                "Destination": mount.target,
                "RW": mount.writable,
            }
            for mount in box.mounts
        ],
        "NetworkSettings": {"Networks": {name: {} for name in box.networks}},
    }


def _change(state: str, restart: str | None = None) -> Callable[[Call, list[str]], Awaitable[int]]:
    async def change(call: Call, words: list[str]) -> int:
        for name in [word for word in words if not word.startswith("-") and not word.isdigit()]:
            box = call.host.docker.containers.get(name)
            if box is None:
                return await call.fail(f"Error response from daemon: No such container: {name}")
            box.state = state
            box.health = ("healthy" if box.health else "") if state == "running" else box.health
            if state == "running" and hosts_postgres.is_postgres(box):
                hosts_postgres.server_of(call.host.state, box)
            call.host.stage.ledger.record("host", state, f"{call.host.name} {name}")
            await call.say(f"{name}\n")
        return 0

    return change


async def _update(call: Call, words: list[str]) -> int:
    policy = next((word.partition("=")[2] for word in words if word.startswith("--restart=")), "")
    for name in [word for word in words if not word.startswith("-")]:
        box = call.host.docker.containers.get(name)
        if box is None:
            return await call.fail(f"Error response from daemon: No such container: {name}")
        box.restart = policy or box.restart
    return 0


async def _exec(call: Call, words: list[str]) -> int:
    words = [word for word in words if word not in ("-i", "-t", "-it")]
    name, *inner = words
    box = call.host.docker.containers.get(name)
    if box is None:
        return await call.fail(f"Error response from daemon: No such container: {name}")
    if box.state != "running":
        return await call.fail(f"Error response from daemon: container {name} is not running")
    tool = inner[0]
    if tool == "psql":
        return await hosts_postgres.psql(call, box, inner, call.stdin.decode())
    if tool == "pg_dump":
        return await hosts_postgres.pg_dump(call, box, inner)
    if tool == "pg_restore":
        return await hosts_postgres.pg_restore(call, box, inner, call.stdin)
    if tool == "caddy":
        return await hosts_caddy.caddy(call, box, inner)
    if tool in ("redis-cli", "sh", "true"):
        call.host.stage.ledger.record("host", "exec", f"{call.host.name} {name}", " ".join(inner))
        return await call.say("OK\n")
    await call.err(f'OCI runtime exec failed: exec: "{tool}": executable file not found in $PATH\n'.encode())
    return 127


async def _logs(call: Call, words: list[str]) -> int:
    box = call.host.docker.containers.get(words[-1])
    if box is None:
        return await call.fail(f"Error response from daemon: No such container: {words[-1]}")
    return await call.say("".join(f"{line}\n" for line in box.log))


async def _volume_ls(call: Call, words: list[str]) -> int:
    rows = [
        {"Name": volume.name, "Driver": "local", "Mountpoint": f"{VOLUMES}{volume.name}/_data"}
        for volume in call.host.docker.volumes.values()
    ]
    return await call.say("".join(json.dumps(row) + "\n" for row in rows))


async def _volume_create(call: Call, words: list[str]) -> int:
    name = words[-1]
    if name not in call.host.docker.volumes:
        labels = dict(words[at + 1].split("=", 1) for at, word in enumerate(words[:-1]) if word == "--label")
        call.host.docker.volumes[name] = Volume(name, labels=labels)
        call.host.stage.ledger.record("host", "create", f"volume {call.host.name} {name}")
    return await call.say(f"{name}\n")


async def _info(call: Call, words: list[str]) -> int:
    state = call.host.docker
    swarm = {
        "LocalNodeState": "active" if state.swarm else "inactive",
        "NodeAddr": state.advertise,
        "ControlAvailable": state.swarm,
        "Cluster": {"DefaultAddrPool": [state.pool]} if state.swarm else None,
    }
    return await call.say(json.dumps({"ServerVersion": state.version, "Swarm": swarm}) + "\n")


async def _service_ls(call: Call, words: list[str]) -> int:
    rows = [
        {"Name": s.name, "Image": s.image, "Mode": "replicated", "Replicas": f"{s.running}/{s.replicas}"}
        for s in call.host.docker.services.values()
    ]
    return await call.say("".join(json.dumps(row) + "\n" for row in rows))


async def _service_update(call: Call, words: list[str]) -> int:
    service = call.host.docker.services.get(words[-1])
    if service is None:
        return await call.fail(f"service {words[-1]} not found")
    if "--image" in words:
        return await hosts_rollout.update_image(call, service, words[words.index("--image") + 1])
    for option in ("--publish-rm", "--publish-add"):
        if option in words:
            await hosts_rollout.publish(call, service, words[words.index(option) + 1], option)
    return await call.say(f"{service.name}\n")


async def _network_ls(call: Call, words: list[str]) -> int:
    return await call.say("".join(f"{name}\n" for name in call.host.docker.networks))


_VERBS: dict[tuple[str, ...], Callable[[Call, list[str]], Awaitable[int]]] = {
    ("ps",): _ps,
    ("inspect",): _inspect,
    ("start",): _change("running"),
    ("stop",): _change("exited"),
    ("pause",): _change("paused"),
    ("unpause",): _change("running"),
    ("update",): _update,
    ("exec",): _exec,
    ("logs",): _logs,
    ("volume", "ls"): _volume_ls,
    ("volume", "create"): _volume_create,
    ("info",): _info,
    ("service", "ls"): _service_ls,
    ("service", "update"): _service_update,
    ("network", "ls"): _network_ls,
    **hosts_rollout.VERBS,
}


@program("dw-volume")
async def dw_volume(call: Call) -> int:
    return await volume_tool(call, call.argv[1], call.argv[2])


async def volume_tool(call: Call, verb: str, path: str) -> int:
    """dw-volume's verbs over a volume's files."""
    state: Docker = call.host.docker
    volume = state.volumes.get(path.removeprefix(VOLUMES).partition("/")[0])
    if volume is None:
        return await call.fail(f"{path} is missing", 4)
    if verb == "pack":
        await call.host.stage.clock.sleep(4.0)
        await call.out(packed(volume))
        return 0
    if verb == "unpack":
        if volume.files:
            return await call.fail(f"{path} is not empty", 5)
        try:
            volume.files.update(_unpacked(call.stdin))
        except ValueError as error:
            return await call.fail(str(error), 2)
        return 0
    if verb == "manifest":
        lines = [
            f"{hashlib.sha256(file.content).hexdigest()} {name} {file.mode} {file.uid}:{file.gid}"
            for name, file in sorted(volume.files.items())
        ]
        size = sum(len(file.content) for file in volume.files.values())
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        return await call.say(f"files {len(lines)} bytes {size} digest {digest}\n")
    volume.files.clear()
    return 0


def packed(volume: Volume) -> bytes:
    """A volume's files as an archive of theirs."""
    rows = [
        [name, base64.b64encode(file.content).decode(), file.mode, file.uid, file.gid]
        for name, file in volume.files.items()
    ]
    return _ARCHIVE + json.dumps(rows).encode()


def _unpacked(archive: bytes) -> dict[str, File]:
    """Raises ValueError, as tar says it, for what is none or was cut."""
    if not archive.startswith(_ARCHIVE):
        raise ValueError("tar: This does not look like a tar archive")
    try:
        rows = json.loads(archive.removeprefix(_ARCHIVE))
    except ValueError:
        raise ValueError("tar: Unexpected EOF in archive") from None
    return {name: File(base64.b64decode(content), mode, uid, gid) for name, content, mode, uid, gid in rows}
