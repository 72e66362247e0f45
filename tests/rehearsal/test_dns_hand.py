"""The hand in the rehearsal's world types what the operator is shown, and nothing else."""

from __future__ import annotations

import pytest

from wizard.dns.providers.manual import to_type
from wizard.dns.records import RecordChange, rrset
from wizard.rehearsal.dns.hand import typed
from wizard.rehearsal.dns.state import Row

OLD = rrset("www.shop.example", "A", 3600, ["198.51.100.20", "198.51.100.21"])


@pytest.mark.parametrize(
    ("change", "row"),
    [
        (RecordChange("www.shop.example", "A", OLD, None), None),
        (RecordChange("www.shop.example", "A", None, OLD), Row("www.shop.example", "A", 3600, OLD.values)),
        (
            RecordChange(
                "a.shop.example", "CNAME", None, rrset("a.shop.example", "CNAME", 60, ["b.example"])
            ),
            Row("a.shop.example", "CNAME", 60, ("b.example.",)),
        ),
    ],
)
def test_the_very_line_that_is_shown_can_be_typed(change: RecordChange, row: Row | None) -> None:
    (line,) = to_type((change,))
    assert typed(line) == (change.name, change.type, row)


def test_a_line_that_names_no_value_cannot_be_typed() -> None:
    with pytest.raises(ValueError, match="nobody could type"):
        typed("www.shop.example  A  something")
