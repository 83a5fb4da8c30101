"""`in.jd.<shop>.chat`: chat logs of 咚咚, as JD's open platform answers for them. Two answers are public:

- `jingdong.im.pop.chatlog.get`: `{"jingdong_im_pop_chatlog_get_responce": {"ChatLogPage": {"chatLogList": [...]}}}`
  (spelled so) of `{customer, waiter, waiterSend, content, time, sid, skuId, channel}`;
- `listDongdongSessionChatLogs`: `{"data": [...]}` of `{customer, waiter, waiterSend, content, createdTime, sid, skuId,
  uuid, imgUrl, revokeFlag, revokeTime, xidBuyer, msgType, contentType}`.

The bridge pushes either as it came, or a list of them. `waiterSend` (true, 1: the agent's word) and `revokeFlag` (1:
taken back) come as true/false or 1/0; `skuId` 0 is none. With `imgUrl` it is an image. What the values of `msgType`,
`contentType` and `channel` mean is not public: they are not read, and nothing is guessed from them. The buyer is the
lane of `customer`, the pin; `waiter` is the agent. `uuid` is the message's id; without it one is derived (message.py).
"""

from collections.abc import Iterable, Iterator
from typing import Any

from services.chat_ingest.facts import TakenBack
from services.chat_ingest.sources.message import KIND, Ids, Message, fact, nick_lane
from services.kernel.fields import Fields, Unreadable, messages, told
from services.kernel.inputs import RawFact, Refused
from services.kernel.process import Fact

_ANSWERS = ("jingdong_im_pop_chatlog_get_responce", "jingdong_im_pop_chatlog_get_response")


def translate(raw: RawFact) -> Iterable[Fact[Any] | Refused]:
    if raw.kind != KIND:
        return
    try:
        logs = [_log(page) for page in messages(raw)]
    except Unreadable as error:
        yield Refused(str(error), error.field)
        return
    for log in logs:
        ids = Ids(raw.shop)
        for said in log:
            yield from told(lambda said=said, ids=ids: _facts(raw, said, ids))


def _log(page: Fields) -> list[Fields]:
    answer = next((found for name in _ANSWERS if (found := page.object(name))), page)
    if listed := answer.object("ChatLogPage"):
        return listed.objects("chatLogList")
    if "data" in answer or "success" in answer:
        return answer.objects("data")
    raise Unreadable("no chat log of JD: neither ChatLogPage nor data", answer.path("ChatLogPage"))


def _facts(raw: RawFact, said: Fields, ids: Ids) -> Iterator[Fact[Any]]:
    by_shop = said.must("waiterSend", said.truth("waiterSend"))
    picture = said.text("imgUrl")
    message = Message(
        buyer=nick_lane(raw, said.must("customer", said.text("customer")), said.path("customer")),
        by_shop=by_shop,
        time=said.must("createdTime", said.local("createdTime") or said.local("time")),
        text=said.long_text("content") or picture or "",
        agent=said.text("waiter") or "",
        message_id=said.id("uuid") or "",
        kind="image" if picture else None,
        sku=sku if (sku := said.id("skuId")) != "0" else None,
    )
    known = fact(raw, "dongdong", message, ids)
    yield known
    if said.truth("revokeFlag"):
        by = "shop" if by_shop else "buyer"
        taken = TakenBack(channel="dongdong", message_id=known.data.message_id, by=by)
        yield Fact(data=taken, shop=raw.shop, buyer=known.buyer, time=said.local("revokeTime") or known.time)
