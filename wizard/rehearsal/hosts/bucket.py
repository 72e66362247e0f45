"""An S3 compatible store as a rehearsal's host meets it: objects by signed addresses, and gunzip."""

from __future__ import annotations

import gzip
import re
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from wizard.clients.s3 import Bucket
from wizard.rehearsal.hosts.shell import Call, program

if TYPE_CHECKING:
    from wizard.rehearsal.panels.standin import Panel

_URL = re.compile(r'^url\s*=\s*"([^"]+)"', re.MULTILINE)
_SECONDS = 3.0


async def fetch(call: Call) -> int:
    """``curl --config FILE``: the address stands in the file, so that no list of processes shows it."""
    file = call.host.state.files.get(call.option("--config"))
    found = _URL.search(file.content.decode()) if file else None
    if found is None:
        return await call.fail("no URL specified", 2)
    await call.host.stage.clock.sleep(_SECONDS)
    body = _object(call.host.stage.panels.of(call.host.name), found[1])
    if body is None:
        return await call.fail("(22) The requested URL returned error: 403", 22)
    await call.out(body)
    return 0


def _object(panel: Panel, url: str) -> bytes | None:
    """The content, if a destination's own keys give this very signature and it has not expired."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    try:
        at = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        seconds = int(query["X-Amz-Expires"])
    except (KeyError, ValueError):
        return None
    for row in panel.table("destination").values():
        bucket = Bucket(
            row["endpoint"], row["region"], row["bucket"], row["accessKey"], row["secretAccessKey"]
        )
        key = unquote(urlsplit(url).path).removeprefix(f"/{row['bucket']}/")
        if bucket.signed(key, at, seconds) == url and panel.now() <= at + seconds:
            return panel.state.bodies.get(key)
    return None


@program("gunzip")
async def gunzip(call: Call) -> int:
    try:
        await call.out(gzip.decompress(call.stdin))
    except (OSError, EOFError, zlib.error):
        return await call.fail("stdin: not in gzip format")
    return 0
