"""Stream files: what is a line, and what is said of one that is wrong."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.replay.stream import MAX_DATA_BYTES, Entry, StreamError, parse_stream, read_stream

FACT = b'{"at": "2026-09-16T10:00:00+08:00", "subject": "in.canonical.s1.trade", "data": {"a": 1}}'


def entries(*lines: bytes) -> list[Entry]:
    return list(parse_stream(lines, "day.jsonl"))


def test_a_line_is_a_time_a_subject_and_the_payload_byte_for_byte() -> None:
    line = b'{"data": {"id":  12345678901234567890, "t": "\\u4f60"}, "at": "2026-09-16T10:00:00+08:00",'
    [entry] = entries(line + b' "subject": "in.canonical.s1.chat"}')
    assert entry.at == datetime(2026, 9, 16, 2, tzinfo=UTC)
    assert (entry.subject, entry.kind, entry.line) == ("in.canonical.s1.chat", "fact", 1)
    assert entry.data == b'{"id":  12345678901234567890, "t": "\\u4f60"}'


def test_comments_and_blank_lines_are_passed_over_and_counted() -> None:
    found = entries(b"\xef\xbb\xbf# the morning\r\n", b"\n", b"  # more\n", FACT + b"\r\n")
    assert [entry.line for entry in found] == [4]


def test_the_time_may_be_absent_and_a_command_is_a_line_too() -> None:
    [entry] = entries(b'{"subject": "cmd.care_notifier.switch_live", "data": {}}')
    assert (entry.at, entry.kind) == (None, "command")


def test_data_may_be_any_json() -> None:
    for data in (b"null", b"[1, 2]", b'"text"', b"17"):
        [entry] = entries(b'{"subject": "in.a.b.c", "data": ' + data + b"}")
        assert entry.data == data


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"subject": "in.a.b.c", "data": {', "day.jsonl:2: Input data was truncated"),
        (b"[]", "day.jsonl:2: Expected `object`, got `array`"),
        (b'{"subject": "in.a.b.c"}', "day.jsonl:2: data: Object missing required field `data`"),
        (b'{"data": 1}', "day.jsonl:2: subject: Object missing required field `subject`"),
        (b'{"subject": "in.a.b.c", "data": 1, "time": 1}', "day.jsonl:2: Object contains unknown field `time`"),
        (b'{"at": "10:00", "subject": "in.a.b.c", "data": 1}', "day.jsonl:2: at: Invalid RFC3339 encoded datetime"),
        (b'{"at": "2026-09-16T10:00:00", "subject": "in.a.b.c", "data": 1}', "day.jsonl:2: at: has no offset"),
        (b'{"subject": "evt.1.a.b.c", "data": 1}', "day.jsonl:2: subject: is neither in.<source>"),
        (b'{"subject": "in.a.b", "data": 1}', "day.jsonl:2: subject: is neither in.<source>"),
        (b'{"subject": "in.a.b.*", "data": 1}', "day.jsonl:2: subject: <kind>: '*' is no subject token"),
        (b'{"subject": "cmd.a.", "data": 1}', "day.jsonl:2: subject: <name>: '' is no subject token"),
        (b'{"subject": "in.a.b.c", "data": "\xff"}', "day.jsonl:2: is not UTF-8"),
        (b'{"subject": "in.a.b.c", "data": ' + b"[" * 5_000, "day.jsonl:2: nested too deeply"),
        (
            b'{"subject": "in.a.b.c", "data": "' + b"x" * MAX_DATA_BYTES + b'"}',
            "day.jsonl:2: data: 524,290 bytes; at most 524,288 are taken",
        ),
    ],
)
def test_an_error_names_the_file_the_line_the_field_and_the_fault(line: bytes, said: str) -> None:
    with pytest.raises(StreamError) as raised:
        entries(b"# first", line)
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)
    assert raised.value.line == 2


def test_a_file_that_cannot_be_read_is_a_stream_error_too(tmp_path: Path) -> None:
    with pytest.raises(StreamError, match=r"no.jsonl: cannot be read: No such file or directory"):
        list(read_stream(tmp_path / "no.jsonl"))
    with pytest.raises(StreamError, match="cannot be read: Is a directory"):
        list(read_stream(tmp_path))
