"""Provision: keys, network, firewalls, addresses, machines, logins, panels, accounts."""
