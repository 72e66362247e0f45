"""Ordinary programs on a rehearsal's host: files, the system's facts, keys, services."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json

import asyncssh

from wizard.net import Reach
from wizard.rehearsal.hosts.firewall import copy_ufw
from wizard.rehearsal.hosts.shell import Call, Shell, program
from wizard.rehearsal.hosts.state import File

HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
CLOUD_INIT_SECONDS = 15.0


@program("cat")
async def cat(call: Call) -> int:
    code = 0
    for path in [word for word in call.argv[1:] if word != "--"]:
        file = call.host.state.files.get(path)
        if path == "/proc/meminfo":
            await call.say(f"MemTotal: {call.host.memory_mb * 1024} kB\n")
        elif file is None:
            code = await call.fail(f"{path}: No such file or directory")
        else:
            await call.out(file.content)
    return code


@program("date")
async def date(call: Call) -> int:
    return await call.say(f"{int(call.host.stage.clock.now())}\n")


@program("dd")
async def dd(call: Call) -> int:
    path = next(word[3:] for word in call.argv if word.startswith("of="))
    file = call.host.state.files.setdefault(path, File(b""))
    file.content = call.stdin
    return 0


@program("install")
async def install(call: Call) -> int:
    if "-d" not in call.argv:
        call.host.write(call.argv[-1], b"", int(call.option("-m", "0755"), 8))
    return 0


@program("chmod")
async def chmod(call: Call) -> int:
    file = call.host.state.files.get(call.argv[2])
    if file is None:
        return await call.fail(f"cannot access '{call.argv[2]}': No such file or directory")
    file.mode = int(call.argv[1], 8)
    return 0


@program("mv", "cp")
async def move(call: Call) -> int:
    source, target = [word for word in call.argv[1:] if not word.startswith("-")]
    files = call.host.state.files
    if source.startswith("/etc/ufw") or target.startswith("/etc/ufw"):
        copy_ufw(call.host.state, source, target)
        return 0
    if source not in files:
        return await call.fail(f"cannot stat '{source}': No such file or directory")
    file = files[source]
    files[target] = File(file.content, file.mode, file.uid, file.gid)
    if call.argv[0] == "mv":
        del files[source]
    return 0


@program("ls")
async def ls(call: Call) -> int:
    folder = call.argv[-1].rstrip("/") + "/"
    names = {
        path.removeprefix(folder).partition("/")[0]
        for path in call.host.state.files
        if path.startswith(folder)
    }
    return await call.say("".join(f"{name}\n" for name in sorted(names)))


@program("rm")
async def remove(call: Call) -> int:
    for path in [word for word in call.argv[1:] if not word.startswith("-")]:
        call.host.state.files.pop(path, None)
    return 0


@program("sha256sum")
async def sha256sum(call: Call) -> int:
    code = 0
    for path in [word for word in call.argv[1:] if not word.startswith("-")]:
        file = call.host.state.files.get(path)
        if file is None:
            code = await call.fail(f"{path}: No such file or directory")
        else:
            await call.say(f"{hashlib.sha256(file.content).hexdigest()}  {path}\n")
    return code


@program("df")
async def df(call: Call) -> int:
    total = call.host.state.disk_gb << 20
    free = int(total * 0.8)
    return await call.say(
        "Filesystem 1024-blocks Used Available Capacity Mounted on\n"
        f"/dev/sda1 {total} {total - free} {free} 20% {call.argv[-1]}\n"
    )


@program("printenv")
async def printenv(call: Call) -> int:
    if call.argv[1] != "SSH_CONNECTION":
        return 1
    address = call.host.ipv6 if ":" in call.source else call.host.ipv4
    return await call.say(f"{call.source} 50022 {address} {call.host.state.ssh_port}\n")


@program("cloud-init")
async def cloud_init(call: Call) -> int:
    ready = call.host.state.booted + CLOUD_INIT_SECONDS
    if "--wait" not in call.argv:
        return await call.say(f"status: {'done' if call.host.stage.clock.now() >= ready else 'running'}\n")
    await call.host.stage.clock.sleep(max(0.0, ready - call.host.stage.clock.now()))
    return await call.say("\nstatus: done\n")


@program("ss")
async def ss(call: Call) -> int:
    ports = sorted({call.host.state.ssh_port, *call.host.state.ports})
    return await call.say("".join(f"LISTEN 0 4096 *:{port} *:*\n" for port in ports))


@program("nproc")
async def nproc(call: Call) -> int:
    return await call.say(f"{call.host.state.cpus}\n")


@program("systemd-detect-virt")
async def detect_virt(call: Call) -> int:
    await call.say("none\n")
    return 1


@program("ip")
async def ip(call: Call) -> int:
    host = call.host
    if "route" in call.argv:
        rows = [{"dst": "default", "dev": "eth0"}]
        if host.private_ip:
            rows.append({"dst": host.stage.config.network.range, "dev": "enp7s0"})
        if host.docker.version:
            rows.append({"dst": "172.17.0.0/16", "dev": "docker0"})
        return await call.say(json.dumps(rows))
    addresses = [("eth0", host.ipv4), ("eth0", host.ipv6), ("enp7s0", host.private_ip)]
    links: dict[str, list[dict[str, object]]] = {}
    for link, address in addresses:
        if address:
            family = "inet6" if ipaddress.ip_address(address).version == 6 else "inet"
            links.setdefault(link, []).append({"family": family, "local": address, "scope": "global"})
    return await call.say(json.dumps([{"ifname": k, "addr_info": v} for k, v in links.items()]))


@program("sshd")
async def sshd(call: Call) -> int:
    return await call.say(
        f"port {call.host.state.ssh_port}\npermitrootlogin without-password\npasswordauthentication no\n"
    )


@program("ssh-keygen")
async def ssh_keygen(call: Call) -> int:
    path = call.option("-f")
    if path in call.host.state.files:
        return await call.fail(f"{path} already exists.")
    key = asyncssh.generate_private_key("ssh-ed25519")
    call.host.write(path, key.export_private_key(), 0o600)
    call.host.write(f"{path}.pub", key.export_public_key())
    return 0


@program("systemctl")
async def systemctl(call: Call) -> int:
    state = call.host.state
    verb, *units = [word for word in call.argv[1:] if not word.startswith("-")]
    if verb in ("reload", "restart") and units in (["ssh"], ["sshd"]):
        if HOST_KEY in state.files:
            state.host_key = state.files[HOST_KEY].content.decode()
        return 0
    if verb in ("enable", "disable"):
        for unit in units:
            state.units[unit] = verb == "enable"
        return 0
    if verb == "is-enabled":
        on = all(state.units.get(unit, False) for unit in units)
        await call.say("enabled\n" if on else "disabled\n")
        return 0 if on else 1
    return 0


@program("curl")
async def curl(call: Call) -> int:
    """The installer, or an object of a store; a host without IPv4 would not reach the former."""
    if "--config" in call.argv:
        from wizard.rehearsal.hosts.bucket import fetch

        return await fetch(call)
    if not call.host.ipv4:
        return await call.fail("(6) Could not resolve host", 6)
    call.host.write(call.option("-o"), b"#!/bin/sh\n# Dokploy installer\n", 0o644)
    await call.host.stage.clock.sleep(1.0)
    return 0


@program("true")
async def true(call: Call) -> int:
    return 0


@program("echo")
async def echo(call: Call) -> int:
    return await call.say(" ".join(call.argv[1:]) + "\n")


@program("ssh")
async def ssh(call: Call) -> int:
    """From one host to another: reachable, the pinned key, an authorized key, then the line runs there."""
    words = call.argv[1:]
    options: list[str] = []
    while words and words[0].startswith("-"):
        options += words[:2]
        words = words[2:]
    user, _, address = words[0].rpartition("@")
    hosts = call.host.stage.hosts
    port = int(options[options.index("-p") + 1]) if "-p" in options else 22
    target = hosts.by_address(address)
    if target is None or target.admits(call.host.source_for(address), address, port) is not Reach.OPEN:
        await call.host.stage.clock.sleep(3.0)
        return await call.fail(f"connect to host {address} port {port}: Connection timed out", 255)
    identity = call.host.state.files.get(options[options.index("-i") + 1])
    if identity is None:
        return await call.fail(f"{user}@{address}: Permission denied (publickey).", 255)
    ours = asyncssh.import_private_key(identity.content).export_public_key().decode().split()[1]
    if not any(ours in line.split() for line in target.authorized()):
        return await call.fail(f"{user}@{address}: Permission denied (publickey).", 255)
    theirs = asyncssh.import_private_key(target.state.host_key).export_public_key().decode().split()[1]
    known = next((word.partition("=")[2] for word in options if word.startswith("UserKnownHostsFile=")), "")
    name = address if port == 22 else f"[{address}]:{port}"
    if not any(line.split()[0] == name and theirs in line for line in call.host.text(known).splitlines()):
        return await call.fail("Host key verification failed.", 255)
    await asyncio.sleep(0)
    return await Shell(target, call.out, call.err, call.host.source_for(address)).line(words[1], call.stdin)
