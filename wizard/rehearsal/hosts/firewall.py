"""ufw and nft on a rehearsal's host, and what they let through."""

from __future__ import annotations

import copy
import ipaddress
import re
from typing import TYPE_CHECKING

from wizard.rehearsal.hosts.shell import Call, program
from wizard.rehearsal.hosts.state import HostState, NftTable, UfwRule

if TYPE_CHECKING:
    from collections.abc import Iterable

HTTPS = 443
UNIT = "wizfw.service"
NFT_FILE = "/etc/dokploy-wizard/wizfw.nft"


def admits(state: HostState, source: str, address: str, port: int) -> bool:
    """nft sees every packet before Docker's redirection; ufw only what Docker did not redirect."""
    if state.nft is not None:
        if port in state.nft.closed and not _among(source, state.nft.admin):
            return False
        if port != HTTPS and _among(source, state.nft.apart):
            return False
    open_port = state.ports.get(port)
    redirected = open_port is not None and open_port.published and ":" not in address
    if redirected or not state.ufw.active:
        return True
    for rule in state.ufw.rules:
        if rule.port in (0, port) and (not rule.source or _among(source, (rule.source,))):
            return rule.action == "allow"
    return state.ufw.incoming == "allow"


def _among(source: str, networks: Iterable[str]) -> bool:
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(network, strict=False) for network in networks)


def copy_ufw(state: HostState, source: str, target: str) -> None:
    """``cp -a`` of ufw's folder: into a snapshot, or back from it."""
    if source.startswith("/etc/ufw"):
        state.ufw_copies[target.rstrip("/.")] = copy.deepcopy(state.ufw)
    elif source.rstrip("/.") in state.ufw_copies:
        active = state.ufw.active
        state.ufw = copy.deepcopy(state.ufw_copies[source.rstrip("/.")])
        state.ufw.active = active


def after_boot(state: HostState) -> None:
    """nft's rules are gone unless the unit that loads them is enabled."""
    state.nft = parse_table(_text(state, NFT_FILE)) if state.units.get(UNIT) else None


def _text(state: HostState, path: str) -> str:
    file = state.files.get(path)
    return file.content.decode() if file else ""


def parse_table(text: str) -> NftTable | None:
    """The table as the wizard writes it; None when the last word is its deletion."""
    if not re.search(r"table inet wizfw \{", text):
        return None
    closed = re.search(r"set closed \{.*?elements = \{([^}]*)\}", text, re.DOTALL)
    admin = re.findall(r"set admin[46] \{[^}]*?elements = \{([^}]*)\}", text)
    apart = re.findall(r"set apart[46] \{[^}]*?elements = \{([^}]*)\}", text)
    return NftTable(
        text,
        tuple(int(word) for word in re.findall(r"\d+", closed[1])) if closed else (),
        tuple(word.strip() for part in admin for word in part.split(",") if word.strip()),
        tuple(word.strip() for part in apart for word in part.split(",") if word.strip()),
    )


@program("nft")
async def nft(call: Call) -> int:
    state = call.host.state
    words = call.argv[1:]
    if words[:1] == ["-f"]:
        text = call.stdin.decode() if words[1] == "-" else _text(state, words[1])
        if not text:
            return await call.fail(f"Could not open file {words[1]!r}: No such file or directory")
        state.nft = parse_table(text)
        return 0
    if words == ["delete", "table", "inet", "wizfw"] or words == ["destroy", "table", "inet", "wizfw"]:
        if state.nft is None and words[0] == "delete":
            return await call.fail("Error: Could not process rule: No such file or directory")
        state.nft = None
        return 0
    if words == ["list", "table", "inet", "wizfw"]:
        if state.nft is None:
            return await call.fail("Error: No such file or directory; did you mean table 'filter'?")
        return await call.say(state.nft.text[state.nft.text.rindex("table inet wizfw {") :])
    if words[:1] == ["--version"]:
        return await call.say("nftables v1.0.9 (Old Doc Yak #3)\n")
    return await call.fail(f"syntax error, unexpected {' '.join(words)}")


@program("ufw")
async def ufw(call: Call) -> int:
    state = call.host.state.ufw
    words = [word for word in call.argv[1:] if word != "--force"]
    if words[0] == "status":
        lines = [f"Status: {'active' if state.active else 'inactive'}"]
        if state.active:
            lines += [
                f"Default: {state.incoming} (incoming), allow (outgoing), disabled (routed)",
                "",
                "To                         Action      From",
                "--                         ------      ----",
                *(rule.text() for rule in state.rules),
            ]
        return await call.say("\n".join(lines) + "\n")
    if words[0] in ("enable", "disable"):
        state.active = words[0] == "enable"
        return await call.say("Firewall is active and enabled on system startup\n")
    if words[:1] == ["show"]:
        rules = [_command(rule) for rule in state.rules]
        return await call.say(
            "Added user rules (see 'ufw status' for running firewall):\n" + "\n".join(rules)
        )
    if words[0] == "default":
        state.incoming = words[1]
        return 0
    if words[0] == "reload":
        return 0
    deleting = words[0] == "delete"
    rule = _rule(words[1:] if deleting else words)
    if rule is None:
        return await call.fail("Invalid syntax")
    if deleting:
        state.rules = [known for known in state.rules if known != rule]
    elif rule not in state.rules:
        state.rules.append(rule)
    return await call.say("Rule added\n")


def _rule(words: list[str]) -> UfwRule | None:
    """``allow 22/tcp``, ``allow from A to any port N [proto tcp]``, with or without a comment."""
    if "comment" in words:
        words = words[: words.index("comment")]
    if words[0] not in ("allow", "deny") or len(words) < 2:
        return None
    if words[1] == "from":
        port = words[words.index("port") + 1] if "port" in words else "0"
        return UfwRule(words[0], int(port), "" if words[2] == "any" else words[2])
    return UfwRule(words[0], int(words[1].partition("/")[0]))


def _command(rule: UfwRule) -> str:
    if rule.source:
        return f"ufw {rule.action} from {rule.source} to any port {rule.port} proto tcp"
    return f"ufw {rule.action} {rule.port}/tcp"
