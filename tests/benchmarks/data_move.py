"""Moving data against a bare ssh pipe of the same bytes: `python -m tests.benchmarks.data_move [MB] [RUNS]`.

Two real sshd on loopback are the hosts. A volume of MB megabytes goes over as a step moves it (packed,
detached, followed, unpacked) and as ``cat archive | ssh host 'cat > file'``; a PostgreSQL database, where
PostgreSQL is installed, as a step moves it and as ``pg_dump | ssh host pg_restore`` by hand.
Bar: ≥ 0.8 × the bare pipe's speed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.phases.context import Bench
from tests.real.sshd import AsRoot, Sshd, relocate_tools, serving
from tests.rehearsal.hosts_stage import CONFIG
from wizard import host_tools
from wizard.clients import commands, postgres
from wizard.clients.commands import Command
from wizard.clock import LiveClock
from wizard.net import LiveNet
from wizard.phases.jobs import begin_anew, run_job
from wizard.secrets import FileSecrets
from wizard.world import World


@dataclass
class Hosts:
    """The old host and the way from it to the new one."""

    folder: Path
    old: AsRoot
    new: Sshd

    def across(self, inner: Command) -> Command:
        """As `wizard.phases.data.places.across`."""
        target = self.new.target
        return commands.through_ssh(
            str(self.folder / "way_key"),
            str(self.folder / "way_hosts"),
            target.user,
            target.address,
            target.port,
            inner,
        )


@contextlib.contextmanager
def hosts(folder: Path) -> Iterator[Hosts]:
    patch = pytest.MonkeyPatch()
    relocate_tools(patch, str(folder / "lib"))
    try:
        with serving(folder / "old") as old, serving(folder / "new") as new:
            (folder / "way_key").touch(0o600)
            (folder / "way_key").write_text(new.target.key)
            (folder / "way_hosts").write_text(f"[127.0.0.1]:{new.target.port} {new.target.host_key}\n")
            yield Hosts(folder, AsRoot(old.target, LiveNet(), LiveClock()), new)
    finally:
        patch.undo()


async def moved(made: Hosts, bench: Bench, source: Command, target: Command) -> float:
    """Seconds of one move as a step makes it: a job of its own, its log followed to the end."""
    ctx = bench.context("data.volume.move")
    await begin_anew(ctx, made.old, "move")
    began = time.monotonic()
    await run_job(ctx, made.old, "move", commands.script(commands.pipe(source, made.across(target))))
    return time.monotonic() - began


def bare(made: Hosts, source: Command, target: Command) -> float:
    """Seconds of the same pipe in a shell."""
    line = commands.pipe(source, made.across(target)).line()
    began = time.monotonic()
    shell(line)
    return time.monotonic() - began


def shell(line: str) -> str:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"], check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def tell(what: str, size: int, pairs: list[tuple[float, float]]) -> None:
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(other / one for one, other in pairs)
    print(
        f"{what}, {size / 1e6:.0f} MB, median of {len(pairs)}: step {size / ours / 1e6:.0f} MB/s, "
        f"bare pipe {size / theirs / 1e6:.0f} MB/s\nratio, pair by pair: {ratio:.2f} (bar: 0.8)"
    )


async def volume(made: Hosts, bench: Bench, megabytes: int, runs: int) -> None:
    """Files of many sizes that don't compress."""
    source, target, archive = (made.folder / name for name in ("source", "target", "archive"))
    for number in range(megabytes // 4):
        path = source / f"{number % 16}" / f"{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(4_000_000))
    await made.old.install_tools()
    tool = host_tools.path("dw-volume")
    shell(f"{tool} pack {source} > {archive}")
    pairs = []
    for _ in range(runs):
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        pack, unpack = (
            commands.command(tool, "pack", str(source)),
            commands.command(tool, "unpack", str(target)),
        )
        ours = await moved(made, bench, pack, unpack)
        copy = commands.command("dd", f"of={made.folder / 'copy'}", "bs=1M", "status=none")
        theirs = bare(made, commands.command("cat", str(archive)), copy)
        pairs.append((ours, theirs))
    manifests = [
        (await made.old.run(commands.command(tool, "manifest", str(at)))).stdout for at in (source, target)
    ]
    assert manifests[0] == manifests[1], "both sides hold the same, byte for byte"
    tell("volume", archive.stat().st_size, pairs)


@contextlib.contextmanager
def clusters(folder: Path, binaries: Path) -> Iterator[Path]:
    """Two PostgreSQL servers, and a program that stands where ``docker`` would: it runs what it is told."""
    shim = folder / "docker"
    shim.write_text(
        f"#!/bin/sh\nshift 2\nPGHOST={folder}/$1 PATH={binaries}:$PATH\n"
        'export PGHOST PATH\nshift\nexec "$@"\n'
    )
    shim.chmod(0o755)
    as_owner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder.chmod(0o755)
    for name in ("old-db", "new-db"):
        place = folder / name
        place.mkdir()
        if as_owner:
            shutil.chown(place, "postgres")
        initdb = [str(binaries / "initdb"), "-A", "trust", "-U", "directus", "-D", str(place / "data")]
        subprocess.run([*as_owner, *initdb], check=True, stdout=subprocess.DEVNULL)
        options = f"-k {place} -c listen_addresses='' -c fsync=off -c max_wal_size=4GB"
        start = [str(binaries / "pg_ctl"), "-w", "-D", str(place / "data"), "-o", options, "start"]
        subprocess.run([*as_owner, *start], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield shim
    finally:
        for name in ("old-db", "new-db"):
            stop = [str(binaries / "pg_ctl"), "-m", "immediate", "-D", str(folder / name / "data"), "stop"]
            subprocess.run([*as_owner, *stop], check=False, stdout=subprocess.DEVNULL)


async def database(made: Hosts, bench: Bench, megabytes: int, runs: int, binaries: Path) -> None:
    with clusters(made.folder, binaries) as shim:

        def through(command: Command) -> Command:
            return replace(command, argv=(str(shim), *command.argv[1:]))

        old, new = (postgres.Login(f"{name}-db", "directus", "shop") for name in ("old", "new"))
        await made.old.run(through(postgres.create(old, "UTF8")))
        rows = megabytes * 1000
        fill = (
            "CREATE TABLE items (id bigserial PRIMARY KEY, name text, body text);\n"
            "INSERT INTO items (name, body) SELECT md5(i::text), "
            "(SELECT string_agg(md5((i * 40 + j)::text), '') FROM generate_series(1, 30) j) "
            f"FROM generate_series(1, {rows}) i;\nCREATE INDEX ON items (name);"
        )
        await made.old.run(through(postgres.psql(old, "fill", fill)), timeout=600)
        dump, restore = through(postgres.dump(old)), through(postgres.restore(new))
        size = int(shell(f"{commands.pipe(dump).line()} | wc -c"))
        pairs = []
        for _ in range(runs):
            times = []
            for way in ("step", "bare"):
                await made.old.run(through(postgres.drop(new)))
                await made.old.run(through(postgres.create(new, "UTF8")))
                times.append(
                    await moved(made, bench, dump, restore) if way == "step" else bare(made, dump, restore)
                )
            pairs.append((times[0], times[1]))
        seen = [
            postgres.read_fingerprint((await made.old.run(through(postgres.fingerprint(one)))).stdout)
            for one in (old, new)
        ]
        assert not seen[0].differences(seen[1]), "both sides hold the same, row by row"
        tell(f"database, {rows} rows", size, pairs)


def newest_postgres() -> Path | None:
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


async def main(megabytes: int, runs: int) -> None:
    binaries = newest_postgres()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with hosts(folder) as made:
            bench = Bench(World(CONFIG, FileSecrets(folder / "secrets.json")), folder)
            try:
                await volume(made, bench, megabytes, runs)
                if binaries is not None:
                    await database(made, bench, megabytes // 2, runs, binaries)
            finally:
                await made.old.aclose()
                bench.close()


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    asyncio.run(main(*(words + [1600, 3][len(words) :])))
