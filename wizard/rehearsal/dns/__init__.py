"""Authoritative servers, caches and DNS providers, as stand-ins."""
