"""`carebus doctor` finds each staged problem, says what mends it, and goes on to what else there is."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import msgspec
import pytest

from services.cli import registry, stackfile
from services.cli.processes import HOST, free_port
from services.kernel import bus
from services.kernel.effects import PENDING, ensure_consumers
from tests.carebus import carebus
from tests.examined import MIB, Where, examined, greeting
from tests.stack import until

pytestmark = pytest.mark.integration


async def test_where_nothing_is_staged_only_the_services_are_found_missing(where: Where) -> None:
    checks = await examined(where)
    assert {name for name, check in checks.items() if check.status == "fail"} == {
        f"{name} runs" for name in registry.NAMES
    }
    assert {name for name, check in checks.items() if check.status == "warn"} == {
        f"{name} partitions" for name in registry.NAMES
    }
    assert "`carebus run aftersales`" in checks["aftersales runs"].cure
    assert "0 of 16 owned" in checks["aftersales partitions"].found


# the settings


async def test_a_bad_setting_is_named_and_nothing_else_is_guessed(where: Where) -> None:
    checks = await examined(where, CAREBUS_BATCH="many")
    assert checks["settings"].status == "fail"
    assert "CAREBUS_BATCH='many'" in checks["settings"].found
    assert "nats" not in checks


async def test_a_damaged_stack_file_is_named_with_its_cure(where: Where, tmp_path: Path) -> None:
    (tmp_path / stackfile.STACK).write_text("{")
    checks = await examined(where)
    assert checks["settings"].status == "fail"
    assert "delete it and run `carebus up` again" in checks["settings"].found


def test_the_environment_goes_before_the_stack_and_takes_no_secret_of_it_along() -> None:
    stack = {"CAREBUS_POSTGRES_DSN": "a", "CAREBUS_POSTGRES_PASSWORD_FILE": "b", "CAREBUS_NATS_URL": "c"}
    assert stackfile.over(stack, {"CAREBUS_POSTGRES_DSN": "d"}) == {
        "CAREBUS_POSTGRES_DSN": "d",
        "CAREBUS_NATS_URL": "c",
    }
    assert stackfile.over(stack, {"CAREBUS_POSTGRES_PASSWORD_FILE": "e"}) == {
        **stack,
        "CAREBUS_POSTGRES_PASSWORD_FILE": "e",
    }


# the services

_PARKED = """
INSERT INTO parked (stream, seq, partition, shop, buyer, subject, recorded, payload, status)
VALUES ('EVENTS', $1, 3, 's1', 'b1', 'evt.3.s1.b1.order', now(), '', $2)
"""
_OUTBOX = """
INSERT INTO outbox (partition, event_id, subject, payload, after, shop, buyer, created)
VALUES (0, 'e1', 'evt.0.s1.b1.order', '', 0, 's1', 'b1', now() - make_interval(secs => $1))
"""


async def test_a_live_heartbeat_is_told_from_one_that_stopped(where: Where, tables: asyncpg.Connection) -> None:
    await tables.execute("INSERT INTO replica VALUES ('r1', clock_timestamp())")
    assert (await examined(where))["aftersales runs"].found == "1 replica"
    await tables.execute("UPDATE replica SET heartbeat = clock_timestamp() - interval '1 minute'")
    checks = await examined(where)
    assert checks["aftersales runs"].status == "fail"
    assert checks["aftersales runs"].found == "no heartbeat for 60 s"


async def test_parked_messages_and_the_lanes_they_block_are_counted(where: Where, tables: asyncpg.Connection) -> None:
    await tables.execute(_PARKED, 1, "failed")
    await tables.execute(_PARKED, 2, "waiting")
    await tables.execute(_PARKED, 3, "waiting")
    await tables.execute("INSERT INTO blocked (shop, buyer, partition) VALUES ('s1', 'b1', 3)")
    check = (await examined(where))["aftersales parked"]
    assert (check.status, check.found) == ("warn", "1 failed, 2 waiting; lanes blocked: 1")
    assert "`carebus parked list aftersales`" in check.cure


async def test_what_was_set_aside_may_be_given_up_and_nothing_waits_behind_it(
    where: Where, tables: asyncpg.Connection
) -> None:
    await tables.execute(_PARKED, 1, "aside")
    check = (await examined(where))["aftersales parked"]
    assert (check.status, check.found) == ("warn", "1 aside; lanes blocked: 0")
    assert "`carebus parked retry aftersales ID`" in check.cure
    assert "`carebus parked discard aftersales ID --reason WHY`. Nothing waits behind" in check.cure


@pytest.mark.parametrize(("age_s", "status"), [(1, "ok"), (60, "warn"), (3600, "fail")])
async def test_what_waits_in_the_outbox_is_judged_by_its_age(
    where: Where, tables: asyncpg.Connection, age_s: int, status: str
) -> None:
    await tables.execute(_OUTBOX, age_s)
    check = (await examined(where))["aftersales outbox"]
    assert check.status == status
    assert f"1 decided and not yet in the log, the oldest for {age_s} s" in check.found


async def test_a_service_that_lags_is_told_by_how_much(
    where: Where, nats_client: Any, tables: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    js = nats_client.jetstream()
    for _ in range(3):
        await js.publish("evt.5.s1.b1.order", b"{}")
    await tables.execute("INSERT INTO checkpoint (stream, partition, seq) VALUES ('EVENTS', 5, 1)")
    check = (await examined(where))["aftersales lag"]
    assert (check.status, check.found) == ("ok", "EVENTS 2 sequences, 0 s behind")
    monkeypatch.setattr("services.cli.checks.services.SLOW_S", 0.0)
    check = (await examined(where))["aftersales lag"]
    assert check.status == "warn"
    assert "batch_failed" in check.cure
    await tables.execute("UPDATE checkpoint SET seq = 3")
    assert (await examined(where))["aftersales lag"].found == "none"


async def test_an_effect_that_does_not_keep_up_is_told_with_its_cure(
    where: Where, nats_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = registry.service("care_notifier")
    [effect] = service.effects
    name = f"effect {service.name}-{effect.name}"
    assert (await examined(where))[name].found == f"not begun: {service.name} makes its consumer when it starts"

    await ensure_consumers(nats_client, service.name, service.effects)
    assert (await examined(where))[name].status == "ok"
    js = nats_client.jetstream()
    for _ in range(PENDING + 2):
        await js.publish(f"evt.5.s1.b1.{effect.entity}", b"{}")
    check = (await examined(where))[name]
    assert (check.status, check.found) == ("ok", f"{PENDING + 2} pending, 0 of at most {PENDING} under way")
    monkeypatch.setattr("services.cli.checks.effects.MANY", PENDING)
    check = (await examined(where))[name]
    assert check.status == "warn"
    assert f"`carebus run {service.name}`" in check.cure

    config = (await js.consumer_info(bus.EVENTS, f"{service.name}-{effect.name}")).config
    await nats_client.subscribe(config.deliver_subject, queue=config.deliver_group)

    async def full() -> bool:
        return (await examined(where))[name].found == f"2 pending, {PENDING} of at most {PENDING} under way"

    await until(full, "as many messages are delivered as may be")
    check = (await examined(where))[name]
    assert (check.status, "effect_failed" in check.cure) == ("warn", True)


async def test_a_log_that_ends_before_a_checkpoint_or_was_made_anew_is_told(
    where: Where, nats_client: Any, tables: asyncpg.Connection
) -> None:
    state = await bus.stream_state(nats_client, bus.EVENTS)
    await tables.execute("INSERT INTO stream VALUES ('EVENTS', $1)", state.created)
    assert (await examined(where))["aftersales log"].status == "ok"
    await tables.execute("INSERT INTO checkpoint (stream, partition, seq) VALUES ('EVENTS', 5, 7)")
    check = (await examined(where))["aftersales log"]
    assert check.status == "fail"
    assert "EVENTS ends at 0, but was handled up to 7" in check.found
    await tables.execute("UPDATE stream SET created = created - interval '1 day'")
    check = (await examined(where))["aftersales log"]
    assert check.status == "fail"
    assert "the checkpoints are of one made" in check.found
    assert "database first" in check.cure


async def test_a_service_that_says_it_is_not_ready_and_one_that_does_not_answer_are_told(
    where: Where, tmp_path: Path
) -> None:
    async with greeting(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 8\r\n\r\nstarting") as url:
        places = {
            "aftersales": stackfile.Place(url=url.replace("nats:", "http:"), log="a.log"),
            "projections": stackfile.Place(url=f"http://{HOST}:{free_port()}", log="p.log"),
        }
        stackfile.write_stack(tmp_path, stackfile.Stack(variables={}, services=places))
        checks = await examined(where)
    assert checks["aftersales ready"].status == "fail"
    assert checks["aftersales ready"].found.endswith("/health/ready: starting")
    assert "ConnectionRefusedError" in checks["projections ready"].found
    assert "p.log" in checks["projections ready"].cure


# the machine


async def test_a_package_that_is_missing_is_named(where: Where, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.requires", lambda name: ["asyncpg", "no-such-package[extra]>=1"])
    checks = await examined(where)
    assert checks["packages"].status == "fail"
    assert checks["packages"].found == "not installed: no-such-package"


@pytest.mark.parametrize(("free_mib", "status"), [(2048, "ok"), (700, "warn"), (100, "fail")])
async def test_a_disk_that_fills_is_told_of(
    where: Where, monkeypatch: pytest.MonkeyPatch, free_mib: int, status: str
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=free_mib * MIB))
    assert (await examined(where))["disk"].status == status


# the command


async def test_the_command_fails_when_something_does_and_tells_each_cure(where: Where) -> None:
    status, out, err = await carebus("doctor", **where)
    assert (status, err) == (1, "")
    lines = out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("FAIL  aftersales runs"))
    assert lines[at + 1].strip().startswith("-> start it: `carebus up`")
    assert "5 failed" in lines[-1]


async def test_as_json_it_is_one_object_for_a_program(where: Where) -> None:
    status, out, _ = await carebus("doctor", "--json", **where)
    found = msgspec.json.decode(out)
    assert (status, found["ok"]) == (1, False)
    assert all(set(check) == {"name", "status", "found", "cure"} for check in found["checks"])
