"""Chat history: what was said with a buyer, and how fast the shop answered. Source: domain.md 3 and 7.

| query | data | rows |
| --- | --- | --- |
| `chat_history.of_buyer` | OneBuyer | Message, in order of time |
| `chat_history.answer_times` | Period | AnswerTimes: of the shop, then of each agent; people first, bots apart |

A recall (撤回) may come before its message and message ids are used again, so whether a message was recalled is found
when asked: it is the last of its id, from that side, before the recall. A recall that names no message is a line of its
own. The text stays.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from schemas.chat import ConversationOpened, MessageKind, MessageRecalled, MessageReceived, MessageSent, ReplyRecorded
from schemas.envelope import Answer, Event, Query
from schemas.strict import DecodeError
from schemas.types import BuyerId, Millis, Time
from services.kernel.policy import default_policy
from services.kernel.projection import Projection
from services.kernel.queries import QuerySpec
from services.kernel.store import Connection
from services.projections.paging import cursor, page_of, position

_TARGETS = default_policy().reception.reply

Who = Literal["buyer", "agent", "bot"]


class OneBuyer(Struct, frozen=True, kw_only=True):
    buyer: BuyerId


class Period(Struct, frozen=True, kw_only=True):
    """Replies from `since` (included) to `until` (not included). The limits are those of the policy's defaults
    (`reception.reply`): golden 6 s 黄金6秒, good 20 s, breach 60 s; a shop with its own says them.
    """

    since: Time | None = None
    until: Time | None = None
    golden_ms: Millis = _TARGETS.target_s * 1000
    good_ms: Millis = _TARGETS.average_s * 1000
    breach_ms: Millis = _TARGETS.breach_s * 1000


class Message(Struct, frozen=True, kw_only=True):
    """kind `recall`: somebody took back a message that is not named. channel: of the conversation."""

    time: datetime
    seq: int
    conversation_id: str
    channel: str | None
    message_id: str | None
    who: Who
    agent_id: str | None
    kind: MessageKind | Literal["recall"]
    text: str
    recalled: bool


class AnswerTimes(Struct, frozen=True, kw_only=True):
    """Of an agent, or of the whole shop (no agent_id). Counts are of cycles; averages are absent where nothing is.

    conversations: how many had their first human answer. golden: within golden_ms. good: below good_ms. breaches:
    breach_ms or longer.
    """

    agent_id: str | None
    by_bot: bool
    answered: int
    conversations: int
    first_average_ms: int | None
    average_ms: int
    longest_ms: int
    golden: int
    good: int
    breaches: int


_ADD_MESSAGES = """
INSERT INTO chat_message (shop, buyer, time, seq, conversation_id, message_id, who, agent_id, kind, text)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::bigint[], $5::text[], $6::text[], $7::text[],
                     $8::text[], $9::text[], $10::text[])
"""
_ADD_CONVERSATIONS = """
INSERT INTO chat_conversation (shop, buyer, opened_at, conversation_id, channel)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[])
ON CONFLICT (shop, buyer, conversation_id) DO NOTHING
"""
_ADD_REPLIES = """
INSERT INTO chat_reply (shop, buyer, time, seq, conversation_id, cycle, agent_id, by_bot, first, latency_ms)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::bigint[], $5::text[], $6::bigint[], $7::text[],
                     $8::bool[], $9::bool[], $10::bigint[])
"""


async def apply(connection: Connection, events: Sequence[Event[Any]]) -> None:
    messages: list[tuple[Any, ...]] = []
    conversations: list[tuple[Any, ...]] = []
    replies: list[tuple[Any, ...]] = []
    for e in events:
        match e.data:
            case MessageReceived() as m:
                said = (m.conversation_id, m.message_id, "buyer", m.agent_id, m.kind, m.text)
                messages.append((e.shop, e.buyer, e.time, e.seq, *said))
            case MessageSent() as m:
                who = "bot" if m.auto else "agent"
                said = (m.conversation_id, m.message_id, who, m.agent_id, m.kind, m.text)
                messages.append((e.shop, e.buyer, e.time, e.seq, *said))
            case MessageRecalled() as m:
                who = "buyer" if m.by == "buyer" else "agent"
                messages.append(
                    (e.shop, e.buyer, e.time, e.seq, m.conversation_id, m.message_id, who, None, "recall", "")
                )
            case ConversationOpened() as c:
                conversations.append((e.shop, e.buyer, e.time, c.conversation_id, c.channel))
            case ReplyRecorded() as r:
                reply = (r.conversation_id, r.cycle, r.agent_id, r.by_bot, r.first, r.latency_ms)
                replies.append((e.shop, e.buyer, e.time, e.seq, *reply))
    for statement, rows in (
        (_ADD_CONVERSATIONS, conversations),
        (_ADD_MESSAGES, messages),
        (_ADD_REPLIES, replies),
    ):
        if rows:
            await connection.execute(statement, *[list(column) for column in zip(*rows, strict=True)])


_OF_BUYER = """
SELECT m.time, m.seq, m.conversation_id, c.channel, m.message_id, m.who, m.agent_id, m.kind, m.text,
       EXISTS (
           SELECT 1 FROM chat_message r
           WHERE (r.shop, r.buyer, r.message_id) = (m.shop, m.buyer, m.message_id) AND r.kind = 'recall'
             AND (r.who = 'buyer') = (m.who = 'buyer') AND r.time >= m.time
             AND NOT EXISTS (
                 SELECT 1 FROM chat_message n
                 WHERE (n.shop, n.buyer, n.message_id) = (m.shop, m.buyer, m.message_id) AND n.kind <> 'recall'
                   AND (n.who = 'buyer') = (m.who = 'buyer') AND n.time <= r.time AND (n.time, n.seq) > (m.time, m.seq)
             )
       ) AS recalled
FROM chat_message m LEFT JOIN chat_conversation c USING (shop, buyer, conversation_id)
WHERE m.shop = $1 AND m.buyer = $2 AND ($3::timestamptz IS NULL OR (m.time, m.seq) > ($3, $4::bigint))
  AND (m.kind <> 'recall' OR m.message_id IS NULL)
ORDER BY m.time, m.seq LIMIT $5
"""
_ANSWER_TIMES = """
SELECT agent_id, by_bot, count(*) AS answered, count(*) FILTER (WHERE first) AS conversations,
       round(avg(latency_ms) FILTER (WHERE first))::bigint AS first_average_ms,
       round(avg(latency_ms))::bigint AS average_ms, max(latency_ms) AS longest_ms,
       count(*) FILTER (WHERE latency_ms <= $4) AS golden, count(*) FILTER (WHERE latency_ms < $5) AS good,
       count(*) FILTER (WHERE latency_ms >= $6) AS breaches
FROM chat_reply
WHERE shop = $1 AND ($2::timestamptz IS NULL OR time >= $2) AND ($3::timestamptz IS NULL OR time < $3)
GROUP BY GROUPING SETS ((by_bot), (by_bot, agent_id))
HAVING $7::bool IS NULL OR (by_bot, coalesce(agent_id, '')) > ($7, $8::text)
ORDER BY by_bot, coalesce(agent_id, '') LIMIT $9
"""


async def messages_of_buyer(connection: Connection, query: Query[OneBuyer]) -> Answer:
    """Raises DecodeError."""
    place = position(query.cursor) or (None, None)
    rows = await connection.fetch(_OF_BUYER, query.shop, query.data.buyer, *place, query.limit + 1)
    page = page_of([Message(**row) for row in rows], query.limit)
    return Answer(rows=page, next_cursor=cursor(page[-1].time, page[-1].seq) if len(rows) > len(page) else "")


async def answer_times(connection: Connection, query: Query[Period]) -> Answer:
    """Raises DecodeError."""
    asked = query.data
    rows = await connection.fetch(
        _ANSWER_TIMES,
        query.shop,
        asked.since,
        asked.until,
        asked.golden_ms,
        asked.good_ms,
        asked.breach_ms,
        *_agent(query.cursor),
        query.limit + 1,
    )
    page = page_of([AnswerTimes(**row) for row in rows], query.limit)
    last = page[-1] if len(rows) > len(page) else None
    more = f"{'bot' if last.by_bot else 'human'},{last.agent_id or ''}" if last else ""
    return Answer(rows=page, next_cursor=more)


def _agent(text: str) -> tuple[bool | None, str | None]:
    """(by_bot, agent) behind which this page of answer times begins. Raises DecodeError."""
    if not text:
        return None, None
    side, comma, agent = text.partition(",")
    if side not in ("bot", "human") or not comma:
        raise DecodeError("cursor: not the next_cursor of an answer", "cursor")
    return side == "bot", agent


PROJECTION = Projection(name="chat_history", version=1, apply=apply)
QUERIES = (
    QuerySpec(model="chat_history", name="of_buyer", data=OneBuyer, ask=messages_of_buyer),
    QuerySpec(model="chat_history", name="answer_times", data=Period, ask=answer_times),
)
