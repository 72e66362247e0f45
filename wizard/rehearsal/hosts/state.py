"""What a rehearsal's host remembers: plain data that survives the world's process."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Proto(StrEnum):
    TCP = "tcp"
    UDP = "udp"
    ICMP = "icmp"


@dataclass(frozen=True, slots=True)
class CloudRule:
    """An inbound rule of a Cloud Firewall. `port` is "22", "8000-8100", "any" or "" (icmp)."""

    protocol: str
    port: str
    sources: tuple[str, ...]


@dataclass
class OpenPort:
    """`published` by Docker: packets are redirected before ufw can see them (IPv4 only)."""

    program: str
    published: bool = False


@dataclass
class UfwRule:
    """`source` is an address, a network or "" (anywhere); `port` 0 means every port."""

    action: str
    port: int
    source: str = ""

    def text(self) -> str:
        to = f"{self.port}/tcp" if self.port else "Anywhere"
        return f"{to:<26} {self.action.upper() + ' IN':<11} {self.source or 'Anywhere'}"


@dataclass
class Ufw:
    active: bool = False
    incoming: str = "deny"
    rules: list[UfwRule] = field(default_factory=list)


@dataclass
class NftTable:
    """`inet wizfw`: new connections to `closed` ports pass only from `admin`; `apart` reaches HTTPS only."""

    text: str = ""
    closed: tuple[int, ...] = ()
    admin: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()


@dataclass
class File:
    content: bytes
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


@dataclass
class Table:
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)


@dataclass
class Postgres:
    """One database. `sequences` are last values by name."""

    tables: dict[str, Table] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    indexes: int = 0
    constraints: int = 0
    extensions: tuple[str, ...] = ("plpgsql",)
    read_only: bool = False


@dataclass
class Volume:
    """A Docker volume; a PostgreSQL server's databases lie in the volume that it mounts."""

    name: str
    files: dict[str, File] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    databases: dict[str, Postgres] = field(default_factory=dict)
    lsn: int = 0x1_0000_0000


@dataclass
class Mount:
    """`kind` is volume or bind; `name` of the volume, or `source` on the host."""

    kind: str
    target: str
    name: str = ""
    source: str = ""
    writable: bool = True


@dataclass
class Container:
    """`project` and `service` are Compose's labels; `state` as docker ps says: running, exited, paused."""

    name: str
    image: str
    project: str = ""
    service: str = ""
    state: str = "running"
    health: str = ""
    env: dict[str, str] = field(default_factory=dict)
    mounts: list[Mount] = field(default_factory=list)
    ports: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    restart: str = "unless-stopped"
    command: str = ""
    version: str = ""
    log: list[str] = field(default_factory=list)


@dataclass
class SwarmService:
    name: str
    image: str
    replicas: int = 1
    running: int = 1
    published: tuple[int, ...] = ()
    version: str = ""
    update_state: str = ""
    env: dict[str, str] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)


@dataclass
class Docker:
    """`version` "" means that it isn't installed."""

    version: str = ""
    containers: dict[str, Container] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    networks: dict[str, str] = field(default_factory=dict)
    services: dict[str, SwarmService] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    """Versions by image, of images that were tagged or replaced by hand; see hosts_rollout."""
    swarm: bool = False
    advertise: str = ""
    pool: str = "10.0.0.0/8"

    def of_project(self, project: str) -> list[Container]:
        return [box for box in self.containers.values() if box.project == project]


@dataclass
class Job:
    """A detached job. `rc` None: it runs, or it was lost with the machine."""

    name: str
    script: str
    started: float
    log: bytearray = field(default_factory=bytearray)
    rc: int | None = None
    boot: int = 0


@dataclass(frozen=True)
class Counted:
    """From when a timer runs: the world's time, what leaps had covered by then, and this machine's time."""

    at: float = 0.0
    leapt: float = 0.0
    real: float = 0.0


@dataclass
class Deadman:
    """`phase`: armed, confirmed or reverted."""

    name: str
    script: str
    until: float
    phase: str = "armed"
    code: int = 0
    counted: Counted = field(default_factory=Counted)


@dataclass
class HostState:
    """`cloud_rules` None: no Cloud Firewall is attached. `boot` counts starts."""

    name: str
    ipv4: str
    ipv6: str
    private_ip: str
    memory_mb: int
    cpus: int
    disk_gb: int
    booted: float
    host_key: str
    authorized_keys: list[str] = field(default_factory=list)
    cloud_rules: tuple[CloudRule, ...] | None = None
    files: dict[str, File] = field(default_factory=dict)
    ports: dict[int, OpenPort] = field(default_factory=dict)
    ufw: Ufw = field(default_factory=Ufw)
    ufw_copies: dict[str, Ufw] = field(default_factory=dict)
    nft: NftTable | None = None
    units: dict[str, bool] = field(default_factory=dict)
    docker: Docker = field(default_factory=Docker)
    jobs: dict[str, Job] = field(default_factory=dict)
    ended_jobs: list[Job] = field(default_factory=list)
    deadmen: dict[str, Deadman] = field(default_factory=dict)
    boot: int = 1
    running: bool = True
    admin_seen: str = ""
    ssh_port: int = 22


@dataclass
class HostsState:
    hosts: dict[str, HostState] = field(default_factory=dict)
    old_login_key: str = ""
    old_login_public: str = ""
