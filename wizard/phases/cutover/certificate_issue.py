"""Ordering a certificate: at the staging authority first, then for real, never twice for the same names."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from wizard.engine.step import Context
from wizard.errors import WizardError
from wizard.phases.cutover import certificate_proof as proofs
from wizard.phases.cutover.certificate_records import (
    CertificateRecord,
    FailedTry,
    FailureLedger,
    StagingRecord,
    key_secret,
    staging_key_secret,
)

if TYPE_CHECKING:
    from wizard.clients.acme import AcmeClient
    from wizard.config import App


_LAPSED = ("malformed", "unknown")
"""What an authority answers about an order that it has forgotten, or that ran out before it was proven."""


async def rehearse_at_staging(ctx: Context, app: App) -> None:
    """The same proof at the staging authority: a mistake there costs nothing."""
    key = await _key(ctx, staging_key_secret(app.name))
    await _obtain(ctx, app, ctx.world.acme_staging, key, f"staging_order_{app.name}")
    await ctx.world.secrets.drop(staging_key_secret(app.name))
    ctx.saved.save(f"staging_{app.name}", StagingRecord(app.domains, ctx.now()))
    ctx.output(f"The staging authority accepted the proof for {', '.join(app.domains)}.")


async def issue(ctx: Context, app: App) -> None:
    """Order, prove, fetch, check and save. A refusal goes into the ledger before it is raised."""
    from wizard.clients.acme import AcmeRefusal

    key = await _key(ctx, key_secret(app.name))
    try:
        chain = await _obtain(ctx, app, ctx.world.acme, key, f"order_{app.name}")
    except AcmeRefusal as refusal:
        ledger = ctx.saved.load("failures", FailureLedger) or FailureLedger()
        one = FailedTry(ctx.now(), refusal.names or app.domains, refusal.code, refusal.why)
        ctx.saved.save("failures", ledger.plus(one))
        raise
    ctx.saved.save(f"certificate_{app.name}", checked(app.name, app.domains, chain, key, ctx.now()))
    ctx.saved.drop(f"order_{app.name}")
    ctx.output(f"A certificate for {', '.join(app.domains)} was issued.")


async def _key(ctx: Context, name: str) -> str:
    from wizard.clients.acme import new_key

    key = await ctx.world.secrets.get(name)
    if key is None:
        key = new_key()
        await ctx.world.secrets.put(name, key)
    return key


async def _obtain(ctx: Context, app: App, client: AcmeClient, key: str, open_order: str) -> str:
    """The chain. An open order of an earlier attempt is gone on with; a refused one is forgotten."""
    from wizard.clients.acme import AcmeOrder, AcmeRefusal

    kept = order = ctx.saved.load(open_order, AcmeOrder)
    if order is None or order.names != app.domains:
        kept = None
        by_http = (await proofs.proof_of(ctx, app.domains)).way is proofs.Way.HTTP
        order = await client.order(app.domains, key, by_http=by_http)
        ctx.saved.save(open_order, order)
    try:
        await proofs.publish(ctx, order)
        chain = await client.complete(order, key)
    except AcmeRefusal as refusal:
        ctx.saved.drop(open_order)
        await proofs.remove(ctx, order)
        if kept is not None and refusal.code in _LAPSED:
            ctx.output("The authority no longer holds the order that was open: a new one is made.")
            return await _obtain(ctx, app, client, key, open_order)
        raise
    await proofs.remove(ctx, order)
    ctx.saved.drop(open_order)
    return chain


def checked(app: str, names: tuple[str, ...], chain_pem: str, key_pem: str, now: float) -> CertificateRecord:
    """A record of the chain, once it is certain that it is what a proxy can serve.

    The panel accepts any text, so key, names, dates and order of the chain are checked here.
    Raises WizardError.
    """
    import hashlib

    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import serialization

    from wizard.checks.tls import alternative_names, covers

    try:
        chain = x509.load_pem_x509_certificates(chain_pem.encode())
        key = serialization.load_pem_private_key(key_pem.encode(), None)
        for below, above in itertools.pairwise(chain):
            below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise WizardError(
            f"The certificate of {app} is not a chain that a server can show", str(error) or "wrong order"
        ) from error
    leaf = chain[0]
    if leaf.public_key() != key.public_key():
        raise WizardError(f"The certificate of {app} does not belong to its key")
    uncovered = [name for name in names if not covers(alternative_names(leaf), name)]
    if uncovered:
        raise WizardError(f"The certificate of {app} does not cover {', '.join(uncovered)}")
    if leaf.not_valid_after_utc.timestamp() <= now:
        raise WizardError(f"The certificate of {app} has expired")
    digest = hashlib.sha256(leaf.public_bytes(serialization.Encoding.DER)).hexdigest()
    return CertificateRecord(app, names, chain_pem, digest, leaf.not_valid_after_utc.timestamp(), now)
