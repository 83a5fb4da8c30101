"""What holds of the gate whatever comes, in whatever order and however often (domain.md 4)."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.care import CareProposed, CareRequested
from schemas.envelope import Event
from services.care_notifier import contact
from services.replay.story import Story, at, event, story
from tests.unit.care_notifier.facts import POLICY, paid, proposal

ZONE = ZoneInfo(POLICY.calendar.time_zone)
CAP = POLICY.care.caps.transactional_a_day
BEGIN = at("00:00:00")

MOMENT = st.integers(0, 2 * 24 * 60).map(lambda minute: BEGIN + timedelta(minutes=minute))
ACT = st.builds(lambda when, ago: (when, ago), MOMENT, st.integers(0, 60))
KIND = st.sampled_from(["signed", "signed", "signed", "late_parcel"])


def _proposal(number: int, kind: Any, when: datetime, minutes: int) -> tuple[datetime, CareProposed]:
    """Of a care_id, always the same content: so does a process propose."""
    data = proposal(f"c{number}", kind, template="signed", not_before=BEGIN)
    return when, CareProposed(**{**_fields(data), "expires_at": BEGIN + timedelta(minutes=200 * number + minutes)})


def _fields(data: CareProposed) -> dict[str, Any]:
    return {name: getattr(data, name) for name in data.__struct_fields__}


PROPOSED = st.builds(_proposal, st.integers(0, 20), KIND, MOMENT, st.integers(600, 900))
HISTORY = st.tuples(st.lists(PROPOSED, max_size=40), st.lists(ACT, max_size=6))


def told(history: Any) -> tuple[Story, list[datetime]]:
    """The story of a history, and when the buyer acted."""
    proposals, acts = history
    heard: list[tuple[datetime, Event[Any]]] = [(when, event(data, at=when)) for when, data in proposals]
    acted = [when - timedelta(minutes=ago) for when, ago in acts]
    heard += [
        (when, event(paid("10:00:00").data, at=did, recorded=when)) for (when, _), did in zip(acts, acted, strict=True)
    ]
    the_story = story(contact)
    for _, one in sorted(heard, key=lambda pair: pair[0]):
        the_story.when(one)
    if heard:
        the_story.when_it_is(BEGIN + timedelta(days=5))
    return the_story, acted


def requests(the_story: Story) -> list[Event[CareRequested]]:
    return [one for one in the_story.memory.log if isinstance(one.data, CareRequested)]


@given(HISTORY)
@settings(max_examples=80, deadline=None)
def test_every_message_ends_once_and_none_is_requested_twice_late_over_the_cap_or_in_quiet_hours(history: Any) -> None:
    if not any(history):
        return
    the_story, acted = told(history)
    log = the_story.memory.log
    ends = Counter(one.data.care_id for one in log if one.data.TYPE in ("care.requested", "care.suppressed"))
    assert set(ends) == {one.data.care_id for one in log if isinstance(one.data, CareProposed)}
    asked = requests(the_story)
    assert len({one.data.care_id for one in asked}) == len(asked)
    by_day: Counter[Any] = Counter()
    for one in asked:
        local = one.time.astimezone(ZONE)
        assert one.data.expires_at is not None
        assert one.time < one.data.expires_at
        if one.data.kind not in POLICY.care.caps.exempt:
            by_day[local.date()] += 1
        if POLICY.care.quiet.hours.covers(local.hour * 60 + local.minute):
            within = timedelta(minutes=POLICY.care.quiet.own_action_minutes)
            assert any(one.time - did <= within for did in acted)
            assert {way.channel for way in one.data.channels} == {"platform"}
    assert all(count <= CAP for count in by_day.values())


@given(HISTORY)
@settings(max_examples=40, deadline=None)
def test_what_is_said_three_times_at_once_decides_what_once_does(history: Any) -> None:
    proposals, acts = history
    if not proposals:
        return
    once, _ = told((proposals, acts))
    thrice, _ = told(([one for one in proposals for _ in range(3)], acts))
    decided = [[one.data for one in s.memory.log if one.source == "carebus/contact"] for s in (once, thrice)]
    assert decided[0] == decided[1]
