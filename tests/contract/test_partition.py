"""Our partitions are the server's: a writer and INBOX's ingest transform put a lane into the same one."""

import random
import string

import nats
import pytest
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig, SubjectTransform

from schemas import subjects

pytestmark = pytest.mark.integration

ALPHABET = string.ascii_letters + string.digits + "_-.*> 店张三客服😀"


def random_ids(count: int, seed: int) -> list[str]:
    """Ids of 1 to 30 characters, and some of the longest."""
    pick = random.Random(seed)
    lengths = [pick.randint(1, 30) for _ in range(count)] + [200] * 10
    return ["".join(pick.choices(ALPHABET, k=length)) for length in lengths]


async def stored_subjects(url: str, source: str, destination: str, published: list[str]) -> list[str]:
    """Where a stream with this subject transform stores what was published, in order."""
    client = await nats.connect(url)
    try:
        stream = client.jetstream(timeout=30)
        transform = SubjectTransform(src=source, dest=destination)
        await stream.add_stream(StreamConfig(name="T", subjects=[source], subject_transform=transform))
        for subject in published:
            await client.publish(subject, b"")
        await client.flush()
        reader = await stream.pull_subscribe(">", stream="T", config=ConsumerConfig(ack_policy=AckPolicy.NONE))
        found: list[str] = []
        while len(found) < len(published):
            batch = await reader.fetch(min(500, len(published) - len(found)), timeout=30)
            found += [message.subject for message in batch]
        return found
    finally:
        await client.close()


async def test_a_lane_is_in_the_partition_that_the_server_computes_from_shop_and_buyer(bus_url: str):
    lanes = list(zip(random_ids(1000, 1), random_ids(1000, 2), strict=True))
    found = await stored_subjects(
        bus_url,
        "lane.*.*.*",
        "evt.{{partition(16,1,2)}}.{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}",
        [f"lane.{subjects.token(shop)}.{subjects.token(buyer)}.order" for shop, buyer in lanes],
    )
    assert found == [subjects.event(shop, buyer, "order") for shop, buyer in lanes]
    assert {subjects.parse_event(subject).partition for subject in found} == set(range(subjects.PARTITIONS))


async def test_a_raw_fact_is_in_the_partition_that_the_inbox_computes_from_its_shop(bus_url: str):
    shops = random_ids(1000, 3)
    found = await stored_subjects(
        bus_url,
        "in.*.*.*",
        "inbox.{{partition(16,2)}}.{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}",
        [subjects.raw("taobao", shop, "trade") for shop in shops],
    )
    expected = [subjects.InboxSubject(subjects.inbox_partition(s), "taobao", s, "trade") for s in shops]
    assert [subjects.parse_inbox(subject) for subject in found] == expected
