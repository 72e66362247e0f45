"""A webhook on its way: over the world's internet, from an address of the git host, TLS verified."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import ssl
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from wizard.rehearsal.git.state import CommitState, DeliveryState, Document, HookState, RepositoryState

if TYPE_CHECKING:
    from wizard.rehearsal.stage import Stage

SOURCES = ("192.0.2.192/28", "2001:db8:9175::/48")
"""Where deliveries come from: documentation addresses in place of the vendor's own."""
SOURCE = "192.0.2.195"
_SECONDS = 10.0
_ANSWER_KEPT = 4096
_AGENTS = {"github": "GitHub-Hookshot/rehearsal", "gitlab": "GitLab/17.0.0"}


@dataclass(frozen=True, slots=True)
class _Reply:
    code: int
    word: str
    headers: dict[str, str]
    body: str = ""


async def deliver(
    stage: Stage,
    repository: RepositoryState,
    hook: HookState,
    event: str,
    payload: Document,
    number: int,
    *,
    again: DeliveryState | None = None,
) -> DeliveryState:
    """Send once and keep what came back. `again` is the delivery that is repeated under its guid."""
    guid = again.guid if again else str(uuid.UUID(int=stage.random.getrandbits(128), version=4))
    body = json.dumps(payload).encode()
    headers = _headers(repository, hook, event, guid, body)
    began = stage.clock.now()
    reply = await _send(stage, hook, headers, body)
    made = DeliveryState(
        number,
        guid,
        event,
        began,
        again is not None,
        round(max(0.01, stage.clock.now() - began), 2),
        reply.code,
        reply.word,
        headers,
        payload,
        reply.headers,
        reply.body,
    )
    hook.keep(made)
    return made


def push_payload(
    repository: RepositoryState, branch: str, commit: CommitState, before: CommitState | None
) -> Document:
    """What a push event says, in the host's own form."""
    old = before.files if before else {}
    changes = {
        "added": sorted(set(commit.files) - set(old)),
        "removed": sorted(set(old) - set(commit.files)),
        "modified": sorted(path for path, text in commit.files.items() if old.get(path, text) != text),
    }
    shown = {"id": commit.sha, "message": commit.message, **changes}
    ref = f"refs/heads/{branch}"
    if repository.host == "gitlab":
        return {
            "object_kind": "push",
            "event_name": "push",
            "before": commit.parent or "0" * 40,
            "after": commit.sha,
            "checkout_sha": commit.sha,
            "ref": ref,
            "project": {"id": repository.id, "path_with_namespace": repository.name},
            "commits": [shown],
            "total_commits_count": 1,
        }
    return {
        "ref": ref,
        "before": commit.parent or "0" * 40,
        "after": commit.sha,
        "repository": {
            "id": repository.id,
            "full_name": repository.name,
            "name": repository.name.rpartition("/")[2],
            "owner": {"login": repository.owner, "name": repository.owner},
            "private": repository.private,
        },
        "pusher": {"name": repository.owner},
        "head_commit": shown,
        "commits": [shown],
    }


def _headers(
    repository: RepositoryState, hook: HookState, event: str, guid: str, body: bytes
) -> dict[str, str]:
    headers = {"User-Agent": _AGENTS[repository.host], "Content-Type": "application/json", "Accept": "*/*"}
    if repository.host == "gitlab":
        headers |= {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Event-UUID": guid}
        return headers | ({"X-Gitlab-Token": hook.secret} if hook.secret else {})
    headers |= {"X-GitHub-Event": event, "X-GitHub-Delivery": guid, "X-GitHub-Hook-ID": str(hook.id)}
    if hook.secret:
        digest = hmac.new(hook.secret.encode(), body, hashlib.sha256).hexdigest()
        headers["X-Hub-Signature-256"] = f"sha256={digest}"
    return headers


async def _send(stage: Stage, hook: HookState, headers: dict[str, str], body: bytes) -> _Reply:
    parts = urlsplit(hook.url)
    host = parts.hostname or ""
    secure = parts.scheme == "https"
    address = _address(stage, host)
    if not address:
        return _Reply(502, "failed to resolve host", {})
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    port = parts.port or (443 if secure else 80)
    lines = [f"POST {target} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()] + ["Connection: close"]
    request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    tls = _context(stage.acme.root_pem, hook.insecure) if secure else None
    try:
        async with asyncio.timeout(_SECONDS):
            return _parse(await _exchange(stage, address, port, host, tls, request))
    except TimeoutError:
        return _Reply(504, "timed out", {})
    except ssl.SSLError:
        return _Reply(502, "certificate verify failed", {})
    except (OSError, ValueError):
        return _Reply(502, "failed to connect to host", {})


def _address(stage: Stage, host: str) -> str:
    if host.replace(".", "").isdigit():
        return host
    found = stage.dns.lookup(host, "A")
    return found[0] if found else ""


async def _exchange(
    stage: Stage, address: str, port: int, host: str, tls: ssl.SSLContext | None, request: bytes
) -> bytes:
    sock = await stage.internet.dial(SOURCE, address, port, timeout=3.0)
    reader, writer = await asyncio.open_connection(sock=sock, ssl=tls, server_hostname=host if tls else None)
    try:
        writer.write(request)
        return await reader.read(-1)
    finally:
        writer.close()


def _parse(answer: bytes) -> _Reply:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    words = first.split()
    if len(words) < 2 or not words[1].isdigit():
        raise ValueError("no HTTP answer")
    code = int(words[1])
    headers = {name: value.strip() for name, _, value in (line.partition(":") for line in rest)}
    word = "OK" if code < 300 else f"Invalid HTTP Response: {code}"
    return _Reply(code, word, headers, body.decode("utf-8", "replace")[:_ANSWER_KEPT])


def _context(root_pem: str, insecure: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=root_pem)
    if insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
