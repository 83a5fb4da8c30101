"""The service as a whole: what it is made of."""

from services.chat_ingest import closing, conversation, reply_clock, understanding
from services.chat_ingest.sources import SOURCES
from services.kernel.process import process_of
from services.kernel.service import Service

SERVICE = Service(
    name="chat_ingest",
    processes=[process_of(module) for module in (conversation, understanding, reply_clock, closing)],
    sources=SOURCES,
)
