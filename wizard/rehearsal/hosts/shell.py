"""A very small shell: pipelines, ``&&``, redirections, exports. Enough for what the wizard sends."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wizard.rehearsal.hosts.standin import Host

Write = Callable[[bytes], Awaitable[None]]
_MARKS = {"|", "&&", ";", ">", "<"}


@dataclass
class Call:
    """One program's start: its arguments, its input, and where it writes.

    `source` is the address from which the login came.
    """

    host: Host
    argv: list[str]
    stdin: bytes
    out: Write
    err: Write
    env: dict[str, str] = field(default_factory=dict)
    source: str = ""

    async def say(self, text: str) -> int:
        await self.out(text.encode())
        return 0

    async def fail(self, text: str, code: int = 1) -> int:
        await self.err(f"{self.argv[0]}: {text}\n".encode())
        return code

    def option(self, name: str, default: str = "") -> str:
        """The word after `name`."""
        words = self.argv
        return words[words.index(name) + 1] if name in words[:-1] else default


Program = Callable[[Call], Awaitable[int]]
PROGRAMS: dict[str, Program] = {}


def program(*names: str) -> Callable[[Program], Program]:
    """Register a program under its names."""

    def register(function: Program) -> Program:
        for name in names:
            PROGRAMS[name] = function
        return function

    return register


@dataclass
class Shell:
    """Runs lines on a host. Output of the last program of a pipe goes to `out`."""

    host: Host
    out: Write
    err: Write
    source: str = ""
    env: dict[str, str] = field(default_factory=dict)

    async def script(self, text: str) -> int:
        """As bash does under ``set -euo pipefail``: the first failure ends it, then its trap runs."""
        trap = ""
        code = 0
        for line in text.splitlines():
            if not line.strip() or line.startswith(("#", "set ")):
                continue
            if line.startswith("export "):
                name, _, value = shlex.split(line)[1].partition("=")
                self.env[name] = value
                continue
            if line.startswith("trap "):
                trap = shlex.split(line)[1]
                continue
            code = await self.line(line, b"")
            if code:
                break
        if trap:
            await self.line(trap, b"")
        return code

    async def line(self, line: str, stdin: bytes) -> int:
        code = 0
        for joint, words in _split(_tokens(line), {"&&", ";"}):
            if joint == "&&" and code:
                return code
            code = await self._pipe(words, stdin)
            stdin = b""
        return code

    async def _pipe(self, words: list[str], stdin: bytes) -> int:
        parts = [part for _, part in _split(words, {"|"})]
        worst = 0
        data = stdin
        for number, part in enumerate(parts):
            argv, target, source = _redirections(part)
            if source:
                file = self.host.state.files.get(source)
                if file is None:
                    await self.err(f"bash: {source}: No such file or directory\n".encode())
                    return 1
                data = file.content
            caught = bytearray()

            async def catch(chunk: bytes, into: bytearray = caught) -> None:
                into.extend(chunk)

            last = number == len(parts) - 1
            code = await self.run(argv, data, self.out if last and not target else catch)
            worst = code or worst
            if target:
                self.host.write(target, bytes(caught))
            data = bytes(caught)
        return worst

    async def run(self, argv: list[str], stdin: bytes, out: Write) -> int:
        if argv[:3] == ["sudo", "-n", "--"]:
            argv = argv[3:]
        name = argv[0].rpartition("/")[2]
        handler = PROGRAMS.get(name)
        if handler is None or not self.host.has(argv[0]):
            await self.err(f"bash: line 1: {argv[0]}: command not found\n".encode())
            return 127
        return await handler(Call(self.host, argv, stdin, out, self.err, self.env, self.source))


def _tokens(line: str) -> list[str]:
    """Words and marks; a quoted mark is an ordinary character and comes back as a word."""
    words: list[str] = []
    current = ""
    open_word = False
    quote = ""
    position = 0
    while position < len(line):
        char = line[position]
        if quote == "'":
            if char == "'":
                quote = ""
            else:
                current += char
        elif quote == '"':
            if char == '"':
                quote = ""
            elif char == "\\" and line[position + 1 : position + 2] in ('"', "\\", "$", "`"):
                position += 1
                current += line[position]
            else:
                current += char
        elif char in "'\"":
            quote, open_word = char, True
        elif char == "\\":
            position += 1
            current, open_word = current + line[position : position + 1], True
        elif char.isspace() or char in "|&;<>":
            if open_word or current:
                words.append(_Word(current))
                current, open_word = "", False
            if char in "|;<>":
                words.append(char)
            elif line[position : position + 2] == "&&":
                words.append("&&")
                position += 1
        else:
            current += char
        position += 1
    if open_word or current:
        words.append(_Word(current))
    return words


class _Word(str):
    """A word, never a mark, whatever it spells."""

    __slots__ = ()


def _mark(token: str) -> str:
    return token if not isinstance(token, _Word) and token in _MARKS else ""


def _split(tokens: list[str], marks: set[str]) -> list[tuple[str, list[str]]]:
    """(the mark before it, words) for each part."""
    parts: list[tuple[str, list[str]]] = [("", [])]
    for token in tokens:
        if _mark(token) in marks and _mark(token):
            parts.append((token, []))
        else:
            parts[-1][1].append(token)
    return [(joint, words) for joint, words in parts if words]


def _redirections(tokens: list[str]) -> tuple[list[str], str, str]:
    argv: list[str] = []
    target = source = ""
    pending = ""
    for token in tokens:
        if _mark(token) in (">", "<"):
            pending = token
        elif pending == ">":
            target, pending = str(token), ""
        elif pending == "<":
            source, pending = str(token), ""
        else:
            argv.append(str(token))
    return argv, target, source
