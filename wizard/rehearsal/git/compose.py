"""A compose file as projects keep it: the old host's services, and a few habits of development."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.rehearsal.hosts.old import WORKERS

if TYPE_CHECKING:
    from wizard.config import App, Config, Database

_IMAGES = {"vault": "hashicorp/vault:1.19", "cms": "directus/directus:11.5", "cache": "dragonflydb/dragonfly"}
_POSTGRES = "postgres:13-alpine"
_POSTGRES_DATA = "/var/lib/postgresql/data"
_OFTEN = ("interval: 5s", "timeout: 3s", "retries: 10", "start_period: 10s")


def services(config: Config, app: App) -> tuple[str, ...]:
    """Names of the stack's services, the one that the domains lead to first."""
    volumes = [volume for volume in config.volumes if volume.app == app.name]
    names = [app.service or app.name, *(db.service for db in config.databases if db.app == app.name)]
    names += [service for volume in volumes for service in volume.services]
    names += [*WORKERS, *([app.cache_service] if app.cache_service else [])]
    return tuple(dict.fromkeys(names))


def variables(config: Config, app: App) -> tuple[str, ...]:
    """Names of the variables that the stack needs a value for."""
    names = ["PRODUCTION_URL", "INTERNAL_API_SHARED_TOKEN", "SECRET__STRIPE__API_KEY", "DIRECTUS_SECRET"]
    if any(db.app == app.name for db in config.databases):
        names += ["DATABASE_USERNAME", "DATABASE_PASSWORD", "DATABASE_NAME"]
    if app.cache_service:
        names.append("DRAGONFLY_PASSWORD")
    return (*names, *app.build_args)


def compose_text(config: Config, app: App) -> str:
    """The stack's file, without a value that is secret."""
    databases = {db.service: db for db in config.databases if db.app == app.name}
    lines = [f"# The stack of {config.project.name}: started with `docker compose up -d`.", "services:"]
    for name in services(config, app):
        lines += [f"  {name}:", *(f"    {line}" for line in _service(config, app, name, databases)), ""]
    lines += ["volumes:"]
    for volume in config.volumes:
        if volume.app == app.name:
            lines += [f"  {volume.name}:", f"    name: {volume.name}"]
    for database in databases.values():
        lines += [f"  {database.container}-data:", f"    name: {database.container}-data"]
    return "\n".join(lines if lines[-1] != "volumes:" else lines[:-1]) + "\n"


def _service(config: Config, app: App, name: str, databases: dict[str, Database]) -> list[str]:
    if name in databases:
        return _database(databases[name])
    main = name == (app.service or app.name)
    owner = app.repository.lower()
    # What keeps data is pinned; of the others a project seldom thinks.
    keeps = any(name in volume.services for volume in config.volumes if volume.app == app.name)
    tag = "${IMAGE_TAG:-2026.9.1}" if keeps else "latest"
    lines = [f"image: {_IMAGES.get(name, f'ghcr.io/{owner}-{name}:{tag}')}"]
    if main:
        lines.append(f"container_name: {name}")
    lines.append('restart: "no"' if name.endswith("setup") else "restart: unless-stopped")
    if name in WORKERS:
        lines.append(f"command: celery -A app {name}")
    if name == app.cache_service:
        lines.append("command: --requirepass ${DRAGONFLY_PASSWORD}")
    lines += _environment(config, app, name, main)
    lines += _mounts(config, app, name, main)
    if main:
        lines += ["ports:", f'  - "127.0.0.1:{app.port}:{app.port}"']
        lines += _health(f"wget -q -O /dev/null http://127.0.0.1:{app.port}{app.health}")
        lines += _waits(databases, app)
    elif name == app.cache_service:
        lines += _health("redis-cli -a $$DRAGONFLY_PASSWORD ping")
    return [*lines, "mem_limit: 1g"]


def _database(database: Database) -> list[str]:
    return [
        f"image: {_POSTGRES}",
        f"container_name: {database.container}",
        "restart: unless-stopped",
        "environment:",
        "  POSTGRES_USER: ${DATABASE_USERNAME}",
        "  POSTGRES_PASSWORD: ${DATABASE_PASSWORD}",
        "  POSTGRES_DB: ${DATABASE_NAME}",
        "ports:",
        '  - "5432:5432"',
        "volumes:",
        f"  - {database.container}-data:{_POSTGRES_DATA}",
        *_health("pg_isready -U $$POSTGRES_USER -d $$POSTGRES_DB"),
        "mem_limit: 1g",
    ]


def _environment(config: Config, app: App, name: str, main: bool) -> list[str]:
    wanted = {"INTERNAL_API_SHARED_TOKEN"}
    if main:
        wanted = set(variables(config, app)) - {"DIRECTUS_SECRET"}
    elif name == app.cache_service:
        wanted = {"DRAGONFLY_PASSWORD"}
    elif name in WORKERS:
        wanted |= {"DRAGONFLY_PASSWORD", "DATABASE_PASSWORD"}
    else:
        wanted |= {"DIRECTUS_SECRET", "DATABASE_PASSWORD"}
    rows = [f"  {word}: ${{{word}}}" for word in variables(config, app) if word in wanted]
    return ["environment:", *rows] if rows else []


def _mounts(config: Config, app: App, name: str, main: bool) -> list[str]:
    rows = [
        f"  - {volume.name}:/data/{volume.name}"
        for volume in config.volumes
        if volume.app == app.name and name in volume.services
    ]
    if main:
        rows.append("  - ./config:/etc/app:ro")
    return ["volumes:", *rows] if rows else []


def _waits(databases: dict[str, Database], app: App) -> list[str]:
    names = [*databases, *([app.cache_service] if app.cache_service else [])]
    if not names:
        return []
    return ["depends_on:", *(f"  {name}: {{condition: service_healthy}}" for name in names)]


def _health(command: str) -> list[str]:
    return ["healthcheck:", f'  test: ["CMD-SHELL", "{command}"]', *(f"  {line}" for line in _OFTEN)]


def development_text(app: App) -> str:
    """The file beside it that nobody should deploy: code comes by a mount."""
    name = app.service or app.name
    return (
        f"services:\n  {name}:\n    build: .\n    command: uvicorn app:app --reload\n"
        f'    ports:\n      - "{app.port}:{app.port}"\n    volumes:\n      - ../:/app\n'
        f"    env_file: ../.env\n"
    )
