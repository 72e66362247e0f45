"""Hetzner Cloud's stand-in."""
