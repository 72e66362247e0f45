"""`allow-me`: lets an operator who has moved in again, by the Cloud Firewalls' API alone.

What the hosts' own firewalls know follows over SSH where it still answers; nothing waits for that.

The address is given, or seen by a host that still answers SSH (which is open to everybody by the rules of
the document). It is never asked of a site on the internet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING

from wizard.engine.bus import Bus
from wizard.engine.context import StepContext
from wizard.engine.journal import Entry, Journal
from wizard.engine.progress import Progress
from wizard.errors import UsageError, WizardError
from wizard.phases.firewall.host import let_in
from wizard.phases.operator_address import seen_from
from wizard.phases.provision import naming, rules

if TYPE_CHECKING:
    from wizard.clients.hetzner.models import Firewall, Rule
    from wizard.config import Config, Server
    from wizard.world import World

STEP = "allow-me"


@dataclass(frozen=True, slots=True)
class Allowed:
    """What was done to one Cloud Firewall; `changed` is False when the address was in already."""

    firewall: str
    addresses: tuple[str, ...]
    before: str
    after: str
    changed: bool


async def allow_me(
    world: World,
    config: Config,
    progress: Progress,
    addresses: Sequence[str] = (),
    *,
    say: Callable[[str], None] | None = None,
    shared: bool = False,
) -> tuple[Allowed, ...]:
    """Let `addresses` (or the one that the hosts see) reach the panels' port, and only them.

    Addresses of the same family that were let in before are taken out. SSH, HTTP and HTTPS are put back
    if they are missing. Changes nothing but firewalls that this migration made. `shared`: another wizard
    works on the migration, so its progress file is only read.

    Raises UsageError when no address is known, and what the Hetzner client raises.
    """
    tell = say or (lambda line: None)
    records = Journal(progress.journal_path, shared=shared)
    try:
        wished = _parsed(addresses) if addresses else await _seen(world, config, progress, records, tell)
        done = [
            await _let_in(world, records, firewall, wished, panel=not server.panel_for_nobody, tell=tell)
            for server, firewall in await _firewalls(world, config)
        ]
        for server in config.servers:
            ctx = StepContext(f"firewall.{server.name}.host", world, progress, records, Bus())
            await _tell_host(ctx, server.name, wished, tell, keep=shared)
    finally:
        records.close()
    return tuple(done)


async def _let_in(
    world: World,
    records: Journal,
    firewall: Firewall,
    wished: tuple[str, ...],
    *,
    panel: bool,
    tell: Callable[[str], None],
) -> Allowed:
    after = new_rules(firewall.rules, wished, panel=panel)
    changed = not rules.same(firewall.rules, after)
    if changed:
        await _set(world, records, firewall, after)
    if panel:
        tell(f"{firewall.name}: {', '.join(wished)} {'let in' if changed else 'was let in already'}")
    else:
        tell(f"{firewall.name}: its panel's port is closed for everybody; its domain leads to the panel")
    return Allowed(firewall.name, wished, rules.told(firewall.rules), rules.told(after), changed)


async def _tell_host(
    ctx: StepContext, server: str, wished: Sequence[str], tell: Callable[[str], None], *, keep: bool
) -> None:
    """The layer behind: the Cloud Firewall alone does not open the panel's port."""
    try:
        if await let_in(ctx, server, wished, keep=keep):
            tell(f"{server}: its own firewall lets {', '.join(wished)} in too")
    except WizardError as error:
        tell(f"{server}: its own firewall does not know you yet ({error.what}); say this again later")


def new_rules(present: Sequence[Rule], addresses: Sequence[str], *, panel: bool = True) -> tuple[Rule, ...]:
    """`present` with the panel's port for `addresses`; other families keep who they had.

    Without `panel` that port is left closed for everybody.
    """
    families = {ip_network(address).version for address in addresses}
    kept: list[Rule] = []
    others: list[str] = []
    for rule in present:
        if rule.protocol == "tcp" and rule.port == str(rules.PANEL_PORT):
            others += [source for source in rule.sources if ip_network(source).version not in families]
        else:
            kept.append(rule)
    missing = [
        rule for rule in rules.public_rules() if not any(rules.same((rule,), (other,)) for other in kept)
    ]
    return (*kept, *missing, *((rules.panel_rule((*addresses, *others)),) if panel else ()))


def _parsed(addresses: Sequence[str]) -> tuple[str, ...]:
    found = []
    for text in addresses:
        try:
            network = ip_network(text.strip(), strict=False)
        except ValueError as error:
            raise UsageError(f"{text!r} is not an IP address", next="Example: 203.0.113.7") from error
        if network.prefixlen == 0:
            raise UsageError("That would let everybody in", next="Give an address or a small network.")
        found.append(str(network))
    return tuple(dict.fromkeys(found))


async def _seen(
    world: World, config: Config, progress: Progress, records: Journal, tell: Callable[[str], None]
) -> tuple[str, ...]:
    """As the first server that answers SSH sees us."""
    ctx = StepContext(STEP, world, progress, records, Bus())
    for server in config.servers:
        try:
            found = await seen_from(ctx, server.name)
        except WizardError as error:
            tell(f"{server.name} can't say where you come from: {error.what}")
            continue
        return tuple(rules.single(address) for address in found)
    raise UsageError(
        "Your address is not known: no server answers SSH from here",
        next="Give it: dokploy-wizard allow-me ADDRESS (your router or provider shows it).",
    )


async def _firewalls(world: World, config: Config) -> tuple[tuple[Server, Firewall], ...]:
    found = await world.hetzner.firewalls(naming.selector(config)) if config.buys else ()
    wanted = {naming.firewall_name(config, server.name): server for server in config.servers}
    mine = tuple((wanted[firewall.name], firewall) for firewall in found if firewall.name in wanted)
    if not mine and not any(server.outside for server in config.servers):
        raise WizardError(
            "There is no Cloud Firewall of this migration", next="Run provision first: dokploy-wizard run"
        )
    return mine


async def _set(world: World, records: Journal, firewall: Firewall, after: Sequence[Rule]) -> None:
    """Intent on disk, the change, its outcome on disk."""
    told = {"step": STEP, "key": firewall.name}
    target = f"{rules.told(firewall.rules)} -> {rules.told(after)}"
    records.write(world.clock.now(), Entry.INTENT, sync=True, **told, target=target)
    await world.hetzner.set_rules(firewall.id, after)
    records.write(world.clock.now(), Entry.OUTCOME, sync=True, **told, result="applied")
