"""The rehearsal world: local servers that behave like the real ones, including when they misbehave.

One process holds them all and outlives the wizard. Nothing but `door`'s callers and tests imports this.
"""
