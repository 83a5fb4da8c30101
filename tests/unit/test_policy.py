"""The policy: layers, errors, digest, and its way through the log."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from schemas.care import CareKind
from schemas.case import CaseKind
from schemas.escalation import EscalationKind
from schemas.policy import PolicyChanged
from services.kernel.policy import (
    Policies,
    Policy,
    PolicyError,
    changed,
    default_policy,
    digest,
    from_event,
    load,
    read_directory,
)
from services.kernel.policy.aftersales import CaseDue
from services.kernel.policy.care import EscalationKinds, Kinds
from services.kernel.policy.units import Window, instant, minutes


def shop_file(text: str) -> Policy:
    return load([("shops/s1.toml", text.encode())])


def tier(name: str, from_fen: int) -> str:
    return (
        f"[[members.tiers]]\nname = '{name}'\nlabel = 'x'\nfrom_fen = {from_fen}\nwarranty_years = 0\nbenefits = 'x'\n"
    )


# --- layers


def test_a_shop_overrides_its_owner_and_the_owner_the_defaults() -> None:
    owner = b"[orders]\nship_warn_before_hours = 3\nextension_days = 5\n"
    shop = b"[orders]\nship_warn_before_hours = 4\n"
    orders = load([("owners/o.toml", owner), ("shops/s1.toml", shop)]).orders
    assert (orders.ship_warn_before_hours, orders.extension_days) == (4, 5)
    assert orders.pay_within_hours == default_policy().orders.pay_within_hours


def test_lists_are_replaced_not_joined() -> None:
    policy = shop_file('[calendar]\nservice = [{ start = "08:00", end = "24:00" }]')
    assert policy.calendar.service == (Window(start="08:00", end="24:00"),)


def test_one_setting_of_a_care_kind_can_be_overridden_alone() -> None:
    kind = shop_file("[care.kinds.unpaid_soft]\nafter_s = 900").care.kinds.unpaid_soft
    assert kind == structs.replace(default_policy().care.kinds.unpaid_soft, after_s=900)


def test_a_promo_period_has_its_own_targets_slack_and_switched_off_kinds() -> None:
    promo = shop_file(
        "[[calendar.promo]]\nname = '双11'\nfirst_day = 2025-11-10\nlast_day = 2025-11-12\n"
        "transit_slack_days = 2\noff_kinds = ['enquiry']\n"
        "reply = { target_s = 10, first_s = 40, average_s = 40, nudge_s = 40, warn_s = 60, breach_s = 120 }"
    ).calendar.promo[0]
    assert (promo.first_day, promo.last_day) == (date(2025, 11, 10), date(2025, 11, 12))
    assert promo.reply is not None
    assert (promo.reply.breach_s, promo.transit_slack_days, promo.off_kinds) == (120, 2, ("enquiry",))


def test_loading_leaves_the_defaults_as_they_are() -> None:
    before = digest(default_policy())
    shop_file("[orders.transit]\nfar_days = 9")
    assert digest(load([])) == digest(default_policy()) == before


# --- errors: the file, the setting, what is allowed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[orders]\nship_warn_befor_hours = 3", ["ship_warn_befor_hours: no", "mean ship_warn_before_hours"]),
        ("quux = 1", ["quux: no such setting", "known here: aftersales, calendar"]),
        ("[[members.tiers]]\nname = 'vip'\nfrom_fem = 1", ["members.tiers[0].from_fem", "mean from_fen"]),
        ("[aftersales.step_due_hours]\nretrun = 1", ["step_due_hours.retrun", "did you mean return"]),
        ("[orders]\nship_warn_before_hours = -1", ["orders.ship_warn_before_hours = -1", ">= 0"]),
        ("[orders]\nextension_days = '3'", ["orders.extension_days = '3'", "expected `int`, got `str`"]),
        ("[orders]\nextension_days = true", ["orders.extension_days = True", "got `bool`"]),
        ("[flags.codes]\npdd = { red = 1.5 }", ["flags.codes.pdd.red = 1.5", "got `float`"]),
        ("orders = 3", ["orders = 3", "expected a table"]),
        ("[desk]\nconversion_days = 1", ["desk.conversion_days = 1", "expected a list"]),
        ("[orders]\nship_due_cutoff = '18.00'", ["orders.ship_due_cutoff = '18.00'", "HH:MM"]),
        ("[orders]\nship_due_cutoff = '24:01'", ["orders.ship_due_cutoff = '24:01'", "HH:MM"]),
        ('[orders]\nship_due_cutoff = "18:00\\n"', ["orders.ship_due_cutoff = '18:00\\n'", "HH:MM"]),
        ("[members]\nmode = 'upgrade'", ["members.mode = 'upgrade'", "one of up_and_down, upgrade_only"]),
        ("[care.caps]\nexempt = ['shiped']", ["care.caps.exempt[0] = 'shiped'", "shipped"]),
        ("[reception.reply]\nwarn_s = 10", ["reception.reply", "nudge_s < warn_s < breach_s"]),
        ("[care.quiet.hours]\nstart = '08:00'", ["care.quiet.hours", "is empty"]),
        ("[calendar]\ntime_zone = 'Asia/Pekin'", ["calendar", "'Asia/Pekin' is no IANA"]),
        ("[calendar]\nholidays_of = 'China'", ["calendar", "'China' is no country"]),
        ("[calendar]\nholidays_of = 'XX'", ["calendar", "'XX' is no country"]),
        ("[reception]\nbot_answer_s = 21", ["reception", "bot_answer_s must not exceed reply.nudge_s"]),
        ("[aftersales.compensation]\nagent_fen = 20_000", ["compensation: agent_fen must not exceed"]),
        ("[flags]\nprecedence = ['red']", ["flags: precedence: each of purple"]),
        ("[escalations]\nladder = ['agent', 'agent']", ["escalations", "each role stands in it once"]),
        (tier("normal", 0), ["members: lifecycle.fan_tier: 'vip' is no tier of this shop"]),
        (tier("normal", 100) + tier("vip", 100), ["members: tiers: from the lowest up"]),
        ("[[calendar.promo]]\nname = 'x'\nfirst_day = 2025-02-02\nlast_day = 2025-02-01", ["lies before"]),
        ("[orders]\nextension_days = \n", ["no TOML", "line 2"]),
        ("[orders]\n[orders]\n", ["no TOML", "line 2"]),
    ],
)  # fmt: skip
def test_a_wrong_setting_gives_one_error_with_file_path_and_what_is_allowed(text: str, said: list[str]) -> None:
    with pytest.raises(PolicyError) as caught:
        shop_file(text)
    message = str(caught.value)
    assert message.startswith("shops/s1.toml: ")
    for words in said:
        assert words in message


def test_a_file_that_is_not_utf8_is_named_with_its_line() -> None:
    with pytest.raises(PolicyError, match=r"shops/s1\.toml: line 2 is not UTF-8"):
        load([("shops/s1.toml", b"[shop]\nname = '\xff'")])


def test_the_error_names_the_layer_that_is_wrong_not_a_later_one() -> None:
    with pytest.raises(PolicyError, match=r"^owners/o\.toml: orders\.extension_days"):
        load([("owners/o.toml", b"[orders]\nextension_days = -1"), ("shops/s1.toml", b"[shop]\nname = 'x'")])


# --- the directory


def test_a_directory_gives_each_shop_its_owners_and_its_own_settings(tmp_path: Path) -> None:
    write(tmp_path, "owners/li", 'shops = ["s1", "s2"]\n[orders]\nextension_days = 4')
    write(tmp_path, "shops/s1", "[orders]\nextension_days = 5")
    write(tmp_path, "shops/s3", "[orders]\nextension_days = 6")
    policies = read_directory(tmp_path)
    assert [policies.for_shop(shop).orders.extension_days for shop in ("s1", "s2", "s3")] == [5, 4, 6]
    assert policies.for_shop("unknown") == default_policy()
    assert policies.for_shop("s1").shop.owner == "li"
    assert policies.siblings("s2") == ("s1", "s2")
    assert policies.siblings("s3") == ("s3",)


def test_a_shop_with_an_id_that_is_no_file_name_is_written_as_its_subject_token(tmp_path: Path) -> None:
    write(tmp_path, "shops/=5bqX6ZO6LzE", "[shop]\nname = '店铺'")
    assert read_directory(tmp_path).for_shop("店铺/1").shop.name == "店铺"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"owners/a": 'shops = ["s1"]', "owners/b": 'shops = ["s1"]'},
            r"owners/b\.toml: shops: 's1' .* owner 'a'",
        ),
        ({"owners/a": "shops = 's1'"}, r"owners/a\.toml: shops: a list"),
        ({"owners/a": "[orders]\nextension_days = -1"}, r"owners/a\.toml: orders\.extension_days"),
        ({"shops/s 1": ""}, r"shops/s 1\.toml: the file name"),
        ({"shops/s1": "[shop]\nowner = 'a'"}, r"shops/s1\.toml: shop\.owner"),
    ],
)
def test_a_directory_that_contradicts_itself_is_refused(tmp_path: Path, files: dict[str, str], said: str) -> None:
    for name, text in files.items():
        write(tmp_path, name, text)
    with pytest.raises(PolicyError, match=said):
        read_directory(tmp_path)


def write(directory: Path, name: str, text: str) -> None:
    file = directory / f"{name}.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")


# --- digest and event

SETTINGS: list[tuple[str, str, st.SearchStrategy[int]]] = [
    ("orders", "extension_days", st.integers(0, 30)),
    ("orders", "ship_warn_before_hours", st.integers(0, 24)),
    ("care.caps", "marketing_a_week", st.integers(0, 7)),
    ("aftersales.compensation", "agent_fen", st.integers(0, 10_000)),
    ("reception.roster", "least_on_duty", st.integers(0, 9)),
]
overrides = st.fixed_dictionaries({}, optional={(table, name): kind for table, name, kind in SETTINGS})


def written(values: dict[tuple[str, str], int]) -> str:
    return "\n".join(f"{table}.{name} = {value}" for (table, name), value in values.items())


@given(overrides, overrides, st.randoms())
def test_the_digest_is_equal_exactly_for_equal_policies(one: Any, two: Any, random: Any) -> None:
    a, b = shop_file(written(one)), shop_file(written(two))
    assert (digest(a) == digest(b)) == (a == b)
    shuffled = list(one.items())
    random.shuffle(shuffled)
    assert digest(shop_file(written(dict(shuffled)))) == digest(a)


@given(overrides, overrides)
def test_two_layers_make_the_policy_of_their_merger(below: Any, above: Any) -> None:
    layers = load([("owner", written(below).encode()), ("shop", written(above).encode())])
    assert digest(layers) == digest(shop_file(written({**below, **above})))


@given(overrides)
def test_a_policy_comes_through_its_event_unchanged(values: Any) -> None:
    policy = shop_file(written(values) + "\n[[calendar.days]]\nday = 2025-10-01\nservice = []\nshipping = false")
    event = changed("s1", policy, None, 7)
    assert event is not None
    read = msgspec.json.decode(msgspec.json.encode(event), type=PolicyChanged)
    assert (read.shop, read.version, read.digest) == ("s1", 7, digest(policy))
    assert from_event(read) == policy
    assert digest(from_event(read)) == read.digest


def test_the_digest_is_16_hex_digits() -> None:
    assert len(digest(default_policy())) == len(f"{int(digest(default_policy()), 16):016x}") == 16


def test_policy_changed_is_written_only_when_the_digest_differs_from_the_last() -> None:
    policy = shop_file("[orders]\nextension_days = 4")
    assert changed("s1", policy, digest(policy), 2) is None
    assert changed("s1", policy, digest(default_policy()), 2) is not None


def test_an_event_without_a_younger_setting_has_its_default_and_a_vanished_one_is_passed_over() -> None:
    event = changed("s1", shop_file("[orders]\nextension_days = 4"), None, 1)
    assert event is not None
    values = {**event.values, "orders": {"extension_days": 4, "vanished_days": 1}}
    policy = from_event(structs.replace(event, values=values))
    assert policy.orders == structs.replace(default_policy().orders, extension_days=4)


def test_an_event_with_a_value_that_is_not_allowed_is_refused_with_its_shop_and_version() -> None:
    event = PolicyChanged(shop="s1", version=3, digest="d", values={"orders": {"extension_days": -1}})
    with pytest.raises(PolicyError, match=r"of s1, version 3: .*>= 0.*extension_days"):
        from_event(event)


def test_switching_one_shop_leaves_the_others() -> None:
    policies = Policies(default_policy())
    switched = policies.switched("s1", shop_file("[orders]\nextension_days = 4"))
    assert switched.for_shop("s1").orders.extension_days == 4
    assert switched.for_shop("s2") == policies.for_shop("s1") == default_policy()


# --- units and names


def test_a_window_that_crosses_midnight_covers_both_sides_and_not_its_end() -> None:
    quiet = Window(start="22:00", end="08:00")
    assert [quiet.covers(minute) for minute in (0, 479, 480, 1319, 1320, 1439)] == [
        True,
        True,
        False,
        False,
        True,
        True,
    ]


def test_the_whole_day_is_a_window_up_to_24_00() -> None:
    assert all(Window(start="00:00", end="24:00").covers(minute) for minute in (0, 720, 1439))


def test_24_00_is_midnight_of_the_next_local_day() -> None:
    assert minutes("24:00") == 1440
    shanghai = ZoneInfo("Asia/Shanghai")
    assert instant(date(2025, 9, 30), "24:00", shanghai) == datetime(2025, 9, 30, 16, tzinfo=UTC)
    assert instant(date(2025, 10, 1), "00:00", shanghai) == datetime(2025, 9, 30, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("names", "table"), [(CareKind, Kinds), (CaseKind, CaseDue), (EscalationKind, EscalationKinds)]
)
def test_the_policy_knows_the_kinds_of_the_contract_and_no_others(names: Any, table: Any) -> None:
    assert {field.encode_name for field in structs.fields(table)} == set(get_args(names))


def test_kinds_are_found_by_name_also_where_python_reserves_it() -> None:
    due = default_policy().aftersales.step_due_hours
    assert due.of("return") == due.return_
    assert default_policy().escalations.kinds.of("feed_silent").role == "owner"
