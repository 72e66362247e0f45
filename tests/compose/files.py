"""Generated compose files: every syntax that people use, in one strategy."""

from __future__ import annotations

from hypothesis import strategies as st

NAMES = ("web", "api", "worker", "db", "cache", "migrate")
_IMAGES = (
    "nginx",
    "postgres:16",
    "redis:alpine",
    "ghcr.io/a/b:latest",
    "${IMAGE:-x/y}:${TAG:-1.2}",
    "a@sha256:" + "0" * 64,
)
_MOUNTS = (
    "./data:/var/lib/data",
    "../shared:/app/shared",
    ".:/code",
    "./conf/nginx.conf:/etc/nginx/nginx.conf:ro",
    "named:/data",
    "other:/srv/state:ro",
    "/var/run/docker.sock:/var/run/docker.sock",
    "/home/me/bin:/opt/bin",
    "./logs:/app/logs",
    "../../.env:/app/.env",
    "${DATA_PATH:-./state}:/state",
    "${WHERE}:/where",
    "/anonymous",
)
_PORTS = ("80:80", "127.0.0.1:8000:8000", "5353:53/udp", "3000", "${PORT:-9000}:9000", "22:22", "[::1]:81:81")
_LONG_VOLUMES = (
    [
        "    volumes:",
        "      - type: bind",
        "        source: ./long",
        "        target: /var/lib/long",
        "      - named:/data",
    ],
    ["    volumes:", "    - {type: bind, source: ../up, target: /up}"],
    ["    volumes:", "      - type: tmpfs", "        target: /tmp", "      # kept", "      - ./a b:/a b"],
)
_LONG_PORTS = (
    [
        "    ports:",
        "      - target: 80",
        "        published: 80",
        "      - mode: host",
        "        target: 9000",
    ],
    ["    ports: &p", '      - "443:443"', "    deploy: {resources: {limits: {memory: 1G}}}"],
)
_LONG_ENV = ["    env_file:", "      - path: ./a.env", "        required: false", "      - path: db.env"]
_VARIABLES = (
    ("DEBUG", "1"),
    ("DB_PASSWORD", "hunter2"),
    ("API_TOKEN", "${API_TOKEN:-letmein}"),
    ("URL", "postgres://u:p4ss@db/x"),
    ("PLAIN", "${A:-${B:-c}}"),
    ("MODE", "yes"),
)


def _listed(key: str, values: list[str], flow: bool) -> list[str]:
    quoted = [f'"{value}"' for value in values]
    if flow or not values:
        return [f"    {key}: [{', '.join(quoted)}]"]
    return [f"    {key}:", *(f"      - {value}" for value in quoted)]


@st.composite
def _service(draw: st.DrawFn, name: str, bases: tuple[str, ...], earlier: list[str]) -> list[str]:
    lines = [f"  {name}:"]
    if bases and draw(st.booleans()):
        lines.append(f"    <<: *{draw(st.sampled_from(bases))}")
    if earlier and draw(st.integers(0, 3)) == 0:
        lines.append(f"    extends: {{service: {draw(st.sampled_from(earlier))}}}")
    if draw(st.booleans()):
        lines.append(f"    image: {draw(st.sampled_from(_IMAGES))}")
    else:
        lines += ["    build:", f"      context: {draw(st.sampled_from(['.', './app', '../..']))}"]
    if draw(st.booleans()):
        lines.append(f"    container_name: {name}-1  # a name")
    lines += draw(_ports())
    lines += draw(_volumes(bool(bases)))
    lines += draw(_environment())
    lines += draw(
        st.sampled_from(
            (
                [],
                [],
                ["    env_file: ../.env"],
                ["    env_file:", "      - .env", "      - db.env"],
                _LONG_ENV,
            )
        )
    )
    if draw(st.booleans()):
        lines += ["    healthcheck:", '      test: ["CMD", "true"]']
    if draw(st.booleans()):
        lines += ["    command: >", "      sh -c 'a &&", "      b'", ""]
    return lines


@st.composite
def _ports(draw: st.DrawFn) -> list[str]:
    style = draw(st.sampled_from(("none", "list", "flow", "long")))
    if style == "none":
        return []
    if style == "long":
        return draw(st.sampled_from(_LONG_PORTS))
    return _listed("ports", draw(st.lists(st.sampled_from(_PORTS), max_size=3, unique=True)), style == "flow")


@st.composite
def _volumes(draw: st.DrawFn, anchored: bool) -> list[str]:
    style = draw(st.sampled_from(("none", "list", "flow", "long", *(("alias",) if anchored else ()))))
    if style == "none":
        return []
    if style == "alias":
        return ["    volumes: *kept"]
    if style == "long":
        return draw(st.sampled_from(_LONG_VOLUMES))
    chosen = draw(st.lists(st.sampled_from(_MOUNTS), max_size=4, unique=True))
    return ["    # what is kept", *_listed("volumes", chosen, style == "flow")]


@st.composite
def _environment(draw: st.DrawFn) -> list[str]:
    chosen = draw(st.lists(st.sampled_from(_VARIABLES), max_size=4, unique=True))
    if not chosen:
        return []
    style = draw(st.sampled_from(("map", "list", "flow")))
    if style == "map":
        return ["    environment:", *(f"      {key}: '{value}'" for key, value in chosen)]
    if style == "list":
        return ["    environment:", *(f"    - {key}={value}" for key, value in chosen)]
    pairs = ", ".join(f'{key}: "{value}"' for key, value in chosen)
    return [f"    environment: {{{pairs}}}"]


@st.composite
def compose_files(draw: st.DrawFn) -> str:
    """Text of a file that compose reads, with anchors, comments, and the line ends of either kind."""
    lines: list[str] = draw(st.sampled_from(([], ["# a stack"], ["name: shop"], ["version: '3'", ""])))[:]
    bases: tuple[str, ...] = ()
    if draw(st.booleans()):
        bases = ("base",)
        lines += [
            "x-base: &base",
            "  restart: always",
            "  volumes: &kept",
            '    - "./data:/var/lib/data"',
            "",
        ]
    lines.append("services:")
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    for index, name in enumerate(names):
        lines += draw(_service(name, bases, names[:index]))
        if draw(st.booleans()):
            lines += ["", f"  # after {name}"]
    lines += draw(
        st.sampled_from(
            (
                ["volumes:", "  named:  # kept", "  other: {}  # state"],
                ["", "volumes: {named: {}, other: {name: kept}}"],
                ["volumes:", "  named:", "    driver: local", "  other:", "    external: true"],
            )
        )
    )
    if draw(st.booleans()):
        lines += ["networks:", "  default:", "    external: true", "    name: shared"]
    text = draw(st.sampled_from(("\n", "\r\n"))).join(lines)
    text += draw(st.sampled_from(("", "\n", "\n\n# the end\n")))
    return draw(st.sampled_from(("", "", "\ufeff"))) + text
