"""Reading a `.env` file the way compose does: comments, export, quotes, escapes, several lines."""

from __future__ import annotations

import re

_ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*[=:]\s*", re.MULTILINE)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}


def parse(text: str) -> dict[str, str]:
    """Values by name; the last one wins. Lines that assign nothing are passed over."""
    values: dict[str, str] = {}
    position = 0
    while position < len(text):
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        found = _ASSIGNMENT.match(text, position, end)
        if found is None or text[position:end].lstrip().startswith("#"):
            position = end + 1
            continue
        values[found[1]], position = _value(text, found.end(), end)
    return values


def _value(text: str, start: int, end: int) -> tuple[str, int]:
    quote = text[start : start + 1]
    if quote in ("'", '"') and start < end:
        close = _closing(text, start + 1, quote)
        if close > 0:
            inside = text[start + 1 : close]
            next_line = text.find("\n", close)
            value = _unescape(inside) if quote == '"' else inside
            return value, len(text) if next_line < 0 else next_line + 1
    # An unquoted value ends at a comment that has a space before it.
    raw = re.split(r"(?:^|\s)#", text[start:end], maxsplit=1)[0]
    return raw.strip(), end + 1


def _closing(text: str, position: int, quote: str) -> int:
    while position < len(text):
        if text[position] == "\\" and quote == '"':
            position += 2
            continue
        if text[position] == quote:
            return position
        position += 1
    return -1


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], f"\\{found[1]}"), text)


def write(values: dict[str, str]) -> str:
    """`A="1"` lines, quoted so that every value comes back as it was."""
    return "".join(f"{name}={_quoted(value)}\n" for name, value in values.items())


def _quoted(value: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_./:@%+,-]*", value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("\n", "\\n")
    return f'"{escaped}"'
