"""Every way in to a host of the operator's own, and every way that must stay shut, over a real sshd."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.real.sshd import Sshd, serving
from wizard.clients import commands
from wizard.clients.ssh import HostClient, HostKeyError, LoginError, Target, fingerprint, generate_key
from wizard.clients.ssh_login import is_locked, known_keys
from wizard.clock import LiveClock
from wizard.net import LiveNet

pytestmark = pytest.mark.real


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    with serving(tmp_path / "sshd") as served:
        yield served


@pytest.fixture
def bare(server: Sshd, tmp_path: Path) -> Target:
    """Known by a known_hosts file, without any key to log in with."""
    return replace(server.target, host_key="", key="", known_hosts=str(known_hosts(server, tmp_path)))


def run(*argv: str) -> None:
    subprocess.run(argv, check=True)


def known_hosts(server: Sshd, folder: Path, key: str = "") -> Path:
    path = folder / "known_hosts"
    path.write_text(f"[127.0.0.1]:{server.target.port} {key or server.target.host_key}\n")
    return path


def key_file(server: Sshd, folder: Path, passphrase: str = "") -> Path:
    """A key as ssh-keygen makes it, let in by the server."""
    path = folder / "id_ed25519"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "operator", "-f", str(path))
    with (server.folder / "authorized").open("a") as file:
        file.write(path.with_suffix(".pub").read_text())
    return path


async def gets_in(target: Target) -> bool:
    host = HostClient(target, LiveNet(), LiveClock())
    try:
        return (await host.run(commands.Command(("echo", "in"), login=True))).stdout == "in\n"
    finally:
        await host.aclose()


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A running ssh-agent without keys."""
    path = str(tmp_path / "agent")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", path)
    try:
        while not Path(path).exists():
            assert process.poll() is None
        yield path
    finally:
        process.kill()
        process.wait()


async def test_the_agents_key_is_used_when_asked_for(
    server: Sshd, bare: Target, tmp_path: Path, agent: str
) -> None:
    key = key_file(server, tmp_path)
    run("ssh-add", "-q", str(key))

    assert await gets_in(replace(bare, agent=True))
    with pytest.raises(LoginError, match="does not let"):
        await gets_in(bare)


async def test_a_key_file_opens_with_its_passphrase_and_asks_for_it_without(
    server: Sshd, bare: Target, tmp_path: Path
) -> None:
    key = key_file(server, tmp_path, "correct horse")

    assert await gets_in(replace(bare, identity=str(key), passphrase="correct horse"))
    for passphrase in ("", "wrong"):
        with pytest.raises(LoginError, match="could not be read") as caught:
            await gets_in(replace(bare, identity=str(key), passphrase=passphrase))
        assert "OLD_HOST_PASSPHRASE" in caught.value.next


async def test_the_operators_ssh_config_names_address_port_user_and_key(
    server: Sshd, bare: Target, tmp_path: Path
) -> None:
    key = key_file(server, tmp_path)
    config = tmp_path / "config"
    config.write_text(
        f"Host shop-old\n  HostName 127.0.0.1\n  Port {server.target.port}\n  IdentityFile {key}\n"
        "  StrictHostKeyChecking no\n  RemoteCommand echo trapped\n  RequestTTY yes\n  AddKeysToAgent yes\n"
    )
    by_alias = replace(bare, address="shop-old", port=22, ssh_config=str(config))

    assert await gets_in(by_alias)
    stranger = known_hosts(server, tmp_path, generate_key()[1])
    with pytest.raises(HostKeyError):
        await gets_in(replace(by_alias, known_hosts=str(stranger)))


async def test_a_jump_host_is_passed_by_its_own_pinned_key(server: Sshd, tmp_path: Path) -> None:
    with serving(tmp_path / "jump", "AllowTcpForwarding yes") as jump:
        target = replace(server.target, jump=jump.target)
        assert await gets_in(target)
        with pytest.raises(HostKeyError):
            await gets_in(replace(target, jump=replace(jump.target, host_key=generate_key()[1])))
        config = tmp_path / "config"
        config.write_text(
            f"Host bastion\n  HostName 127.0.0.1\n  Port {jump.target.port}\n"
            f"Host inner\n  HostName 127.0.0.1\n  Port {server.target.port}\n  ProxyJump bastion\n"
        )
        both = tmp_path / "both"
        both.write_text(
            "".join(f"[127.0.0.1]:{one.target.port} {one.target.host_key}\n" for one in (server, jump))
        )
        (jump.folder / "authorized").write_text((server.folder / "authorized").read_text())
        named = replace(
            server.target,
            address="inner",
            port=22,
            host_key="",
            known_hosts=str(both),
            ssh_config=str(config),
        )
        assert await gets_in(named)


async def test_a_changed_host_key_is_a_hard_stop_however_it_is_pinned(
    server: Sshd, bare: Target, tmp_path: Path
) -> None:
    other = generate_key()[1]
    for target in (
        replace(server.target, host_key=other),
        replace(server.target, host_key="", fingerprint=fingerprint(other)),
        replace(server.target, host_key="", known_hosts=str(known_hosts(server, tmp_path, other))),
        replace(server.target, host_key="", known_hosts=str(tmp_path / "absent")),
    ):
        with pytest.raises(HostKeyError) as caught:
            await gets_in(target)
        assert fingerprint(server.target.host_key) in caught.value.why


async def test_a_fingerprint_finds_its_key_among_several_kinds(server: Sshd, tmp_path: Path) -> None:
    ecdsa = tmp_path / "ecdsa"
    run("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(ecdsa))
    with serving(tmp_path / "two", f"HostKey {ecdsa}") as two:
        for public in (two.target.host_key, ecdsa.with_suffix(".pub").read_text()):
            assert await gets_in(replace(two.target, host_key="", fingerprint=fingerprint(public)))


async def test_the_key_that_is_shown_is_seen_without_any_login(server: Sshd, tmp_path: Path) -> None:
    ecdsa = tmp_path / "ecdsa"
    run("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(ecdsa))
    with serving(tmp_path / "two", f"HostKey {ecdsa}") as two:
        stranger = replace(two.target, host_key="", key="")
        second = " ".join(ecdsa.with_suffix(".pub").read_text().split()[:2])
        for wished, line in (("", two.target.host_key), (fingerprint(second), second)):
            host = HostClient(replace(stranger, fingerprint=wished), LiveNet(), LiveClock())
            assert " ".join((await host.shown_key()).split()[:2]) == " ".join(line.split()[:2])


def test_a_known_hosts_file_is_read_and_a_locked_key_is_told(server: Sshd, tmp_path: Path) -> None:
    path, port = known_hosts(server, tmp_path), server.target.port
    assert [k.split()[1] for k in known_keys(str(path), "127.0.0.1", port)] == [
        server.target.host_key.split()[1]
    ]
    assert known_keys(str(path), "127.0.0.2", port) == known_keys(str(tmp_path / "none"), "127.0.0.1", port)
    assert is_locked(str(key_file(server, tmp_path, "secret")))
    (tmp_path / "open").mkdir()
    assert not is_locked(str(key_file(server, tmp_path / "open")))
