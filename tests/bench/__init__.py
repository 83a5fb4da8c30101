"""Measurements: the kernel beside a bare loop in the same run. `make bench`; the table is RESULTS.md."""
