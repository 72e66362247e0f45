"""The certificate authority's stand-in."""
