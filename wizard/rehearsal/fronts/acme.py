"""Traefik's own dealings with the certificate authority: HTTP-01, and the store in acme.json."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from wizard.rehearsal.acme.jws import AcmeProblem
from wizard.rehearsal.fronts.tls import stored

if TYPE_CHECKING:
    from wizard.rehearsal.fronts.standin import FrontState
    from wizard.rehearsal.stage import Stage

_ORDER_SECONDS = 3.0


async def obtain(stage: Stage, state: FrontState, domain: str) -> None:
    """Order one certificate. Fails, and counts against the limits, when DNS leads elsewhere."""
    await stage.clock.sleep(_ORDER_SECONDS)
    authority = stage.acme.production
    account = f"traefik-{state.host}"
    token = f"{stage.random.getrandbits(128):032x}"
    expected = f"{token}.{state.host}"
    state.tokens[token] = expected
    try:
        authority.check_limits((domain,), account)
        await authority.validate(domain, "http-01", token, expected, wildcard=False)
    except AcmeProblem as problem:
        if problem.kind != "rateLimited":
            authority.count_failure(account, domain)
        state.log.append(f"Unable to obtain ACME certificate for domains [{domain}]: {problem.detail}")
        return
    finally:
        state.tokens.pop(token, None)
    chain, key = authority.authority.issue((domain,), stage.clock.now())
    authority.state.issued.append(((domain,), stage.clock.now()))
    stage.ledger.record("acme", "issue", domain, f"by {account}")
    state.from_acme.append(stored(chain, key, "acme"))


def store_text(state: FrontState) -> str:
    """acme.json as Traefik writes it for the resolver named letsencrypt."""
    if state.acme_file:
        return state.acme_file
    certificates = [
        {
            "domain": {"main": item.names[0], **({"sans": list(item.names[1:])} if item.names[1:] else {})},
            "certificate": base64.b64encode(item.chain_pem.encode()).decode(),
            "key": base64.b64encode(item.key_pem.encode()).decode(),
            "Store": "default",
        }
        for item in state.from_acme
    ]
    return json.dumps({"letsencrypt": {"Account": None, "Certificates": certificates or None}}, indent=2)
