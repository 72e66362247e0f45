"""Firewall: each new host closed to the world in layers, and proven so from every side."""
