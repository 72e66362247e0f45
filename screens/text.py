"""Words and numbers as the screens print them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from rich.cells import cell_len, chop_cells, set_cell_size

from wizard.engine.plan import Money


def wrap(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` cells, broken at spaces, long words broken hard; never empty."""
    width = max(1, width)
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        paragraph = paragraph.expandtabs(4)
        if cell_len(paragraph) <= width:
            lines.append(paragraph)
            continue
        lines.extend(_wrap_paragraph(paragraph, width))
    return lines


def _wrap_paragraph(text: str, width: int) -> Iterable[str]:
    bare = text.lstrip(" ")
    indent = text[: min(len(text) - len(bare), width // 2)]
    for line in _broken(bare, width - len(indent)):
        yield indent + line


def _broken(text: str, width: int) -> Iterable[str]:
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if cell_len(joined) <= width:
            line = joined
            continue
        if line:
            yield line
        *pieces, line = chop_cells(word, width) or [""]
        yield from pieces
    yield line


def with_roles(lines: Iterable[str], role: str) -> Iterator[tuple[str, str]]:
    """Each line with its role: what a unified diff takes away or adds is told by colour, the rest is `role`.

    A diff begins with its two heads and ends at an empty line.
    """
    inside = False
    for line in lines:
        inside = bool(line) and (inside or line.startswith("--- "))
        head = line.startswith(("--- ", "+++ "))
        yield line, {"-": "bad", "+": "ok"}.get(line[:1], role) if inside and not head else role


def fit(text: str, width: int, more: str) -> str:
    """`text` in exactly `width` cells; `more` marks that something was left out."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - 1) + more


def right(text: str, width: int) -> str:
    return " " * max(0, width - cell_len(text)) + text


def duration(seconds: float) -> str:
    """The two largest units that matter: 8 s, 4 min 10 s, 2 h 14 min, 6 d 4 h."""
    whole = max(0, round(seconds))
    minutes, left = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes:02} min"
    if minutes:
        return f"{minutes} min {left:02} s" if left else f"{minutes} min"
    return f"{left} s"


def brief(seconds: float) -> str:
    """One unit only, for columns: 8s, 4m, 2h, 6d."""
    whole = max(0, round(seconds))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if whole >= size:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def countdown(seconds: float) -> str:
    """Hours, minutes and seconds that run down: 00:04:10; days are said in front."""
    whole = max(0, round(seconds))
    days, left = divmod(whole, 86400)
    clock = f"{left // 3600:02}:{left // 60 % 60:02}:{left % 60:02}"
    return f"{days} d {clock}" if days else clock


def moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")


def money(amounts: Iterable[Money]) -> str:
    """Monthly amounts, one for each currency; a dash when nothing is known."""
    return " + ".join(f"{item.amount:.2f} {item.currency}" for item in amounts) or "–"


def fit_ends(text: str, width: int, more: str) -> str:
    """As `fit`, but cut in the middle: names of a family begin alike, and differ at their ends."""
    if cell_len(text) <= width or width < 8:
        return fit(text, width, more)
    head = width // 5
    return fit(text[:head] + more + text[len(text) - (width - head - 1) :], width, more)


def yearly(amounts: Iterable[Money]) -> str:
    """The same amounts for twelve months, in whole units: ``1039 EUR/yr``."""
    shown = (f"{round(item.amount, 2) * 12:.0f} {item.currency}" for item in amounts)
    return f"{' + '.join(shown)}/yr"


def count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
