"""Publish a raw message on the bus, and hear what CareBus refuses of it. For whoever writes a bridge; needs nats-py.

    NATS_URL=nats://127.0.0.1:4222 python publish_raw.py SOURCE SHOP KIND < message.json

Exit status: 0 nothing was refused within WAIT_S, 1 something was, 2 the message was not taken.
"""

import asyncio
import base64
import hashlib
import json
import os
import re
import sys

import nats
from nats.errors import Error as NatsError

WAIT_S = 3.0
"""How long to listen. A notice is told once; whoever missed it finds `ops.message_refused` in the log."""


def token(identifier: str) -> str:
    """An id as part of a subject: itself, or = and base64url where it is more than letters, digits, _ and -."""
    if re.fullmatch(r"[A-Za-z0-9_-]+", identifier):
        return identifier
    return "=" + base64.urlsafe_b64encode(identifier.encode()).decode().rstrip("=")


async def main(source: str, shop: str, kind: str, body: bytes) -> int:
    address = os.environ.get("NATS_URL", "nats://127.0.0.1:4222")
    client = await asyncio.wait_for(nats.connect(address, error_cb=quiet), 5)
    try:
        notices = await client.subscribe(f"notice.{token(source)}.{token(shop)}")
        await client.flush()  # the server listens for us before anything can be refused
        subject = f"in.{token(source)}.{token(shop)}.{token(kind)}"
        # A repetition has the same id. Not the platform's id alone: it gives one id to several messages.
        known_by = hashlib.sha256(subject.encode() + b"\n" + body).hexdigest()
        ack = await client.jetstream().publish(subject, body, timeout=5, headers={"Nats-Msg-Id": known_by})
        print(json.dumps({"stream": ack.stream, "seq": ack.seq}), flush=True)
        return await refusals(notices, ack.seq)
    finally:
        await client.close()


async def quiet(_error: Exception) -> None:
    """nats-py logs each lost connection; what matters here is whether the message was taken."""


async def refusals(notices, seq: int) -> int:
    """Print what is refused of our message; the exit status."""
    status, end = 0, asyncio.get_running_loop().time() + WAIT_S
    while (left := end - asyncio.get_running_loop().time()) > 0:
        try:
            told = json.loads((await notices.next_msg(timeout=left)).data)
        except TimeoutError:
            break
        if told["inbox_seq"] == seq:
            print(json.dumps(told, ensure_ascii=False), flush=True)
            status = 1
    return status


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: publish_raw.py SOURCE SHOP KIND < message.json")
    try:
        sys.exit(asyncio.run(main(*sys.argv[1:], sys.stdin.buffer.read())))
    except (NatsError, OSError) as error:
        print(f"not taken: {error or type(error).__name__}; send it again", file=sys.stderr)
        sys.exit(2)
