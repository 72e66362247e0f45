"""Questions that only the operator can answer, at a terminal or by their defaults."""

from __future__ import annotations

from typing import Any, Protocol, cast

from wizard.engine.plan import Choice, Question


class Asker(Protocol):
    async def ask(self, question: Question) -> str:
        """The answer; the default where nobody is asked or nothing was typed."""
        ...


class Defaults:
    """Nobody is there: every question has its default."""

    async def ask(self, question: Question) -> str:
        return question.default


class Terminal:
    """The operator at standard input."""

    async def ask(self, question: Question) -> str:
        from wizard.commands.prompts import Prompts

        return await Prompts().answer(cast(Any, None), question) or question.default


async def text(asker: Asker, key: str, words: str, default: str, why: str = "") -> str:
    return (await asker.ask(Question(f"init.{key}", words, default=default, why=why))).strip()


async def one_of(asker: Asker, key: str, words: str, options: tuple[str, ...], why: str = "") -> str:
    """The first option is the default; a single one is not asked about."""
    if len(options) == 1:
        return options[0]
    choices = tuple(Choice(option, option) for option in options)
    answer = await asker.ask(Question(f"init.{key}", words, choices, default=options[0], why=why))
    return answer if answer in options else options[0]


async def some_of(asker: Asker, key: str, words: str, options: tuple[str, ...]) -> tuple[str, ...]:
    """Names with blanks between; all by default."""
    if len(options) < 2:
        return options
    why = f"There are: {', '.join(options)}. Names with blanks between; Enter takes all."
    answer = (await text(asker, key, words, " ".join(options), why)).split()
    return tuple(option for option in options if option in answer) or options
