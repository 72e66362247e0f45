"""What is watched: record sets with their values before and after, and an answer held against them."""

from __future__ import annotations

from dataclasses import dataclass

from wizard.dns.records import ChangeSet, RecordChange
from wizard.dns.view import Asked, Verdict
from wizard.dns.wire import Rcode, Reply, canonical

_UNTOLD = 5
"""For how long an answer without any TTL is taken to be remembered, in seconds."""


@dataclass(frozen=True, slots=True)
class Flip:
    """When the records were changed, and the TTL that the old ones had (seconds)."""

    at: float
    old_ttl: float


@dataclass(frozen=True, slots=True)
class Target:
    """One record set that moves; values canonical and sorted, empty where it is absent.

    `old` None: not known, so every value that isn't planned counts as old. The aliases stand at the same
    name before or after, where one of them is a CNAME: it is the link of the chain that changes.
    TTLs in seconds, None where not known.
    """

    name: str
    type: str
    new: tuple[str, ...]
    old: tuple[str, ...] | None = None
    old_alias: str = ""
    new_alias: str = ""
    old_ttl: int | None = None
    new_ttl: int | None = None

    def __str__(self) -> str:
        return f"{self.name} {self.type}"

    @property
    def asked(self) -> Asked:
        old = (self.old_alias,) if self.old_alias else self.old or ()
        return Asked(self.name, self.type, old, (self.new_alias,) if self.new_alias else self.new)


@dataclass(frozen=True, slots=True)
class Judgement:
    """`ttl`: for how long the answer may be remembered. `problem`: why it is no answer to the question."""

    verdict: Verdict
    values: tuple[str, ...] = ()
    ttl: int = 0
    problem: str = ""


def target(name: str, kind: str, new: tuple[str, ...], old: tuple[str, ...] | None) -> Target:
    """One record set as somebody names it, in canonical spelling."""
    before = tuple(sorted(canonical(kind, value) for value in old)) if old is not None else None
    return Target(
        name.rstrip(".").lower(), kind, tuple(sorted(canonical(kind, value) for value in new)), before
    )


def targets_of(changes: ChangeSet) -> tuple[Target, ...]:
    """What to ask so that every change of values is seen. A change of TTLs alone is not.

    Where an alias comes or goes, the types that stand at the name instead are asked: visitors ask for those.
    """
    found: list[Target] = []
    for name in changes.names:
        here = changes.of(name).changes
        alias = next((change for change in here if change.type == "CNAME"), None)
        others = [change for change in here if change.type != "CNAME" and _moves(change)]
        if alias is not None and not others and _moves(alias):
            found.append(_plain(alias))
        found += [_beside(change, alias) if alias is not None else _plain(change) for change in others]
    return tuple(found)


def _moves(change: RecordChange) -> bool:
    return _values(change, old=True) != _values(change, old=False)


def _values(change: RecordChange, *, old: bool) -> tuple[str, ...]:
    side = change.old if old else change.new
    return side.values if side else ()


def _plain(change: RecordChange) -> Target:
    return Target(
        change.name,
        change.type,
        _values(change, old=False),
        _values(change, old=True),
        old_ttl=change.old.ttl if change.old else None,
        new_ttl=change.new.ttl if change.new else None,
    )


def _beside(change: RecordChange, alias: RecordChange) -> Target:
    plain = _plain(change)
    old, new = _values(alias, old=True), _values(alias, old=False)
    return Target(
        plain.name,
        plain.type,
        plain.new,
        plain.old,
        old_alias=old[0] if old else "",
        new_alias=new[0] if new else "",
        old_ttl=plain.old_ttl if plain.old_ttl is not None else alias.old.ttl if alias.old else None,
        new_ttl=plain.new_ttl if plain.new_ttl is not None else alias.new.ttl if alias.new else None,
    )


def judge(reply: Reply, wanted: Target) -> Judgement:
    """An answer against the plan. Refusals and failures are silence with a reason, never an absence."""
    if reply.rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN):
        return Judgement(Verdict.SILENT, problem=_rcode(reply.rcode))
    link = next((r for r in reply.answers if r.name == wanted.name and r.type == "CNAME"), None)
    if link is not None and wanted.type != "CNAME" and (wanted.old_alias or wanted.new_alias):
        if link.value == wanted.new_alias:
            return Judgement(Verdict.NEW, (link.value,), link.ttl)
        old = link.value == wanted.old_alias
        return Judgement(Verdict.OLD if old else Verdict.NEITHER, (link.value,), link.ttl)
    values = reply.values(wanted.type)
    told = reply.ttl(wanted.type) if values else reply.negative_ttl
    ttl = _UNTOLD if told is None else told
    if values == wanted.new and not wanted.new_alias:
        return Judgement(Verdict.NEW, values, ttl)
    if wanted.old is None or (values == wanted.old and not wanted.old_alias):
        return Judgement(Verdict.OLD, values, ttl)
    # An absence in place of an alias that goes: neither the alias nor what replaces it.
    return Judgement(Verdict.NEITHER, values, ttl)


def _rcode(code: int) -> str:
    try:
        return f"answers {Rcode(code).name}"
    except ValueError:
        return f"answers with code {code}"
