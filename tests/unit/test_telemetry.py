"""Logs: a closed vocabulary, an allow-list of fields, and no secret."""

import io
import json
import logging
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from services.kernel import vocabulary
from services.kernel.telemetry import (
    LOG_CHARACTERS,
    Log,
    LogFieldError,
    Logger,
    configure,
    route_libraries,
    safe_url,
)
from services.kernel.vocabulary import ALWAYS, FIELDS, vocabulary_page

PAGE = Path(__file__).parents[2] / "deploy" / "logs.md"
SERVICE = "care_notifier"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def logging_to(file: io.StringIO, **options: Any) -> Logger:
    return configure(SERVICE, file=file, **{"style": "json", "strict": True, "level": "debug", **options})


def said(event: Log, **fields: object) -> dict[str, Any]:
    """The one line that this gives."""
    file = io.StringIO()
    logging_to(file).say(event, **fields)
    (line,) = file.getvalue().splitlines()
    return json.loads(line)


# --- the vocabulary


def test_the_page_for_ops_is_the_vocabulary() -> None:
    assert PAGE.read_text(encoding="utf-8") == vocabulary_page(), (
        "run: python -m services.kernel.vocabulary > deploy/logs.md"
    )


@pytest.mark.parametrize("event", Log)
def test_every_event_says_what_it_means_and_what_to_do_and_its_fields_are_documented(event: Log) -> None:
    assert event.meaning.endswith(".")
    assert event.remedy.endswith(".")
    assert event.fields <= set(FIELDS)
    assert f"| {event.name.lower()} | {event.level} |" in vocabulary_page()


def test_no_documented_field_is_without_an_event_or_is_said_of_every_line_already() -> None:
    assert set(FIELDS) == {field for event in Log for field in event.fields}
    assert not set(FIELDS) & set(ALWAYS)


@pytest.mark.parametrize("field", ["payload", "data", "text", "buyer", "name", "phone", "address", "nick", "url"])
def test_no_event_has_a_field_for_what_people_write_or_are(field: str) -> None:
    assert field not in FIELDS


# --- a line


def test_a_line_is_one_json_object_with_time_level_event_and_service_first() -> None:
    line = said(Log.MESSAGE_PARKED, partition=3, shop="s1", seq=42, key="o1", reason="decode")
    assert list(line)[:4] == ["timestamp", "level", "event", "service"] == list(ALWAYS)
    assert (line["level"], line["event"], line["service"]) == ("error", "message_parked", SERVICE)
    rest = {name: line[name] for name in line if name not in ALWAYS}
    assert rest == {"partition": 3, "shop": "s1", "seq": 42, "key": "o1", "reason": "decode"}


def test_the_timestamp_is_utc_and_now() -> None:
    before = datetime.now(UTC)
    stamp = said(Log.POSTGRES_BACK)["timestamp"]
    assert stamp.endswith("Z")
    assert before <= datetime.fromisoformat(stamp) <= datetime.now(UTC)


def test_an_instant_is_written_in_utc() -> None:
    created = datetime(2025, 9, 19, 8, tzinfo=timezone(timedelta(hours=8)))
    assert said(Log.LOG_RESTORED, created=created)["created"] == "2025-09-19T00:00:00+00:00"


def test_an_absent_field_is_left_out() -> None:
    assert "key" not in said(Log.MESSAGE_PARKED, key=None)


def test_partitions_are_written_as_a_list_of_bounded_length() -> None:
    assert said(Log.PARTITIONS_OWNED, partitions=frozenset({3}))["partitions"] == [3]
    assert said(Log.PARTITIONS_OWNED, partitions=list(range(99)))["partitions"] == list(range(32))


def test_a_long_value_is_cut_at_200_characters() -> None:
    assert LOG_CHARACTERS == 200
    assert said(Log.MESSAGE_PARKED, key="k" * 200)["key"] == "k" * 200
    assert said(Log.MESSAGE_PARKED, key="k" * 201)["key"] == "k" * 199 + "…"


def test_a_line_below_the_level_is_not_written() -> None:
    file = io.StringIO()
    logger = logging_to(file, level="warning", strict=False)
    logger.say(Log.POLICY_SWITCHED, shop="s1")
    assert file.getvalue() == ""
    logger.say(Log.OUTBOX_RETRY, reason="timeout")
    assert "outbox_retry" in file.getvalue()


def test_a_terminal_gets_readable_lines_and_anything_else_json() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    for file in (terminal, pipe):
        configure(SERVICE, file=file).say(Log.POSTGRES_BACK)
    assert "postgres_back" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")
    assert json.loads(pipe.getvalue())["event"] == "postgres_back"


def test_two_services_in_one_process_do_not_share_a_logger() -> None:
    files = [io.StringIO(), io.StringIO()]
    loggers = [configure(name, file=file) for name, file in zip(("a", "b"), files, strict=True)]
    loggers[0].say(Log.POSTGRES_BACK)
    assert json.loads(files[0].getvalue())["service"] == "a"
    assert files[1].getvalue() == ""


# --- what is never written


def test_in_tests_a_field_that_the_event_does_not_have_raises_and_names_those_it_has() -> None:
    with pytest.raises(LogFieldError, match=r"POSTGRES_BACK: payload: .*seconds, server"):
        said(Log.POSTGRES_BACK, payload="{}")


@pytest.mark.parametrize("value", [{"text": "你好"}, b"bytes", object(), [{"a": 1}], [["x"]]])
def test_in_tests_a_value_that_is_no_scalar_raises(value: object) -> None:
    with pytest.raises(LogFieldError, match=r"MESSAGE_PARKED: key: a \w+ is not written"):
        said(Log.MESSAGE_PARKED, key=value)


def test_in_tests_a_wrong_field_raises_even_below_the_level() -> None:
    with pytest.raises(LogFieldError):
        logging_to(io.StringIO(), level="error").say(Log.QUERY_ANSWERED, payload="{}")


def test_in_production_it_is_left_out_and_counted_and_the_line_is_written() -> None:
    file, dropped = io.StringIO(), list[Log]()
    logger = logging_to(file, strict=False, on_dropped=dropped.append)
    logger.say(Log.MESSAGE_PARKED, seq=1, payload="13800138000", key={"nick": "x"})
    line = json.loads(file.getvalue())
    assert {name for name in line if name not in ALWAYS} == {"seq"}
    assert dropped == [Log.MESSAGE_PARKED] * 2
    assert logger.dropped == 2


def test_an_exception_is_written_as_its_class_and_place_never_its_text() -> None:
    try:
        raise ValueError("phone 13800138000 of 张三")
    except ValueError as error:
        line = said(Log.COMMAND_FAILED, error=error)
    assert line["error"].startswith("ValueError at test_telemetry.py:")
    assert "张三" not in json.dumps(line, ensure_ascii=False)


def test_an_exception_of_the_database_is_written_with_its_sqlstate() -> None:
    class UniqueViolation(Exception):
        sqlstate = "23505"

    assert said(Log.BATCH_FAILED, error=UniqueViolation("(buyer)=(x)"))["error"] == "UniqueViolation 23505"


@pytest.mark.parametrize(
    ("reason", "written"),
    [
        ("call 13800138000 back", "call *** back"),
        ("order 138001380001234567", "order 138001380001234567"),
        ("a.b+c@example.com bounced", "*** bounced"),
        ("duplicate key\nDETAIL:  Key (nick)=(张三)", "duplicate key"),
        ("cannot reach nats://user:s3cret@10.0.0.1:4222", "cannot reach nats://***@10.0.0.1:4222"),
        ("login with password='a b' failed", "login with password=*** failed"),
    ],
)
def test_a_reason_is_one_line_without_secrets_and_without_numbers_and_addresses_of_people(
    reason: str, written: str
) -> None:
    assert said(Log.OUTBOX_RETRY, reason=reason)["reason"] == written


def test_an_id_of_eleven_digits_is_an_id_and_kept() -> None:
    assert said(Log.MESSAGE_PARKED, key="13800138000")["key"] == "13800138000"


@pytest.mark.parametrize(
    ("url", "printed"),
    [
        ("postgresql://carebus:hunter2@db:5432/carebus", "postgresql://***@db:5432/carebus"),
        ("postgresql://carebus:hun@ter/2@db/carebus", "postgresql://***@db/carebus"),
        ("postgresql://db/carebus?user=x&password=hunter2", "postgresql://db/carebus?user=x&password=***"),
        ("host=db user=x password=hunter2", "host=db user=x password=***"),
        ("host=db password = 'hunter2 and' port=1", "host=db password = *** port=1"),
        ("nats://hunter2@a:4222,nats://u:hunter2@b:4222", "nats://***@b:4222"),
        ("postgresql://127.0.0.1:5432/carebus", "postgresql://127.0.0.1:5432/carebus"),
    ],
)
def test_a_servers_address_is_printed_without_its_login(url: str, printed: str) -> None:
    assert safe_url(url) == printed
    assert said(Log.NATS_RECONNECTED, server=url)["server"] == printed


def test_what_a_library_logs_is_told_without_its_text() -> None:
    file = io.StringIO()
    undo = route_libraries(logging_to(file), "some.library")
    try:
        logging.getLogger("some.library").error("sent %s to 13800138000", "你好")
        logging.getLogger("some.library").info("not worth a line")
    finally:
        undo()
    (line,) = map(json.loads, file.getvalue().splitlines())
    assert (line["event"], line["library"]) == ("library_warning", "some.library")
    assert "13800138000" not in file.getvalue()
    assert logging.getLogger("some.library").handlers == []


def test_every_line_of_the_vocabulary_is_said_somewhere() -> None:
    """Ops read the page to know what may come; what nobody says does not belong there."""
    services = Path(vocabulary.__file__).parents[1]
    said_here = {
        name
        for file in services.rglob("*.py")
        if file.name != "vocabulary.py"
        for name in re.findall(r"Log\.([A-Z_]+)", file.read_text(encoding="utf-8"))
    }
    assert {event.name for event in Log} == said_here
