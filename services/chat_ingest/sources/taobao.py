"""`in.taobao.<shop>.chat` and `in.tmall.<shop>.chat`: pages of the chat log (旺旺聊天记录), with what was asked for.

    {"from_id": "cntaobao某某旗舰店:小林", "to_id": "cntaobao买家昵称",
     "wangwang_eservice_chatlog_get_response": {"ret": 10000, "count": 2, "msgs": {"msg": [
        {"direction": 1, "time": "2026-11-11 10:00:00", "type": 0, "content": "在吗"}, ...]}}}

The answer of `taobao.wangwang.eservice.chatlog.get` names nobody: the bridge puts the request's `from_id` and `to_id`
beside it. `from_id` is always an account of the shop (the platform answers for no other: ret 40000), so direction 0 is
the shop's word and 1 the buyer's. One page, or a list of pages. The answer may also stand under its older name
`chatlog_get_response`, or its fields beside the ids.

`type` is a set of bits, as the platform documents it with `taobao.wangwang.abstract.logquery`: 1 an auto-reply
(自动回复), 16 left offline (离线留言), 32 a system message of a transfer between sub-accounts, which nobody said. Lines
that the platform put in (records/lines.toml) are skipped likewise. Ids and their limit: sources/message.py.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from services.chat_ingest.records.lines import is_platform
from services.chat_ingest.sources.message import KIND, Ids, Message, agent_of, fact, nick_lane
from services.kernel.fields import Fields, Unreadable, messages, told
from services.kernel.inputs import RawFact, Refused
from services.kernel.process import Fact

OK = 10_000
"""`ret` of an answer that holds."""

AUTO, OFFLINE, SYSTEM = 1, 16, 32

_ANSWERS = ("wangwang_eservice_chatlog_get_response", "chatlog_get_response")
_ACCOUNT = re.compile(r"cntaobao(\S.*)")
_BY_SHOP = {"0": True, "1": False}


class Sides(NamedTuple):
    """Who talks on a page."""

    buyer: str
    agent: str


def translate(raw: RawFact) -> Iterable[Fact[Any] | Refused]:
    if raw.kind != KIND:
        return
    try:
        pages = messages(raw)
    except Unreadable as error:
        yield Refused(str(error), error.field)
        return
    for page in pages:
        try:
            sides, said = _sides(raw, page), _messages(page)
        except Unreadable as error:
            yield Refused(str(error), error.field)
            continue
        ids = Ids(raw.shop)
        for one in said:
            yield from told(lambda one=one, sides=sides, ids=ids: _fact(raw, one, sides, ids))


def _sides(raw: RawFact, page: Fields) -> Sides:
    account, peer = _account(page, "from_id"), _account(page, "to_id")
    main_account = re.split("[:：]", account)[0]
    if agent_of(peer, main_account) is not None:
        raise page.wrong("to_id", "an account of the shop itself: no buyer talks here")
    agent = agent_of(account, main_account)
    if agent is None:
        raise page.wrong("from_id", "no account of a shop")
    return Sides(nick_lane(raw, peer, page.path("to_id")), agent)


def _account(page: Fields, name: str) -> str:
    found = _ACCOUNT.fullmatch(page.must(name, page.text(name)))
    if found is None:
        raise page.wrong(name, "no id like cntaobao<nick>")
    return found[1].strip()


def _messages(page: Fields) -> list[Fields]:
    answer = next((found for name in _ANSWERS if (found := page.object(name))), page)
    if answer.must("ret", answer.whole("ret")) != OK:
        raise answer.wrong("ret", f"the platform did not answer the query: not {OK}")
    found = answer.object("msgs")
    return found.objects("msg") if found else []


def _fact(raw: RawFact, said: Fields, sides: Sides, ids: Ids) -> Iterator[Fact[Any]]:
    by_shop = said.must("direction", said.choice("direction", _BY_SHOP))
    bits = said.whole("type") or 0
    text = said.long_text("content") or ""
    if bits & SYSTEM or is_platform(text):
        return
    message = Message(
        buyer=sides.buyer,
        by_shop=by_shop,
        time=said.must("time", said.local("time")),
        text=text,
        agent=sides.agent,
        auto=bool(bits & AUTO),
        offline=bool(bits & OFFLINE) and not by_shop,
    )
    yield fact(raw, "wangwang", message, ids)
