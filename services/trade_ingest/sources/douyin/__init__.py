"""`in.douyin.<shop>.<kind>`: 抖店, the shop platform of Douyin. Amounts are fen, times epoch seconds.

- `push`: what the platform pushes (push.py). No message of it names the buyer.
- `order`: the order's detail (`order/orderDetail`), which the bridge pushes: it names the buyer (detail.py).
- `refund`: the after-sale detail (`afterSale/Detail`), which the bridge may push as well (refunds.py).
"""

from collections.abc import Iterable
from typing import Any

from services.kernel.inputs import RawFact, Refused
from services.kernel.process import Fact
from services.trade_ingest.sources.douyin import detail, push, refunds
from services.trade_ingest.sources.snapshots import snapshots


def translate(raw: RawFact) -> Iterable[Fact[Any] | Refused]:
    match raw.kind:
        case "push":
            return push.translate(raw)
        case "order":
            return snapshots(raw, ("data", "order_detail", "shop_order_detail"), ("shop_order_list",), detail.facts)
        case "refund":
            return snapshots(raw, ("data",), (), refunds.facts)
        case "chat":
            return ()
        case _:
            return [Refused("kind: in.douyin.<shop>.<kind> has the kinds push, order, refund and chat", "kind")]
