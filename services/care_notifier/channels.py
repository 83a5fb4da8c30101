"""Channels: the ways out to a buyer, and what each can answer.

A transport takes a message and returns the provider's id of it. It raises NotSent where the provider refused it for
good; whatever else it raises, or a time-out, leaves open whether the message went out.

`log` is the only transport yet, for every channel: it writes a line of the service's log, without the text.
"""

from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256

from msgspec import Struct

from schemas.care import CareKind
from schemas.types import Channel
from services.kernel.telemetry import Log, Logger


class Message(Struct, frozen=True, kw_only=True):
    """What one channel is to send. text: as the buyer will read it. address_ref: as in `care.requested`."""

    care_id: str
    kind: CareKind
    shop: str
    channel: Channel
    address_ref: str
    text: str

    @property
    def text_digest(self) -> str:
        return sha256(self.text.encode()).hexdigest()


class NotSent(Exception):
    """The provider refused the message for good; nothing went out. The text is its reason, without contact data."""


Transport = Callable[[Message, Logger], Awaitable[str]]


async def log(message: Message, logger: Logger) -> str:
    """Say that the message would be sent: its ids, length and digest, never its text."""
    logger.say(
        Log.CARE_LOGGED,
        care=message.care_id,
        kind=message.kind,
        channel=message.channel,
        shop=message.shop,
        length=len(message.text),
        digest=message.text_digest,
    )
    return "log"


TRANSPORTS: Mapping[Channel, Transport] = {"platform": log, "sms": log, "email": log, "phone": log}
