"""The services of CareBus by name."""

import importlib

from services.kernel.service import Service

NAMES = ("chat_ingest", "trade_ingest", "care_notifier", "aftersales", "projections")


def service(name: str) -> Service:
    """The Service of this name; its module is imported only now. Raises LookupError."""
    if name not in NAMES:
        raise LookupError(f"{name!r} is no service; there are {', '.join(NAMES)}")
    return importlib.import_module(f"services.{name}.app").SERVICE
