"""Values of an order: a statement is compared with the last one, and only what changed is an event.

The first statement of a value is its baseline and no news; yet a memo, a flag or a contact that is there is told. An
older statement than the last is late: it can only repeat, or name a value that has passed. What a statement does not
say (a notification has the total, a snapshot the lines too) is no change.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from schemas.buyer import BuyerContactStored
from schemas.flag import OrderFlagCleared, OrderFlagged
from schemas.order import OrderAddressChanged, OrderMemoChanged, OrderPlaced, OrderPriceAdjusted
from services.kernel.process import Fact
from services.trade_ingest import stated
from services.trade_ingest.flag_codes import NO_FLAG, shown
from services.trade_ingest.identity import digest
from services.trade_ingest.order_memory import OrderFacts, Price, Pushed, Said, newer, noted, once

NO_MEMO = ""


def price(facts: OrderFacts, fact: Fact[stated.Price]) -> OrderFacts:
    """`order.price_adjusted` for each line and for the postage that changed; of the total alone where no more is known.

    The total tells whether a price changed: a notification that says only the total and the snapshot that has its
    lines are one change, told once.
    """
    said, known = fact.data, facts.price
    lines = None if said.lines is None else {line.line_id: line.price_fen for line in said.lines}
    latest = newer(known and known.said, _price_digest(said.total_fen, said.postage_fen, lines), fact.time)
    if latest is None:
        return facts
    if known is None:
        return replace(facts, price=Price(latest, said.total_fen, said.postage_fen, lines))
    for change in _changes(known, said):
        facts = noted(facts, fact, change)
    return replace(facts, price=_merged(known, said, lines, latest))


def placed_price(facts: OrderFacts, data: OrderPlaced, time: datetime) -> Price:
    """Placing is a statement of the price, older than any other; without lines it was a hint's, and knows the total."""
    if facts.price is not None:
        return facts.price
    if not data.lines:
        return Price(Said(time, (_price_digest(data.total_fen, None, None),)), data.total_fen)
    lines = {line.line_id: line.price_fen for line in data.lines}
    said = Said(time, (_price_digest(data.total_fen, data.postage_fen, lines),))
    return Price(said, data.total_fen, data.postage_fen, lines)


def price_adjusted(facts: OrderFacts, fact: Fact[OrderPriceAdjusted]) -> OrderFacts:
    """The contract's own event, told once; the value it leaves is known from then on."""
    data, known = fact.data, facts.price
    latest = newer(known and known.said, digest((data.line_id, data.price_fen, data.postage_fen)), fact.time)
    if latest is not None:
        line = {} if data.line_id is None or data.price_fen is None else {data.line_id: data.price_fen}
        lines = {**known.lines, **line} if known and known.lines and (line or data.postage_fen is not None) else None
        postage = known.postage_fen if known and line and data.postage_fen is None else data.postage_fen
        facts = replace(facts, price=Price(latest, data.total_fen, postage, lines))
    return once(facts, fact, data)


def address(facts: OrderFacts, fact: Fact[stated.Address]) -> OrderFacts:
    """`order.address_changed` for another address, `buyer.contact_stored` once for each contact."""
    said, known = fact.data, facts.address
    latest = newer(known, said.address_digest, fact.time)
    if latest is None and known and known.value != said.address_digest:
        return facts
    if known and known.value != said.address_digest:
        facts = noted(
            facts,
            fact,
            OrderAddressChanged(
                order_id=said.order_id,
                address_digest=said.address_digest,
                region=said.region,
                vault_ref=said.deposit.vault_ref if said.deposit else None,
            ),
        )
    if latest is not None:
        facts = replace(facts, address=latest, region=said.region or facts.region)
    if said.deposit is None:
        return facts
    stored = BuyerContactStored(
        vault_ref=said.deposit.vault_ref,
        digests=said.deposit.digests,
        region=said.deposit.region or said.region,
        order_id=said.order_id,
    )
    return once(facts, fact, stored, said.deposit)


def address_changed(facts: OrderFacts, fact: Fact[OrderAddressChanged]) -> OrderFacts:
    """The contract's own event, told once; the value it leaves is known from then on."""
    if latest := newer(facts.address, fact.data.address_digest, fact.time):
        facts = replace(facts, address=latest, region=fact.data.region or facts.region)
    return once(facts, fact, fact.data)


def memo(facts: OrderFacts, fact: Fact[stated.Memo]) -> OrderFacts:
    """`order.memo_changed`, with the next version; an echo of the memo that we pushed is none."""
    said, box = fact.data, _box(fact.data.by)
    text, known = _memo_digest(said.memo), facts.memos.get(box)
    latest = newer(known, text, fact.time)
    if latest is None:
        return facts
    facts = replace(facts, memos={**facts.memos, box: latest})
    if text == (known.value if known else NO_MEMO):
        return facts
    if box == "shop" and facts.pushed is not None:
        if text == facts.pushed.memo:
            return facts
        facts = _pushed_over(facts, fact.time)
    version = facts.memo_version + 1
    changed = OrderMemoChanged(order_id=said.order_id, memo=said.memo, memo_version=version, by=said.by)
    return noted(replace(facts, memo_version=version), fact, changed)


def memo_changed(facts: OrderFacts, fact: Fact[OrderMemoChanged]) -> OrderFacts:
    """The contract's own event, told once; the value it leaves is known from then on."""
    data, box = fact.data, _box(fact.data.by)
    if latest := newer(facts.memos.get(box), _memo_digest(data.memo), fact.time):
        facts = replace(facts, memos={**facts.memos, box: latest})
    if data.memo_version > facts.memo_version:
        facts = replace(facts, memo_version=data.memo_version)
    return once(facts, fact, data)


def flag(facts: OrderFacts, fact: Fact[stated.Flag]) -> OrderFacts:
    """The platform shows one flag: another one takes the first down (`order.flag_cleared`, `order.flagged`).

    The colour is given when the event is told (`flag_codes`). An echo of the flag that we pushed is no news.
    """
    said, code = fact.data, shown(fact.data.raw_code)
    before = facts.flag.value if facts.flag else NO_FLAG
    latest = newer(facts.flag, code, fact.time)
    if latest is None:
        return facts
    facts = replace(facts, flag=latest, platform=said.platform)
    if code == before or _is_echo(facts.pushed, code, said.memo):
        return facts
    facts = _pushed_over(facts, fact.time)
    if before:
        facts = noted(facts, fact, OrderFlagCleared(order_id=said.order_id, raw_code=before))
    if code:
        version = facts.memo_version if _is_known_memo(facts, said.memo) else None
        raised = OrderFlagged(order_id=said.order_id, raw_code=code, memo=said.memo or "", memo_version=version)
        facts = noted(facts, fact, raised)
    return facts


def flag_pushed(facts: OrderFacts, fact: Fact[stated.FlagPushed]) -> OrderFacts:
    if facts.pushed is not None and fact.time < facts.pushed.at:
        return facts
    return replace(facts, pushed=Pushed(fact.time, shown(fact.data.raw_code), _memo_digest(fact.data.memo)))


def _changes(known: Price, said: stated.Price) -> Iterable[OrderPriceAdjusted]:
    nothing = True
    for line in said.lines or ():
        before = known.lines.get(line.line_id) if known.lines else None
        if before is not None and before != line.price_fen:
            nothing = False
            yield OrderPriceAdjusted(
                order_id=said.order_id, line_id=line.line_id, price_fen=line.price_fen, total_fen=said.total_fen
            )
    if None not in (said.postage_fen, known.postage_fen) and said.postage_fen != known.postage_fen:
        nothing = False
        yield OrderPriceAdjusted(order_id=said.order_id, postage_fen=said.postage_fen, total_fen=said.total_fen)
    if nothing and said.total_fen != known.total_fen:
        yield OrderPriceAdjusted(order_id=said.order_id, total_fen=said.total_fen)


def _merged(known: Price, said: stated.Price, lines: dict[str, int] | None, latest: Said) -> Price:
    """What is known now. Parts that were not said still hold under the same total, or (lines) if the postage alone
    explains the new one; under another total nobody knows which of them changed.
    """
    same = said.total_fen == known.total_fen
    postage = said.postage_fen if said.postage_fen is not None or not same else known.postage_fen
    if lines is not None:
        lines = {**(known.lines or {}), **lines}
    elif same or _postage_explains(known, said):
        lines = known.lines
    return Price(latest, said.total_fen, postage, lines)


def _price_digest(total_fen: int, postage_fen: int | None, lines: dict[str, int] | None) -> str:
    return digest((total_fen, postage_fen, None if lines is None else sorted(lines.items())))


def _postage_explains(known: Price, said: stated.Price) -> bool:
    if said.postage_fen is None or known.postage_fen is None:
        return False
    return said.total_fen - known.total_fen == said.postage_fen - known.postage_fen


def _box(by: str) -> str:
    """An order has two memos: the buyer's message, and the shop's, whoever of it (or the platform) wrote that."""
    return "buyer" if by == "buyer" else "shop"


def _memo_digest(memo: str) -> str:
    return digest((memo,)) if memo else NO_MEMO


def _is_known_memo(facts: OrderFacts, memo: str | None) -> bool:
    """Whether a flag's memo is the one whose version is known."""
    known: Any = facts.memos.get("shop")
    return bool(memo) and known is not None and known.value == _memo_digest(memo or "")


def _is_echo(pushed: Pushed | None, code: str, memo: str | None) -> bool:
    return pushed is not None and pushed.code == code and (memo is None or _memo_digest(memo) == pushed.memo)


def _pushed_over(facts: OrderFacts, time: datetime) -> OrderFacts:
    """Somebody changed the flag or the memo after our push: the same flag seen again is then raised anew."""
    return replace(facts, pushed=None) if facts.pushed is not None and time >= facts.pushed.at else facts
