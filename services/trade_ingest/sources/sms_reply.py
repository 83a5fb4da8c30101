"""`in.sms_reply.<shop>.reply`: answers to the shop's SMS (上行短信), as CloudEvents whose data is a Reply. Pure.

All that goes on is the number's digest and whether the answer is an opt-out. What follows from that, for which buyers,
is care_notifier's to say (`care.consent_changed`, domain.md 4). The shop's SMS ask for R (拒收请回复R); the other words
are those that people know from other senders. Taking one too many for an opt-out costs a message, one too few the law.
"""

import unicodedata
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from msgspec import Struct
from msgspec.structs import replace

from schemas.buyer import BuyerSmsReplied
from schemas.types import Id, Short, Text
from services.kernel.canonical import canonical, contract_types
from services.kernel.inputs import RawFact, Refused
from services.kernel.process import Fact
from services.trade_ingest.sources.kinds import only

OPT_OUTS = frozenset({"r", "t", "td", "n", "0000", "退订", "拒收", "拒绝", "取消", "stop", "unsubscribe"})
"""Own list, but for R (domain.md 4). Compared without case, width, spaces and punctuation."""


class Reply(Struct, frozen=True, kw_only=True):
    """What a gateway says of an answer. reply_id: its own id of it."""

    TYPE: ClassVar[str] = "sms.replied"

    phone: Short
    text: Text
    reply_id: Id | None = None


_stated = canonical(contract_types(Reply), buyer_optional=True)


def says(text: str) -> Literal["opt_out", "other"]:
    """What an answer is taken for. A sentence is none of the words: 请发货 is no R, 回复R吗 neither."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    word = "".join(letter for letter in plain if letter.isalnum())
    return "opt_out" if word in OPT_OUTS else "other"


def _read(raw: RawFact) -> Iterator[Fact[Any] | Refused]:
    for said in _stated(raw):
        yield _digested(raw, said) if isinstance(said, Fact) else said


def _digested(raw: RawFact, fact: Fact[Any]) -> Fact[Any] | Refused:
    reply: Reply = fact.data
    digest = raw.keys.digest("phone", reply.phone)
    if digest is None:
        return Refused("phone: empty or masked, so that it is nobody's", "data.phone")
    return replace(fact, data=BuyerSmsReplied(phone_digest=digest, says=says(reply.text), reply_id=reply.reply_id))


translate = only("reply", _read)
