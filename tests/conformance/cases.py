"""The cases, as data. Facts come in on INBOX; `order_facts` makes events of them, `reminder` decides about those."""

from datetime import datetime, timedelta
from typing import Any

from msgspec import structs

from schemas import subjects
from schemas.codec import encode
from schemas.envelope import Event
from schemas.order import OrderPaid, OrderPlaced
from schemas.policy import PolicyChanged
from services.kernel.policy import changed, default_policy, load
from services.kernel.process import LATE_TICK
from services.replay.given import at, event
from services.replay.telling import clock
from tests.conformance.steps import Ask, Break, Case, Log, Mend, Push, Retry, Start, Stop, Wait

AFTER = timedelta(seconds=default_policy().care.kinds.unpaid_soft.after_s)


def said(fact: str, order: str = "o1", when: str = "10:00:00", buyer: str = "b1", **more: Any) -> dict[str, Any]:
    """One line of the shop's feed."""
    return {"fact": fact, "order_id": order, "buyer": buyer, "time": at(when), "amount_fen": 100, **more}


def push(when: str, *facts: Any, **more: Any) -> Push:
    return Push(at=at(when), body=list(facts), **more)


def now(fact: str, order: str, when: str, buyer: str = "b1") -> Push:
    """A fact that INBOX takes at the very instant at which it happens."""
    return push(when, said(fact, order, when, buyer))


def log(when: str, data: Any, buyer: str = "b1", number: int = 1) -> Log:
    """An event of somebody else, straight into the log."""
    found = structs.replace(event(data, when, buyer=buyer), id=f"elsewhere-{number}", source="elsewhere")
    return Log(at=at(when), event=found)


def ask(when: str, id: str, care: str) -> Ask:
    return Ask(at=at(when), id=id, care=care)


def policy(when: str, after_s: int, version: int = 1, shop: str = "s1") -> Log:
    """From here on the shop's soft reminder comes so many seconds after placing."""
    told = changed(shop, load([("shop", f"[care.kinds.unpaid_soft]\nafter_s = {after_s}".encode())]), None, version)
    assert isinstance(told, PolicyChanged)
    found = event(told, when, buyer=subjects.NO_BUYER, shop=shop)
    named = structs.replace(found, id=f"policy-{shop}-{version}-{after_s}", source="elsewhere")
    return Log(at=at(when), event=named)


def soft(placed: str, order: str = "o1", buyer: str = "b1") -> str:
    return f"{buyer} {clock(at(placed) + AFTER)} care.proposed unpaid_soft:{order}"


def late(learnt: str, order: str = "o1", buyer: str = "b1") -> str:
    return f"{buyer} {clock(at(learnt) + LATE_TICK)} care.proposed unpaid_soft:{order}"


def thanks(when: str, order: str = "o1", buyer: str = "b1") -> str:
    return f"{buyer} {when} care.proposed {buyer}:payment_thanks:{order}"


def unknown_type() -> Log:
    whole = encode(_elsewhere(OrderPaid(order_id="o1", paid_fen=1)))
    other = whole.replace(b"order.paid", b"order.dreamt")
    return Log(at=at("10:00:00"), event=(subjects.event("s1", "b1", "order"), other))


def _elsewhere(data: Any) -> Event[Any]:
    return structs.replace(event(data), id="elsewhere-0", source="elsewhere")


NOT_AN_EVENT = Log(at=at("10:01:00"), event=(subjects.event("s1", "b1", "order"), b"{}"))
ONE_CARE = "b1:payment_thanks:o1"
CALLED_OFF = f"care.suppressed {ONE_CARE}"
PAID_FAILED = ("b1", "", "failed", "LookupError")
WAITING = ("b1", "", "waiting", "")
PLACED = OrderPlaced(order_id="o1", platform="taobao", shop_kind="c_shop", lines=(), total_fen=1, postage_fen=0)
DUE = at("10:00:00") + AFTER
"""When the tick of an order placed at ten comes."""
AT_DUE = clock(DUE)


def moment(text: str, minutes: int) -> str:
    """`text` and so many minutes, as the cases write it."""
    shifted: datetime = at(text) + timedelta(minutes=minutes)
    return clock(shifted)


BEHIND_DUE = moment(AT_DUE, 15)

ORDER = [
    Case(
        name="the facts of one message keep their order",
        steps=[
            push(
                "10:00:10",
                said("placed", "o1", "10:00:00"),
                said("paid", "o1", "10:00:05"),
                said("shipped", "o1", "10:00:07", id="p1"),
                said("signed", "o1", "10:00:08", id="p1"),
            )
        ],
        facts=[
            "b1 10:00:00 order.placed o1",
            "b1 10:00:05 order.paid o1",
            "b1 10:00:07 order.shipped o1",
            "b1 10:00:08 order.signed o1",
        ],
        reminders=[thanks("10:00:10")],
    ),
    Case(
        name="buyers keep their own order",
        steps=[
            push("10:00:00", said("placed", "o1"), said("placed", "o2", buyer="b2"), said("placed", "o3", buyer="b3")),
            push("10:00:01", said("paid", "o2", "10:00:01", "b2"), said("paid", "o1", "10:00:01")),
            Wait(at("11:00:00")),
        ],
        reminders=[thanks("10:00:01"), thanks("10:00:01", "o2", "b2"), soft("10:00:00", "o3", "b3")],
    ),
    Case(
        name="a fact said again in another message adds nothing",
        steps=[now("paid", "o1", "10:00:00"), push("10:00:01", said("paid"))],
        facts=["b1 10:00:00 order.paid o1"],
        reminders=[thanks("10:00:00")],
    ),
    Case(
        name="a fact said twice in one message is decided once",
        steps=[push("10:00:00", said("paid"), said("paid"))],
        facts=["b1 10:00:00 order.paid o1"],
        reminders=[thanks("10:00:00")],
    ),
    Case(
        name="facts out of their order are taken as they come",
        steps=[
            push("10:06:00", said("paid", "o1", "10:05:00")),
            push("10:07:00", said("placed", "o1", "10:00:00")),
            Wait(at("11:00:00")),
        ],
        facts=["b1 10:05:00 order.paid o1", "b1 10:00:00 order.placed o1"],
        reminders=[thanks("10:06:00"), soft("10:00:00")],
    ),
]

TICKS = [
    Case(
        name="a tick before a fact's instant fires before it",
        steps=[now("placed", "o1", "10:00:00"), now("paid", "o1", BEHIND_DUE)],
        reminders=[soft("10:00:00"), thanks(BEHIND_DUE)],
    ),
    Case(
        name="a fact of the tick's own instant goes first and makes it needless",
        steps=[now("placed", "o1", "10:00:00"), now("paid", "o1", AT_DUE), Wait(at("12:00:00"))],
        reminders=[thanks(AT_DUE)],
    ),
    Case(
        name="a fact of the tick's own instant goes first and the tick fires after it",
        steps=[now("placed", "o1", "10:00:00"), now("paid", "o2", AT_DUE), Wait(DUE)],
        reminders=[thanks(AT_DUE, "o2"), soft("10:00:00")],
    ),
    Case(
        name="nothing fires before its instant",
        steps=[now("placed", "o1", "10:00:00"), Wait(DUE - timedelta(microseconds=1))],
    ),
    Case(
        name="a due learnt when it had passed fires five seconds later",
        steps=[push("11:00:00", said("placed", "o1", "10:00:00")), Wait(at("12:00:00"))],
        reminders=[late("11:00:00")],
    ),
    Case(
        name="what comes within those five seconds makes a late tick needless",
        steps=[
            push("11:00:00", said("placed", "o1", "10:00:00")),
            now("paid", "o1", "11:00:03"),
            Wait(at("12:00:00")),
        ],
        reminders=[thanks("11:00:03")],
    ),
    Case(
        name="ticks of one story fire in a row each at its instant",
        steps=[
            now("placed", "o1", "10:00:00"),
            push("10:01:00", said("placed", "o2", "10:01:00"), said("placed", "o3", "10:01:00")),
            Wait(at("12:00:00")),
        ],
        reminders=[soft("10:00:00"), soft("10:01:00", "o2"), soft("10:01:00", "o3")],
    ),
    Case(
        name="ticks of many buyers at one instant all fire",
        steps=[
            push("10:00:00", *(said("placed", f"o{n}", buyer=f"b{n}") for n in range(1, 6))),
            Wait(at("12:00:00")),
        ],
        reminders=[soft("10:00:00", f"o{n}", f"b{n}") for n in range(1, 6)],
    ),
    Case(
        name="a tick missed while the service was down fires at its own instant",
        steps=[
            now("placed", "o1", "10:00:00"),
            Stop("ex_remind"),
            Wait(at("11:00:00")),
            Start("ex_remind"),
        ],
        reminders=[soft("10:00:00")],
    ),
    Case(
        name="a tick missed while the service was down still fires before the fact that came meanwhile",
        steps=[
            now("placed", "o1", "10:00:00"),
            Stop("ex_remind"),
            now("paid", "o1", BEHIND_DUE),
            Start("ex_remind"),
        ],
        reminders=[soft("10:00:00"), thanks(BEHIND_DUE)],
    ),
]

PARKED = [
    Case(
        name="a message that cannot be decided is parked and plays when it is mended",
        steps=[Break("reminder o1"), now("paid", "o1", "10:00:00"), Mend(), Retry("ex_remind")],
        reminders=[thanks("10:00:00")],
    ),
    Case(
        name="later messages of a blocked buyer wait and other buyers go on",
        steps=[
            Break("reminder o1"),
            now("paid", "o1", "10:00:00"),
            now("paid", "o2", "10:01:00"),
            now("paid", "o3", "10:02:00", "b2"),
        ],
        reminders=[thanks("10:02:00", "o3", "b2")],
        parked=[PAID_FAILED, WAITING],
    ),
    Case(
        name="neighbours in one batch of a blocked buyer wait likewise",
        steps=[
            Break("reminder o1"),
            push("10:00:00", said("paid"), said("paid", "o2"), said("paid", "o3", buyer="b2"), said("paid", "o4")),
        ],
        reminders=[thanks("10:00:00", "o3", "b2")],
        parked=[PAID_FAILED, WAITING, WAITING],
    ),
    Case(
        name="a retry plays the whole lane in its order, each at its own instant",
        steps=[
            Break("reminder o1"),
            now("paid", "o1", "10:00:00"),
            now("paid", "o2", "10:01:00"),
            Mend(),
            now("paid", "o3", "10:02:00"),
            Retry("ex_remind"),
            now("paid", "o4", "10:03:00"),
        ],
        reminders=[thanks(f"10:0{n}:00", f"o{n + 1}") for n in range(4)],
    ),
    Case(
        name="a retry that fails again leaves the lane as it was",
        steps=[
            Break("reminder o1"),
            now("paid", "o1", "10:00:00"),
            now("paid", "o2", "10:01:00"),
            Retry("ex_remind"),
            now("paid", "o3", "10:02:00"),
        ],
        parked=[PAID_FAILED, WAITING, WAITING],
    ),
    Case(
        name="a retry stops at the next message that fails and keeps what it did",
        steps=[
            Break("reminder o1"),
            now("paid", "o1", "10:00:00"),
            now("paid", "o2", "10:01:00"),
            now("paid", "o3", "10:02:00"),
            Mend(),
            Break("reminder o2"),
            Retry("ex_remind"),
        ],
        reminders=[thanks("10:00:00")],
        parked=[PAID_FAILED, WAITING, WAITING],  # the last is what the first decided, read back
    ),
    Case(
        name="a retry of a later failure plays the lane from its first and rests where that fails",
        steps=[
            Break("reminder o1"),
            now("paid", "o1", "10:00:00"),
            NOT_AN_EVENT,
            Retry("ex_remind", 1),
            now("paid", "o2", "10:02:00", "b2"),
        ],
        reminders=[thanks("10:02:00", "o2", "b2")],
        parked=[PAID_FAILED, ("b1", "", "failed", "DecodeError")],
    ),
    Case(
        name="the tick of a blocked lane waits",
        steps=[
            now("placed", "o1", "10:00:00"),
            Break("reminder o2"),
            now("paid", "o2", "10:10:00"),
            Wait(at("11:00:00")),
        ],
        parked=[PAID_FAILED],
    ),
    Case(
        name="the tick of a blocked lane fires at its instant once the lane plays again",
        steps=[
            now("placed", "o1", "10:00:00"),
            Break("reminder o2"),
            now("paid", "o2", "10:10:00"),
            Wait(at("11:00:00")),
            Mend(),
            Retry("ex_remind"),
        ],
        reminders=[thanks("10:10:00", "o2"), soft("10:00:00")],
    ),
    Case(
        name="the tick of a blocked lane fires before the messages that waited and came after it",
        steps=[
            now("placed", "o1", "10:00:00"),
            Break("reminder o2"),
            now("paid", "o2", "10:10:00"),
            now("paid", "o1", BEHIND_DUE),
            Mend(),
            Retry("ex_remind"),
        ],
        reminders=[thanks("10:10:00", "o2"), soft("10:00:00"), thanks(BEHIND_DUE)],
    ),
    Case(
        name="a tick that fails is parked and blocks its lane",
        steps=[
            now("placed", "o1", "10:00:00"),
            Break("reminder tick"),
            Wait(at("11:00:00")),
            now("paid", "o2", "11:01:00"),
            now("paid", "o3", "11:02:00", "b2"),
        ],
        reminders=[thanks("11:02:00", "o3", "b2")],
        parked=[PAID_FAILED, WAITING],
    ),
    Case(
        name="a tick that failed fires at its instant when it is mended",
        steps=[
            now("placed", "o1", "10:00:00"),
            Break("reminder tick"),
            Wait(at("11:00:00")),
            Mend(),
            Retry("ex_remind"),
        ],
        reminders=[soft("10:00:00")],
    ),
    Case(
        name="a tick that failed fires before the message that waits behind it",
        steps=[
            now("placed", "o1", "10:00:00"),
            Break("reminder tick"),
            Wait(at("11:00:00")),
            now("paid", "o2", "11:01:00"),
            Mend(),
            Retry("ex_remind"),
        ],
        reminders=[soft("10:00:00"), thanks("11:01:00", "o2")],
    ),
    Case(
        name="a message of the log that does not decode blocks its buyer",
        steps=[NOT_AN_EVENT, now("paid", "o1", "10:02:00"), now("paid", "o2", "10:03:00", "b2")],
        reminders=[thanks("10:03:00", "o2", "b2")],
        parked=[("b1", "", "failed", "DecodeError"), WAITING],
    ),
    Case(
        name="an event of a type that is not known here is passed over",
        steps=[unknown_type(), now("paid", "o1", "10:00:01")],
        reminders=[thanks("10:00:01")],
    ),
]

INBOX = [
    Case(
        name="a refused fact is told of and its neighbours go on",
        steps=[push("10:00:00", said("paid"), {"fact": "dreamt"}, said("paid", "o2"))],
        facts=["b1 10:00:00 order.paid o1", "b1 10:00:00 order.paid o2"],
        reminders=[thanks("10:00:00"), thanks("10:00:00", "o2")],
        parked=[("-", "", "aside", "fact 1")],
    ),
    Case(
        name="a message that does not translate is told of and blocks nobody",
        steps=[Push(at=at("10:00:00"), body=b"not json"), now("paid", "o1", "10:00:01")],
        facts=["b1 10:00:01 order.paid o1"],
        reminders=[thanks("10:00:01")],
        parked=[("-", "", "aside", "DecodeError")],
    ),
    Case(
        name="a refused fact that is played again in vain stays aside",
        steps=[push("10:00:00", {"fact": "dreamt"}), Retry("ex_facts"), now("paid", "o1", "10:00:01")],
        facts=["b1 10:00:01 order.paid o1"],
        reminders=[thanks("10:00:01")],
        parked=[("-", "", "aside", "fact 0")],
    ),
    Case(
        name="the facts of a message that did not translate are taken one by one when its source is mended",
        steps=[
            Break("source"),
            push("10:00:00", said("paid"), {"fact": "dreamt"}, said("paid", "o2")),
            Mend(),
            Retry("ex_facts"),
        ],
        facts=["b1 10:00:00 order.paid o1", "b1 10:00:00 order.paid o2"],
        reminders=[thanks("10:00:00"), thanks("10:00:00", "o2")],
        parked=[("-", "", "aside", "fact 1")],
    ),
    Case(
        name="a message of a source that nobody has is passed over",
        steps=[push("10:00:00", said("paid"), source="nobody"), now("paid", "o2", "10:00:01")],
        reminders=[thanks("10:00:01", "o2")],
    ),
    Case(
        name="a fact that cannot be decided blocks its key alone",
        steps=[
            Break("order_facts o1"),
            push("10:00:00", said("placed"), said("placed", "o2")),
            push("10:00:01", said("paid", "o1", "10:00:01"), said("paid", "o2", "10:00:01")),
        ],
        facts=["b1 10:00:00 order.placed o2", "b1 10:00:01 order.paid o2"],
        reminders=[thanks("10:00:01", "o2")],
        parked=[("-", "o1", "failed", "LookupError"), ("-", "o1", "waiting", "")],
    ),
    Case(
        name="the facts of a blocked key play in their order when it is mended",
        steps=[
            Break("order_facts o1"),
            push("10:00:00", said("placed"), said("placed", "o2")),
            now("paid", "o1", "10:00:01"),
            Mend(),
            Retry("ex_facts"),
        ],
        facts=["b1 10:00:00 order.placed o2", "b1 10:00:00 order.placed o1", "b1 10:00:01 order.paid o1"],
        reminders=[thanks("10:00:01")],
    ),
]

COMMANDS = [
    Case(
        name="a command is carried out, and sent again gets its first answer and does nothing",
        steps=[
            now("paid", "o1", "10:00:00"),
            ask("10:01:00", "c1", ONE_CARE),
            ask("10:02:00", "c1", ONE_CARE),
        ],
        reminders=[thanks("10:00:00"), f"b1 10:01:00 {CALLED_OFF}"],
        answers=["accepted", "accepted"],
    ),
    Case(
        name="a command id with other content is a conflict",
        steps=[
            now("paid", "o1", "10:00:00"),
            ask("10:01:00", "c1", ONE_CARE),
            ask("10:02:00", "c1", "b1:payment_thanks:o2"),
        ],
        reminders=[thanks("10:00:00"), f"b1 10:01:00 {CALLED_OFF}"],
        answers=["accepted", "command_conflict"],
    ),
    Case(
        name="a command that was rejected stays rejected although another would be accepted now",
        steps=[
            ask("10:00:00", "c1", ONE_CARE),
            now("paid", "o1", "10:01:00"),
            ask("10:02:00", "c1", ONE_CARE),
            ask("10:03:00", "c2", ONE_CARE),
        ],
        reminders=[thanks("10:01:00"), f"b1 10:03:00 {CALLED_OFF}"],
        answers=["already_requested", "already_requested", "accepted"],
    ),
    Case(
        name="a command about nothing that is known is rejected",
        steps=[ask("10:00:00", "c1", "no-colon"), ask("10:00:01", "c1", "no-colon")],
        answers=["unknown_id", "unknown_id"],
    ),
    Case(
        name="a command to a blocked lane is not kept and may come again",
        steps=[
            now("paid", "o1", "10:00:00"),
            Break("reminder o2"),
            now("paid", "o2", "10:01:00"),
            ask("10:02:00", "c1", ONE_CARE),
            Mend(),
            Retry("ex_remind"),
            ask("10:03:00", "c1", ONE_CARE),
        ],
        reminders=[thanks("10:00:00"), thanks("10:01:00", "o2"), f"b1 10:03:00 {CALLED_OFF}"],
        answers=["lane_blocked", "accepted"],
    ),
    Case(
        name="a tick before a command's reception fires before it",
        steps=[
            now("placed", "o1", "10:00:00"),
            now("paid", "o2", "10:01:00"),
            ask(BEHIND_DUE, "c1", "b1:payment_thanks:o2"),
        ],
        reminders=[
            thanks("10:01:00", "o2"),
            soft("10:00:00"),
            f"b1 {BEHIND_DUE} care.suppressed b1:payment_thanks:o2",
        ],
        answers=["accepted"],
    ),
]

POLICY = [
    Case(
        name="a policy change moves a due that is open",
        steps=[now("placed", "o1", "10:00:00"), policy("10:10:00", 900), Wait(at("12:00:00"))],
        reminders=["b1 10:15:00 care.proposed unpaid_soft:o1"],
    ),
    Case(
        name="a due that a policy change moves into the past fires five seconds after it",
        steps=[now("placed", "o1", "10:00:00"), policy("10:20:00", 600), Wait(at("12:00:00"))],
        reminders=[late("10:20:00")],
    ),
    Case(
        name="a policy change of another shop moves nothing here",
        steps=[now("placed", "o1", "10:00:00"), policy("10:10:00", 900, shop="s2"), Wait(at("12:00:00"))],
        reminders=[soft("10:00:00")],
    ),
    Case(
        name="a policy that is not newer is not taken",
        steps=[
            policy("09:00:00", 900, version=2),
            policy("09:10:00", 600, version=1),
            now("placed", "o1", "10:00:00"),
            Wait(at("12:00:00")),
        ],
        reminders=["b1 10:15:00 care.proposed unpaid_soft:o1"],
    ),
    Case(
        name="a policy that cannot be used is set aside and the one before it stays",
        steps=[
            policy("09:00:00", 900),
            log(
                "09:10:00",
                PolicyChanged(shop="s1", version=2, digest="0" * 64, values={"care": {"kinds": "all"}}),
                buyer=subjects.NO_BUYER,
            ),
            now("placed", "o1", "10:00:00"),
            Wait(at("12:00:00")),
        ],
        reminders=["b1 10:15:00 care.proposed unpaid_soft:o1"],
        parked=[("-", "", "aside", "PolicyError")],
    ),
    Case(
        name="a buyer's events are decided under the policy that was in force when they were recorded",
        steps=[
            log("10:00:00", PLACED),
            policy("10:10:00", 900),
            log("10:20:00", OrderPaid(order_id="o1", paid_fen=1), number=2),
        ],
        reminders=["b1 10:15:00 care.proposed unpaid_soft:o1", thanks("10:20:00")],
    ),
]

CASES = [*ORDER, *TICKS, *PARKED, *INBOX, *COMMANDS, *POLICY]
