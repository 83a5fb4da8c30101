"""The HTTP door: which paths and signatures it takes, what it holds of a request, who may publish."""

import asyncio
import base64
import io
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nats.errors import NoRespondersError
from prometheus_client import CollectorRegistry
from standardwebhooks.webhooks import Webhook

from schemas.subjects import inbox_partition, parse_inbox, raw
from services.kernel.doors import DoorMeans
from services.kernel.metrics import Metrics
from services.kernel.settings import Settings, SettingsError
from services.kernel.telemetry import configure
from services.trade_ingest import door
from services.trade_ingest.door import (
    MAX_BODY,
    UNDER_WAY,
    HttpDoor,
    Place,
    Refusal,
    fault_of,
    headers_of,
    message_id,
    place_of,
)
from services.trade_ingest.door_file import read_doors
from services.trade_ingest.webhook_secrets import SECRET_BYTES

SECRET, OLD, OTHER = (Webhook(letter * 32) for letter in (b"n", b"o", b"x"))
BODY = '{"tid": 4611686018427387905, "nick": "小美"}'
WIRE = BODY.encode()
ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)


def signed(body: str = BODY, by: Webhook = SECRET, ago: timedelta = timedelta(), id: str = "m1") -> dict[str, str]:
    time = datetime.now(UTC) - ago
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(time.timestamp())),
        "webhook-signature": by.sign(id, time, body),
    }


# --- paths


@given(ids, ids, ids)
@example("taobao", "店铺", "order_status/1")
def test_a_path_names_any_three_ids_percent_encoded_and_they_reach_the_subject_whole(
    source: str, shop: str, kind: str
) -> None:
    path = "/in/" + "/".join(quote(part, safe="") for part in (source, shop, kind))
    place = place_of({"raw_path": path.encode(), "path": path})
    assert place is not None
    assert place == Place(source, shop, kind)
    stored = parse_inbox(f"inbox.{inbox_partition(shop)}." + place.subject.removeprefix("in."))
    assert (stored.source, stored.shop, stored.kind) == (source, shop, kind)


@pytest.mark.parametrize(
    "path",
    [
        "/in/", "/in/erp", "/in/erp/s1", "/in/erp/s1/", "/in//s1/trade", "/in/erp//trade", "/in/erp/s1/trade/",
        "/in/erp/s1/trade/x", "/in/erp/s1/%00", "/in/erp/%ff/trade", f"/in/erp/{'s' * 201}/trade",
    ],
)  # fmt: skip
def test_a_path_of_another_form_names_nothing(path: str) -> None:
    assert place_of({"raw_path": path.encode(), "path": path}) is None


@given(st.binary(max_size=200))
def test_no_path_breaks_the_door(rest: bytes) -> None:
    place = place_of({"raw_path": b"/in/" + rest, "path": "/in/"})
    if place is not None:
        assert place.subject.count(".") == 3
        assert place.subject == raw(place.source, place.shop, place.kind)


# --- signatures


def test_each_of_a_doors_secrets_vouches_so_that_they_can_be_changed() -> None:
    for by in (SECRET, OLD):
        assert fault_of([SECRET, OLD], signed(by=by), WIRE) == ""


@pytest.mark.parametrize(
    ("sign", "fault"),
    [
        (lambda: signed(by=OTHER), "No matching signature found"),
        (lambda: signed(body=BODY + " "), "No matching signature found"),
        (lambda: signed() | {"webhook-id": "m2"}, "No matching signature found"),
        (lambda: signed(ago=timedelta(days=1)), "Message timestamp too old"),
        (lambda: signed(ago=timedelta(minutes=6)), "Message timestamp too old"),
        (lambda: signed(ago=-timedelta(minutes=6)), "Message timestamp too new"),
        (lambda: signed() | {"webhook-timestamp": "yesterday"}, "Invalid Signature Headers"),
        (lambda: signed() | {"webhook-timestamp": "nan"}, "Invalid Signature Headers"),
        (lambda: signed() | {"webhook-timestamp": "1e300"}, "Invalid Signature Headers"),
        (lambda: signed() | {"webhook-signature": "v1"}, "Malformed signature"),
        (lambda: signed() | {"webhook-signature": "v1,é"}, "Malformed signature"),
        (lambda: signed() | {"webhook-signature": "v1,abc"}, "Malformed signature"),
        (lambda: signed() | {"webhook-signature": "v2,aGk="}, "No matching signature found"),
        (lambda: signed() | {"webhook-id": ""}, "Missing required headers"),
        (dict, "Missing required headers"),
    ],
)
def test_what_is_not_signed_now_by_a_secret_of_the_door_is_not_vouched_for(
    sign: Callable[[], dict[str, str]], fault: str
) -> None:
    """Signed when the test runs: by then a list made at its collection may be minutes old."""
    assert fault_of([SECRET, OLD], sign(), WIRE) == fault


def test_a_body_that_is_no_text_cannot_be_vouched_for() -> None:
    with pytest.raises(Refusal) as refused:
        fault_of([SECRET], signed(), b"\xff\xfe")
    assert (refused.value.status, refused.value.code) == (400, "not_utf8")


header_values = st.one_of(
    st.text(max_size=60),
    st.sampled_from(list(signed().values())),
    st.builds(lambda version, text: f"{version},{text}", st.sampled_from(["v1", "v2", ""]), st.text(max_size=20)),
    st.floats().map(str),
)


@given(
    st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), header_values),
    st.text(max_size=40),
)
def test_no_header_breaks_the_door_and_none_made_up_opens_it(headers: dict[str, str], body: str) -> None:
    assert fault_of([SECRET], headers, body.encode())


@given(st.sampled_from(["id", "timestamp", "body"]), st.integers(0, 10), st.integers(1, 127))
def test_one_changed_character_of_what_is_signed_shuts_the_door(part: str, at: int, by: int) -> None:
    headers, body = signed(id="0123456789a"), BODY
    if part == "body":
        body = _changed(BODY, at, by)
    else:
        headers[f"webhook-{part}"] = _changed(headers[f"webhook-{part}"], at % 10, by)
    assert fault_of([SECRET], headers, body.encode())


def _changed(text: str, at: int, by: int) -> str:
    return text[:at] + chr(ord(text[at]) ^ by) + text[at + 1 :]


def test_header_names_have_no_case_and_others_are_not_read() -> None:
    found = headers_of([(b"Webhook-ID", b"m1"), (b"cookie", b"x"), (b"Content-Length", b"7"), (b"\xff", b"\xff")])
    assert found == {"webhook-id": "m1", "content-length": "7"}


def test_a_repetition_is_the_same_message_and_anything_else_another() -> None:
    """An id alone never dedupes: platforms reuse them, and the shops share INBOX."""
    first = message_id("in.erp.s1.trade", "m1", b"{}")
    assert first == message_id("in.erp.s1.trade", "m1", b"{}")
    others = [("in.erp.s2.trade", "m1", b"{}"), ("in.erp.s1.trade", "m2", b"{}"), ("in.erp.s1.trade", "m1", b"[]")]
    shifted = [("in.erp.s1.trade", "m1{", b"}"), ("in.erp.s1.tradem", "1", b"{}")]
    assert len({first, *(message_id(*other) for other in (*others, *shifted))}) == 6


# --- what a request may cost


class Bus:
    """Stands for NATS: what was published, and JetStream's answer."""

    def __init__(self, answer: Any) -> None:
        self.published: list[tuple[str, bytes]] = []
        self.answer = answer

    async def request(self, subject: str, payload: bytes, **_: Any) -> Any:
        self.published.append((subject, payload))
        if isinstance(self.answer, Exception):
            raise self.answer
        return type("Msg", (), {"data": json.dumps(self.answer).encode()})


class Client:
    """One request at a door without a network: its body comes in these parts, and the door may ask for no more."""

    def __init__(self, answer: Any = None) -> None:
        self.bus = Bus({"stream": "INBOX", "seq": 7} if answer is None else answer)
        self.registry, self.lines = CollectorRegistry(), io.StringIO()
        log = configure("trade_ingest", level="debug", style="json", strict=True, file=self.lines)
        means = DoorMeans(Settings(), self.bus, log, Metrics("trade_ingest", self.registry))  # type: ignore[arg-type]
        self.door = HttpDoor({("erp", "s1"): [SECRET]}, means)
        self.asked = 0

    async def post(
        self,
        parts: Iterable[bytes] | Callable[[], Any] = (WIRE,),
        headers: dict[str, str] | None = None,
        path: str = "/in/erp/s1/trade",
        method: str = "POST",
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Status, body, headers; status 0 where nothing was answered."""
        sent: list[Any] = []
        left = [] if callable(parts) else list(parts)

        async def receive() -> Any:
            self.asked += 1
            if callable(parts):
                return await parts()
            body = left.pop(0)
            return {"type": "http.request", "body": body, "more_body": bool(left)}

        async def send(message: Any) -> None:
            sent.append(message)

        given = signed() if headers is None else headers
        wire = [(name.encode(), value.encode("latin-1")) for name, value in given.items()]
        scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "headers": wire}
        await self.door(scope, receive, send)
        if not sent:
            return 0, {}, {}
        answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], json.loads(sent[1]["body"]), answered

    def counted(self, result: str) -> float:
        labels = {"service": "trade_ingest", "result": result}
        return self.registry.get_sample_value("carebus_door_seconds_count", labels) or 0.0

    @property
    def said(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines.getvalue().splitlines()]


async def test_what_jetstream_holds_is_accepted_byte_for_byte_with_its_sequence() -> None:
    client = Client()
    assert (await client.post([WIRE[:9], WIRE[9:]]))[:2] == (202, {"stream": "INBOX", "seq": 7})
    assert client.bus.published == [("in.erp.s1.trade", WIRE)]
    assert client.counted("accepted") == 1
    assert [(line["event"], line["seq"]) for line in client.said] == [("door_accepted", 7)]


async def test_a_refused_request_is_logged_without_what_it_said_and_counted() -> None:
    client = Client()
    status, answer, _ = await client.post(headers=signed(by=OTHER))
    assert (status, answer["code"]) == (401, "unauthorized")
    assert client.bus.published == []
    assert client.counted("unauthorized") == 1
    (line,) = client.said
    assert (line["event"], line["source"], line["shop"]) == ("door_refused", "erp", "s1")
    assert line["reason"] == "No matching signature found"
    assert "小美" not in client.lines.getvalue()


async def test_what_is_wrong_with_a_signature_only_the_log_says() -> None:
    wrong = [signed(by=OTHER), signed(ago=timedelta(days=1)), {}]
    first, *others = [(await Client().post(headers=headers))[:2] for headers in wrong]
    assert first[0] == 401
    assert others == [first, first]


@pytest.mark.parametrize("path", ["/in/erp/s2/trade", "/in/wms/s1/trade", "/in/erp/s1", "/in/13812341234/x/y"])
async def test_without_a_door_nothing_is_read_and_no_name_is_logged(path: str) -> None:
    client = Client()
    status, answer, _ = await client.post(path=path)
    assert (status, answer["code"], client.asked) == (404, "no_door", 0)
    assert set(client.said[0]) == {"timestamp", "level", "event", "service", "reason", "seconds"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "post"])
async def test_only_post_is_taken(method: str) -> None:
    status, _, headers = await Client().post(method=method)
    assert (status, headers["allow"]) == (405, "POST")


async def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    client = Client()
    declared = signed() | {"content-length": str(MAX_BODY + 1)}
    assert (await client.post(headers=declared))[0] == 413
    assert (await client.post(headers=signed() | {"content-length": "9" * 5000}))[0] == 413
    assert client.asked == 0


async def test_a_body_of_no_stated_length_is_read_as_far_as_a_message_may_be_long() -> None:
    client = Client()
    part = b"x" * 65536

    async def endless() -> Any:
        return {"type": "http.request", "body": part, "more_body": True}

    assert (await client.post(endless))[0] == 413
    assert client.asked == MAX_BODY // len(part) + 1


async def test_a_body_may_be_exactly_as_long_as_a_message() -> None:
    whole = "x" * MAX_BODY
    client = Client()
    assert (await client.post([whole.encode()], signed(whole)))[0] == 202
    assert (await client.post([whole.encode(), b"y"], signed(whole + "y")))[0] == 413


async def test_a_body_that_does_not_arrive_in_time_ends_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "BODY_S", 0.05)
    client = Client()

    async def never() -> Any:
        await asyncio.Event().wait()

    status, answer, headers = await client.post(never)
    assert (status, answer["code"], headers["connection"]) == (408, "too_slow", "close")


async def test_a_sender_that_hangs_up_is_not_answered_and_nothing_of_it_is_published() -> None:
    client = Client()

    async def hang_up() -> Any:
        return {"type": "http.disconnect"}

    assert (await client.post(hang_up))[0] == 0
    assert client.bus.published == []
    assert client.counted("gone") == 1


async def test_more_requests_than_may_be_under_way_are_told_to_come_again_and_the_others_go_on() -> None:
    client, gate = Client(), asyncio.Event()

    async def slow() -> Any:
        await gate.wait()
        return {"type": "http.request", "body": WIRE, "more_body": False}

    waiting = [asyncio.create_task(client.post(slow)) for _ in range(UNDER_WAY)]
    while client.asked < UNDER_WAY:
        await asyncio.sleep(0)
    status, answer, headers = await client.post()
    assert (status, answer["code"], headers["retry-after"]) == (503, "busy", "1")
    gate.set()
    assert {found[0] for found in await asyncio.gather(*waiting)} == {202}
    assert (await client.post())[0] == 202


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (NoRespondersError(), 503, "unavailable"),
        (TimeoutError(), 503, "unavailable"),
        ({"error": {"code": 503, "err_code": 10077, "description": "maximum bytes exceeded"}}, 503, "full"),
        ({"error": {"code": 503, "err_code": 10008}}, 503, "unavailable"),
        ({"error": {"code": 400, "err_code": 10054}}, 413, "too_large"),
        ({}, 503, "unavailable"),
        ([], 503, "unavailable"),
    ],
)
async def test_without_jetstreams_acknowledgement_nothing_is_accepted(answer: Any, status: int, code: str) -> None:
    found, said, headers = await Client(answer).post()
    assert (found, said["code"]) == (status, code)
    assert ("retry-after" in headers) is (status == 503)


# --- the file


def written(folder: Path, toml: str, **files: str) -> Settings:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "doors.toml").write_text(toml, encoding="utf-8")
    return Settings(door_file=str(folder / "doors.toml"))


def new_secret(length: int = 32, fill: bytes = b"s") -> str:
    return base64.b64encode(fill * length).decode()


DOOR = '[[door]]\nsource = "erp"\nshop = "店铺"\nsecret_file = "erp"\n'


def test_a_door_is_a_source_of_a_shop_with_the_secrets_of_its_file(tmp_path: Path) -> None:
    new, old = new_secret(fill=b"p"), new_secret(fill=b"q")
    doors = read_doors(written(tmp_path, DOOR, erp=f"whsec_{new}\r\n\n{old.rstrip('=')}\n"))
    (secrets_of,) = doors.values()
    assert list(doors) == [("erp", "店铺")]
    for text in (new, old):
        assert fault_of(secrets_of, signed(by=Webhook(text)), WIRE) == ""
    assert fault_of(secrets_of, signed(), WIRE)


def test_without_a_file_there_is_no_door() -> None:
    assert read_doors(Settings()) == {}


@pytest.mark.parametrize(
    ("toml", "secret", "reason"),
    [
        (DOOR, "", "no secret"),
        (DOOR, "hunter2-hunter2", "line 1"),
        (DOOR, new_secret() + "\n" + new_secret(SECRET_BYTES[0] - 1), "line 2"),
        (DOOR, new_secret(SECRET_BYTES[1] + 1), "line 1"),
        (DOOR, new_secret()[:-4] + "*" + "abc", "line 1"),
        (DOOR + DOOR, new_secret(), "two doors"),
        (DOOR.replace("erp", "", 1), new_secret(), "source"),
        (DOOR + 'secret = "inline"\n', new_secret(), "secret"),
        (DOOR.replace('secret_file = "erp"', ""), new_secret(), "secret_file"),
        (DOOR.replace('secret_file = "erp"', 'secret_file = "absent"'), new_secret(), "absent"),
        ("[[door", new_secret(), "doors.toml"),
        ("", new_secret(), "door"),
    ],
)
def test_a_wrong_file_is_an_error_that_says_where_and_quotes_no_secret(
    tmp_path: Path, toml: str, secret: str, reason: str
) -> None:
    with pytest.raises(SettingsError) as error:
        read_doors(written(tmp_path, toml, erp=secret))
    assert str(error.value).startswith("CAREBUS_DOOR_FILE: ")
    assert reason in str(error.value)
    assert "\n" not in str(error.value)
    assert not any(line in str(error.value) for line in secret.split())


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot read .*nowhere"):
        read_doors(Settings(door_file=str(tmp_path / "nowhere")))
