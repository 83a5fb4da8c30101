"""Every default of the policy against domain.md, written out by section; and none beside them."""

from typing import Any, cast

import msgspec
import pytest

from schemas.types import FlagColour
from services.kernel.policy import default_policy

MINUTE, HOUR, DAY = 60, 3_600, 86_400


def window(start: str, end: str) -> dict[str, str]:
    return {"start": start, "end": end}


DOMAIN: dict[str, dict[str, Any]] = {
    "1 people, places, identity": {
        "calendar.time_zone": "Asia/Shanghai",
        "calendar.transit_slack_days": 0,
        "calendar.promo": [],
        "calendar.days": [],
        "shop.ship_from": "",
        "shop.main_accounts": [],
    },
    "2 order life": {
        "orders.pay_within_hours": 24,
        "orders.ship_due_cutoff": "18:00",
        "orders.ship_due_else_hours": 24,
        "orders.ship_warn_before_hours": 2,
        "orders.no_pickup_scan_hours": 24,
        "orders.platform_completes_days": 10,
        "orders.extension_after_days": 8,
        "orders.extension_days": 3,
        "orders.extensions_by_itself": 1,
        "orders.transit.same_province_days": 3,
        "orders.transit.elsewhere_days": 5,
        "orders.transit.far_days": 7,
        "orders.transit.far_regions": ["陕西", "甘肃", "宁夏", "青海", "新疆", "西藏"],
    },
    "2 flags": {
        "flags.precedence": ["purple", "yellow", "red", "green", "blue"],
        "flags.stock_answer_hours": 2,
    },
    "3 reception": {
        "calendar.service": [window("09:00", "23:30")],
        "reception.reply.target_s": 6,
        "reception.reply.first_s": 20,
        "reception.reply.average_s": 20,
        "reception.reply.nudge_s": 20,
        "reception.reply.warn_s": 30,
        "reception.reply.breach_s": 60,
        "reception.bot_first": False,
        "reception.conversation_idle_minutes": 30,
        "reception.questions_a_conversation": 2,
        "reception.bargaining.escalate_round": 3,
        "reception.bargaining.grant_answer_s": 180,
        "reception.bargaining.gift_per_units": 2,
        "reception.bargaining.gifts_an_order": 3,
        "reception.complaint_review_days": 30,
        "reception.shifts.day.start": "09:00",
        "reception.shifts.day.end": "17:30",
        "reception.shifts.half.start": "10:00",
        "reception.shifts.half.end": "15:30",
        "reception.shifts.evening.start": "17:00",
        "reception.shifts.evening.end": "23:30",
        "reception.shifts.sign_in_grace_minutes": 0,
        "reception.roster.full_day_after_evening": False,
        "reception.roster.least_on_duty": 3,
        "reception.roster.rest_days_a_month": 4,
        "reception.roster.rest_days_a_week": 1,
        "reception.roster.longest_to_shortest_percent": 110,
        "reception.roster.late_change_days": 3,
        "reception.faq.days_without_entry": 1,
    },
    "4 care": {
        "orders.ship_sentence_until": "17:30",
        "care.review_thanks_characters": 10,
        "care.outcome_days": [1, 4],
        "care.caps.transactional_a_day": 6,
        "care.caps.marketing_a_week": 1,
        "care.caps.marketing_a_month": 3,
        "care.caps.exempt": ["refund_agreed", "refund_completed", "late_parcel", "trace_answer"],
        "care.quiet.hours.start": "22:00",
        "care.quiet.hours.end": "08:00",
        "care.quiet.phone.start": "12:00",
        "care.quiet.phone.end": "14:00",
        "care.quiet.own_action_minutes": 10,
        "care.sms.single_characters": 70,
        "care.sms.part_characters": 67,
        "care.sms.marketing.start": "09:00",
        "care.sms.marketing.end": "20:00",
        "care.unpaid_approaches.new": [1, 3, 4],
        "care.unpaid_approaches.second_purchase": [3, 4, 6],
        "care.unpaid_approaches.loyal": [4, 7],
        "care.unpaid_approaches.last_call": [5],
    },
    "4 escalations": {
        "escalations.late_fact_hours": 1,
        "escalations.ladder": ["agent", "supervisor", "owner"],
        "escalations.feed_silence.gaps": 50,
        "escalations.feed_silence.factor": 5,
        "escalations.feed_silence.least_minutes": 10,
        "escalations.kinds.bargaining.acknowledge_s": 180,
        "escalations.kinds.bargaining.role": "supervisor",
        "escalations.kinds.reply_breach.role": "supervisor",
        "escalations.kinds.out_of_stock.acknowledge_s": 2 * HOUR,
    },
    "5 aftersales": {
        "aftersales.freight.no_reason_return": "by_fault",
        "aftersales.freight.refused_unfit": "buyer",
        "aftersales.returns.no_reason_days": 7,
        "aftersales.returns.fault_days": 15,
        "aftersales.returns.station_pickup_days": 2,
        "aftersales.returns.damage_proof_hours": 48,
        "aftersales.returns.refund_within_days": 7,
        "aftersales.returns.no_parcel_days": 7,
        "aftersales.compensation.agent_fen": 10_00,
        "aftersales.compensation.supervisor_fen": 100_00,
        "aftersales.compensation.supervisor_losses": 2,
        "aftersales.review.contact": [window("09:00", "12:00"), window("14:00", "20:00")],
        "aftersales.review.follow_up_days": 3,
    },
    "6 members": {
        "members.mode": "upgrade_only",
        "members.rolling_months": 12,
        "members.kpi_days": 30,
        "members.lifecycle.using_after_days": 3,
        "members.lifecycle.fan_tier": "vip",
        "members.lifecycle.fan_purchases": 4,
        "members.repurchase.own_intervals": 2,
        "members.repurchase.product_buyers": 5,
        "members.repurchase.dormant_cycles": 2,
        "members.repurchase.dormant_least_days": 90,
        "members.repurchase.dormant_unknown_days": 180,
    },
    "7 desk": {"desk.conversion_days": [1, 4]},
}

ORDER = ("platform", "sms")
KINDS = {  # name: anchor, after, expires from, expires, marketing, channels
    "unpaid_soft": ("placed", 30 * MINUTE, "due", 2 * HOUR, False, ORDER),
    "unpaid_12h": ("placed", 12 * HOUR, "pay_by", -1 * HOUR, False, ORDER),
    "unpaid_last": ("pay_by", -2 * HOUR, "pay_by", 0, False, ORDER),
    "presale_open": ("balance_opens", 0, "balance_ends", 0, False, ORDER),
    "presale_last": ("balance_ends", -2 * HOUR, "balance_ends", 0, False, ORDER),
    "payment_thanks": ("paid", 0, "due", 12 * HOUR, False, ORDER),
    "shipped": ("shipped", 0, "due", 24 * HOUR, False, ORDER),
    "arrived": ("arrived", 0, "due", 12 * HOUR, False, ORDER),
    "at_station": ("signed", 0, "due", 48 * HOUR, False, ORDER),
    "signed": ("signed", 0, "due", 48 * HOUR, False, ORDER),
    "completed": ("completed", 0, "due", 48 * HOUR, True, ORDER),
    "late_parcel": ("expected", 0, "due", 24 * HOUR, False, ORDER),
    "trace_answer": ("traced", 0, "due", 24 * HOUR, False, ORDER),
    "receipt_extension": ("extended", 0, "due", 24 * HOUR, False, ORDER),
    "review_thanks": ("reviewed", 0, "due", 72 * HOUR, False, ORDER),
    "bad_review": ("reviewed", 0, "due", 24 * HOUR, False, ("platform", "phone")),
    "refund_agreed": ("refund", 0, "due", 48 * HOUR, False, ORDER),
    "refund_completed": ("refund", 0, "due", 48 * HOUR, False, ORDER),
    "replacement_shipped": ("replacement", 0, "due", 24 * HOUR, False, ORDER),
    "out_of_stock": ("flagged", 0, "due", 24 * HOUR, False, ORDER),
    "usage_survey": ("completed", 3 * DAY, "due", 7 * DAY, True, ORDER),
    "repurchase": ("cycle", 0, "due", 7 * DAY, True, ORDER),
    "return_visit": ("command", 0, "due", 7 * DAY, True, ORDER),
    "campaign": ("command", 0, "due", 7 * DAY, True, ORDER),
    "holiday": ("command", 0, "due", 7 * DAY, True, ORDER),
    "dormant": ("silence", 0, "due", 7 * DAY, True, ORDER),
    "tier_up": ("tier", 0, "due", 7 * DAY, True, ORDER),
    "enquiry": ("last_message", 24 * HOUR, "anchor", 48 * HOUR, False, ("platform",)),
}
FLAG_CODES = {
    "taobao": {0: "grey", 1: "red", 2: "yellow", 3: "green", 4: "blue", 5: "purple"},
    "tmall": {0: "grey", 1: "red", 2: "yellow", 3: "green", 4: "blue", 5: "purple"},
    "pdd": {1: "red", 2: "yellow", 3: "green", 4: "blue", 5: "purple"},
    "douyin": {0: "grey", 1: "purple", 2: "cyan", 3: "green", 4: "orange", 5: "red"},
    "jd": {},
}
TIERS = [("normal", 0, 2), ("senior", 399_00, 2), ("vip", 688_00, 2), ("supreme", 888_00, 3)]
"""Name, from fen, years of warranty."""

OWN = {
    "shop.name", "shop.owner", "shop.platform", "shop.kind", "calendar.holidays_of",
    "calendar.service_on_holidays", "calendar.shipping_weekdays", "calendar.shipping_on_holidays",
    "orders.details_wait_minutes", "orders.waiting_hours", "orders.remembered_days",
    "orders.fold_after_days", "reception.bot_answer_s", "reception.archive_every_days",
    "escalations.parked_growing",
    "aftersales.returns.close_after_reminder_days", "aftersales.fold_after_days",
    "aftersales.review.open_within_days",
}  # fmt: skip
"""What domain.md leaves open, and what a shop must say itself."""
OWN_TABLES = ("escalations.kinds.", "aftersales.step_due_hours.")
OTHER_TESTS = ("care.kinds.", "flags.codes.", "members.tiers")


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Each setting by its dotted path; lists are settings."""
    if not isinstance(value, dict):
        return {path: value}
    below = [flat(each, f"{path}.{name}" if path else name) for name, each in value.items()]
    return {name: each for part in below for name, each in part.items()}


DEFAULTS = flat(msgspec.json.decode(msgspec.json.encode(default_policy())))
ROWS = [(section, path, value) for section, rows in DOMAIN.items() for path, value in rows.items()]


@pytest.mark.parametrize(("section", "path", "value"), ROWS, ids=[path for _, path, _ in ROWS])
def test_the_default_is_the_number_of_the_domain(section: str, path: str, value: Any) -> None:
    assert DEFAULTS[path] == value, f"domain.md {section}"


@pytest.mark.parametrize("name", KINDS)
def test_a_care_kind_is_due_and_expires_as_in_the_table_of_the_domain(name: Any) -> None:
    kind = default_policy().care.kinds.of(name)
    found = (kind.anchor, kind.after_s, kind.expires_from, kind.expires_s, kind.marketing, kind.channels)
    assert found == KINDS[name]
    assert kind.enabled


def test_every_kind_of_the_contract_stands_in_the_table() -> None:
    assert {path.split(".")[2] for path in DEFAULTS if path.startswith("care.kinds.")} == set(KINDS)


def test_in_a_promo_period_the_soft_unpaid_reminder_alone_is_off() -> None:
    kinds = default_policy().care.kinds
    assert [name for name in KINDS if getattr(kinds, name).off_in_promo] == ["unpaid_soft"]


def test_the_signed_message_goes_by_platform_and_sms_all_others_by_the_first_that_works() -> None:
    kinds = default_policy().care.kinds
    assert [name for name in KINDS if getattr(kinds, name).mode == "all"] == ["signed"]


@pytest.mark.parametrize("platform", FLAG_CODES)
def test_a_flag_code_is_mapped_as_its_platform_says_and_an_unmapped_one_never_guessed(platform: str) -> None:
    codes = default_policy().flags.codes.of(platform)
    found = {code: colour for code in range(-1, 10) if (colour := codes.colour(code))}
    assert found == FLAG_CODES[platform]
    for code, colour in found.items():
        assert codes.code(cast(FlagColour, colour)) == code


def test_a_colour_that_the_platform_lacks_has_no_code() -> None:
    assert default_policy().flags.codes.of("douyin").code("yellow") is None


def test_the_tiers_are_those_of_the_domain() -> None:
    tiers = default_policy().members.tiers
    assert [(tier.name, tier.from_fen, tier.warranty_years) for tier in tiers] == TIERS


def test_no_default_is_left_unlooked_at() -> None:
    looked_at = {path for _, path, _ in ROWS} | OWN
    rest = {path for path in DEFAULTS if not path.startswith((*OWN_TABLES, *OTHER_TESTS))}
    assert rest == {path for path in looked_at if not path.startswith(OWN_TABLES)}
    assert looked_at <= set(DEFAULTS)
