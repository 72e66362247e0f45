"""A believable machine: real sshd, ufw, nft and Docker's rules, in namespaces of its own.

Network: ``op`` (operator), ``nb`` (neighbour) and ``srv`` (the machine) on one bridge. Mounts: the machine
has its own /etc/ufw, /run and /var/lib/dokploy-wizard, so the host below is not touched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from wizard.clients.ssh import generate_key

SSH_PORT = 2222
SRV4, OP4, NB4 = "10.99.0.2", "10.99.0.3", "10.99.0.4"
SRV6, OP6, NB6 = "fd00:99::2", "fd00:99::3", "fd00:99::4"
NEVER = 1_000_000 + os.getpid()
"""Seconds of a timer that only a test lets lapse."""
TOOLS = ("sshd", "ufw", "nft", "iptables", "ip", "unshare", "bash", "setsid", "pgrep")


def needed() -> None:
    """Skip with the reason; fail where CI=true, so that nothing goes unproven."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    reason = "root is needed for network namespaces" if os.geteuid() else ""
    if missing:
        reason = f"missing programs: {', '.join(missing)}"
    if not reason:
        tried = subprocess.run(["ip", "netns", "add", "dwprobe"], capture_output=True, text=True)
        subprocess.run(["ip", "netns", "del", "dwprobe"], capture_output=True)
        reason = f"no network namespaces here: {tried.stderr.strip()}" if tried.returncode else ""
    if not reason:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def run(*argv: str, check: bool = True) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=150)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(argv)}: {done.stderr or done.stdout}")
    return done.stdout


@dataclass
class RealMachine:
    """`prefix` names its namespaces; `login` is the private key that it lets in."""

    prefix: str
    folder: Path
    login: str
    host_key: str
    ssh_port: int = SSH_PORT

    def inside(self, *argv: str, check: bool = True) -> str:
        """Run in the machine's network (not in its mounts)."""
        return run("ip", "netns", "exec", f"{self.prefix}srv", *argv, check=check)

    def reach(self, source: str, address: str, port: int) -> str:
        """open, refused or filtered, as seen from ``op`` or ``nb``, by dw-probe itself."""
        tool = Path(__file__).parents[2] / "wizard" / "host_tools" / "dw-probe.sh"
        said = run("ip", "netns", "exec", f"{self.prefix}{source}", "sh", str(tool), "3", address, str(port))
        return said.split()[-1]

    def reaches(self, port: int) -> dict[tuple[str, str], str]:
        """The same from both vantages by both families at once, because silence takes its time."""
        everywhere = [(source, address) for source in ("op", "nb") for address in (SRV4, SRV6)]
        with ThreadPoolExecutor() as pool:
            found = pool.map(lambda one: self.reach(*one, port), everywhere)
            return dict(zip(everywhere, found, strict=True))

    def redirect_ipv6_too(self) -> None:
        """As Docker does once one of its networks has IPv6: redirected in nat, past ufw, like IPv4."""
        run("ip", "-n", f"{self.prefix}box", "addr", "add", "fd00:18::2/64", "dev", "eth0", "nodad")
        run("ip", "-n", f"{self.prefix}box", "route", "add", "default", "via", "fd00:18::1")
        run("ip", "-n", f"{self.prefix}srv", "addr", "add", "fd00:18::1/64", "dev", "dwbox0", "nodad")
        self.inside("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
        for rule in (
            "-t nat -N DOCKER",
            "-t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
            "-t nat -A DOCKER ! -i dwbox0 -p tcp --dport 3000 -j DNAT --to-destination [fd00:18::2]:3000",
            "-I FORWARD -o dwbox0 -p tcp --dport 3000 -j ACCEPT",
            "-I FORWARD -i dwbox0 -j ACCEPT",
        ):
            self.inside("ip6tables", *rule.split())
        # Neighbours are found once before anything is asserted: the first packet may wait for that.
        _until_open(self, "op", SRV6, 3000)
        _until_open(self, "nb", SRV6, 3000)

    def publish_like_docker(self) -> None:
        """Port 3000 as Docker publishes it: redirected in nat (IPv4), a proxy on the host (IPv6)."""
        docker = f"{self.prefix}box"
        for command in (
            f"ip netns add {docker}",
            f"ip link add dwbox0 netns {self.prefix}srv type veth peer name eth0 netns {docker}",
            f"ip -n {docker} addr add 172.18.0.2/24 dev eth0",
            f"ip -n {docker} link set eth0 up",
            f"ip -n {docker} link set lo up",
            f"ip -n {docker} route add default via 172.18.0.1",
            f"ip -n {self.prefix}srv addr add 172.18.0.1/24 dev dwbox0",
            f"ip -n {self.prefix}srv link set dwbox0 up",
        ):
            run(*command.split())
        self.inside("sysctl", "-qw", "net.ipv4.ip_forward=1")
        for rule in (
            "-t nat -N DOCKER",
            "-t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
            "-t nat -A DOCKER ! -i dwbox0 -p tcp --dport 3000 -j DNAT --to-destination 172.18.0.2:3000",
            "-N DOCKER-USER",
            "-N DOCKER-FORWARD",
            "-I FORWARD -j DOCKER-FORWARD",
            "-I FORWARD -j DOCKER-USER",
            "-A DOCKER-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            "-A DOCKER-FORWARD -o dwbox0 -p tcp --dport 3000 -j ACCEPT",
            "-A DOCKER-FORWARD -i dwbox0 -j ACCEPT",
        ):
            self.inside("iptables", *rule.split())


def lapse(seconds: int) -> None:
    """A dead man's timer of so many seconds, which no other timer has, is over now."""
    os.kill(int(run("pgrep", "-xf", f"sleep {seconds}")), signal.SIGTERM)


LISTEN = (
    "import socket,sys,threading\n"
    "def serve(f,a,p):\n"
    " s=socket.socket(f,socket.SOCK_STREAM); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)\n"
    " if f==socket.AF_INET6: s.setsockopt(socket.IPPROTO_IPV6,socket.IPV6_V6ONLY,1)\n"
    " s.bind((a,p)); s.listen(64)\n"
    " while True: c,_=s.accept(); c.close()\n"
    "pairs=zip(sys.argv[1::2],sys.argv[2::2])\n"
    "jobs=[(socket.AF_INET6 if ':' in a else socket.AF_INET,a,int(p)) for a,p in pairs]\n"
    "threads=[threading.Thread(target=serve,args=j) for j in jobs]\n"
    "[t.start() for t in threads]; print('ready',flush=True)\n"
)


@contextlib.contextmanager
def machine(folder: Path, *, ssh_port: int = SSH_PORT) -> Iterator[RealMachine]:
    """Built, entered, and taken down whatever happens."""
    needed()
    prefix = f"dw{os.getpid() % 10000}"
    login, public = generate_key()
    host_private, host_public = generate_key()
    (folder / "host_key").write_text(host_private)
    (folder / "host_key").chmod(0o600)
    (folder / "authorized").write_text(public + "\n")
    made = RealMachine(prefix, folder, login, host_public, ssh_port)
    started: list[subprocess.Popen[str]] = []
    try:
        _network(prefix)
        _side_way(prefix)
        started += [_sshd(made), _neighbour(made)]
        yield _with_ports(made, started)
    finally:
        for name in ("srv", "op", "nb", "box"):
            for pid in run("ip", "netns", "pids", f"{prefix}{name}", check=False).split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), 9)
        for process in started:
            process.kill()
            process.wait()
        for name in ("srv", "op", "nb", "box"):
            run("ip", "netns", "del", f"{prefix}{name}", check=False)


def _network(prefix: str) -> None:
    for name in ("srv", "op", "nb"):
        run("ip", "netns", "add", f"{prefix}{name}")
        run("ip", "-n", f"{prefix}{name}", "link", "set", "lo", "up")
    srv = f"{prefix}srv"
    for name, four, six in (("op", OP4, OP6), ("nb", NB4, NB6)):
        other = f"{prefix}{name}"
        run(
            "ip",
            "link",
            "add",
            f"to{name}",
            "netns",
            srv,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            other,
        )
        run("ip", "-n", srv, "link", "set", f"to{name}", "up")
        run("ip", "-n", other, "addr", "add", f"{four}/24", "dev", "eth0")
        run("ip", "-n", other, "addr", "add", f"{six}/64", "dev", "eth0", "nodad")
        run("ip", "-n", other, "link", "set", "eth0", "up")
    for name, four, six in (("op", OP4, OP6), ("nb", NB4, NB6)):
        run("ip", "-n", srv, "addr", "add", f"{SRV4}/32", "dev", f"to{name}", check=False)
        run("ip", "-n", srv, "addr", "add", f"{SRV6}/128", "dev", f"to{name}", "nodad", check=False)
        run("ip", "-n", srv, "route", "add", f"{four}/32", "dev", f"to{name}")
        run("ip", "-n", srv, "-6", "route", "add", f"{six}/128", "dev", f"to{name}")


def _side_way(prefix: str) -> None:
    """The operator reaches the neighbour by a link of their own: the machine forwards for nobody."""
    op, nb = f"{prefix}op", f"{prefix}nb"
    run(*f"ip link add side netns {op} type veth peer name side netns {nb}".split())
    for here, own, other in ((op, OP4, NB4), (nb, NB4, OP4)):
        run(*f"ip -n {here} addr add {own}/32 dev side".split())
        run(*f"ip -n {here} link set side up".split())
        run(*f"ip -n {here} route add {other}/32 dev side".split())


def _sshd(made: RealMachine) -> subprocess.Popen[str]:
    folder = made.folder
    (folder / "sshd_config").write_text(
        f"Port {made.ssh_port}\nHostKey {folder}/host_key\nAuthorizedKeysFile {folder}/authorized\n"
        f"PidFile {folder}/pid\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nPermitRootLogin yes\n"
        # Whatever the tester's own shell does at a login is no part of the machine.
        f"SetEnv HOME={folder}\n"
    )
    own = folder / "ufw"
    # Nothing here was booted by systemd: units are linked by the real program, and nobody reloads them.
    (folder / "systemctl").write_text(
        '#!/bin/sh\n[ "$1" != daemon-reload ] || exit 0\n'
        f'SYSTEMD_OFFLINE=1 exec {folder}/systemctl.real "$@"\n'
    )
    (folder / "systemctl").chmod(0o755)
    script = (
        "set -e; mount --make-rprivate /; "
        f"cp -a /etc/ufw {own}; mount --bind {own} /etc/ufw; mount -t tmpfs tmpfs /run; mkdir -p /run/sshd; "
        f"mkdir -p /var/lib/dokploy-wizard {folder}/lib; mount --bind {folder}/lib /var/lib/dokploy-wizard; "
        f"mkdir -p {folder}/etcdw {folder}/units /etc/dokploy-wizard; "
        f"mount --bind {folder}/etcdw /etc/dokploy-wizard; mount --bind {folder}/units /etc/systemd/system; "
        f"cp /usr/bin/systemctl {folder}/systemctl.real; mount --bind {folder}/systemctl /usr/bin/systemctl; "
        f"exec /usr/sbin/sshd -D -f {folder}/sshd_config -E {folder}/sshd.log"
    )
    process = subprocess.Popen(
        [
            "ip",
            "netns",
            "exec",
            f"{made.prefix}srv",
            "unshare",
            "-m",
            "--propagation",
            "private",
            "sh",
            "-c",
            script,
        ],
        text=True,
    )
    _until_open(made, "op", SRV4, made.ssh_port)
    return process


def _neighbour(made: RealMachine) -> subprocess.Popen[str]:
    """A second host with SSH: the other vantage."""
    config = made.folder / "neighbour_config"
    text = (made.folder / "sshd_config").read_text().replace(f"{made.folder}/pid", "none")
    config.write_text(text)
    script = (
        "mount --make-rprivate /; mount -t tmpfs tmpfs /run; mkdir -p /run/sshd; "
        f"exec /usr/sbin/sshd -D -f {config} -E {made.folder}/neighbour.log"
    )
    process = subprocess.Popen(
        ["ip", "netns", "exec", f"{made.prefix}nb", "unshare", "-m", "sh", "-c", script], text=True
    )
    _until_open(made, "srv", NB4, made.ssh_port)
    return process


def _with_ports(made: RealMachine, started: list[subprocess.Popen[str]]) -> RealMachine:
    """443 on the host (the positive control), 3000 behind Docker's redirection and its IPv6 proxy."""
    made.publish_like_docker()
    places = {
        f"{made.prefix}srv": ("0.0.0.0", "80", "::", "80", "0.0.0.0", "443", "::", "443", "::", "3000"),
        f"{made.prefix}box": ("0.0.0.0", "3000", "::", "3000"),
    }
    for namespace, words in places.items():
        process = subprocess.Popen(
            ["ip", "netns", "exec", namespace, sys.executable, "-c", LISTEN, *words],
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return made


def _until_open(made: RealMachine, source: str, address: str, port: int) -> None:
    end = time.monotonic() + 100
    while time.monotonic() < end:
        if made.reach(source, address, port) == "open":
            return
    raise AssertionError(f"sshd does not listen: {(made.folder / 'sshd.log').read_text()}")
