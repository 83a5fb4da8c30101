"""Exports of a shop's orders: tables (CSV) joined to one record an order, and the reading of its cells."""
