"""What `watch` writes: a JSON object for each answer that changed something, or a table and lines."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Protocol

from wizard.clock import moment_text
from wizard.commands.lines import Paint, put_json, say
from wizard.commands.options import Options
from wizard.dns.view import Verdict

if TYPE_CHECKING:
    from wizard.dns.watch import Heard, Told, Watch
    from wizard.dns.watch_cell import CellState

_WORDS = {
    Verdict.NEW: "done",
    Verdict.OLD: "waiting",
    Verdict.NEITHER: "NEITHER",
    Verdict.SILENT: "SILENT",
    Verdict.UNASKED: "unasked",
}
"""Painted as lines paint these words."""


class Reader(Protocol):
    def heard(self, event: Heard | Told) -> None: ...

    def begun(self) -> None: ...

    def settled(self) -> None: ...

    def ended(self) -> None: ...


def reader_for(options: Options, watch: Watch) -> Reader:
    return JsonReader(watch) if options.json else TextReader(watch, Paint(options.color))


def _clock(moment: float | None) -> str:
    return moment_text(moment)[11:19] if moment is not None and not math.isinf(moment) else "-"


class JsonReader:
    """Moments: `at` in seconds since the epoch (the world's time), `monotonic` of this machine."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def heard(self, event: Heard | Told) -> None:
        from wizard.dns.watch import Heard

        if not isinstance(event, Heard):
            said = event.state.said[event.number]
            server = event.state.server
            put_json(
                {
                    **self._head("authority", event.at, event.monotonic),
                    "server": server.name,
                    "address": str(server.at),
                    "serial": event.state.serial,
                    "verdict": said.verdict.value,
                    "values": list(said.values),
                    "ttl": said.ttl,
                    "note": said.problem,
                }
            )
        elif event.changed:
            put_json({**self._head("answer", event.at, event.monotonic), **_cell(event.cell, event.at)})

    def begun(self) -> None:
        watch = self._watch
        put_json(
            {
                **self._head("begun", watch.clock.now(), time.monotonic()),
                "resolvers": len(watch.tested.kept),
                "dropped": [one.name for one in watch.tested.dropped],
                "authoritative": len(watch.board.servers),
                "intercepted": watch.tested.intercepted,
                "notes": list(watch.tested.notes),
            }
        )

    def settled(self) -> None:
        watch = self._watch
        now = watch.clock.now()
        put_json(
            {
                **self._head("done", now, time.monotonic()),
                "flipped_at": watch.bound.base,
                "ends_at": watch.ends_at,
                "resolvers": len(watch.tested.kept),
                "new": sum(cell.verdict is Verdict.NEW for cell in watch.cells),
                "silent": [c.vantage.name for c in watch.cells if c.verdict is Verdict.SILENT],
                "odd": [_cell(cell, now) for cell in watch.odd],
                "queries": sum(cell.queries for cell in watch.cells),
            }
        )

    def ended(self) -> None:
        """Everything was said by events."""

    def _head(self, event: str, at: float, monotonic: float) -> dict[str, Any]:
        target = self._watch.targets[0]
        return {
            "event": event,
            "at": round(at, 4),
            "monotonic": round(monotonic, 4),
            "name": target.name,
            "type": target.type,
        }


def _cell(cell: CellState, now: float) -> dict[str, Any]:
    shown = cell.cell(now)
    return {
        "resolver": cell.vantage.name,
        "address": str(cell.vantage.address),
        "way": cell.vantage.way,
        "verdict": cell.verdict.value,
        "values": list(cell.values),
        "ttl": cell.ttl,
        "expires": shown.expires,
        "queries": cell.queries,
        "caches": shown.caches,
        "caches_new": shown.caches_new,
        "note": cell.remark,
    }


class TextReader:
    """A table of the first round and of the end, and a line for each change between."""

    def __init__(self, watch: Watch, paint: Paint) -> None:
        self._watch = watch
        self._paint = paint
        self._shown = False

    def heard(self, event: Heard | Told) -> None:
        from wizard.dns.watch import Heard

        if not isinstance(event, Heard):
            said, server = event.state.said[event.number], event.state.server
            name = server.name if server.name == str(server.at) else f"{server.name} {server.address}"
            values = ", ".join(said.values) or said.problem or "nothing"
            say(f"{_clock(event.at)}  authoritative  {name:<34} {self._word(said.verdict)}  {values}")
        elif event.changed:
            say(f"{_clock(event.at)}  {self._line(event.cell)}")

    def begun(self) -> None:
        for note in self._watch.tested.notes:
            say(f"note: {note}")
        target = self._watch.targets[0]
        say(f"watching {target} at {len(self._watch.tested.kept)} resolvers for {self._planned()}")

    def settled(self) -> None:
        self._summary()

    def ended(self) -> None:
        if not self._shown and self._watch.cells:
            self._summary()

    def _planned(self) -> str:
        return ", ".join(self._watch.targets[0].new) or "nothing (it is to vanish)"

    def _summary(self) -> None:
        self._shown = True
        watch = self._watch
        for cell in watch.cells:
            say(f"  {self._line(cell)}")
        new = sum(cell.verdict is Verdict.NEW for cell in watch.cells)
        ends = watch.ends_at
        if ends is None:
            word = "the authoritative servers do not have the planned value yet"
        elif watch.done:
            word = f"since {_clock(ends)} UTC no cache that keeps to its TTL can be old"
        else:
            word = f"the last cache runs out at {_clock(ends)} UTC"
        say(f"{new} of {len(watch.cells)} are new; {word}")
        for cell in watch.odd:
            say(f"{cell.vantage.name} does not follow: {cell.remark or ', '.join(cell.values)}")

    def _line(self, cell: CellState) -> str:
        shown = cell.cell(self._watch.clock.now())
        parts = [f"{cell.vantage.name:<28} {cell.vantage.shown:<22} {self._word(cell.verdict)}"]
        parts.append(", ".join(cell.values) or ("" if cell.verdict is Verdict.SILENT else "nothing"))
        if cell.verdict is Verdict.OLD and shown.expires is not None:
            parts.append(f"lets go at {_clock(shown.expires)}")
        if shown.caches > 1:
            parts.append(f"{shown.caches_new} of {shown.caches} caches")
        parts.append(f"{cell.queries} asked")
        if cell.remark:
            parts.append(cell.remark)
        return "  ".join(filter(None, parts))

    def _word(self, verdict: Verdict) -> str:
        """The verdict itself, in the colour of its meaning."""
        painted = self._paint.word(_WORDS[verdict])
        return painted.replace(_WORDS[verdict], verdict.value) + " " * (8 - len(verdict.value))
