"""Prepare: look at everything, ask what only the operator knows, change nothing outside."""
