"""Cutover: certificates first, then the names, with the world watching and nobody noticing."""
