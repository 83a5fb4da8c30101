"""Projections: the read models that the desk works from."""
