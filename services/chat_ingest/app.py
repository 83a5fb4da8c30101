"""The service as a whole: what it is made of."""

from services.chat_ingest import conversation, reply_clock
from services.chat_ingest.sources import SOURCES
from services.kernel.process import process_of
from services.kernel.service import Service

SERVICE = Service(
    name="chat_ingest",
    processes=[process_of(conversation), process_of(reply_clock)],
    sources=SOURCES,
)
