"""`in.records.<shop>.chat`: what `carebus import chats` cut out of files (records/record.py) -> facts. Pure.

Whatever cannot be taken is refused with its file and line. A sender that is the main account (主号), or begins with it
and `:`, is the shop; everybody else is a buyer. What the shop says without naming its receiver goes to the file's one
buyer; in a file of several it is refused, since nobody can tell whom it was said to.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from schemas.strict import DecodeError, decode_typed
from services.chat_ingest.facts import TakenBack
from services.chat_ingest.records.record import ChatRecord, Page, Recalled, Said, Statement, Stray
from services.chat_ingest.sources import canonical, taobao
from services.chat_ingest.sources.message import KIND, Ids, Message, agent_of, fact, nick_lane
from services.kernel.fields import GMT8, Unreadable
from services.kernel.inputs import RawFact, Refused, time_fault
from services.kernel.process import Fact

Told = Iterable[Fact[Any] | Refused]

SELF = frozenset({"您", "你"})
"""Who recalls in a record that one of the shop's own agents made: `您撤回了一条消息`."""

_record = msgspec.json.Decoder(ChatRecord)


def translate(raw: RawFact) -> Told:
    if raw.kind != KIND:
        return
    try:
        record = decode_typed(_record, raw.payload, "chat record")
    except DecodeError as error:
        quoting = "alue '" in str(error)  # of what the sender wrote
        reason = "chat record: a value that is not one of those allowed" if quoting else str(error)
        yield Refused(reason, error.field)
        return
    talk = _Talk(raw, record)
    for entry in record.entries:
        place = f"{record.file} line {entry.line}"
        for one in _told(raw, talk, entry):
            yield replace(one, place=place) if isinstance(one, Refused) else one


def _told(raw: RawFact, talk: "_Talk", entry: Said | Recalled | Stray | Page | Statement) -> Told:
    match entry:
        case Page(body=body):
            return taobao.translate(replace(raw, payload=bytes(body)))
        case Statement(body=body):
            return canonical.translate(replace(raw, payload=bytes(body)))
        case Stray(reason=reason):
            return [Refused(f"line: {reason}", "line")]
        case _:
            try:
                return [talk.said(entry) if isinstance(entry, Said) else talk.recalled(entry)]
            except Unreadable as error:
                return [Refused(str(error), error.field)]


class _Talk:
    """The messages of one record, in their order: a recall stands under the message it follows."""

    def __init__(self, raw: RawFact, record: ChatRecord) -> None:
        self._raw, self._record = raw, record
        self._ids = Ids(raw.shop)
        self._last = record.peer

    def said(self, said: Said) -> Fact[Any]:
        agent, other = self._agent(said.sender), self._agent(said.to) if said.to else None
        if agent is not None:
            if other is not None:
                raise Unreadable("between two accounts of the shop: no buyer talks here", "to")
            peer, field = said.to or self._one_buyer(), "to"
        else:
            if said.to and other is None:
                raise Unreadable("neither side is an account of the main account", "sender")
            peer, field = said.sender, "sender"
        self._last = peer
        message = Message(
            buyer=nick_lane(self._raw, peer, field),
            by_shop=agent is not None,
            time=self._time(said.time),
            text=said.text,
            agent=agent or other or "",
        )
        return fact(self._raw, "wangwang", message, self._ids)

    def recalled(self, recall: Recalled) -> Fact[Any]:
        by_shop = recall.sender in SELF or self._agent(recall.sender) is not None
        peer = (self._last or self._one_buyer()) if by_shop else recall.sender
        return Fact(
            data=TakenBack(channel="wangwang", by="shop" if by_shop else "buyer"),
            shop=self._raw.shop,
            buyer=nick_lane(self._raw, peer, "sender"),
            time=self._time(recall.time),
        )

    def _agent(self, account: str) -> str | None:
        main_account = self._record.main_account
        if not main_account:
            raise Unreadable("missing: without the main account nobody can tell who is the shop", "main_account")
        return agent_of(account, main_account)

    def _one_buyer(self) -> str:
        if not self._record.peer:
            raise Unreadable("the shop's word to one of several buyers, who is not named", "sender")
        return self._record.peer

    def _time(self, text: str) -> datetime:
        """A time of GMT+8, in UTC."""
        try:
            time = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=GMT8).astimezone(UTC)
        except (ValueError, OverflowError):
            raise Unreadable("no time like 2025-9-19 17:24:05", "time") from None
        if fault := time_fault(time, self._raw.recorded):
            raise Unreadable(fault, "time")
        return time
