"""Addresses of objects in an S3 compatible store, signed for a few minutes: no more of its API is needed.

The signature is AWS's version 4 in the query, path style, as rclone and Hetzner's store take it.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit


@dataclass(frozen=True, slots=True)
class Bucket:
    """`endpoint` is scheme and host; `name` is "" if the host names the bucket. Keys leave as signatures."""

    endpoint: str
    region: str
    name: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)

    def signed(self, key: str, at: float, seconds: int = 900) -> str:
        """An address from which `key` can be read until `seconds` after `at`."""
        host = urlsplit(self.endpoint).netloc
        parts = [self.name, *key.split("/")] if self.name else key.split("/")
        path = "/" + "/".join(quote(part, safe="-_.~") for part in parts)
        moment = datetime.fromtimestamp(at, UTC)
        day, stamp = moment.strftime("%Y%m%d"), moment.strftime("%Y%m%dT%H%M%SZ")
        scope = f"{day}/{self.region}/s3/aws4_request"
        query = "&".join(
            f"{name}={quote(value, safe='-_.~')}"
            for name, value in (
                ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
                ("X-Amz-Credential", f"{self.access_key}/{scope}"),
                ("X-Amz-Date", stamp),
                ("X-Amz-Expires", str(seconds)),
                ("X-Amz-SignedHeaders", "host"),
            )
        )
        request = f"GET\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
        digest = hashlib.sha256(request.encode()).hexdigest()
        signature = self._sign(day, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}")
        return f"{self.endpoint.rstrip('/')}{path}?{query}&X-Amz-Signature={signature}"

    def _sign(self, day: str, text: str) -> str:
        key = f"AWS4{self.secret_key}".encode()
        for part in (day, self.region, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
