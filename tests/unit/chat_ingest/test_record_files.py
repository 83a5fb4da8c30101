"""The files of an import: encodings, names without nicks, and records that end between two seconds."""

from pathlib import Path

import msgspec
import pytest

from services.chat_ingest.records import batches
from services.chat_ingest.records.batches import Batch
from services.chat_ingest.records.files import MAX_LINE, FileError, label, lines_of
from services.chat_ingest.records.record import FORMAT, ChatRecord, Said
from tests.unit.chat_ingest.feeds import MAIN_ACCOUNT, imported, spoken

CHAT = "小美2025-9-19 17:24:05\n在吗\n"


def records(path: Path) -> list[ChatRecord]:
    return [msgspec.json.decode(one, type=ChatRecord) for one in Batch(path, "qianniu-text", MAIN_ACCOUNT).records()]


def refused(path: Path, form: str = "qianniu-text") -> str:
    with pytest.raises(FileError) as caught:
        Batch(path, form, MAIN_ACCOUNT if form == "qianniu-text" else "")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_is_read_in_its_encoding_whatever_its_line_ends(tmp_path: Path, encoding: str, end: str) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(CHAT.replace("\n", end).encode(encoding))
    assert list(lines_of(file)) == CHAT.splitlines()


@pytest.mark.parametrize("content", [CHAT.encode("utf-16"), CHAT.encode() + b"\xff", b"\x00" * 10])
def test_a_file_in_no_known_encoding_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(content)
    assert "a.txt" in refused(file)


def test_a_line_without_end_is_not_read_into_memory(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text(CHAT + "x" * (MAX_LINE + 1), encoding="utf-8")
    assert "a.txt line 3" in refused(file)


def test_the_files_of_a_directory_are_taken_by_name(tmp_path: Path) -> None:
    for name, text in (("2.txt", "二"), ("1.txt", "一"), (".hidden", "没有")):
        (tmp_path / name).write_text(f"小美2025-9-19 17:24:05\n{text}\n", encoding="utf-8")
    (tmp_path / "inner").mkdir()
    facts, _ = imported(tmp_path)
    assert spoken(facts) == [("buyer", "一"), ("buyer", "二")]


def test_no_file_and_no_directory_are_said(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "none.txt")
    assert "no file in it" in refused(tmp_path)


def test_a_file_of_another_format_is_refused_before_anything_is_published(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(CHAT, encoding="utf-8")
    (tmp_path / "b.txt").write_text("订单编号,买家\n1,2\n", encoding="utf-8")
    assert "b.txt" in refused(tmp_path)


def test_a_wrong_main_account_is_noticed_where_several_speak(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text(CHAT + "别家店:小林2025-9-19 17:24:09\n在\n", encoding="utf-8")
    assert "--main-account" in refused(file)


def test_a_nick_in_a_file_name_is_told_nowhere() -> None:
    assert label(Path("聊天记录-小美.txt"), 3, ["小美", "别人"]) == "聊天记录-*.txt (3)"
    assert label(Path("9月 (1).txt"), 3, ["小美"]) == "9月 (1).txt"


@pytest.mark.parametrize("name", ["a;b$.txt", "x" * 250, "小美", "小美小美.txt"])
def test_a_label_is_a_name_that_a_record_may_have(name: str) -> None:
    found = label(Path(name), 1000, ["小美"])
    msgspec.json.decode(msgspec.json.encode({"format": FORMAT, "file": found, "entries": []}), type=ChatRecord)


def test_equal_messages_of_a_second_are_in_one_record(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    second = [f"小美2025-9-19 17:{n // 60:02}:{n % 60:02}\n在\n" for n in range(300)]
    at_the_end = [f"小美2025-9-19 17:03:1{n // 20}\n在\n" for n in range(40)]
    file.write_text("".join(second[:190] + at_the_end + second[250:]), encoding="utf-8")
    found = records(file)
    assert len(found) > 1
    times = [{entry.time for entry in one.entries if isinstance(entry, Said)} for one in found]
    assert not times[0] & times[1]
    facts, _ = imported(file)
    assert len({fact.data.message_id for fact in facts}) == len(facts) == 280
    assert facts == imported(file)[0]


def test_a_record_fits_into_a_message_whatever_is_in_it(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text(f"小美2025-9-19 17:24:05\n{'长' * 19_000}\n" * 60, encoding="utf-8")
    payloads = list(Batch(file, "qianniu-text", MAIN_ACCOUNT).records())
    assert max(map(len, payloads)) <= batches.MAX_BYTES
    assert sum(len(msgspec.json.decode(one)["entries"]) for one in payloads) == 60


def test_a_page_that_fits_into_no_message_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_bytes(msgspec.json.encode({"from_id": "x" * batches.MAX_BYTES}))
    assert "p.json line 1" in refused(file, "chatlog-json")


@pytest.mark.parametrize("content", [b"", b"[]", b"[1]", b"{", b'"x"', "{}".encode("utf-16")])
def test_a_file_that_holds_no_pages_is_an_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "p.json"
    file.write_bytes(content)
    assert "p.json" in refused(file, "chatlog-json")


def test_a_survey_counts_what_will_be_published(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("开头\n\n" + CHAT + "已读\n", encoding="utf-8")
    batch = Batch(file, "qianniu-text", MAIN_ACCOUNT)
    assert (batch.messages, batch.chats, batch.lines, batch.skipped) == (1, 1, 1, 2)
    assert [(one.file, one.line) for one in batch.reported] == [("a.txt", 1)]
    assert len(list(batch.records())) == batch.messages
