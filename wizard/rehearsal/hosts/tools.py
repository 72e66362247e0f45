"""The wizard's host tools as a rehearsal's host runs them: dw-job, dw-deadman, dw-probe."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from wizard.net import Reach
from wizard.rehearsal.hosts.shell import Call, Shell, program
from wizard.rehearsal.hosts.state import Counted, Deadman, Job

if TYPE_CHECKING:
    from wizard.rehearsal.clock import StageClock
    from wizard.rehearsal.hosts.standin import Host

_LEAST_REAL = 30.0
"""Real seconds that whoever armed a timer has to confirm it."""
_NAP = 0.05


@program("dw-job")
async def dw_job(call: Call) -> int:
    verb, name = call.argv[1:3]
    jobs = call.host.state.jobs
    job = jobs.get(name)
    if verb == "start":
        if int(call.argv[3]) != len(call.stdin):
            return await call.fail("torn script", 3)
        if job is not None:
            return await call.say("exists\n")
        job = jobs[name] = Job(
            name, call.stdin.decode(), call.host.stage.clock.now(), boot=call.host.state.boot
        )
        call.host.stage.ledger.record("host", "job", f"{call.host.name} {name}")
        call.host.stage.spawn(_run(call.host, job))
        return await call.say("started\n")
    if verb == "status":
        return await call.say(_status(call.host, job) + "\n")
    if job is None:
        return 0 if verb == "forget" else await call.fail("no such job", 4)
    if verb == "log":
        return await _log(call, job)
    if verb == "forget":
        if _status(call.host, job).startswith("running"):
            return await call.fail("still running", 5)
        call.host.state.ended_jobs.append(jobs.pop(name))
        return 0
    return await call.fail(f"unknown verb {verb}", 2)


def _status(host: Host, job: Job | None) -> str:
    if job is None:
        return "absent"
    if job.rc is not None:
        return f"done {job.rc} {len(job.log)}"
    return f"{'running' if job.boot == host.state.boot else 'lost'} {len(job.log)}"


async def _log(call: Call, job: Job) -> int:
    offset = int(call.argv[3])
    while True:
        # Taken before reading, so that no line between the two is missed.
        changed = call.host.changed
        ended = not _status(call.host, job).startswith("running")
        chunk = bytes(job.log[offset:])
        offset += len(chunk)
        if chunk:
            await call.out(chunk)
        if ended:
            return 0
        await changed.wait()


async def _run(host: Host, job: Job) -> None:
    async def write(chunk: bytes) -> None:
        if job.boot == host.state.boot:
            job.log.extend(chunk)
            host.stirred()

    code = await Shell(host, write, write, host.ipv4).script(job.script)
    if job.boot == host.state.boot:
        job.rc = code
    host.stirred()


def resume(host: Host) -> None:
    """After the world's process was started again: its jobs are lost, its timers go on."""
    for job in host.state.jobs.values():
        if job.rc is None:
            job.boot = -1
    for deadman in host.state.deadmen.values():
        if deadman.phase == "armed":
            host.stage.spawn(_fire(host, deadman))


@program("dw-deadman")
async def dw_deadman(call: Call) -> int:
    verb, name = call.argv[1:3]
    deadmen = call.host.state.deadmen
    deadman = deadmen.get(name)
    if verb == "arm":
        if deadman is not None and deadman.phase == "armed":
            return await call.fail("armed already", 3)
        until = call.host.stage.clock.now() + float(call.argv[3])
        deadman = deadmen[name] = Deadman(name, call.stdin.decode(), until)
        call.host.stage.spawn(_fire(call.host, deadman))
        return await call.say("armed\n")
    if verb == "confirm":
        if deadman is None or deadman.phase == "reverted":
            return await call.fail("not armed", 4)
        deadman.phase = "confirmed"
        return 0
    if deadman is None:
        return await call.say("absent\n")
    if deadman.phase == "armed":
        return await call.say(f"armed {int(_left(call.host.stage.clock, deadman))}\n")
    code = f" {deadman.code}" if deadman.phase == "reverted" else ""
    return await call.say(f"{deadman.phase}{code}\n")


def _left(clock: StageClock, deadman: Deadman) -> float:
    """Seconds until it fires. A login takes real time however fast the clock is: the timer leaves it that."""
    whole = deadman.until - deadman.counted.at
    pace = min(clock.rate, whole / _LEAST_REAL)
    leapt, real = clock.leapt - deadman.counted.leapt, time.monotonic() - deadman.counted.real
    return max(0.0, whole - leapt - real * pace)


async def _fire(host: Host, deadman: Deadman) -> None:
    clock = host.stage.clock
    deadman.counted = Counted(clock.now(), clock.leapt, time.monotonic())
    while deadman.phase == "armed" and (left := _left(clock, deadman)):
        await clock.sleep(max(left, clock.rate * _NAP))
    if deadman.phase != "armed":
        return
    deadman.phase = "reverted"

    async def silent(chunk: bytes) -> None:
        return None

    deadman.code = await Shell(host, silent, silent).script(deadman.script)


@program("sh")
async def sh(call: Call) -> int:
    """A script on standard input (``sh -s -- …``): only the probe comes that way; else a file."""
    if call.argv[1:3] == ["-s", "--"] and b"dw-probe" in call.stdin[:200]:
        return await _probe(call)
    if call.argv[1:3] == ["-s", "--"] and b"dw-volume" in call.stdin[:200]:
        from wizard.rehearsal.hosts.docker import volume_tool

        return await volume_tool(call, *call.argv[3:5])
    if len(call.argv) == 2 and call.argv[1].endswith("install.sh"):
        from wizard.rehearsal.hosts.installer import install

        return await install(call)
    return await call.fail("this rehearsal's hosts run only what the wizard sends", 127)


def _reach(host: Host, address: str, port: int) -> Reach:
    if address.startswith("127.") or address in host.addresses:
        return Reach.OPEN if host.listener(address, port) else Reach.REFUSED
    return host.stage.internet.reach(host.source_for(address), address, port)


async def _probe(call: Call) -> int:
    words = call.argv[4:]
    patience = float(call.argv[3])
    filtered = False
    for address, port in zip(words[::2], words[1::2], strict=True):
        reach = _reach(call.host, address, int(port))
        filtered = filtered or reach.value == "filtered"
        await call.say(f"{address} {port} {reach.value}\n")
    if filtered:
        await call.host.stage.clock.sleep(patience)
    await asyncio.sleep(0)
    return 0
