"""Variables in compose values: $VAR, ${VAR}, ${V:-d} ${V-d} ${V:?e} ${V?e} ${V:+r} ${V+r}, nested, and $$.

The rules are compose-spec's (interpolation); keys are never interpolated, comments are no values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_NAME = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")


@dataclass(frozen=True, slots=True)
class Variable:
    """One use. `default` is None without one; `required` when compose stops without a value."""

    name: str
    default: str | None = None
    required: bool = False
    replaced_if_set: bool = False


class InterpolationError(ValueError):
    """A `${` that compose refuses."""


def variables(text: str) -> Iterator[Variable]:
    """Every variable in `text`, those inside defaults too. Raises InterpolationError."""
    for part in _parts(text):
        if isinstance(part, _Use):
            yield part.variable
            if part.argument:
                yield from variables(part.argument)


def used(text: str) -> tuple[Variable, ...] | InterpolationError:
    """The variables in `text`, or why compose refuses it."""
    try:
        return tuple(variables(text))
    except InterpolationError as error:
        return error


def substitute(text: str, values: Mapping[str, str]) -> str:
    """`text` as compose would see it. Raises InterpolationError, also for a required one that is missing."""
    return "".join(part if isinstance(part, str) else _value(part, values) for part in _parts(text))


@dataclass(frozen=True, slots=True)
class _Use:
    variable: Variable
    operator: str
    argument: str


def _value(use: _Use, values: Mapping[str, str]) -> str:
    value = values.get(use.variable.name)
    there = value is not None and (value != "" or ":" not in use.operator)
    if use.operator.endswith("+"):
        return substitute(use.argument, values) if there else ""
    if there:
        assert value is not None
        return value
    if use.operator.endswith("?"):
        reason = substitute(use.argument, values)
        raise InterpolationError(f"required variable {use.variable.name} is missing a value: {reason}")
    return substitute(use.argument, values) if use.operator.endswith("-") else value or ""


def _parts(text: str) -> Iterator[str | _Use]:
    position = 0
    while (dollar := text.find("$", position)) >= 0:
        yield text[position:dollar]
        if text.startswith("$$", dollar):
            yield "$"
            position = dollar + 2
        elif text.startswith("${", dollar):
            end = _closing(text, dollar)
            yield _braced(text[dollar + 2 : end])
            position = end + 1
        elif name := _NAME.match(text, dollar + 1):
            yield _Use(Variable(name[0]), "", "")
            position = name.end()
        else:
            # Compose takes a dollar that begins no variable for what it is.
            yield "$"
            position = dollar + 1
    yield text[position:]


def _braced(inside: str) -> _Use:
    name = _NAME.match(inside)
    if name is None:
        raise InterpolationError(f"${{{inside[:1]}… names no variable")
    rest = inside[name.end() :]
    operator = re.match(r":?[-?+]|$", rest)
    if operator is None:
        raise InterpolationError(f"${{{name[0]}… is not a form that compose knows")
    argument = rest[operator.end() :]
    sign = operator[0][-1:]
    return _Use(
        Variable(
            name[0],
            default=argument if sign == "-" else None,
            required=sign == "?",
            replaced_if_set=sign == "+",
        ),
        operator[0],
        argument,
    )


def _closing(text: str, dollar: int) -> int:
    """The position of the brace that closes the one at `dollar` + 1; defaults may nest."""
    depth = 0
    position = dollar
    while position < len(text):
        if text.startswith("$$", position):
            position += 2
            continue
        if text.startswith("${", position):
            depth += 1
            position += 2
            continue
        if text[position] == "}":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    name = _NAME.match(text, dollar + 2)
    raise InterpolationError(f"${{{name[0] if name else ''}… is not closed")
