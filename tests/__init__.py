"""Tests; shared builders and fixtures are imported as `tests.<module>`."""
