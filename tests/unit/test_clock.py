"""Instants: what servers say becomes aware UTC, cut to the microsecond that Python and PostgreSQL hold."""

from datetime import UTC, datetime, timedelta

import pytest

from services.kernel.clock import EPOCH, DrivenClock, from_nanoseconds, from_rfc3339


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("2026-11-24T13:42:23.885862532Z", 885862),
        ("2026-11-24T13:42:23.9Z", 900000),
        ("2026-11-24T13:42:23Z", 0),
        ("2026-11-24T13:42:23.000000999Z", 0),
    ],
)
def test_a_servers_instant_is_cut_to_microseconds(text: str, microsecond: int):
    assert from_rfc3339(text) == datetime(2026, 11, 24, 13, 42, 23, microsecond, tzinfo=UTC)


def test_a_jetstream_timestamp_is_the_same_instant_as_the_servers_text():
    assert from_nanoseconds(1795527744591790548) == from_rfc3339("2026-11-24T13:42:24.591790548Z")


def test_a_driven_clock_never_goes_back():
    clock = DrivenClock()
    clock.set(EPOCH + timedelta(seconds=5))
    clock.set(EPOCH + timedelta(seconds=3))
    assert clock.now() == EPOCH + timedelta(seconds=5)
