"""How the certificate authority looks: CAA, DNS-01, HTTP-01, always from the authoritative records."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wizard.rehearsal.acme.jws import AcmeProblem

if TYPE_CHECKING:
    from wizard.rehearsal.stage import Stage

CA_ADDRESS = "192.0.2.80"
IDENTITY = "letsencrypt.org"


def check_caa(stage: Stage, name: str, wildcard: bool) -> None:
    """RFC 8659: the closest set of CAA records above `name` decides."""
    labels = name.split(".")
    for cut in range(len(labels) - 1):
        records = [_caa(text) for text in stage.dns.lookup(".".join(labels[cut:]), "CAA")]
        if not records:
            continue
        issue = [value for tag, value in records if tag == "issue"]
        wild = [value for tag, value in records if tag == "issuewild"]
        deciding = wild if wildcard and wild else issue
        if deciding and IDENTITY not in deciding:
            raise AcmeProblem("caa", f"CAA record for {'.'.join(labels[cut:])} prevents issuance", 403)
        return


def _caa(text: str) -> tuple[str, str]:
    _, tag, value = text.split(None, 2)
    return tag.lower(), value.strip('"').partition(";")[0].strip()


async def dns01(stage: Stage, name: str, value: str) -> None:
    seen = [text.strip('"') for text in stage.dns.lookup(f"_acme-challenge.{name}", "TXT")]
    if value in seen:
        return
    if not seen:
        why = f"No TXT record found at _acme-challenge.{name}"
    else:
        why = f'Incorrect TXT record "{seen[0]}" found at _acme-challenge.{name}'
    raise AcmeProblem("unauthorized", why, 403)


async def http01(stage: Stage, name: str, token: str, expected: str) -> None:
    addresses = [*stage.dns.lookup(name, "AAAA"), *stage.dns.lookup(name, "A")]
    if not addresses:
        raise AcmeProblem("dns", f"no valid A records found for {name}; no valid AAAA records found")
    path = f"/.well-known/acme-challenge/{token}"
    try:
        status, body = await _fetch(stage, addresses[0], name, path)
    except (OSError, TimeoutError, ValueError) as error:
        raise AcmeProblem("connection", f"{addresses[0]}: Fetching http://{name}{path}: {error}") from error
    if status != 200 or body.strip() != expected:
        why = f"{addresses[0]}: Invalid response from http://{name}{path}: {status}"
        raise AcmeProblem("unauthorized", why, 403)


async def _fetch(stage: Stage, address: str, host: str, path: str) -> tuple[int, str]:
    async with asyncio.timeout(5):
        reader, writer = await stage.internet.connect(CA_ADDRESS, address, 80, timeout=3.0)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
            return int(head.split()[1]), body.decode("utf-8", "replace")
        except IndexError as error:
            raise ValueError("no HTTP answer") from error
        finally:
            writer.close()
