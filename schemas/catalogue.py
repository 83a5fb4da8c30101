"""Everything there is: each event by its type, each command by its service and name."""

from schemas import (
    agent,
    buyer,
    campaign,
    care,
    case,
    chat,
    escalation,
    faq,
    flag,
    grant,
    member,
    ops,
    order,
    platform,
    policy,
    promise,
    refund,
    remedy,
    review,
)
from schemas.commands import aftersales, care_notifier, chat_ingest, trade_ingest
from schemas.envelope import CommandData, EventData

EVENTS: dict[str, type[EventData]] = {
    struct.TYPE: struct
    for struct in (
        *chat.EVENTS,
        *agent.EVENTS,
        *order.EVENTS,
        *flag.EVENTS,
        *review.EVENTS,
        *refund.EVENTS,
        *case.EVENTS,
        *remedy.EVENTS,
        *care.EVENTS,
        *campaign.EVENTS,
        *escalation.EVENTS,
        *member.EVENTS,
        *buyer.EVENTS,
        *platform.EVENTS,
        *promise.EVENTS,
        *grant.EVENTS,
        *faq.EVENTS,
        *policy.EVENTS,
        *ops.EVENTS,
    )
}

COMMANDS: dict[str, dict[str, type[CommandData]]] = {
    "chat_ingest": {struct.NAME: struct for struct in chat_ingest.COMMANDS},
    "trade_ingest": {struct.NAME: struct for struct in trade_ingest.COMMANDS},
    "aftersales": {struct.NAME: struct for struct in aftersales.COMMANDS},
    "care_notifier": {struct.NAME: struct for struct in care_notifier.COMMANDS},
}
