"""Messages of chat feeds, and what the sources make of them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from cryptography.fernet import Fernet

from services.chat_ingest.records.batches import Batch
from services.chat_ingest.sources import SOURCES
from services.kernel.inputs import RawFact, Refused
from services.kernel.process import Fact
from services.kernel.vault import Keys

SAMPLES = Path(__file__).parents[2] / "samples" / "chats"
SHOP = "s1"
MAIN_ACCOUNT = "云裳旗舰店"
NICK = "小美爱网购"
KEYS = Keys(b"i" * 32, [Fernet.generate_key()])
LANE = KEYS.nick_lane(SHOP, NICK)
RECEIVED = datetime(2025, 10, 1, tzinfo=UTC)


def local(text: str) -> datetime:
    """A time of GMT+8."""
    return datetime.fromisoformat(f"{text}+08:00").astimezone(UTC)


def translated(source: str, payload: Any, kind: str = "chat") -> list[Fact[Any] | Refused]:
    body = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
    return list(SOURCES[source](RawFact(source, SHOP, kind, body, 1, RECEIVED, KEYS)))


def split(told: Iterable[Fact[Any] | Refused]) -> tuple[list[Fact[Any]], list[Refused]]:
    facts: list[Fact[Any]] = []
    refused: list[Refused] = []
    for one in told:
        if isinstance(one, Refused):
            refused.append(one)
        else:
            facts.append(one)
    return facts, refused


def told(source: str, payload: Any) -> tuple[list[Fact[Any]], list[Refused]]:
    return split(translated(source, payload))


def facts_of(source: str, payload: Any) -> list[Fact[Any]]:
    facts, refused = told(source, payload)
    assert refused == []
    return facts


def refusal(source: str, payload: Any) -> Refused:
    facts, refused = told(source, payload)
    assert facts == []
    assert len(refused) == 1
    return refused[0]


def imported(
    path: Path, form: str = "qianniu-text", main_account: str = MAIN_ACCOUNT
) -> tuple[list[Fact[Any]], list[Refused]]:
    """What an import of these files states."""
    batch = Batch(path, form, main_account if form == "qianniu-text" else "")
    return split(one for payload in batch.records() for one in translated("records", payload))


def spoken(facts: Iterable[Fact[Any]]) -> list[tuple[str, str]]:
    """(agent, or `buyer`; text) of messages; recalls as (by, `撤回`)."""
    return [
        (fact.data.by, "撤回")
        if fact.data.TYPE == "chat.message_recalled"
        else ("buyer" if fact.data.TYPE == "chat.message_received" else fact.data.agent_id, fact.data.text)
        for fact in facts
    ]
