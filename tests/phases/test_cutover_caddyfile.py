"""An old host's Caddyfile that leads some sites on and keeps everything else letter for letter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wizard.clients.caddyfile import MARK, domain_of, forwarding, forwards, served

NEW = "203.0.113.20"
PLAIN = """{
	email admin@shop.example
}

(headers) {
	header X-Frame-Options DENY
}

# The API
api.shop.example {
	import headers
	encode gzip
	reverse_proxy api:8000 {
		lb_policy round_robin
	}
}

status.shop.example, old.shop.example {
	tls internal
	respond "ok # not a comment"
}
"""


def test_a_site_is_led_on_and_the_others_stay() -> None:
    after = forwarding(PLAIN, {"api.shop.example": NEW})

    assert forwards(after) == {"api.shop.example": NEW}
    assert "api:8000" not in after and f"{MARK} {NEW}" in after
    assert "tls_server_name api.shop.example" in after
    assert set(served(after)) == set(served(PLAIN))
    for kept in ("(headers) {", "email admin@shop.example", 'respond "ok # not a comment"'):
        assert kept in after


def test_leading_on_twice_changes_nothing_more() -> None:
    once = forwarding(PLAIN, {"api.shop.example": NEW})
    assert forwarding(once, {"api.shop.example": NEW}).count("reverse_proxy https://") == 1
    assert forwards(forwarding(once, {"api.shop.example": "203.0.113.21"})) == {
        "api.shop.example": "203.0.113.21"
    }


def test_a_site_of_several_names_keeps_the_others_and_its_tls_goes_along() -> None:
    after = forwarding(PLAIN, {"old.shop.example": NEW})

    assert forwards(after) == {"old.shop.example": NEW}
    assert "status.shop.example {" in after
    assert after.count("tls internal") == 2


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a.example {\n}\n", ("a.example",)),
        ("https://a.example, b.example {\n}\n", ("a.example", "b.example")),
        ("a.example,\nb.example {\n\trespond 200\n}\n", ("a.example", "b.example")),
        ("http://a.example {\n}\n", ()),
        ("a.example:8443 {\n}\n", ()),
        ("a.example:443 {\n}\n", ("a.example",)),
        ("a.example\n\nreverse_proxy app:80\n", ("a.example",)),
        ("import sites/*\n", ()),
        ("# a.example {\nb.example {\n}\n", ("b.example",)),
        ("(snippet) {\n\theader x y\n}\n", ()),
        ("A.example{\n}\n", ()),
    ],
)
def test_the_names_that_a_file_serves(text: str, names: tuple[str, ...]) -> None:
    assert served(text) == names


def test_a_file_of_one_site_without_braces_is_led_on() -> None:
    after = forwarding("a.example\n\nreverse_proxy app:80\n", {"a.example": NEW})
    assert forwards(after) == {"a.example": NEW} and "app:80" not in after


def test_ipv6_targets_stand_in_brackets() -> None:
    after = forwarding("a.example {\n}\n", {"a.example": "2001:db8::1"})
    assert "reverse_proxy https://[2001:db8::1] {" in after
    assert forwards(after) == {"a.example": "2001:db8::1"}


_LABEL = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8)
_DOMAIN = st.builds(lambda a, b: f"{a}.{b}.example", _LABEL, _LABEL)


@given(st.lists(_DOMAIN, min_size=1, max_size=6, unique=True), st.data())
def test_no_name_is_lost_whatever_is_led_on(domains: list[str], data: st.DataObject) -> None:
    sites = data.draw(st.permutations(domains))
    text = "\n".join(f"{name} {{\n\thandle /x {{\n\t\trespond {{host}}\n\t}}\n}}\n" for name in sites)
    chosen = data.draw(st.lists(st.sampled_from(domains), unique=True))

    after = forwarding(text, dict.fromkeys(chosen, NEW))

    assert set(served(after)) == set(domains)
    assert set(forwards(after)) == set(chosen)
    assert after.count("{") == after.count("}")


def test_a_domain_is_read_from_an_address() -> None:
    assert domain_of("https://A.Example/path") == "a.example"
