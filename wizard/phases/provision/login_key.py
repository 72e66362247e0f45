"""provision.ssh_key where every server is the operator's own: the key is made here, no provider has it."""

from __future__ import annotations

from collections.abc import Sequence

from wizard.engine.check import Check, check
from wizard.engine.plan import NOTHING, Change, Kind, Plan
from wizard.engine.step import Context, Phase, Step
from wizard.phases.hosts import LOGIN_KEY
from wizard.phases.provision import naming


class LoginKey(Step[bool]):
    """Whether the secret store holds the key that logs in on the hosts."""

    id = "provision.ssh_key"
    title = "Login key for the new hosts"
    phase = Phase.PROVISION
    way_back = "Nothing to take back: it is in your secret store alone until a first login lets it in."

    async def observe(self, ctx: Context) -> bool:
        return await ctx.world.secrets.get(LOGIN_KEY) is not None

    def plan(self, facts: bool) -> Plan:
        if facts:
            return NOTHING
        made = Change(
            Kind.CREATE,
            "key",
            "login key",
            before="none",
            after="ed25519, in your secret store",
            why="the wizard logs in with a key of its own",
            way_back=self.way_back,
        )
        return Plan((made,))

    async def apply(self, change: Change, ctx: Context) -> None:
        from wizard.clients.ssh import generate_key

        if await ctx.world.secrets.get(LOGIN_KEY) is None:
            private, _ = generate_key(naming.common_name(ctx.config))
            await ctx.world.secrets.put(LOGIN_KEY, private)

    async def verify(self, ctx: Context) -> Sequence[Check]:
        from wizard.clients.ssh import fingerprint, public_key_of

        private = await ctx.world.secrets.get(LOGIN_KEY)
        seen = fingerprint(public_key_of(private)) if private else "no such key"
        return (
            check(
                "kept",
                "the secret store holds the key that logs in on the hosts",
                private is not None,
                seen=seen,
                vantage="secret store",
                at=ctx.now(),
                advice="Run the step again.",
            ),
        )

    async def undo(self, ctx: Context) -> Plan:
        return NOTHING
