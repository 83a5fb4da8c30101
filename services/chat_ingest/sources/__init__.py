"""Which raw facts are chats, and how they read, one file a source: kind `chat` belongs here, all else to trade_ingest.

Every platform message becomes one of the facts of facts.py, under the buyer's open id where the message has it, else
under the lane of the nick (domain.md 1, Linking). A part of a message that cannot be read is refused and holds up
nothing beside it.
"""

from collections.abc import Mapping

from services.chat_ingest.sources import canonical, douyin, jd, records, taobao
from services.chat_ingest.sources.unknown import unknown
from services.kernel.inputs import ANY, Source

_NAMED: dict[str, Source] = {
    "canonical": canonical.translate,
    "taobao": taobao.translate,
    "tmall": taobao.translate,
    "jd": jd.translate,
    "douyin": douyin.translate,
    "records": records.translate,
}

SOURCES: Mapping[str, Source] = {**_NAMED, ANY: unknown(_NAMED)}
