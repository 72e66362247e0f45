"""Reads config.toml."""
