"""What is said in a chat, in few words: the events that the reply clock and the closing hear of."""

from typing import Any

from schemas.chat import (
    ConversationClosed,
    ConversationOpened,
    IntentDetected,
    MessageReceived,
    MessageSent,
    Transferred,
)
from schemas.envelope import Event
from services.replay.given import When
from services.replay.story import event

BOT: dict[str, Any] = {"agent": "bot", "auto": True}


def received(
    when: When,
    conversation: str = "c1",
    *,
    message: str = "m",
    text: str = "在吗",
    recorded: When | None = None,
    **more: Any,
) -> Event[Any]:
    data = MessageReceived(message_id=message, conversation_id=conversation, text=text, **more)
    return event(data, when, recorded=recorded)


def sent(
    when: When,
    conversation: str = "c1",
    *,
    agent: str = "lin",
    text: str = "亲,在的",
    recorded: When | None = None,
    **more: Any,
) -> Event[Any]:
    data = MessageSent(message_id="m", conversation_id=conversation, text=text, agent_id=agent, **more)
    return event(data, when, recorded=recorded)


def intent(
    name: Any, when: When, *, message: str = "m", conversation: str = "c1", recorded: When | None = None
) -> Event[Any]:
    """`ack` (好的) or `human` (转人工), as detected in the message of this time."""
    data = IntentDetected(conversation_id=conversation, message_id=message, intent=name, phrase="好的")
    return event(data, when, recorded=recorded)


def transferred(when: When, *, to: str = "wu", conversation: str = "c1", recorded: When | None = None) -> Event[Any]:
    data = Transferred(conversation_id=conversation, from_agent="lin", to_agent=to, reason="售后")
    return event(data, when, recorded=recorded)


def closed(when: When, conversation: str = "c1", *, left_hanging: bool = True) -> Event[Any]:
    data = ConversationClosed(
        conversation_id=conversation,
        channel="wangwang",
        last_speaker="buyer" if left_hanging else "agent",
        left_hanging=left_hanging,
        rounds=0,
        longest_wait_ms=0,
        questions_asked=0,
        greeted=False,
        recommended=False,
        farewelled=False,
    )
    return event(data, when)


def opened(when: When, conversation: str = "c1", *, recorded: When | None = None) -> Event[Any]:
    return event(ConversationOpened(conversation_id=conversation, channel="wangwang"), when, recorded=recorded)
