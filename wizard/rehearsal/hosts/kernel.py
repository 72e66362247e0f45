"""Settings of a rehearsal host's kernel, in its own network and in those of its containers."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from wizard.rehearsal.hosts.shell import Call, program
from wizard.rehearsal.hosts.state import Container

_KNOWN = {"net.ipv4.tcp_migrate_req": "0"}
_OUR_NETWORK = "network of process"


def pid_of(box: Container) -> int:
    """Of a container's first process; 0 while none runs."""
    running = box.state in ("running", "paused")
    return 1000 + int(hashlib.sha256(box.name.encode()).hexdigest()[:4], 16) if running else 0


def setting_path(name: str, pid: int = 0) -> str:
    """The file in which a setting is kept; `pid` 0: of the host's own network."""
    return f"/proc/{pid or 'self'}/sys/{name.replace('.', '/')}"


@program("nsenter")
async def nsenter(call: Call) -> int:
    pid, inner = int(call.option("--target")), call.argv[call.argv.index("--net") + 1 :]
    if pid not in {pid_of(box) for box in call.host.docker.containers.values()}:
        return await call.fail(f"cannot open /proc/{pid}/ns/net: No such process")
    if inner[0] != "sysctl":
        return await call.fail(f"failed to execute {inner[0]}: No such file or directory", 127)
    return await sysctl(replace(call, argv=inner, env={**call.env, _OUR_NETWORK: str(pid)}))


@program("sysctl")
async def sysctl(call: Call) -> int:
    name, _, value = call.argv[-1].partition("=")
    if name not in _KNOWN:
        return await call.fail(
            f"cannot stat /proc/sys/{name.replace('.', '/')}: No such file or directory", 255
        )
    path = setting_path(name, int(call.env.get(_OUR_NETWORK, "0")))
    if "-w" in call.argv:
        call.host.write(path, f"{value}\n".encode())
        if value == _KNOWN[name]:
            # As the kernel began: nothing of a setting that was put back is left to be seen.
            del call.host.state.files[path]
        return 0
    return await call.say(call.host.text(path) or f"{_KNOWN[name]}\n")
