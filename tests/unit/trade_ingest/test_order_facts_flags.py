"""Flags 旗帜: the platform shows one; what we pushed comes back as an echo (domain.md 2, Flags)."""

from typing import Any

import pytest

from schemas.flag import OrderFlagCleared, OrderFlagged
from schemas.order import OrderMemoChanged
from schemas.types import Platform
from services.replay.story import Story, at, fact, story
from services.trade_ingest import order_facts
from services.trade_ingest.identity import FLAGS
from services.trade_ingest.stated import Flag, FlagPushed, Memo

ORDER: dict[str, Any] = {"order_id": "o1"}


def memo(text: str) -> Memo:
    return Memo(**ORDER, memo=text)


def memo_changed(text: str, version: int) -> OrderMemoChanged:
    return OrderMemoChanged(**ORDER, memo=text, memo_version=version, by="seller")


def flag(code: str, text: str | None = None, platform: Platform = "taobao") -> Flag:
    return Flag(**ORDER, platform=platform, raw_code=code, memo=text)


def when(*facts: Any, start: Story | None = None) -> Story:
    """Facts of one hour after the other, (data, hour) or data, of the buyer b1."""
    told = start or story(order_facts)
    for number, one in enumerate(facts):
        data, hour = one if isinstance(one, tuple) else (one, 8 + number)
        instant = at(f"{hour:02}:00:00")
        told.when(fact(data, instant, recorded=max(told.memory.now, instant), buyer="b1"))
    return told


def flagged(code: str, text: str = "", version: int | None = None, **colour: Any) -> OrderFlagged:
    return OrderFlagged(**ORDER, raw_code=code, memo=text, memo_version=version, **colour)


def cleared(code: str, **colour: Any) -> OrderFlagCleared:
    return OrderFlagCleared(**ORDER, raw_code=code, **colour)


RED: dict[str, Any] = {"colour": "red", "from_department": "care_desk", "to_department": "warehouse"}
YELLOW: dict[str, Any] = {"colour": "yellow", "from_department": "warehouse", "to_department": "care_desk"}
GREEN: dict[str, Any] = {"colour": "green", "from_department": "warehouse", "to_department": "aftersales"}
BLUE: dict[str, Any] = {"colour": "blue", "from_department": "warehouse", "to_department": "care_desk"}
PURPLE: dict[str, Any] = {"colour": "purple", "from_department": "care_desk", "to_department": "warehouse"}

CODES: list[tuple[Platform, str, dict[str, Any]]] = [
    *(
        (platform, code, colour)
        for platform in ("taobao", "tmall", "pdd")
        for code, colour in {"1": RED, "2": YELLOW, "3": GREEN, "4": BLUE, "5": PURPLE}.items()
    ),
    ("douyin", "1", PURPLE),
    ("douyin", "2", {}),
    ("douyin", "3", GREEN),
    ("douyin", "4", {}),
    ("douyin", "5", RED),
    ("jd", "3", {}),
    ("taobao", "6", {}),
    ("taobao", "pink", {}),
]


@pytest.mark.parametrize(("platform", "code", "colour"), CODES)
def test_a_platforms_code_is_its_colour_and_an_unmapped_one_is_kept_and_not_guessed(
    platform: Platform, code: str, colour: dict[str, Any]
) -> None:
    when(flag(code, "送赠品", platform)).then(flagged(code, "送赠品", **colour))


@pytest.mark.parametrize("platform", ["taobao", "tmall", "pdd", "douyin", "jd"])
@pytest.mark.parametrize("nothing", ["0", ""])
def test_grey_or_nothing_is_no_flag(platform: Platform, nothing: str) -> None:
    when(flag(nothing, platform=platform), flag("3", platform=platform), flag(nothing, platform=platform)).then(
        flagged("3", **({} if platform == "jd" else GREEN)), cleared("3", **({} if platform == "jd" else GREEN))
    )


def test_a_platform_shows_one_flag_so_another_takes_the_first_down() -> None:
    when(flag("1", "送赠品"), flag("5", "加急")).then(
        flagged("1", "送赠品", **RED), cleared("1", **RED), flagged("5", "加急", **PURPLE)
    )


def test_a_flag_says_which_version_of_the_memo_it_came_with() -> None:
    when(memo("甲"), memo("送赠品"), flag("1", "送赠品")).then(
        memo_changed("甲", 1), memo_changed("送赠品", 2), flagged("1", "送赠品", 2, **RED)
    )


def test_a_flag_with_a_memo_that_is_not_known_yet_says_no_version() -> None:
    when(memo("甲"), flag("1", "送赠品")).then(memo_changed("甲", 1), flagged("1", "送赠品", **RED))


PUSHED = FlagPushed(**ORDER, raw_code="1", memo="送赠品")


def test_the_flag_and_the_memo_that_we_pushed_come_back_as_an_echo() -> None:
    when(flag("0"), memo(""), PUSHED, memo("送赠品"), flag("1", "送赠品"), flag("1"), memo("送赠品")).then()


def test_a_flag_taken_down_by_us_comes_back_as_an_echo() -> None:
    told = when(flag("1", "甲"), memo("甲")).given()
    when((FlagPushed(**ORDER, raw_code="0", memo=""), 12), (flag("0", ""), 13), (memo(""), 13), start=told).then()


def test_our_colour_with_another_memo_is_no_echo() -> None:
    when(PUSHED, flag("1", "别的")).then(flagged("1", "别的", **RED))


def test_another_flag_than_the_one_we_pushed_is_told() -> None:
    when(PUSHED, flag("1", "送赠品"), flag("2", "缺货")).then(cleared("1", **RED), flagged("2", "缺货", **YELLOW))


def test_our_flag_raised_again_by_somebody_else_is_told() -> None:
    when(PUSHED, flag("1", "送赠品"), flag("0"), flag("1", "送赠品")).then(
        cleared("1", **RED), flagged("1", "送赠品", **RED)
    )


def test_a_snapshot_from_before_our_push_does_not_end_it() -> None:
    when((flag("0"), 8), (PUSHED, 10), (flag("0"), 9), (flag("1", "送赠品"), 11)).then()


def test_a_push_that_was_overtaken_by_a_newer_one_is_forgotten() -> None:
    newer = FlagPushed(**ORDER, raw_code="2", memo="缺货")
    when((newer, 12), (PUSHED, 10), (flag("2", "缺货"), 13)).then()


def test_a_flag_that_a_warehouse_states_is_told_once_with_the_colour_that_it_says() -> None:
    assert set(FLAGS) == {OrderFlagged, OrderFlagCleared}
    raised = flagged("9", "缺货", **YELLOW)
    when(flag("0"), (raised, 9), (raised, 9), (cleared("9", **YELLOW), 10), (cleared("9", **YELLOW), 10)).then(
        raised, cleared("9", **YELLOW)
    )
