"""The costs before and after."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from pathlib import Path

from wizard.config import Config
from wizard.configfile import example
from wizard.engine.plan import Change, Kind, Money, Plan
from wizard.engine.progress import Progress, encode
from wizard.phases import costs_of
from wizard.phases.costs import assumptions, foreseen, total, yearly
from wizard.phases.prepare.vercel_records import VercelRecord, record_name
from wizard.records import AddressRecord, BilledAddresses, ServerRecord


def test_invoices_before_and_taken_prices_after(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "progress.toml")
    assert costs_of(example(), progress).after == ()
    for name, price in (("frontend", "7.13"), ("backend", "19.62")):
        record = ServerRecord(name, 1, "cx23", "fsn1", "203.0.113.7", monthly_gross=price)
        progress.step(f"provision.{name}.server").saved["server"] = encode(record)
    costs = costs_of(example(), progress)
    assert [str(money) for money in costs.before] == ["20.00 USD/month", "17.99 EUR/month"]
    assert [str(money) for money in costs.after] == ["26.75 EUR/month"]


def _costs(kind: Kind, *amounts: str) -> Plan:
    return Plan(
        tuple(Change(kind, f"{n}", "it", monthly=Money(Decimal(amount))) for n, amount in enumerate(amounts))
    )


def _whole(config: Config, progress: Progress, plans: dict[str, Plan]) -> tuple[Money, ...]:
    return total([*costs_of(config, progress).after, *foreseen(config, progress, plans)])


def test_the_whole_is_foreseen_from_the_start_and_stays_the_same_while_it_is_ordered(tmp_path: Path) -> None:
    progress, config = Progress(tmp_path / "progress.toml"), example()
    plans = {
        "provision.frontend.address": _costs(Kind.CREATE, "0.60"),
        "provision.frontend.server": _costs(Kind.UPDATE, "6.00", "1.20"),
        "provision.backend.address": _costs(Kind.CREATE, "0.60"),
        "provision.backend.server": _costs(Kind.CREATE, "18.00"),
    }
    whole = (Money(Decimal("26.40")),)
    assert _whole(config, progress, plans) == whole
    address = AddressRecord("frontend", "ipv4", "203.0.113.7", "fsn1", "0.60")
    billed = encode(BilledAddresses((address,), 1.0))
    progress.step("provision.frontend.address").saved["billed"] = billed
    assert _whole(config, progress, plans) == whole, "the address stands, its plan is an old one"
    record = ServerRecord("frontend", 1, "cx23", "fsn1", "203.0.113.7", monthly_gross="7.80")
    progress.step("provision.frontend.server").saved["server"] = encode(record)
    assert _whole(config, progress, plans) == whole, "as the server stands, with its address"
    assert _whole(config, progress, {}) == (Money(Decimal("7.80")),)


def test_amounts_of_one_currency_are_added(tmp_path: Path) -> None:
    config = example()
    leaving = dataclasses.replace(config.decommission, last_invoice="20,50 EUR", old_host_monthly="9 EUR")
    costs = costs_of(dataclasses.replace(config, decommission=leaving), Progress(tmp_path / "p.toml"))
    assert [str(money) for money in costs.before] == ["29.50 EUR/month"]


def test_a_year_is_told_beside_the_month_and_what_the_sums_rest_on(tmp_path: Path) -> None:
    config, progress = example(), Progress(tmp_path / "progress.toml")
    costs = costs_of(config, progress)
    assert yearly(costs.before) == "240.00 USD + 215.88 EUR a year" and yearly(()) == ""
    assert "last_invoice of the configuration" in assumptions(config, progress)[0]
    record = VercelRecord("openmates-web", "prj", "", bill="31.40 USD")
    progress.step("prepare.vercel").saved[record_name(config.vercel[0])] = encode(record)
    assert "what its API billed" in assumptions(config, progress)[0]
    unknown = dataclasses.replace(config.decommission, last_invoice="", old_host_monthly="")
    told = assumptions(dataclasses.replace(config, decommission=unknown), Progress(tmp_path / "p.toml"))
    assert sum("not known, so not counted" in line for line in told) == 2
