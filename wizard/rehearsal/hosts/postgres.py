"""PostgreSQL on a rehearsal's host: psql, pg_dump and pg_restore as the wizard calls them."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

from wizard.rehearsal.hosts.state import Container, HostState, Mount, Postgres, Table, Volume

if TYPE_CHECKING:
    from wizard.rehearsal.hosts.shell import Call

DATA = "/var/lib/postgresql/data"
MAGIC = b"PGDMP"
SECONDS_A_DUMP = 12.0


def server_of(state: HostState, box: Container) -> Volume:
    """The volume with the databases of a container; initialised at its first start, as the image does."""
    mount = next((mount for mount in box.mounts if mount.target == DATA), None)
    if mount is None:
        mount = Mount("volume", DATA, name=f"{box.name}-data")
        box.mounts.append(mount)
    volume = state.docker.volumes.setdefault(mount.name, Volume(mount.name))
    if not volume.databases:
        volume.databases["postgres"] = Postgres()
        name = box.env.get("POSTGRES_DB") or box.env.get("POSTGRES_USER", "postgres")
        # The application's own set-up job fills a new database at its first start.
        volume.databases[name] = Postgres(
            {"public.settings": Table(("key", "value"), [("installed", "true")])}, {}, 1, 1
        )
    return volume


def is_postgres(box: Container) -> bool:
    return "postgres" in box.image or any(mount.target == DATA for mount in box.mounts)


async def psql(call: Call, box: Container, words: list[str], sql: str) -> int:
    volume = server_of(call.host.state, box)
    name = words[words.index("-d") + 1]
    if name not in volume.databases:
        await call.err(f'psql: error: FATAL:  database "{name}" does not exist\n'.encode())
        return 2
    label = re.match(r"-- dokploy-wizard: (\w+)", sql)
    act = label[1] if label else ""
    database = volume.databases[name]
    if act == "fingerprint":
        return await call.say(_fingerprint(database))
    if act == "state":
        return await call.say(f"{'on' if database.read_only else 'off'}\t{_lsn(volume)}\n")
    if act == "databases":
        return await call.say("".join(f"{known}\n" for known in sorted(volume.databases)))
    target = re.search(r'DATABASE (?:IF EXISTS )?"([^"]+)"', sql)
    if target is None:
        await call.err(b"ERROR:  this rehearsal's database knows only what the wizard asks\n")
        return 3
    if act in ("freeze", "thaw"):
        volume.databases[target[1]].read_only = act == "freeze"
        call.host.stage.ledger.record("host", act, f"{call.host.name} {target[1]}")
        return await call.say("3\n")
    if act == "create":
        if target[1] in volume.databases:
            await call.err(f'ERROR:  database "{target[1]}" already exists\n'.encode())
            return 3
        volume.databases[target[1]] = Postgres()
        return 0
    volume.databases.pop(target[1], None)
    return await call.say("0\n")


def _lsn(volume: Volume) -> str:
    return f"{volume.lsn >> 32:X}/{volume.lsn & 0xFFFFFFFF:08X}"


def _fingerprint(database: Postgres) -> str:
    lines = ["setting\tversion\t130018", "setting\tencoding\tUTF8", f"size\tbytes\t{_size(database)}"]
    for name, table in sorted(database.tables.items()):
        digest = sum(
            int(hashlib.md5("\x1f".join(row).encode(), usedforsecurity=False).hexdigest()[:15], 16)
            for row in table.rows
        )
        lines.append(f"table\t{name}\t{len(table.rows)}\t{digest}")
    lines += [f"sequence\t{name}\t{value}" for name, value in sorted(database.sequences.items())]
    lines += [f"count\tindexes\t{database.indexes}", f"count\tconstraints\t{database.constraints}"]
    lines += [f"count\textension {name}\t1" for name in database.extensions]
    return "\n".join(lines) + "\n"


def _size(database: Postgres) -> int:
    return 8_000_000 + sum(len("".join(row)) for table in database.tables.values() for row in table.rows)


async def pg_dump(call: Call, box: Container, words: list[str]) -> int:
    database = server_of(call.host.state, box).databases.get(words[-1])
    if database is None:
        await call.err(f'pg_dump: error: database "{words[-1]}" does not exist\n'.encode())
        return 1
    await call.host.stage.clock.sleep(SECONDS_A_DUMP)
    content = {
        "tables": {name: [table.columns, table.rows] for name, table in database.tables.items()},
        "sequences": database.sequences,
        "indexes": database.indexes,
        "constraints": database.constraints,
        "extensions": database.extensions,
    }
    await call.out(MAGIC + json.dumps(content).encode())
    return 0


async def pg_restore(call: Call, box: Container, words: list[str], dump: bytes) -> int:
    volume = server_of(call.host.state, box)
    name = words[words.index("-d") + 1]
    if not dump.startswith(MAGIC):
        await call.err(b"pg_restore: error: input file does not appear to be a valid archive\n")
        return 1
    if name not in volume.databases:
        await call.err(f'pg_restore: error: database "{name}" does not exist\n'.encode())
        return 1
    try:
        content = json.loads(dump.removeprefix(MAGIC))
    except ValueError:
        await call.err(b"pg_restore: error: could not read from input file: end of file\n")
        return 1
    if set(content["tables"]) & set(volume.databases[name].tables):
        await call.err(b"pg_restore: error: could not execute query: relation already exists\n")
        return 1
    volume.databases[name] = Postgres(
        {
            table: Table(tuple(columns), [tuple(row) for row in rows])
            for table, (columns, rows) in content["tables"].items()
        },
        dict(content["sequences"]),
        content["indexes"],
        content["constraints"],
        tuple(content["extensions"]),
    )
    volume.lsn += len(dump)
    call.host.stage.ledger.record("host", "restore", f"{call.host.name} {name}")
    return 0
