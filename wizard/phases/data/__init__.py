"""Data: practised, frozen, moved, compared, started."""
