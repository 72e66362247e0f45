"""A Caddyfile in which some sites are led to another host; everything else stays letter for letter. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

MARK = "X-Moved-To"
"""The answer's header that tells that an old host forwarded it, and to where."""
_NOTE = "# Led to its new host until the last cache has forgotten this one."
_PROOF = "# Looked at by a certificate authority, for some moments before the move."
_FORWARD = re.compile(r"^\s*reverse_proxy\s+https://\[?([0-9A-Fa-f:.]+?)\]?(?::443)?\s*\{\s*$")


@dataclass(frozen=True, slots=True)
class Site:
    """`lines` are its own, head and closing brace included; `head` counts those up to the opening brace."""

    addresses: tuple[str, ...]
    lines: tuple[str, ...]
    head: int

    @property
    def body(self) -> tuple[str, ...]:
        return self.lines[self.head : -1] if self.lines[-1].strip() == "}" else self.lines[self.head :]


Part = Site | tuple[str, ...]


def parts(text: str) -> tuple[Part, ...]:
    """Sites, and whatever stands between and before them: options, snippets, imports, comments."""
    lines = text.splitlines()
    whole = _single_site(lines)
    if whole is not None:
        return whole
    found: list[Part] = []
    at = 0
    while at < len(lines):
        end = at
        # Addresses may stand on several lines, as long as each but the last ends with a comma.
        while end + 1 < len(lines) and _bare(lines[end]).endswith(","):
            end += 1
        if not _opens(lines[end]):
            found.append(tuple(lines[at : end + 1]))
            at = end + 1
            continue
        close = _closing(lines, end)
        block = tuple(lines[at : close + 1])
        head = " ".join(_bare(line) for line in lines[at : end + 1]).removesuffix("{").strip()
        names = tuple(word for word in re.split(r"[,\s]+", head) if word)
        site = bool(names) and not names[0].startswith("(") and not names[0].startswith("&(")
        found.append(Site(names, block, end - at + 1) if site else block)
        at = close + 1
    return tuple(found)


def _single_site(lines: list[str]) -> tuple[Part, ...] | None:
    """A file of one site may leave its braces out."""
    first = next((at for at, line in enumerate(lines) if _bare(line)), None)
    if first is None or _opens(lines[first]) or _bare(lines[first]).endswith(","):
        return None
    words = re.split(r"[,\s]+", _bare(lines[first]))
    if words[0] == "import" or not all("." in word or ":" in word or word == "localhost" for word in words):
        return None
    return (tuple(lines[:first]), Site(tuple(words), tuple(lines[first:]), 1))


def _bare(line: str) -> str:
    """Without a comment: one begins where a word does."""
    return re.sub(r"(^|\s)#.*$", "", line).strip()


def _opens(line: str) -> bool:
    bare = _bare(line)
    return bare == "{" or bare.endswith((" {", "\t{"))


def _closing(lines: list[str], opening: int) -> int:
    depth = 0
    for at in range(opening, len(lines)):
        if _bare(lines[at]).startswith("}"):
            depth -= 1
        if _opens(lines[at]):
            depth += 1
        if depth == 0:
            return at
    return len(lines) - 1


def domain_of(address: str) -> str:
    """The host name of a site's address if it is served over HTTPS on the usual port; else ""."""
    if address.startswith("http://"):
        return ""
    host, _, port = address.removeprefix("https://").partition("/")[0].partition(":")
    plain = re.fullmatch(r"[A-Za-z0-9_.*-]+", host) is not None
    return host.lower() if plain and port in ("", "443") else ""


def served(text: str) -> tuple[str, ...]:
    """Every domain that has a site of its own here."""
    sites = [part for part in parts(text) if isinstance(part, Site)]
    return tuple(dict.fromkeys(d for site in sites for a in site.addresses if (d := domain_of(a))))


def forwards(text: str) -> dict[str, str]:
    """Domains whose site does nothing but send them to an address, with that address."""
    found: dict[str, str] = {}
    for site in parts(text):
        if isinstance(site, Site) and any(MARK in line for line in site.body):
            match = next((m for line in site.body if (m := _FORWARD.match(line))), None)
            found |= {domain_of(a): match[1] for a in site.addresses if match and domain_of(a)}
    return found


def forwarding(text: str, targets: Mapping[str, str]) -> str:
    """The same file, with each domain of `targets` sent to its address over TLS by its own name.

    A site keeps the other domains that it serves; what it says about TLS goes along.
    """
    out: list[str] = []
    tls: dict[str, tuple[str, ...]] = {}
    for part in parts(text):
        if not isinstance(part, Site):
            out += part
            continue
        gone = [address for address in part.addresses if domain_of(address) in targets]
        tls |= {domain_of(address): _tls_lines(part.body) for address in gone}
        kept = [address for address in part.addresses if address not in gone]
        if not gone:
            out += part.lines
        elif kept:
            out += [f"{', '.join(kept)} {{", *part.body, "}"]
    while out and not out[-1].strip():
        out.pop()
    for domain, address in targets.items():
        out += ["", *_site(domain, address, tls.get(domain, ()))]
    return "\n".join(out).lstrip("\n") + "\n"


def proving(text: str, pages: Mapping[str, Mapping[str, str]]) -> str:
    """The same file, which also answers pages (by domain: path and text) over plain HTTP.

    Everything else that is asked over HTTP there goes on to HTTPS, as Caddy does by itself.
    Raises ValueError, which names a domain that has a site of its own for plain HTTP.
    """
    out: list[str] = []
    for part in parts(without_proofs(text)):
        if isinstance(part, Site):
            taken = {address.removeprefix("http://").partition("/")[0] for address in part.addresses}
            plain = [one for one in pages if one in taken and f"http://{one}" in part.addresses]
            if plain:
                raise ValueError(f"{plain[0]} has a site of its own for plain HTTP")
            bare = len(part.lines) == part.head or not _opens(part.lines[part.head - 1])
            out += [f"{', '.join(part.addresses)} {{", *part.body, "}"] if bare else part.lines
        else:
            out += part
    for domain, answers in pages.items():
        out += ["", *_proof(domain, answers)]
    return "\n".join(out) + "\n"


def _proof(domain: str, answers: Mapping[str, str]) -> list[str]:
    lines = [f"http://{domain} {{", f"\t{_PROOF}"]
    for path, text in answers.items():
        lines += [f"\thandle {path} {{", f'\t\trespond "{text}" 200', "\t}"]
    return [*lines, "\thandle {", "\t\tredir https://{host}{uri} 308", "\t}", "}"]


def without_proofs(text: str) -> str:
    """The same file without what `proving` put there."""
    out: list[str] = []
    for part in parts(text):
        if not isinstance(part, Site):
            out += part
        elif not any(_PROOF in line for line in part.lines):
            out += part.lines
        elif out and not out[-1]:
            out.pop()
    return "\n".join(out) + "\n" * text.endswith("\n")


def _tls_lines(body: tuple[str, ...]) -> tuple[str, ...]:
    for at, line in enumerate(body):
        if re.match(r"\s*tls(\s|$)", line):
            end = _closing(list(body), at) if _opens(line) else at
            return body[at : end + 1]
    return ()


def _site(domain: str, address: str, tls: tuple[str, ...]) -> tuple[str, ...]:
    target = f"[{address}]" if ":" in address else address
    return (
        _NOTE,
        f"{domain} {{",
        *tls,
        f"\treverse_proxy https://{target} {{",
        "\t\theader_up Host {host}",
        f"\t\theader_down {MARK} {address}",
        "\t\tlb_try_duration 5s",
        "\t\ttransport http {",
        f"\t\t\ttls_server_name {domain}",
        "\t\t}",
        "\t}",
        "}",
    )
