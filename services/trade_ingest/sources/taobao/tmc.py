"""The message service (消息服务, TMC): envelopes `{topic, time, content, ...}`, and the table of what each topic means.

A message is thin: it says that something happened, seldom to what. Each topic is told, or taken in silence for the
reason given here, and one that is in no table is refused: nothing is guessed, and nothing dropped unseen.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from services.kernel.fields import Fields
from services.kernel.inputs import RawFact, Refused
from services.kernel.process import Fact
from services.trade_ingest.sources.snapshots import part
from services.trade_ingest.sources.taobao import parcels, refunds, trades

Meaning = Callable[[RawFact, Fields, datetime], Iterable[Fact[Any]]]
"""What the content of a topic says. The time is the content's own, or the envelope's."""

MEANINGS: Mapping[str, Meaning] = {**trades.MEANINGS, **refunds.MEANINGS, **parcels.MEANINGS}

SILENT: Mapping[str, str] = {
    "taobao_trade_TradeAlipayCreate": "a payment slip was opened for an order: TradeCreate tells of the order",
    "taobao_trade_TradeChanged": "announces a changed order (another SKU...): the snapshot that follows says how",
    "taobao_trade_TradePartlyRefund": "a line's refund succeeded: RefundSuccess tells the same with number and sum",
    "taobao_trade_TradeTimeoutRemind": "a reminder that a limit is near: nothing happened, and it names no limit",
    "taobao_refund_RefundBlockMessage": "a message within a refund was hidden: names neither refund nor order",
    "taobao_refund_RefundCreateMessage": "somebody wrote in a refund (留言): its state and sum are as they were",
    "taobao_refund_RefundTimeoutRemind": "a reminder that a limit is near: names neither refund nor order",
    "taobao_refund_RefundableCanceled": "a mark on a refund was taken away: names neither refund nor order",
    "taobao_refund_RefundableMarked": "a mark was put on a refund: names neither refund nor order",
    "taobao_refund_TaobaoInterApplied": "arbitration (介入) was asked for: what comes of it is told as a step",
    "taobao_refund_TaobaoIntervened": "the platform arbitrates (介入): what comes of it is told as a step",
    "taobao_opencrm_MemberGradeChange": "the platform's own membership: concerns no order, and tiers here are our own",
    "taobao_opencrm_MemberJoin": "the platform's own membership: concerns no order, and members here are our own",
}
"""Topics that say nothing new of an order, and why."""

AT_TIMES_SILENT: Mapping[str, str] = {
    "taobao_trade_TradeMemoModified": "says neither memo nor flag: the snapshot that follows does",
    "taobao_trade_TradeRated": "rated by the seller, or by nobody knows whom: no review of the buyer",
    "taobao_logistics_PackageExceptionCreate": "a WARNING: a limit is near, and nothing happened to the parcel",
}
"""Topics of MEANINGS whose message may say nothing new, and when."""

AT_TIMES_REFUSED: Mapping[str, str] = {
    "taobao_trade_TradeClose": f"no status: {trades.UNSAID_PAID}",
    "taobao_trade_TradeCloseAndModifyDetailOrder": f"no status: {trades.UNSAID_CHANGE}",
}
"""Topics of MEANINGS whose message may lack what they are about: not in silence, it may be the only word of a closing.
The order's snapshot tells it.
"""

_OWN_TIMES = ("modified", "modified_time", "gmt_modified", "create_time")


def envelope(raw: RawFact, message: Fields) -> Iterator[Fact[Any] | Refused]:
    return part(partial(_facts, raw, message))


def _facts(raw: RawFact, message: Fields) -> Iterable[Fact[Any]]:
    topic = message.must("topic", message.text("topic"))
    if topic in SILENT:
        return ()
    if topic not in MEANINGS:
        raise message.wrong("topic", "a topic that is not known here")
    content = message.must("content", message.object("content"))
    return MEANINGS[topic](raw, content, _time(topic, message, content))


def _time(topic: str, message: Fields, content: Fields) -> datetime:
    own = ("time",) if topic == parcels.TRACE else _OWN_TIMES
    for name in own:
        if time := content.local(name):
            return time
    return message.must("time", message.local("time"))
