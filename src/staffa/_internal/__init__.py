"""Small parts without a place in the public surface: clock, backoff, JSON, identifiers, imports."""
