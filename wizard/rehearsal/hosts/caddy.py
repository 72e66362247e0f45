"""Caddy on the old host: its configuration file decides what its front does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wizard.rehearsal.hosts.state import Container

if TYPE_CHECKING:
    from wizard.rehearsal.hosts.shell import Call

CADDYFILE = "/etc/caddy/Caddyfile"


async def caddy(call: Call, box: Container, words: list[str]) -> int:
    """``caddy reload`` and ``caddy validate`` with ``--config``."""
    path = words[words.index("--config") + 1] if "--config" in words else CADDYFILE
    text = call.stdin.decode() if path == "-" else call.host.text(_on_host(box, path))
    if not text or text.count("{") != text.count("}"):
        await call.err(f"Error: adapting config using caddyfile: {path}: unexpected EOF\n".encode())
        return 1
    if words[1] == "reload":
        front = call.host.stage.fronts.of(call.host.name)
        marked = marks(text)
        for domain, address in forwards(text).items():
            front.forward_all(domain, address, marked.get(domain))
        front.state.pages = pages(text)
        call.host.stage.ledger.record("host", "reload", f"{call.host.name} caddy")
    return await call.say("Valid configuration\n" if words[1] == "validate" else "")


def _on_host(box: Container, path: str) -> str:
    for mount in box.mounts:
        if mount.kind == "bind" and (path == mount.target or path.startswith(f"{mount.target}/")):
            return mount.source + path.removeprefix(mount.target)
    return path


def marks(text: str) -> dict[str, tuple[str, str]]:
    """For each site the header that it adds to what it forwards."""
    found: dict[str, tuple[str, str]] = {}
    for names, body in re.findall(r"^([^\s{#][^{\n]*)\{\n(.*?)^\}", text, re.DOTALL | re.MULTILINE):
        header = re.search(r"header_down\s+(\S+)\s+(\S+)", body)
        if header:
            found |= {name.strip(): (header[1], header[2]) for name in names.split(",")}
    return found


def pages(text: str) -> dict[str, str]:
    """What sites for plain HTTP answer by themselves, by host and path."""
    found: dict[str, str] = {}
    for name, body in re.findall(r"^http://(\S+) \{\n(.*?)^\}", text, re.DOTALL | re.MULTILINE):
        for path, said in re.findall(r"handle (\S+) \{\s*respond \"([^\"]*)\" 200\s*\}", body):
            found[name + path] = said
    return found


def forwards(text: str) -> dict[str, str]:
    """For each site the address of another host that it sends everything to; "" if it serves itself."""
    found: dict[str, str] = {}
    for names, body in re.findall(r"^([^\s{#][^{\n]*)\{\n(.*?)^\}", text, re.DOTALL | re.MULTILINE):
        proxy = re.search(
            r"reverse_proxy\s+(?:https?://)?\[?([0-9a-fA-F:.]+?)\]?(?::\d+)?\s*(?:\{|$)", body, re.M
        )
        for name in names.split(","):
            if name.strip().startswith("http://"):
                continue
            domain = re.sub(r"^https?://", "", name.strip())
            found[domain] = proxy[1] if proxy and re.match(r"[\d.]+$|.*:.*:", proxy[1]) else ""
    return found
