"""What a configured repository holds: made from the configuration, so that it fits what runs today."""

from __future__ import annotations

import json
import posixpath
from typing import TYPE_CHECKING

from wizard.config import AppKind
from wizard.rehearsal.git import compose as git_compose

if TYPE_CHECKING:
    from wizard.config import App, Config

Files = dict[str, bytes]
_LOCK = "lockfileVersion: '9.0'\n\nimporters:\n\n  .: {}\n"
_PRODUCTION = ("prod", "selfhost", "self-host", "deploy", "release")


def repositories(config: Config) -> dict[tuple[str, str], tuple[App, ...]]:
    """Apps by (git host, repository), in the order of the file."""
    found: dict[tuple[str, str], tuple[App, ...]] = {}
    for app in config.apps:
        key = (app.git_host.value, app.repository)
        found[key] = (*found.get(key, ()), app)
    return found


def tree(config: Config, apps: tuple[App, ...]) -> Files:
    """The files of a repository that serves `apps`, by path from its root."""
    texts = {
        "README.md": f"# {apps[0].repository.rpartition('/')[2]}\n",
        ".gitignore": "node_modules/\nbuild/\n.env\n",
        ".github/workflows/tests.yml": "name: tests\non: [push]\njobs: {}\n",
    }
    for app in apps:
        texts |= _stack(config, app) if app.kind is AppKind.COMPOSE else _image(config, app)
    return {path: text.encode() for path, text in sorted(texts.items())}


def _stack(config: Config, app: App) -> dict[str, str]:
    path = _clean(app.compose_file)
    folder, name = posixpath.split(path)
    example = "".join(f"{word}=\n" for word in git_compose.variables(config, app))
    texts = {
        path: git_compose.compose_text(config, app),
        posixpath.join(folder, "config/app.yml"): "log_level: info\n",
        posixpath.join(folder, "app.py"): "app = None\n",
        ".env.example": example,
    }
    if any(word in name for word in _PRODUCTION):
        texts[posixpath.join(folder, "docker-compose.yml")] = git_compose.development_text(app)
    return texts


def _image(config: Config, app: App) -> dict[str, str]:
    """The Dockerfile and what it copies; all paths in it start at the build context."""
    path = _clean(app.dockerfile)
    folder, context = posixpath.dirname(path), _clean(app.context)
    inside = posixpath.relpath(folder or ".", context or ".") if folder != context else "."
    texts = {
        path: _dockerfile(app, inside),
        posixpath.join(context, "package.json"): json.dumps({"private": True, "name": app.name}) + "\n",
        posixpath.join(context, "pnpm-lock.yaml"): _LOCK,
        posixpath.join(context, ".dockerignore"): "node_modules\n.git\n",
        posixpath.join(folder, "src/app.html"): "<!doctype html><html><body>%app%</body></html>\n",
        posixpath.join(folder, "Caddyfile"): f":{app.port} {{\n\troot * /srv\n\tfile_server\n}}\n",
    }
    if context != folder:
        texts[posixpath.join(context, "shared/metadata.json")] = "{}\n"
    if any(project.app == app.name for project in config.vercel):
        texts[posixpath.join(folder, "vercel.json")] = vercel_json(app)
    return texts


def _dockerfile(app: App, inside: str) -> str:
    lines = ["FROM node:22-alpine AS build", *(f"ARG {name}" for name in app.build_args)]
    lines += ["ENV NODE_OPTIONS=--max-old-space-size=512", "WORKDIR /repo"]
    lines += ["COPY package.json pnpm-lock.yaml ./"]
    if inside != ".":
        lines.append("COPY shared/ shared/")
    lines += [
        f"COPY {_under(inside, 'src')} {_under(inside, 'src')}",
        "RUN corepack enable && pnpm install --frozen-lockfile && pnpm build",
        "",
        "FROM caddy:2.8-alpine",
        f"COPY --from=build /repo/{_under(inside, 'build')} /srv",
        f"COPY {_under(inside, 'Caddyfile')} /etc/caddy/Caddyfile",
        f"EXPOSE {app.port}",
        f"HEALTHCHECK CMD wget -q -O /dev/null http://127.0.0.1:{app.port}{app.health}",
    ]
    return "\n".join(lines) + "\n"


def vercel_json(app: App) -> str:
    """Settings as the project keeps them at Vercel; a route that names a cron is one."""
    crons = [route for route in app.routes if "cron" in route]
    document = {
        "$schema": "https://openapi.vercel.sh/vercel.json",
        "redirects": [{"source": "/home", "destination": "/", "permanent": True}],
        "rewrites": [{"source": "/begin/:rest*", "destination": "/"}],
        "headers": [
            {"source": "/(.*)", "headers": [{"key": "Cross-Origin-Opener-Policy", "value": "same-origin"}]},
            {"source": "/sw.js", "headers": [{"key": "Cache-Control", "value": "no-store"}]},
            {
                "source": "/_app/immutable/(.*)",
                "headers": [{"key": "Cache-Control", "value": "public, max-age=31536000, immutable"}],
            },
        ],
        **({"crons": [{"path": path, "schedule": "0 5 * * *"} for path in crons]} if crons else {}),
    }
    return json.dumps(document, indent=2) + "\n"


def _under(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"


def _clean(path: str) -> str:
    """From the repository's root, without the slash or dot in front; "" for the root."""
    cleaned = posixpath.normpath(path.lstrip("/") or ".")
    return "" if cleaned == "." else cleaned
