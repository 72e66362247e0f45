"""Our DNS client against dnspython's: `python -m tests.benchmarks.dns_client`.

A process with one answering server per address of loopback (127.9.x.y, one port); the clients ask all of
them. Bars: ≥ 2 × `dns.asyncquery.udp` at 200 servers; nothing lost at 1,000 servers with 256 descriptors.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import socket
import struct
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from multiprocessing.connection import Connection

import dns.asyncquery
import dns.exception
import dns.message

from wizard.dns.question import DnsClient
from wizard.dns.wire import asked_part
from wizard.endpoints import SocketAddress
from wizard.errors import UnreachableError

NAME = "www.shop.test"
IN_FLIGHT = 300
DESCRIPTORS = 256

Ask = Callable[[SocketAddress], Awaitable[bool]]


def serve(ready: Connection) -> None:
    """Answers every question to any address of 127.9.0.0/16 with one A record, from that address."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    sock.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO: the address that was asked
    sock.bind(("0.0.0.0", 0))
    ready.send(sock.getsockname()[1])
    while True:
        data, ancillary, _, peer = sock.recvmsg(2048, 256)
        record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + b"\xc0\x00\x02\x01"
        answer = data[:2] + struct.pack("!HHHHH", 0x8180, 1, 1, 0, 0) + asked_part(data) + record
        index, _, asked = struct.unpack("i4s4s", ancillary[0][2])
        source = struct.pack("i4s4s", index, asked, asked)
        sock.sendmsg([answer], [(socket.IPPROTO_IP, 8, source)], 0, peer)


async def measure(ask: Ask, servers: Sequence[SocketAddress], rounds: int) -> tuple[float, float, int]:
    """Answers a second, CPU microseconds an answer, answers lost."""
    gate = asyncio.Semaphore(IN_FLIGHT)
    lost = 0

    async def one(server: SocketAddress) -> None:
        nonlocal lost
        async with gate:
            lost += not await ask(server)

    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(rounds):
        await asyncio.gather(*(one(server) for server in servers))
    count = rounds * len(servers)
    return count / (time.perf_counter() - began), (time.process_time() - cpu) / count * 1e6, lost


async def theirs(server: SocketAddress) -> bool:
    query = dns.message.make_query(NAME, "A", use_edns=0, payload=1232)
    try:
        answer = await dns.asyncquery.udp(query, server.host, port=server.port, timeout=2.0)
    except (dns.exception.DNSException, OSError):
        return False
    return bool(answer.answer)


def ours(client: DnsClient) -> Ask:
    async def ask(server: SocketAddress) -> bool:
        try:
            return bool((await client.ask(server, NAME, "A")).answers)
        except UnreachableError:
            return False

    return ask


async def main() -> None:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve, args=(there,), daemon=True)
    process.start()
    port = here.recv()

    def servers(count: int) -> list[SocketAddress]:
        return [SocketAddress(f"127.9.{n >> 8}.{n & 255}", port) for n in range(1, count + 1)]

    client = DnsClient()
    try:
        await measure(ours(client), servers(50), 2)
        await measure(theirs, servers(50), 2)
        mine = await measure(ours(client), servers(200), 20)
        other = await measure(theirs, servers(200), 20)
        for name, (rate, cpu, lost) in (("this client", mine), ("dns.asyncquery.udp", other)):
            print(f"200 servers   {name:<20} {rate:7.0f} answers/s  {cpu:5.0f} us CPU each  {lost} lost")
        print(f"ratio {mine[0] / other[0]:.2f} (bar ≥ 2), by CPU {other[1] / mine[1]:.2f}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        for name, ask in (("this client", ours(client)), ("dns.asyncquery.udp", theirs)):
            rate, cpu, lost = await measure(ask, servers(1000), 5)
            print(f"1000 servers, {DESCRIPTORS} files  {name:<19} {rate:7.0f} answers/s  {lost} of 5000 lost")
    finally:
        await client.aclose()
        process.terminate()
        process.join()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
