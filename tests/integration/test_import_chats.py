"""`carebus import chats`: files of chats through the real CLI, INBOX and chat_ingest into the log."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.chat import MessageReceived, MessageSent
from schemas.codec import decode
from schemas.envelope import Event
from schemas.ops import OpsMessageRefused
from services.chat_ingest.app import SERVICE
from services.kernel import bus
from services.kernel.history import history
from services.kernel.vault import new_vault_key
from tests.carebus import NOWHERE, at, carebus, one_line
from tests.databases import Database
from tests.stack import Stack, stack_of

pytestmark = pytest.mark.integration

SAMPLES = Path(__file__).parents[1] / "samples" / "chats"
TEXT = ("--shop", "s1", "--format", "qianniu-text", "--main-account", "云裳旗舰店")
_PARKED = "SELECT status, reason, detail FROM chat_ingest.parked ORDER BY detail, id"


@pytest.fixture
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of a service that digests nicks."""
    directory = tmp_path_factory.mktemp("keys")
    (directory / "identity").write_text("i" * 32)
    (directory / "vault").write_text(new_vault_key())
    return {"identity_key_file": str(directory / "identity"), "vault_keys_file": str(directory / "vault")}


async def log_of(stack: Stack) -> list[Event[Any]]:
    return [decode(msg.data) async for msg in history(stack.nats, bus.EVENTS, "evt.>")]


def said(log: list[Event[Any]]) -> list[str]:
    return [event.data.text for event in log if isinstance(event.data, MessageReceived | MessageSent)]


async def test_files_become_conversations_once_and_what_fits_nothing_is_kept_with_file_and_line(
    tmp_path: Path, database: Database, bus_url: str, keys: dict[str, str]
) -> None:
    for name in ("qianniu-clipboard.txt", "qianniu-two-lines-gb18030.txt", "qianniu-arrows.txt"):
        (tmp_path / name).write_bytes((SAMPLES / name).read_bytes())
    command = ("import", "chats", str(tmp_path), *TEXT)
    async with stack_of([SERVICE], database.dsn, bus_url, **keys) as stack:
        status, out, err = await carebus(*command, **at(database.dsn, bus_url))
        assert status == 0
        assert err.startswith("qianniu-arrows.txt line 1: no message begins before this line")
        assert err.count("\n") == 1
        assert out.startswith("16 messages of shop s1 from 3 files published as 3 records, with 1 lines")
        await stack.settled()

        log = await log_of(stack)
        assert len(said(log)) == 14
        assert len({event.buyer for event in log if isinstance(event.data, MessageReceived | MessageSent)}) == 2
        parked = await stack.rows(_PARKED)
        assert [row["detail"] for row in parked] == [
            "qianniu-arrows.txt line 1, line",
            "qianniu-arrows.txt line 10, sender",
            "qianniu-arrows.txt line 12, to",
        ]
        assert {row["status"] for row in parked} == {"aside"}, "nobody waits"
        refusals = [event.data for event in log if isinstance(event.data, OpsMessageRefused)]
        told = "".join([*(row["reason"] for row in parked), *(one.reason for one in refusals)])
        ids = "".join(f"{event.buyer} {event.id} {getattr(event.data, 'message_id', '')}" for event in log)
        for personal in ("小美", "阿强", "13800138000", "t****"):
            assert personal not in told + ids + stack.logs[SERVICE.name].getvalue()

        status, out, _ = await carebus(*command, "--json", **at(database.dsn, bus_url))
        again = msgspec.json.decode(out)
        assert (status, again["chats"], again["messages"], again["lines"]) == (0, 16, 3, 1)
        await stack.settled()
        after = [event for event in await log_of(stack) if not isinstance(event.data, OpsMessageRefused)]
        assert [event.id for event in after] == [
            event.id for event in log if not isinstance(event.data, OpsMessageRefused)
        ], "a second import adds nothing"


async def test_pages_and_events_come_in_by_the_same_door(
    database: Database, bus_url: str, keys: dict[str, str]
) -> None:
    async with stack_of([SERVICE], database.dsn, bus_url, **keys) as stack:
        for name, form in (("taobao-page.json", "chatlog-json"), ("events.jsonl", "jsonl")):
            command = ("import", "chats", str(SAMPLES / name), "--shop", "s1", "--format", form)
            assert (await carebus(*command, **at(database.dsn, bus_url)))[0] == 0
        await stack.settled()
        assert len(said(await log_of(stack))) == 7
        assert len(await stack.rows(_PARKED)) == 2


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("{dir}/none.txt", *TEXT), "none.txt: No such file"),
        (("{dir}/a.txt", *TEXT), "a.txt: no message in it begins with a name and a time"),
        (("{dir}/b.txt", *TEXT), "b.txt: neither UTF-8 nor GB18030 text"),
        (("{dir}", "--shop", "s1", "--format", "qianniu-text"), "give --main-account"),
        (("{dir}", "--shop", "s1", "--format", "word"), "no format 'word': give one of qianniu-text"),
        (("{dir}", "--shop", "s1", "--format", "jsonl", "--main-account", "x"), "leave --main-account out"),
        (("{dir}/a.txt", "--shop", "s1", "--format", "chatlog-json"), "a.txt: neither a JSON page"),
        (("{dir}", "--shop", " ", "--format", "jsonl"), "--shop is empty"),
    ],
)
async def test_what_is_wrong_with_an_import_is_one_line_and_a_status(
    tmp_path: Path, arguments: tuple[str, ...], line: str
) -> None:
    (tmp_path / "a.txt").write_text("订单,买家\n", encoding="utf-8")
    (tmp_path / "b.txt").write_bytes(b"\xff\xff\xff")
    outcome = await carebus("import", "chats", *(one.format(dir=tmp_path) for one in arguments), **NOWHERE)
    assert line in one_line(outcome)
    assert outcome[1] == ""


async def test_an_import_without_a_server_says_where_it_looked() -> None:
    outcome = await carebus("import", "chats", str(SAMPLES / "qianniu-clipboard.txt"), *TEXT, **NOWHERE)
    err = one_line(outcome)
    assert "127.0.0.1:1" in err
    assert "nothing was published" in err
    assert "hidden" not in err
