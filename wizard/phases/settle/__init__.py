"""Settle: what was moved keeps working by itself."""
