"""What docker compose makes of a file: variables put in, references resolved, or its complaint."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wizard.compose import dotenv
from wizard.compose.interpolation import InterpolationError, substitute, variables
from wizard.rehearsal.hosts.state import Docker, Mount
from wizard.rehearsal.panels.source import Failure, home
from wizard.rehearsal.panels.state import Row

if TYPE_CHECKING:
    Files = Mapping[str, bytes]

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
_CHECK_EVERY = 30.0


@dataclass
class Part:
    """A service as its container will be. `check_seconds` until a health check first sees it; 0: none.

    `version` is what visitors see of it: the commit if it is built, else its image's tag, and a digest of
    its settings, so that the same settings give the same version again.
    """

    service: str
    container: str
    image: str
    built: bool
    env: dict[str, str]
    mounts: list[Mount]
    ports: tuple[str, ...]
    networks: tuple[str, ...]
    restart: str
    command: str
    check_seconds: float
    digest: str
    version: str

    @property
    def lasting(self) -> bool:
        """Whether it goes on running; a set-up job does its work and ends."""
        return not (
            self.service.endswith(("setup", "init", "migrate")) and self.restart in ("no", "on-failure")
        )


@dataclass
class Composition:
    """`volumes` tells of each name whether it must exist already."""

    parts: list[Part] = field(default_factory=list)
    volumes: dict[str, bool] = field(default_factory=dict)
    networks: list[str] = field(default_factory=list)


def compose(
    data: Row, files: Files, path: str, row: Row, docker: Docker, sha: str, write: Callable[[str], None]
) -> Composition:
    """Raises Failure with compose's own words."""
    folder = posixpath.dirname(path)
    values = {
        "APP_NAME": row["appName"],
        "COMPOSE_PROJECT_NAME": row["appName"],
        **dotenv.parse(row.get("env") or ""),
    }
    data = _filled(data, values, write)
    beside = {**files, posixpath.join(folder, ".env"): dotenv.write(values).encode()}
    made = Composition()
    volumes = _volumes(data, row["appName"], docker, made)
    networks = _networks(data, row["appName"], docker, made)
    services = {name: body for name, body in data["services"].items() if not (body or {}).get("profiles")}
    for name, body in services.items():
        maker = _Maker(name, body or {}, folder, beside, row, sha)
        maker.check_references(services, volumes, networks)
        made.parts.append(maker.part(volumes, networks))
    _check_ports(made, docker, row["appName"])
    return made


def _filled(data: Row, values: dict[str, str], write: Callable[[str], None]) -> Row:
    unset: dict[str, None] = {}

    def fill(value: Any, place: str) -> Any:
        if isinstance(value, dict):
            return {key: fill(part, f"{place}.{key}" if place else str(key)) for key, part in value.items()}
        if isinstance(value, list):
            return [fill(part, f"{place}.[]") for part in value]
        if not isinstance(value, str) or "$" not in value:
            return value
        try:
            unset.update(
                (use.name, None)
                for use in variables(value)
                if use.name not in values and use.default is None and not use.required
                and not use.replaced_if_set
            )  # fmt: skip
            return substitute(value, values)
        except InterpolationError as error:
            raise Failure(f"error while interpolating {place}: {error}") from error

    filled: Row = fill(data, "")
    for name in unset:
        write(f'level=warning msg="The \\"{name}\\" variable is not set. Defaulting to a blank string."')
    return filled


def _volumes(data: Row, project: str, docker: Docker, made: Composition) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, body in (data.get("volumes") or {}).items():
        external = bool((body or {}).get("external"))
        name = (body or {}).get("name") or (key if external else f"{project}_{key}")
        if external and name not in docker.volumes:
            raise Failure(f'external volume "{name}" not found')
        found[key] = name
        made.volumes[name] = external
    return found


def _networks(data: Row, project: str, docker: Docker, made: Composition) -> dict[str, str]:
    found = {"default": f"{project}_default"}
    for key, body in (data.get("networks") or {}).items():
        external = bool((body or {}).get("external"))
        name = (body or {}).get("name") or (key if external else f"{project}_{key}")
        if external and name not in docker.networks:
            raise Failure(f"network {name} declared as external, but could not be found")
        found[key] = name
    made.networks = list(found.values())
    return found


def _check_ports(made: Composition, docker: Docker, project: str) -> None:
    taken = {
        port.partition("->")[0].rpartition(":")[2]: box.name
        for box in docker.containers.values()
        if box.project != project and box.state == "running"
        for port in box.ports
        if "->" in port
    }
    for part in made.parts:
        for port in part.ports:
            published = port.partition("->")[0].rpartition(":")[2]
            if published in taken:
                raise Failure(
                    f"Error response from daemon: failed to set up container networking: Bind for "
                    f"0.0.0.0:{published} failed: port is already allocated"
                )


@dataclass
class _Maker:
    name: str
    body: Row
    folder: str
    files: Files
    row: Row
    sha: str

    def _invalid(self, what: str) -> Failure:
        return Failure(f'service "{self.name}" {what}: invalid compose project')

    def check_references(self, services: Row, volumes: dict[str, str], networks: dict[str, str]) -> None:
        if not self.body.get("image") and not self.body.get("build"):
            raise self._invalid("has neither an image nor a build context specified")
        for other in _names(self.body.get("depends_on")):
            if other not in services:
                raise self._invalid(f'depends on undefined service "{other}"')
        for network in _names(self.body.get("networks")):
            if network not in networks:
                raise self._invalid(f"refers to undefined network {network}")
        for source, _, _ in self._mounts():
            if source and not _is_path(source) and source not in volumes:
                raise self._invalid(f"refers to undefined volume {source}")
        if self.body.get("build"):
            self._check_build(self.body["build"])

    def _check_build(self, build: Any) -> None:
        body = {"context": build} if isinstance(build, str) else build
        context = posixpath.normpath(posixpath.join(self.folder, str(body.get("context") or ".")))
        path = posixpath.normpath(posixpath.join(context, str(body.get("dockerfile") or "Dockerfile")))
        if path.startswith("..") or path not in self.files:
            raise Failure(
                f"target {self.name}: failed to solve: failed to read dockerfile: open "
                f"{posixpath.basename(path)}: no such file or directory"
            )

    def part(self, volumes: dict[str, str], networks: dict[str, str]) -> Part:
        body, project = self.body, self.row["appName"]
        built = bool(body.get("build"))
        image = str(body.get("image") or f"{project}-{self.name}")
        digest = hashlib.sha256(
            json.dumps([body, self._environment(), self.sha if built else ""], default=str).encode()
        ).hexdigest()
        tail = image.rpartition("/")[2]
        tag = tail.partition(":")[2] or "latest"
        label = self.sha[:7] if built else tag.partition("@")[0]
        return Part(
            self.name,
            str(body.get("container_name") or f"{project}-{self.name}-1"),
            image,
            built,
            self._environment(),
            [_mount(self.name, *mount, volumes) for mount in self._mounts()],
            tuple(_port(item) for item in body.get("ports") or []),
            tuple(networks[name] for name in _names(body.get("networks")) or ["default"]),
            str(body.get("restart") or "no") if body.get("restart") is not False else "no",
            _command(body.get("command")),
            _check_seconds(body.get("healthcheck")),
            digest,
            f"{label}-{digest[:4]}",
        )

    def _environment(self) -> dict[str, str]:
        env: dict[str, str] = {}
        for path, required in _env_files(self.body.get("env_file")):
            place = posixpath.normpath(posixpath.join(self.folder, path))
            if place in self.files:
                env |= dotenv.parse(self.files[place].decode("utf-8", "replace"))
            elif required:
                where = posixpath.normpath(posixpath.join(home(self.row), self.folder, path))
                raise Failure(f"env file {where} not found: stat {where}: no such file or directory")
        given = self.body.get("environment") or {}
        if isinstance(given, list):
            given = dict(item.partition("=")[::2] for item in map(str, given))
        return env | {str(name): "" if value is None else str(value) for name, value in given.items()}

    def _mounts(self) -> list[tuple[str, str, bool]]:
        """(source, target, writable)."""
        found = []
        for item in self.body.get("volumes") or []:
            if isinstance(item, dict):
                source = str(item.get("source") or "")
                found.append((source, str(item.get("target") or ""), not item.get("read_only")))
                continue
            words = str(item).split(":")
            if len(words) == 1:
                found.append(("", words[0], True))
            else:
                found.append((words[0], words[1], "ro" not in words[2:]))
        return found


def _names(value: Any) -> list[str]:
    return [str(name) for name in value] if isinstance(value, (list, dict)) else []


def _is_path(source: str) -> bool:
    return source.startswith((".", "/", "~"))


def _mount(service: str, source: str, target: str, writable: bool, volumes: dict[str, str]) -> Mount:
    if source and _is_path(source):
        return Mount("bind", target, source=source, writable=writable)
    name = volumes.get(source) or hashlib.sha256(f"{service} {target}".encode()).hexdigest()
    return Mount("volume", target, name, writable=writable)


def _port(item: Any) -> str:
    if isinstance(item, dict):
        return f"{item.get('host_ip') or '0.0.0.0'}:{item.get('published', '')}->{item.get('target')}/tcp"
    words = str(item).split(":")
    if len(words) == 1:
        return f"{words[0]}/tcp"
    address = words[0] if len(words) == 3 else "0.0.0.0"
    return f"{address}:{words[-2]}->{words[-1].partition('/')[0]}/tcp"


def _env_files(value: Any) -> list[tuple[str, bool]]:
    items = value if isinstance(value, list) else [value] if value else []
    return [
        (str(item["path"]), bool(item.get("required", True))) if isinstance(item, dict) else (str(item), True)
        for item in items
    ]


def _command(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value or "")


def _check_seconds(check: Any) -> float:
    if not isinstance(check, dict) or check.get("disable") or not check.get("test"):
        return 0.0
    every = check.get("start_interval") if check.get("start_period") else None
    return _seconds(every or check.get("interval")) or _CHECK_EVERY


def _seconds(text: Any) -> float:
    found = _DURATION.fullmatch(str(text or ""))
    if found is None:
        return 0.0
    hours, minutes, seconds, thousandths = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds + thousandths / 1000
