"""The rules of the host layer, as texts: ufw as the document has them, nft for what Docker publishes.

A plain ufw rule does not close a port that Docker publishes: such packets are redirected before ufw sees
them. The table `inet wizfw` hangs at priority -150: after connection tracking (-200), before Docker's
redirection (-100), for both families.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from wizard import host_tools

PANEL_PORT = 3000
CLOSED = (PANEL_PORT, 2375, 2376, 2377, 5432, 6379, 7946, 8080)
"""Only the operator may reach these, whoever publishes them."""
PUBLIC = (80, 443)
NFT_FILE = "/etc/dokploy-wizard/wizfw.nft"
UNIT = "wizfw.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
UFW_BEFORE = f"{host_tools.FOLDER}/ufw-before"
NFT_BEFORE = f"{host_tools.FOLDER}/wizfw-before.nft"

UNIT_TEXT = f"""[Unit]
Description=Ports that Docker publishes, closed for everybody but the operator
DefaultDependencies=no
Before=network-pre.target docker.service
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f {NFT_FILE}

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """`admins` may reach the panel; `apart` (the front end's addresses) reach HTTPS and nothing else."""

    ssh_port: int
    admins: tuple[str, ...]
    apart: tuple[str, ...] = ()

    def ufw_rules(self) -> tuple[tuple[str, ...], ...]:
        """The document's rules, as words after ``ufw``, in its order."""
        open_ports = (self.ssh_port, *PUBLIC)
        return (
            *(("allow", f"{port}/tcp") for port in open_ports),
            *(
                ("allow", "from", admin, "to", "any", "port", str(PANEL_PORT), "proto", "tcp")
                for admin in self.admins
            ),
        )

    def nft_text(self) -> str:
        """Loads whole or not at all, also over an older one."""
        return (
            "table inet wizfw\n"
            "delete table inet wizfw\n"
            "table inet wizfw {\n"
            "\tset closed {\n\t\ttype inet_service\n"
            f"\t\telements = {{ {', '.join(map(str, CLOSED))} }}\n\t}}\n"
            + _addresses("admin", self.admins)
            + _addresses("apart", self.apart)
            + "\tchain before_docker {\n"
            "\t\ttype filter hook prerouting priority -150; policy accept;\n"
            '\t\tiifname "lo" accept\n'
            "\t\tct state established,related accept\n"
            "\t\tfib daddr type != local accept\n"
            "\t\ttcp dport @closed ip saddr != @admin4 drop\n"
            "\t\ttcp dport @closed ip6 saddr != @admin6 drop\n"
            "\t\ttcp dport != 443 ip saddr @apart4 drop\n"
            "\t\ttcp dport != 443 ip6 saddr @apart6 drop\n"
            "\t}\n"
            "\tchain metadata {\n"
            "\t\ttype filter hook forward priority -10; policy accept;\n"
            "\t\tip daddr 169.254.169.254 drop\n"
            "\t}\n"
            "}\n"
        )


def _addresses(name: str, networks: Iterable[str]) -> str:
    text = ""
    for family in (4, 6):
        members = [net for net in networks if ipaddress.ip_network(net, strict=False).version == family]
        elements = f"\t\telements = {{ {', '.join(members)} }}\n" if members else ""
        text += f"\tset {name}{family} {{\n\t\ttype ipv{family}_addr\n\t\tflags interval\n{elements}\t}}\n"
    return text


def revert_script(ufw_was_active: bool, nft_was_there: bool) -> str:
    """Puts back what was before; run by dw-deadman when nobody confirms."""
    lines = ["ufw --force disable"]
    if ufw_was_active:
        lines += [f"cp -a {UFW_BEFORE}/. /etc/ufw/", "ufw --force enable"]
    lines.append("nft delete table inet wizfw")
    if nft_was_there:
        lines.append(f"nft -f {NFT_BEFORE}")
    return "\n".join(lines) + "\n"


def admins_of(table: str) -> tuple[str, ...]:
    """Who may reach the panel's port by a table of ours, as nft lists it or as we wrote it."""
    sets = re.findall(r"set admin[46] \{[^}]*?elements = \{([^}]*)\}", table)
    return tuple(member.strip() for members in sets for member in members.split(",") if member.strip())


def ufw_rules_of(added: str) -> tuple[str, ...]:
    """``ufw show added``: each rule as words after ``ufw``."""
    return tuple(line.removeprefix("ufw ").strip() for line in added.splitlines() if line.startswith("ufw "))
