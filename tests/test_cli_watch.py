"""`watch` by itself: without a configuration, against servers on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
SERVER = """
import asyncio, sys, time
from tests.dns.servers import reply, serve
async def main():
    began = time.monotonic()
    flip, ends = float(sys.argv[1]), float(sys.argv[2])
    def authority(query):
        new = time.monotonic() - began > flip
        return [reply(query, "192.0.2.2" if new else "192.0.2.1", ttl=2, authoritative=True)]
    def cache(query):
        left = ends - (time.monotonic() - began)
        if left <= 0:
            return [reply(query, "192.0.2.2", ttl=2)]
        return [reply(query, "192.0.2.1", ttl=int(left))]
    ports = [(await serve(answers))[1].port for answers in (authority, cache)]
    print(*ports, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.fixture
def ports() -> Iterator[list[str]]:
    """An authoritative server that changes after a second, and a cache that follows 1.5 s later."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, "1.0", "2.5"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    yield process.stdout.readline().split()
    process.kill()
    process.wait()
    process.stdout.close()


def watch(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wizard.cli", "watch", *words],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def events(result: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


FLIP = ("www.shop.test", "A", "--expect", "192.0.2.2", "--was", "192.0.2.1", "--no-public", "--until-done")


def test_a_flip_is_followed_to_its_end(tmp_path: Path, ports: list[str]) -> None:
    """Given no configuration, every change is an event with both clocks and the number of questions."""
    authority, cache = ports

    result = watch(
        tmp_path,
        *FLIP,
        *("--resolver", f"127.0.0.1:{cache}", "--authoritative", f"127.0.0.1:{authority}", "--json"),
    )

    assert result.returncode == 0, result.stderr
    found = events(result)
    answers = [event for event in found if event["event"] == "answer"]
    assert [event["verdict"] for event in answers][-1] == "new"
    assert all(
        {"at", "monotonic", "resolver", "address", "verdict", "queries", "expires"} <= set(event)
        for event in answers
    )
    assert [event["verdict"] for event in found if event["event"] == "authority"][-1] == "new"
    assert found[-1]["event"] == "done" and found[-1]["odd"] == []
    assert list(tmp_path.iterdir()) == []


def test_the_same_in_lines(tmp_path: Path, ports: list[str]) -> None:
    authority, cache = ports

    result = watch(
        tmp_path, *FLIP, "--resolver", f"127.0.0.1:{cache}", "--authoritative", f"127.0.0.1:{authority}"
    )

    assert result.returncode == 0, result.stderr
    assert "watching www.shop.test A at 1 resolvers for 192.0.2.2" in result.stdout
    assert "no cache that keeps to its TTL can be old" in result.stdout.splitlines()[-1]
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("www.shop.test", "A"), "--expect"),
        (("www.shop.test", "NONSENSE", "--expect", "x"), "NONSENSE"),
        ((f"{'x' * 70}.test", "A", "--expect", "192.0.2.1"), "host name"),
        (("www..test", "A", "--expect", "192.0.2.1"), "host name"),
        (("www.shop.test", "A", "--expect", "192.0.2.1", "--no-public"), "nobody to ask"),
        (("www.shop.test", "A", "--expect", "192.0.2.1", "--resolver", "dns.test"), "dns.test"),
        (("www.shop.test", "A", "--expect", "192.0.2.1", "--resolvers", "gone.txt"), "gone.txt"),
    ],
)
def test_bad_usage_is_said_before_anything_is_asked(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    result = watch(tmp_path, *words)

    assert result.returncode == 2
    assert said in result.stderr
    assert result.stdout == ""
