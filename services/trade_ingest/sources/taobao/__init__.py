"""`in.taobao.<shop>.<kind>` and `in.tmall.<shop>.<kind>`: Taobao (集市店) and Tmall (商城店), by the bridge.

    tmc     messages of the message service (消息服务), one or a list: thin, told when something happens (tmc.py)
    order   an order as `taobao.trade.fullinfo.get` or the RDS push shows it (orders.py)
    refund  a refund as `taobao.refund.get` or the RDS push shows it (refunds.py)
    chat    chat_ingest's

The feeds of a shop may come in any order, or one of them alone (feeds.md).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from services.kernel.fields import Fields, Unreadable, messages
from services.kernel.inputs import RawFact, Refused
from services.kernel.process import Fact
from services.trade_ingest.sources.taobao.orders import order
from services.trade_ingest.sources.taobao.refunds import refund
from services.trade_ingest.sources.taobao.tmc import envelope

Reader = Callable[[RawFact, Fields], Iterable[Fact[Any] | Refused]]

KINDS: Mapping[str, Reader] = {"tmc": envelope, "order": order, "refund": refund}


def translate(raw: RawFact) -> Iterable[Fact[Any] | Refused]:
    if raw.kind == "chat":
        return ()
    if raw.kind not in KINDS:
        named = ", ".join((*KINDS, "chat"))
        return [Refused(f"kind: in.{raw.source}.<shop>.<kind> has the kinds {named}", "kind")]
    return list(_parts(raw, KINDS[raw.kind]))


def _parts(raw: RawFact, read: Reader) -> Iterator[Fact[Any] | Refused]:
    try:
        parts = messages(raw)
    except Unreadable as error:
        yield Refused(str(error), error.field)
        return
    if not parts:
        yield Refused("a list with nothing in it")
    for part in parts:
        yield from read(raw, part)
