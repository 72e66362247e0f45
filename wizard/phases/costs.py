"""What a month costs before and after: from the operator's invoices and the prices that were really taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from wizard.engine.info import Costs
from wizard.engine.plan import Kind, Money, Plan
from wizard.records import AddressRecord, BilledAddresses, ServerRecord

if TYPE_CHECKING:
    from wizard.config import Config
    from wizard.engine.progress import Progress


_PRICED = ("address", "server")


def costs_of(config: Config, progress: Progress) -> Costs:
    """Monthly totals by currency; `after` is empty until the first server has its price."""
    invoices = (*_vercel(config, progress), config.decommission.old_host_monthly)
    prices = []
    for server in config.servers:
        record = progress.load_record(f"provision.{server.name}.server", "server", ServerRecord)
        if record is not None and record.monthly_gross:
            prices.append(Money(Decimal(record.monthly_gross), record.currency))
        prices += [
            Money(Decimal(address.monthly_gross), address.currency)
            for address in idle_addresses(progress, server.name)
            if address.monthly_gross
        ]
    return Costs(before=total(_amount(text) for text in invoices if text), after=total(prices))


def foreseen(config: Config, progress: Progress, plans: Mapping[str, Plan]) -> tuple[Money, ...]:
    """Monthly amounts that `plans`, by step, would add to what stands."""
    added: list[Money] = []
    for server in config.servers:
        record = progress.load_record(f"provision.{server.name}.server", "server", ServerRecord)
        if record is not None:
            # Its price is that of the whole: machine, backups, address.
            continue
        steps = [f"provision.{server.name}.server"]
        if not any(address.monthly_gross for address in idle_addresses(progress, server.name)):
            steps.append(f"provision.{server.name}.address")
        added += [
            change.monthly
            for step in steps
            for change in (plans[step].changes if step in plans else ())
            if change.monthly is not None and change.kind is not Kind.DELETE
        ]
    return tuple(added)


def prices_in(config: Config) -> tuple[str, ...]:
    """The steps whose plans tell what the new hosts will cost."""
    return tuple(f"provision.{server.name}.{word}" for server in config.servers for word in _PRICED)


def idle_addresses(progress: Progress, server: str) -> tuple[AddressRecord, ...]:
    """Addresses that were made for a server and that it does not have: billed all the same."""
    record = progress.load_record(f"provision.{server}.server", "server", ServerRecord)
    lists = [
        progress.load_record(f"provision.{server}.{step}", "billed", BilledAddresses)
        for step in ("address", "server")
    ]
    newest = max((found for found in lists if found is not None), key=lambda found: found.at, default=None)
    return tuple(
        address
        for address in (newest.addresses if newest else ())
        if record is None or address.location != record.location
    )


def _vercel(config: Config, progress: Progress) -> tuple[str, ...]:
    """What each team was billed in the month before the move; the last invoice where no API tells."""
    return _billed(config, progress) or (config.decommission.last_invoice,)


def _billed(config: Config, progress: Progress) -> tuple[str, ...]:
    from wizard.phases.prepare.vercel_records import STEP, VercelRecord, record_name

    bills: dict[str, str] = {}
    for project in config.vercel:
        record = progress.load_record(STEP, record_name(project), VercelRecord)
        if record is not None and record.bill:
            bills[project.team] = record.bill
    return tuple(amount for bill in bills.values() for amount in bill.split(", "))


def yearly(amounts: Iterable[Money]) -> str:
    """The same amounts for twelve months, e.g. ``240.00 USD + 120.00 EUR a year``; "" for none."""
    shown = [f"{round(money.amount, 2) * 12:.2f} {money.currency}" for money in amounts]
    return f"{' + '.join(shown)} a year" if shown else ""


def assumptions(config: Config, progress: Progress) -> tuple[str, ...]:
    """What the sums rest on, and what is in neither; each a sentence."""
    told = []
    if config.vercel:
        billed = _billed(config, progress)
        source = (
            "what its API billed in the month before the look, seats and add-ons among it"
            if billed
            else "last_invoice of the configuration"
        )
        known = bool(billed) or bool(config.decommission.last_invoice)
        unknown = "not known, so not counted: give last_invoice under [decommission]"
        told.append(f"Vercel: {source if known else unknown}.")
        told.append("What Vercel bills stays until its plan is ended; stores of other vendors go on.")
    if config.old_host is not None:
        known = bool(config.decommission.old_host_monthly)
        source = "old_host_monthly of the configuration" if known else "not known, so not counted"
        told.append(f"The old host: {source}; it is paid until you delete it.")
    if config.buys:
        told.append(
            "New hosts: Hetzner's own prices when they were asked, with tax, for full months; "
            "traffic above what is included and stored backups in a bucket are not counted."
        )
    if owned := [server.name for server in config.servers if server.outside]:
        told.append(f"{', '.join(owned)}: outside Hetzner Cloud, so what it costs is not known, nor counted.")
    return (*told, "Currencies are not converted, and the time that you spend is counted nowhere.")


def total(amounts: Iterable[Money]) -> tuple[Money, ...]:
    """Sums by currency, in the order in which the currencies appear. Currencies are never mixed."""
    sums: dict[str, Decimal] = {}
    for money in amounts:
        sums[money.currency] = sums.get(money.currency, Decimal(0)) + money.amount
    return tuple(Money(amount, currency) for currency, amount in sums.items())


def _amount(text: str) -> Money:
    """``20.00 USD``, as `wizard.configfile` lets it through."""
    number, currency = text.split()
    return Money(Decimal(number.replace(",", ".")), currency)
