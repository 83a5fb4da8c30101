"""The properties of test_process.py over many more and longer histories."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit import test_process as properties

MANY = settings(max_examples=1_500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LONG = st.lists(properties.MOVE, max_size=40)


@pytest.mark.long
@pytest.mark.parametrize(
    "holds",
    [
        properties.test_a_state_is_the_fold_of_its_lane_of_the_log,
        properties.test_a_process_that_reads_the_log_later_decides_the_same,
        properties.test_the_same_inputs_give_the_same_log_to_the_byte,
        properties.test_a_feed_said_again_adds_nothing,
        properties.test_ids_are_unique_ordinals_count_and_bases_lie_before,
        properties.test_every_own_event_is_read_back_once_and_nothing_stays_due,
    ],
    ids=lambda holds: holds.__name__.removeprefix("test_"),
)
def test_over_many_long_histories(holds: Any) -> None:
    MANY(given(LONG)(holds.hypothesis.inner_test))()
