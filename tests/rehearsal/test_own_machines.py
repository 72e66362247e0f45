"""The whole migration onto machines outside Hetzner Cloud, their SSH on a port of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rehearsal.whole import Rehearsal
from wizard.configfile import example_text

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
_OWN = """[[servers]]
name = "frontend"
role = "frontend"
address = "203.0.113.76"
port = 2222

[[servers]]
name = "backend"
role = "backend"
address = "203.0.113.77"
address6 = "2001:db8:77::1"
port = 2222

"""


def own_machines() -> str:
    text = example_text()
    text = text[: text.index("[[servers]]")] + _OWN + text[text.index("[network]") :]
    text = text.replace('address = "198.51.100.20"\n', 'address = "198.51.100.20"\nport = 2200\n', 1)
    return text.replace('provider = "hetzner"', 'provider = "cloudflare"', 1)


def test_a_move_onto_own_machines_ends_well_and_asks_hetzner_nothing(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(own_machines())
    rehearsal = Rehearsal(tmp_path, config=config)
    try:
        ran = rehearsal.run()
        assert ran.code == 0, ran.story
        assert ran.summary["duplicates"] == ran.summary["checks"]["failed"] == 0
        assert ran.summary["visitors"]["failed"] == 0, rehearsal.ask("summary")["failures"]
        assert "**open**" not in rehearsal.text("report")
        handbook = (tmp_path / "backups" / "handbook.md").read_text()
        assert "-p 2222 root@203.0.113.77" in handbook and "Ports 2222, 80 and 443 are open" in handbook
        assert rehearsal.kept().parts["hetzner"].requests == 0
    finally:
        rehearsal.end()
