"""Processes without servers: an in-memory log under virtual time, and `story` for their tests."""
