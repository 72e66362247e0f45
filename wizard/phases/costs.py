"""What a month costs before and after: from the operator's invoices and the prices that were really taken."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

from wizard.engine.plan import Money
from wizard.records import ServerRecord

if TYPE_CHECKING:
    from wizard.config import Config
    from wizard.engine.progress import Progress
    from wizard.engine.session import Costs


def costs_of(config: Config, progress: Progress) -> Costs:
    """Monthly totals by currency; `after` is empty until the first server has its price."""
    from wizard.engine.session import Costs

    invoices = (config.decommission.last_invoice, config.decommission.old_host_monthly)
    records = (
        progress.load_record(f"provision.{server.name}.server", "server", ServerRecord)
        for server in config.servers
    )
    prices = (
        Money(Decimal(record.monthly_gross), record.currency)
        for record in records
        if record is not None and record.monthly_gross
    )
    return Costs(before=total(_amount(text) for text in invoices if text), after=total(prices))


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
