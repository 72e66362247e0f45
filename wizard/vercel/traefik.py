"""The file of the panel's proxy that holds an app's rules. Pure.

Routers exclude each other, and Vercel's header rules add up: so there is one router for each set of rules
that can meet at a request, and the largest set has the highest priority. Redirects come first, then
rewrites in their order, then headers alone. What no rule is about stays with the panel's own routers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from wizard.vercel.rules import Effect, Led, ProxyRule, meet

FOLDER = "/etc/dokploy/traefik/dynamic/"
_MOST = 96
_REDIRECTS, _REWRITES, _HEADERS = 30_000_000, 20_000_000, 10_000_000
_ORDER_STEP = 1000


@dataclass(frozen=True, slots=True)
class Served:
    """How the proxy reaches an app: `address` in the network that both share.

    `secure` are names over HTTPS, whose certificates are the panel's affair; `plain` those over HTTP only.
    """

    app: str
    address: str
    secure: tuple[str, ...]
    plain: tuple[str, ...] = ()


def fitting(led: Led) -> Led:
    """Without the header rules that would make too many combinations: those are lost, and said."""
    kept: list[ProxyRule] = []
    some: list[ProxyRule] = []
    lost: list[tuple[str, str]] = []
    for rule in led.rules:
        if rule.effect is Effect.HEADERS and rule.match:
            if len(_sets([*some, rule])) > _MOST:
                lost.append((rule.source, "too many header rules may meet at one request"))
                continue
            some.append(rule)
        kept.append(rule)
    return Led(tuple(kept), (*led.lost, *lost))


def file_path(app: str) -> str:
    """A file of our own: the panel writes only those of its apps' names, which end in letters it draws."""
    return f"{FOLDER}dokploy-wizard-rules-{app}.yml"


def file_text(rules: Sequence[ProxyRule], served: Served) -> str:
    """ "" without rules."""
    import yaml

    if not rules:
        return ""
    made, rules = _File(served), _once(rules)
    for hosts, entry in ((served.secure, "websecure"), (served.plain, "web")):
        if hosts:
            made.add(rules, hosts, entry)
    http: dict[str, Any] = {"routers": made.routers, "services": made.services}
    if made.middlewares:
        http["middlewares"] = made.middlewares
    text: str = yaml.safe_dump({"http": http}, sort_keys=False, width=1000, allow_unicode=True)
    return f"# Rules that Vercel had for {served.app}, written by dokploy-wizard.\n{text}"


def _once(rules: Sequence[ProxyRule]) -> tuple[ProxyRule, ...]:
    """Of rules that say the same the last that sets headers, and the first of the others."""
    headers = [one for one in rules if one.effect is Effect.HEADERS]
    others = [one for one in rules if one.effect is not Effect.HEADERS]
    return (*dict.fromkeys(others), *reversed(dict.fromkeys(reversed(headers))))


@dataclass
class _File:
    served: Served
    routers: dict[str, Any] = field(default_factory=dict)
    services: dict[str, Any] = field(default_factory=dict)
    middlewares: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._service("app", self.served.address, own=True)

    def add(self, rules: Sequence[ProxyRule], hosts: Sequence[str], entry: str) -> None:
        headers = [one for one in rules if one.effect is Effect.HEADERS]
        always = tuple(one for one in headers if not one.match)
        some = [one for one in headers if one.match]
        redirects = [one for one in rules if one.effect is Effect.REDIRECT]
        rewrites = [one for one in rules if one.effect not in (Effect.REDIRECT, Effect.HEADERS)]
        for number, rule in enumerate(redirects):
            self._router(hosts, entry, _REDIRECTS - number, (*always, rule), headers)
        for number, rule in enumerate(rewrites):
            for chosen in _sets([one for one in some if meet(one, rule)]):
                priority = _REWRITES - number * _ORDER_STEP + len(chosen)
                self._router(hosts, entry, priority, (*always, *chosen, rule), headers)
        for chosen in _sets(some):
            if chosen or always:
                self._router(hosts, entry, _HEADERS + len(chosen), (*always, *chosen), headers)

    def _router(
        self,
        hosts: Sequence[str],
        entry: str,
        priority: int,
        rules: Sequence[ProxyRule],
        order: Sequence[ProxyRule],
    ) -> None:
        """Middlewares from the outside in: of two for a header the outer wins, as the later at Vercel."""
        ordered = sorted((one for one in rules if one in order), key=order.index, reverse=True)
        terminal = [one for one in rules if one not in order]
        names = " || ".join(f"Host(`{host}`)" for host in hosts)
        matches = [one.match for one in rules if one.match]
        rule = " && ".join((f"({names})" if len(hosts) > 1 else names, *matches))
        service = "app"
        for one in terminal:
            if one.effect is Effect.PROXY:
                service = self._service(f"origin-{len(self.services)}", one.target, own=False)
        router: dict[str, Any] = {
            "rule": rule,
            "entryPoints": [entry],
            "priority": priority,
            "middlewares": [self._middleware(one) for one in (*ordered, *terminal)],
            "service": self._name(service),
        }
        if entry == "websecure":
            router["tls"] = {}
        self.routers[self._name(f"{entry}-{len(self.routers) + 1}")] = router

    def _name(self, word: str) -> str:
        return f"wizard-{self.served.app}-{word}"

    def _service(self, word: str, address: str, *, own: bool) -> str:
        """The word under which it stands; another server is asked by its own name."""
        prefix = self._name("")
        for name, known in self.services.items():
            if known["loadBalancer"]["servers"][0]["url"] == address:
                return name.removeprefix(prefix)
        balancer = {"servers": [{"url": address}], "passHostHeader": own}
        self.services[self._name(word)] = {"loadBalancer": balancer}
        return word

    def _middleware(self, rule: ProxyRule) -> str:
        wished = self._does(rule)
        for name, known in self.middlewares.items():
            if known == wished:
                return name
        name = self._name(f"rule-{len(self.middlewares) + 1}")
        self.middlewares[name] = wished
        return name

    def _does(self, rule: ProxyRule) -> dict[str, Any]:
        match rule.effect:
            case Effect.REDIRECT:
                return {
                    "redirectRegex": {
                        "regex": rule.regex,
                        "replacement": rule.replacement,
                        "permanent": rule.permanent,
                    }
                }
            case Effect.HEADERS:
                return {"headers": {"customResponseHeaders": dict(rule.headers)}}
            case Effect.FALLBACK:
                return {
                    "errors": {
                        "status": ["404"],
                        "statusRewrites": {"404": 200},
                        "service": self._name("app"),
                        "query": rule.target,
                    }
                }
        return {"replacePathRegex": {"regex": rule.regex, "replacement": rule.replacement}}


def _sets(rules: Sequence[ProxyRule]) -> list[tuple[ProxyRule, ...]]:
    """Every set of them that can meet at one request, the empty one first."""
    found: list[tuple[ProxyRule, ...]] = [()]
    for rule in rules:
        found += [(*one, rule) for one in found if all(meet(rule, other) for other in one)]
    return found
