"""Reading a part of a stream from its beginning to its present end, once."""

from collections.abc import AsyncIterator

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from services.kernel import bus
from services.kernel.ids import unique

_PAGE = 1_000
_WAIT_S = 5.0


async def history(
    nats: bus.Nats, stream: str, filter_subject: str, start: int = 1, *, headers_only: bool = False
) -> AsyncIterator[Msg]:
    """The messages that this filter matches, from a sequence to the end as it is now. Raises bus.BusError."""
    consumer = f"carebus-history-{unique()}"
    created = await bus.request(
        nats,
        f"CONSUMER.CREATE.{stream}.{consumer}",
        {
            "stream_name": stream,
            "config": {
                "name": consumer,
                "deliver_policy": "by_start_sequence",
                "opt_start_seq": max(1, start),
                "ack_policy": "none",
                "mem_storage": True,
                "num_replicas": 1,
                "headers_only": headers_only,
                "inactive_threshold": 10_000_000_000,
                "filter_subject": filter_subject,
            },
        },
    )
    left = int(created["num_pending"])
    inbox = nats.new_inbox()
    subscription = await nats.subscribe(inbox, pending_msgs_limit=0, pending_bytes_limit=0)
    try:
        while left > 0:
            wanted = min(left, _PAGE)
            ask = msgspec.json.encode({"batch": wanted, "expires": int(_WAIT_S * 1e9)})
            await nats.publish(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}", ask, inbox)
            for _ in range(wanted):
                msg = await subscription.next_msg(timeout=_WAIT_S)
                if not msg.reply.startswith("$JS.ACK."):
                    raise bus.BusError(f"{stream}: the server ended the reading of history")
                yield msg
            left -= wanted
    except NatsError as error:
        raise bus.BusError(f"{stream}: {type(error).__name__} while reading history") from error
    finally:
        if nats.is_connected:
            await subscription.unsubscribe()
