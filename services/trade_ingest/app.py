"""The service as a whole: what it is made of.

Of the log it needs only what policy is in force; everything else comes from the feeds, through INBOX.
"""

from schemas.commands.trade_ingest import AdjustPrice, AssignBuyer, CloseOrder, ExtendReceipt
from schemas.envelope import Command
from schemas.subjects import NO_BUYER
from services.kernel.commands import CommandSpec, Story
from services.kernel.inputs import ANY, Source
from services.kernel.process import process_of
from services.kernel.service import Service
from services.kernel.store import Connection
from services.trade_ingest import bridge_results, buyers, order_facts, policies, sms_replies
from services.trade_ingest.bridge import bridge
from services.trade_ingest.door import DOOR
from services.trade_ingest.policy_loader import PolicyLoader
from services.trade_ingest.sources import bridge as bridge_source
from services.trade_ingest.sources import (
    canonical,
    courier,
    csv_orders,
    douyin,
    jd,
    pdd,
    policy,
    review,
    sms_reply,
    taobao,
    wms,
)
from services.trade_ingest.sources.unknown import unknown

_SOURCES: dict[str, Source] = {
    "canonical": canonical.translate,
    "csv": csv_orders.translate,
    "taobao": taobao.translate,
    "tmall": taobao.translate,
    "jd": jd.translate,
    "douyin": douyin.translate,
    "pdd": pdd.translate,
    "wms": wms.translate,
    "courier": courier.translate,
    "review": review.translate,
    "sms_reply": sms_reply.translate,
    "bridge": bridge_source.translate,
    policy.SOURCE: policy.translate,
}

_Order = AssignBuyer | AdjustPrice | CloseOrder | ExtendReceipt


_KNOWN = "SELECT true FROM state WHERE process = 'order_facts' AND shop = $1 AND buyer = $2 AND key = $3"


async def _of_the_order(connection: Connection, command: Command[_Order]) -> Story | None:
    story = (command.shop, NO_BUYER, command.data.order_id)
    return story if await connection.fetchval(_KNOWN, *story) else None


SERVICE = Service(
    name="trade_ingest",
    processes=[process_of(module) for module in (order_facts, buyers, sms_replies, bridge_results, policies)],
    sources={**_SOURCES, ANY: unknown(_SOURCES)},
    commands=[
        CommandSpec(name=command.NAME, data=command, process="order_facts", locate=_of_the_order)
        for command in (AssignBuyer, AdjustPrice, CloseOrder, ExtendReceipt)
    ],
    effects=[bridge()],
    doors=[DOOR],
    chores=[PolicyLoader().load],
)
