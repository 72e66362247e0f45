"""Faults are a property of the world, not of the code under test."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from wizard.errors import UsageError


@dataclass(frozen=True, slots=True)
class Rule:
    """Play `fault` at calls of `system`/`act` ("*" for any): the first `times`, or with `chance` each."""

    system: str
    act: str
    fault: str
    times: int = 0
    chance: float = 0.0


PROFILES: dict[str, tuple[Rule, ...]] = {
    "none": (),
    "flaky": (
        Rule("hetzner", "*", "server_error", chance=0.02),
        Rule("hetzner", "servers.create", "lost_answer", times=1),
        Rule("panel", "*", "error_500", chance=0.02),
        Rule("vercel", "*", "rate_limited", chance=0.02),
        Rule("github", "*", "error_502", chance=0.02),
        Rule("dns", "query", "lost", chance=0.02),
        Rule("ssh", "connect", "refused", chance=0.02),
        Rule("acme", "*", "bad_nonce", chance=0.1),
    ),
    "storm": (
        Rule("hetzner", "*", "server_error", chance=0.08),
        Rule("hetzner", "servers.create", "lost_answer", times=1),
        Rule("hetzner", "servers.create", "no_capacity", times=2),
        Rule("panel", "*", "error_500", chance=0.06),
        Rule("panel", "sign_up", "lost_answer", times=1),
        Rule("vercel", "pause.create", "lost_answer", times=1),
        Rule("vercel", "projects.delete", "lost_answer", times=1),
        Rule("vercel", "*", "rate_limited", chance=0.06),
        Rule("github", "*", "error_502", chance=0.06),
        Rule("dns", "query", "lost", chance=0.08),
        Rule("dns", "records", "lost_answer", times=1),
        Rule("ssh", "connect", "refused", chance=0.06),
        Rule("ssh", "session", "cut", chance=0.01),
        Rule("acme", "*", "bad_nonce", chance=0.2),
    ),
    "no-capacity": (Rule("hetzner", "servers.create", "no_capacity", times=3),),
    "creation-fails": (Rule("hetzner", "servers.create", "creation_fails", times=2),),
    "read-only-token": (Rule("hetzner", "*", "token_readonly", times=1_000_000),),
    "expired-token": (Rule("hetzner", "servers.create", "unauthorized", times=1_000_000),),
    "server-limit": (Rule("hetzner", "servers.create", "resource_limit_exceeded", times=1_000_000),),
    "wrong-team": (Rule("vercel", "*", "forbidden", times=1_000_000),),
    "lying-resolver": (Rule("dns", "cache.lie", "lie", times=1_000_000),),
    "stale-resolver": (Rule("dns", "cache.stale", "serve_stale", times=1_000_000),),
    "lagging-nameserver": (Rule("dns", "nameserver.lag", "lag", times=1_000_000),),
    "acme-refuses-twice": (Rule("acme", "finalize", "refused", times=2),),
    "committed-then-lost": (Rule("dns", "records", "lost_answer", times=3),),
    "build-fails": (Rule("panel", "build", "fails", times=1),),
    "never-healthy": (Rule("panel", "health", "never", times=1),),
    "panel-restarts": (Rule("panel", "deploy", "restarts", times=1),),
    "registry-limit": (Rule("panel", "pull", "too_many_requests", times=1),),
}


@dataclass
class Faults:
    """`roll` is deterministic by seed and by how often each call was made before."""

    profile: str = "none"
    seed: int = 0
    played: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise UsageError(
                f"There is no fault profile {self.profile!r}",
                next=f"Choose one of: {', '.join(sorted(PROFILES))}.",
            )

    def roll(self, system: str, act: str) -> str | None:
        """The fault to play for this call, or None."""
        self.calls[f"{system}/{act}"] += 1
        nth = self.calls[f"{system}/{act}"]
        for number, rule in enumerate(PROFILES[self.profile]):
            if rule.system != system or rule.act not in ("*", act):
                continue
            dice = random.Random(f"{self.seed}/{number}/{system}/{act}/{nth}").random()
            key = f"{number}"
            if (rule.times and self.played[key] < rule.times) or dice < rule.chance:
                self.played[key] += 1
                return rule.fault
        return None
