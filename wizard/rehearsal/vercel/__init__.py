"""Vercel's stand-in."""
