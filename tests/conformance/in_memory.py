"""A case through the in-memory runner."""

from typing import Any

import msgspec

from schemas.envelope import Event
from services.kernel.clock import EPOCH
from services.kernel.parked import kind_of
from services.replay.memory import Memory
from services.replay.worker import Kept
from tests.conformance.steps import Ask, Break, Case, Log, Mend, Push, Retry, Seen, Start, Stop, Wait, breakable, seen


def in_memory(case: Case) -> Seen:
    services, broken = breakable()
    memory = Memory(services, start=EPOCH)
    answers: list[Any] = []
    for step in case.steps:
        match step:
            case Push():
                memory.publish(step.source, "s1", "order", step.body, step.at)
            case Log(event=Event() as event):
                memory.append(event, step.at)
            case Log(event=(subject, payload)):
                memory.put(subject, payload, step.at)
            case Ask():
                answer = memory.command("ex_remind", "cancel_care", step.command, step.at)
                answers.append(msgspec.json.decode(msgspec.json.encode(answer)))
            case Wait():
                memory.advance(step.until)
            case Break():
                broken.add(step.what)
            case Mend():
                broken.clear()
            case Retry():
                retryable = [
                    kept for kept in memory.parked if kept.service == step.service and kept.parked.status != "waiting"
                ]
                memory.retry(retryable[step.number])
            case Stop() | Start():
                pass  # nothing runs between two steps, so nothing can be missed
    return seen(memory.log, memory.slots, [_parked(kept) for kept in memory.parked], answers)


def _parked(kept: Kept) -> tuple[Any, ...]:
    found = kept.parked
    place = (found.message.stream, found.part, *found.lane)
    return (kept.service, *place, found.status, kind_of(found.reason))
