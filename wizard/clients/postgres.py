"""PostgreSQL through ``docker exec``: SQL on standard input, never in arguments.

Each text begins with a comment that names it, so that the server's log tells who asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from wizard.clients.commands import Command, in_container

_SETTINGS = """SET timezone = 'UTC'; SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres';
SET extra_float_digits = 1; SET bytea_output = 'hex'; SET statement_timeout = 0;"""

# The sum of 60 bits of each row's md5 does not depend on order, physical layout or major version.
_FINGERPRINT = r"""
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT 'setting', 'version', current_setting('server_version_num');
SELECT 'setting', 'encoding', pg_encoding_to_char(encoding)
FROM pg_database WHERE datname = current_database();
SELECT 'size', 'bytes', pg_database_size(current_database());
SELECT format(
  'SELECT %L, %L, count(*), coalesce(sum((''x'' || substr(md5(t::text), 1, 15))::bit(60)::bigint), 0)'
  ' FROM ONLY %I.%I t',
  'table', n.nspname || '.' || c.relname, n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'p'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_%'
ORDER BY 1
\gexec
SELECT 'sequence', schemaname || '.' || sequencename, coalesce(last_value::text, 'never')
FROM pg_sequences ORDER BY 2;
SELECT 'count', 'indexes', count(*) FROM pg_indexes
WHERE schemaname NOT IN ('pg_catalog', 'information_schema');
SELECT 'count', 'invalid indexes', count(*) FROM pg_index WHERE NOT indisvalid;
SELECT 'count', 'constraints', count(*) FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND c.contype <> 'n';
SELECT 'count', 'triggers', count(*) FROM pg_trigger WHERE NOT tgisinternal;
SELECT 'count', 'large objects', count(*) FROM pg_largeobject_metadata;
SELECT 'count', 'extension ' || extname, 1 FROM pg_extension ORDER BY 2;
COMMIT;
"""


@dataclass(frozen=True, slots=True)
class Login:
    """A database inside a container."""

    container: str
    user: str
    database: str


@dataclass(frozen=True, slots=True)
class TableDigest:
    name: str
    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a database holds. `counts` are indexes, constraints, triggers, extensions, large objects."""

    version: int
    encoding: str
    size: int
    tables: tuple[TableDigest, ...]
    sequences: tuple[tuple[str, str], ...]
    counts: tuple[tuple[str, int], ...]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    @property
    def empty(self) -> bool:
        return not self.tables

    def differences(self, other: Fingerprint) -> tuple[str, ...]:
        """Sentences about what is not the same; versions and sizes may differ."""
        found = _differ("table", {t.name: f"{t.rows} rows, digest {t.digest}" for t in self.tables},
                        {t.name: f"{t.rows} rows, digest {t.digest}" for t in other.tables})  # fmt: skip
        found += _differ("sequence", dict(self.sequences), dict(other.sequences))
        found += _differ("number of", dict(self.counts), dict(other.counts))
        if self.encoding != other.encoding:
            found.append(f"encoding: {self.encoding} here, {other.encoding} there")
        return tuple(found)


def _differ(kind: str, here: dict[str, object] | dict[str, str] | dict[str, int],
            there: dict[str, object] | dict[str, str] | dict[str, int]) -> list[str]:  # fmt: skip
    return [
        f"{kind} {name}: {here.get(name, 'absent')} here, {there.get(name, 'absent')} there"
        for name in sorted({*here, *there})
        if here.get(name) != there.get(name)
    ]


def psql(login: Login, name: str, sql: str) -> Command:
    return in_container(
        login.container,
        *("psql", "-U", login.user, "-d", login.database, "-XqAt", "-F", "\t", "-v", "ON_ERROR_STOP=1"),
        stdin=f"-- dokploy-wizard: {name}\n{sql}\n",
    )


def fingerprint(login: Login) -> Command:
    return psql(login, "fingerprint", _SETTINGS + _FINGERPRINT)


def read_fingerprint(output: str) -> Fingerprint:
    """The output of `fingerprint`. Raises ValueError when it is not complete."""
    settings: dict[str, str] = {}
    tables: list[TableDigest] = []
    sequences: list[tuple[str, str]] = []
    counts: list[tuple[str, int]] = []
    for line in output.splitlines():
        kind, name, *values = line.split("\t")
        if kind == "table":
            tables.append(TableDigest(name, int(values[0]), values[1]))
        elif kind == "sequence":
            sequences.append((name, values[0]))
        elif kind == "count":
            counts.append((name, int(values[0])))
        else:
            settings[name] = values[0]
    try:
        return Fingerprint(
            int(settings["version"]), settings["encoding"], int(settings["bytes"]),
            tuple(tables), tuple(sequences), tuple(counts),
        )  # fmt: skip
    except KeyError as error:
        raise ValueError(f"the fingerprint lacks {error}") from error


def state(login: Login) -> Command:
    """Two fields: whether new transactions are read only (on, off), and the place in the log of writes."""
    return psql(
        login, "state", "SELECT current_setting('default_transaction_read_only'), pg_current_wal_lsn();"
    )


def databases(login: Login) -> Command:
    """Names, one a line; asked in the maintenance database."""
    return psql(
        Login(login.container, login.user, "postgres"),
        "databases",
        "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1;",
    )


def freeze(login: Login) -> Command:
    """From now on every new transaction is read only; sessions of before are ended."""
    name = identifier(login.database)
    return psql(
        login,
        "freeze",
        f"ALTER DATABASE {name} SET default_transaction_read_only = on;\n"
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity\n"
        f"WHERE datname = {literal(login.database)} AND pid <> pg_backend_pid();",
    )


def thaw(login: Login) -> Command:
    name = identifier(login.database)
    return psql(
        login,
        "thaw",
        "SET default_transaction_read_only = off;\n"
        f"ALTER DATABASE {name} RESET default_transaction_read_only;\n"
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity\n"
        f"WHERE datname = {literal(login.database)} AND pid <> pg_backend_pid();",
    )


def create(login: Login, encoding: str) -> Command:
    """An empty database; asked in the maintenance database."""
    return psql(
        Login(login.container, login.user, "postgres"),
        "create",
        f"CREATE DATABASE {identifier(login.database)} TEMPLATE template0 ENCODING {literal(encoding)};",
    )


def drop(login: Login) -> Command:
    """Ends its sessions and removes it; nothing happens if it does not exist."""
    name = identifier(login.database)
    return psql(
        Login(login.container, login.user, "postgres"),
        "drop",
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity\n"
        f"WHERE datname = {literal(login.database)};\n"
        f"DROP DATABASE IF EXISTS {name};",
    )


def dump(login: Login) -> Command:
    return in_container(login.container, "pg_dump", "-U", login.user, "-Fc", "-Z1", login.database)


def restore(login: Login) -> Command:
    """All or nothing: a stream that is cut leaves an empty database."""
    return in_container(
        login.container,
        *("pg_restore", "-U", login.user, "-d", login.database),
        *("--no-owner", "--no-acl", "--exit-on-error", "--single-transaction"),
    )


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
