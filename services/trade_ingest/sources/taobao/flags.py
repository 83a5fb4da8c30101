"""The order's flag (旗帜) as both feeds spell it: `seller_flag`, a number."""

from typing import Literal

from services.kernel.fields import Fields
from services.trade_ingest.stated import Flag


def flag(fields: Fields, order_id: str, platform: Literal["taobao", "tmall"], memo: str | None) -> Flag | None:
    """0 (grey) is a code as well; what a code means is the flags' to say (domain.md 2). Raises Unreadable."""
    code = fields.whole("seller_flag")
    if code is None:
        return None
    if code < 0:
        raise fields.wrong("seller_flag", "a negative number")
    return Flag(order_id=order_id, platform=platform, raw_code=str(code), memo=memo)
