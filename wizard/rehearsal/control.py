"""The world's control socket: a JSON line in, a JSON line out; attached wizards keep it alive."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from wizard.endpoints import SocketAddress

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class Control:
    """`idle` tells for how many real seconds no wizard was attached. Once `ending`, nobody may attach."""

    def __init__(self, handlers: dict[str, Handler]) -> None:
        self._handlers = handlers
        self.ending = False
        self._attached = 0
        self._left = time.monotonic()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def attached(self) -> int:
        return self._attached

    @property
    def idle(self) -> float:
        return 0.0 if self._attached else time.monotonic() - self._left

    async def start(self, port: int) -> SocketAddress:
        try:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=1 << 24)
        except OSError:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 24)
        return SocketAddress(*self._server.sockets[0].getsockname()[:2])

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError):
            request = json.loads(await reader.readline())
            if request["command"] == "attach" and not self.ending:
                await self._attend(reader, writer)
            else:
                answer = await self._answer(request)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        writer.close()

    async def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.ending:
            return {"ending": True}
        handler = self._handlers.get(request["command"])
        if handler is None:
            return {"error": f"unknown command {request['command']!r}"}
        self._left = time.monotonic()
        return await handler(request)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Stays open as long as the wizard lives; the system closes it however the wizard dies."""
        self._attached += 1
        self._writers.add(writer)
        try:
            writer.write(b"{}\n")
            await reader.read()
        finally:
            self._attached -= 1
            self._writers.discard(writer)
            self._left = time.monotonic()
