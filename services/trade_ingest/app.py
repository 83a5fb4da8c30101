"""The service as a whole: what it is made of.

It reads INBOX alone: what an order's memory holds comes from the feeds, and nothing in the log concerns it yet (it has
no number of the policy, and orders are not forgotten here yet).
"""

from services.kernel.inputs import ANY, Source
from services.kernel.process import process_of
from services.kernel.service import Service
from services.trade_ingest import order_facts
from services.trade_ingest.sources import canonical, csv_orders
from services.trade_ingest.sources.unknown import unknown

_SOURCES: dict[str, Source] = {"canonical": canonical.translate, "csv": csv_orders.translate}

SERVICE = Service(
    name="trade_ingest",
    processes=[process_of(order_facts)],
    sources={**_SOURCES, ANY: unknown(_SOURCES)},
    reads_events=False,
)
