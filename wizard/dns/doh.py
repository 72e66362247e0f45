"""DNS over HTTPS (RFC 8484): for resolvers whose port 53 cannot be reached, or not without a go-between."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from wizard.dns.wire import BadMessageError, Reply, aged, asked_part, parse, question, same_question
from wizard.errors import UnreachableError

if TYPE_CHECKING:
    import httpx

_TYPE = "application/dns-message"
_LARGEST = 65_535


class DohClient:
    """POST with id 0, as the RFC wants for caches on the way; TTLs are corrected by the Age header."""

    def __init__(self, trust: str = "") -> None:
        self._trust = trust
        self._client: httpx.AsyncClient | None = None

    async def ask(self, url: str, address: str, name: str, kind: str, *, timeout: float) -> Reply:
        """The URL's host is verified; it is dialled at `address`, so that no name has to be found first.

        Raises UnreachableError for everything that is no answer. `timeout` in real seconds.
        """
        import httpx

        query = question(name, kind)
        parts = urlsplit(url)
        host = f"[{address}]" if ":" in address else address
        port = f":{parts.port}" if parts.port else ""
        headers = {"Host": parts.netloc, "Content-Type": _TYPE, "Accept": _TYPE}
        try:
            answer = await self._made().post(
                f"https://{host}{port}{parts.path}",
                content=query,
                headers=headers,
                timeout=timeout,
                extensions={"sni_hostname": parts.hostname or ""},
            )
            data = answer.content
            if answer.status_code != 200 or len(data) > _LARGEST:
                raise BadMessageError(f"HTTP {answer.status_code}")
            if not same_question(asked_part(query), data):
                raise BadMessageError("The answer is to another question")
            return aged(parse(data), _age(answer.headers.get("age", "")))
        except (httpx.HTTPError, httpx.InvalidURL, BadMessageError, ssl.SSLError, OSError) as error:
            raise UnreachableError(
                f"{parts.netloc} does not answer for {name} {kind}",
                f"over HTTPS, {error or type(error).__name__}",
                "Check the network: port 443 must be open from here.",
            ) from error

    def _made(self) -> httpx.AsyncClient:
        if self._client is None:
            import httpx

            context = ssl.create_default_context(cafile=self._trust or None)
            self._client = httpx.AsyncClient(verify=context, http2=True, trust_env=False)
        return self._client

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None


def _age(text: str) -> int:
    return int(text) if text.isdecimal() else 0
