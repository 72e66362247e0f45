"""What a watch costs while nothing flips: `python -m tests.benchmarks.dns_idle [RESOLVERS [QUESTIONS]]`.

A process of its own plays resolvers whose caches hold the old values; the watch runs here and publishes its
views as for a screen. First all caches have long to live (heartbeats only), then all run out within a
minute. Bar: < 10 % of a core between flips, with 60 resolvers and 8 questions.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import struct
import sys
import time
from multiprocessing.connection import Connection

from wizard.clock import LiveClock
from wizard.dns.asking import Asker
from wizard.dns.question import DnsClient
from wizard.dns.resolvers import given
from wizard.dns.view import WatchView
from wizard.dns.watch import Watch
from wizard.dns.watch_target import Flip, target
from wizard.dns.wire import asked_part
from wizard.endpoints import SocketAddress

OLD, NEW = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
CALM, BUSY = 120.0, 60.0


def serve(ready: Connection, first: float, spread: float) -> None:
    """Each (address, question) is a cache that runs out at a moment of its own, `first` at the earliest."""
    began = time.time()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO: the address that was asked
    sock.bind(("0.0.0.0", 0))
    ready.send(sock.getsockname()[1])
    while True:
        data, ancillary, _, peer = sock.recvmsg(2048, 256)
        index, _, address = struct.unpack("i4s4s", ancillary[0][2])
        asked = asked_part(data)
        end = int(began + first + hash((address, asked)) % 1000 / 1000 * spread)
        left = end - int(time.time())
        ttl, value = (left, OLD) if left >= 0 else (60, NEW)
        record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, ttl, 4) + value
        answer = data[:2] + struct.pack("!HHHHH", 0x8180, 1, 1, 0, 0) + asked + record
        source = struct.pack("i4s4s", index, address, address)
        sock.sendmsg([answer], [(socket.IPPROTO_IP, 8, source)], 0, peer)


async def measure(watch: Watch, seconds: float) -> tuple[float, int]:
    """Share of a core, and questions asked, over that many seconds."""
    asked = sum(cell.queries for cell in watch.cells)
    began, cpu = time.monotonic(), time.process_time()
    while (left := seconds - (time.monotonic() - began)) > 0:
        moment = await watch.attend(patience=2.0, limit=min(5.0, left))
        left = seconds - (time.monotonic() - began)
        await asyncio.sleep(max(0.0, min(left, moment - watch.clock.now())))
    share = (time.process_time() - cpu) / (time.monotonic() - began)
    return share, sum(cell.queries for cell in watch.cells) - asked


async def main(resolvers: int, questions: int) -> None:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve, args=(there, CALM + 10.0, BUSY), daemon=True)
    process.start()
    port = here.recv()
    views: list[WatchView] = []
    client, clock = DnsClient(), LiveClock()
    vantages = [given(str(SocketAddress(f"127.9.0.{n}", port))) for n in range(1, resolvers + 1)]
    targets = [target(f"n{n}.shop.test", "A", ("192.0.2.2",), ("192.0.2.1",)) for n in range(questions)]
    flip = Flip(clock.now(), CALM + BUSY + 10.0)
    watch = Watch(
        Asker(client, clock), clock, targets, vantages, flip=flip, publish=lambda view: views.append(view)
    )
    try:
        await watch.begin()
        share, asked = await measure(watch, 2.0)
        print(f"first round      {share * 100:5.1f} % of a core over 2 s, {asked} questions")
        share, asked = await measure(watch, CALM - 5.0)
        print(
            f"between flips    {share * 100:5.1f} % of a core (bar < 10), {asked} questions, {CALM - 5:.0f} s"
        )
        await measure(watch, 10.0)
        share, asked = await measure(watch, BUSY)
        print(f"all run out      {share * 100:5.1f} % of a core, {asked} flips seen in {BUSY:.0f} s")
        print(f"{len(views)} views published; {sum(c.verdict.value == 'new' for c in watch.cells)} cells new")
    finally:
        await watch.aclose()
        await client.aclose()
        process.terminate()
        process.join()


if __name__ == "__main__":
    asyncio.run(main(*(int(word) for word in (*sys.argv[1:], *("60", "8")[len(sys.argv) - 1 :]))))
