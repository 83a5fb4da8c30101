"""A batch of messages in parts, each handled in one transaction."""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from schemas import subjects
from services.kernel.inputs import Decode, Item
from services.kernel.reader import Message
from services.kernel.work import is_policy

Moved = dict[tuple[str, int], tuple[int, datetime]]
"""(stream, partition) -> the sequence and recordedtime that its checkpoint moves to."""


class Segment(Struct):
    """What one transaction handles: the inputs found in so many messages, and where the checkpoints move."""

    items: list[Item] = msgspec.field(default_factory=list[Item])
    moved: Moved = msgspec.field(default_factory=Moved)
    messages: int = 0


def segments(messages: Sequence[Message], decode: Decode, skipped: Callable[[Message], None]) -> list[Segment]:
    """The batch in parts, so that each `policy.changed` begins one: it is taken before anything behind it.

    skipped: told of a message in which there is no input for this service.
    """
    parts = [Segment()]
    for message in messages:
        found = decode(message)
        if not found:
            skipped(message)
        elif is_policy(found[0]) and parts[-1].messages:
            parts.append(Segment())
        part = parts[-1]
        part.items += found
        part.messages += 1
        part.moved[message.stream, subjects.stored_partition(message.subject)] = (message.seq, message.recorded)
    return parts
