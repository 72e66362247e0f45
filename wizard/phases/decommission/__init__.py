"""Decommission: Vercel and the old host are left one rung at a time."""
