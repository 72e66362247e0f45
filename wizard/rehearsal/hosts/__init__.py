"""Machines that speak SSH and keep state."""
