"""What Taobao's message service says when something was done to an order there (feeds.md): the simulator's echoes."""

from datetime import datetime
from typing import Any

import msgspec

from schemas.subjects import NO_BUYER
from services.cli.simulated_bridge import Echo
from services.kernel.clock import Clock, WallClock
from services.kernel.fields import GMT8
from services.trade_ingest.bridge_http import Request
from services.trade_ingest.flag_codes import code_of


def taobao(clock: Clock | None = None) -> Echo:
    """The echoes of a Taobao shop, their times by this clock."""
    now = (clock or WallClock()).now

    def echo(request: Request) -> tuple[str, str, Any] | None:
        found = _content(request)
        return None if found is None else ("taobao", "tmc", _envelope(request, *found, now()))

    return echo


def _content(request: Request) -> tuple[str, dict[str, Any]] | None:
    """The topic, and what it says beside whose order it is; None: the message service has no word for it."""
    args = request.args
    match request.kind:
        case "set_flag":
            colour: Any = args.get("colour")
            shown = {"seller_flag": int(code_of("taobao", colour) or 0), "seller_memo": args.get("memo")}
            return "taobao_trade_TradeMemoModified", {"action_type": "seller", **shown}
        case "extend_receipt":
            return "taobao_trade_TradeDelayConfirmPay", {"status": "WAIT_BUYER_CONFIRM_GOODS"}
        case "close_order":
            return "taobao_trade_TradeClose", {"status": "TRADE_CLOSED_BY_TAOBAO", "oid": args.get("line_id")}
        case _:
            return None


def _envelope(request: Request, topic: str, said: dict[str, Any], now: datetime) -> dict[str, Any]:
    order = request.args.get("order_id")
    content: dict[str, Any] = {"tid": order, "type": "guarantee_trade", **said}
    content["oid"] = content.get("oid") or order
    if request.buyer != NO_BUYER and not request.buyer.startswith("nick-"):
        content["buyer_open_uid"] = request.buyer
    return {
        "id": f"sim-{request.action_id}",
        "topic": topic,
        "time": now.astimezone(GMT8).strftime("%Y-%m-%d %H:%M:%S"),
        "content": msgspec.json.encode(content).decode(),
    }
