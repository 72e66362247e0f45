"""What the certificate steps remember and write, without any panel."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from wizard.errors import WizardError
from wizard.phases.cutover.certificate_issue import checked
from wizard.phases.cutover.certificate_panel import leaf_digest, store_with, stored_leaves
from wizard.phases.cutover.certificate_records import FailedTry, FailureLedger
from wizard.rehearsal.acme.authority import Authority, AuthorityState

NAMES = ("shop.example", "www.shop.example")
NOW = 1_790_000_000.0


@pytest.fixture
def authority() -> Authority:
    return Authority(AuthorityState("Test"))


def test_an_issued_chain_becomes_a_record_with_its_digest_and_end(authority: Authority) -> None:
    chain, key = authority.issue(NAMES, NOW)

    record = checked("web", NAMES, chain, key, NOW)

    leaf = x509.load_pem_x509_certificate(chain.encode())
    assert record.not_after == leaf.not_valid_after_utc.timestamp()
    assert record.sha256 == leaf_digest(chain) and record.names == NAMES


@pytest.mark.parametrize("flaw", ["other key", "missing name", "wrong order", "expired", "no text"])
def test_a_chain_that_a_proxy_cannot_show_is_refused(authority: Authority, flaw: str) -> None:
    chain, key = authority.issue(NAMES, NOW)
    names, now = NAMES, NOW
    if flaw == "other key":
        key = authority.issue(NAMES, NOW)[1]
    elif flaw == "missing name":
        names = (*NAMES, "api.shop.example")
    elif flaw == "wrong order":
        parts = x509.load_pem_x509_certificates(chain.encode())
        chain = "".join(part.public_bytes(serialization.Encoding.PEM).decode() for part in (*parts, parts[0]))
    elif flaw == "expired":
        now = NOW + 400 * 86400
    else:
        chain = "not a certificate"

    with pytest.raises(WizardError):
        checked("web", names, chain, key, now)


@pytest.mark.parametrize("text", ["", "{}", '{"letsencrypt": {"Account": null, "Certificates": null}}'])
def test_a_certificate_is_put_into_an_empty_store(authority: Authority, text: str) -> None:
    chain, key = authority.issue(NAMES, NOW)

    written = store_with(text, NAMES, chain, key)

    item = json.loads(written)["letsencrypt"]["Certificates"][0]
    assert item["domain"] == {"main": "shop.example", "sans": ["www.shop.example"]}
    assert base64.b64decode(item["key"]).decode() == key
    assert stored_leaves(written) == {leaf_digest(chain)}


def test_a_store_keeps_its_account_and_other_names(authority: Authority) -> None:
    other, other_key = authority.issue(("other.example",), NOW)
    text = json.loads(store_with("", ("other.example",), other, other_key))
    text["letsencrypt"]["Account"] = {"Email": "a@b.example"}
    first, first_key = authority.issue(NAMES, NOW)
    second, second_key = authority.issue(NAMES, NOW)

    written = store_with(json.dumps(text), NAMES, first, first_key)
    written = store_with(written, NAMES, second, second_key)

    assert json.loads(written)["letsencrypt"]["Account"] == {"Email": "a@b.example"}
    assert stored_leaves(written) == {leaf_digest(other), leaf_digest(second)}


def test_a_store_that_is_not_readable_is_not_overwritten(authority: Authority) -> None:
    with pytest.raises(WizardError, match="not readable"):
        store_with("[1, 2", NAMES, *authority.issue(NAMES, NOW))
    assert stored_leaves("[1, 2") == frozenset()


def test_the_ledger_stops_before_the_authority_does_and_lets_go_after_an_hour() -> None:
    ledger = FailureLedger()
    for minute in (0, 10, 20):
        assert ledger.blocked_until(NAMES, NOW + minute * 60) is None
        ledger = ledger.plus(FailedTry(NOW + minute * 60, NAMES, "unauthorized", "no TXT"))

    assert ledger.blocked_until(NAMES, NOW + 1260) == NOW + 3600
    assert ledger.blocked_until(("other.example",), NOW + 1260) is None
    assert ledger.blocked_until(NAMES, NOW + 3601) is None
