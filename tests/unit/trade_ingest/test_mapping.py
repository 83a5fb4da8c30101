"""Mappings: one that cannot be used is refused in one line that names what is wrong."""

from pathlib import Path

import pytest

from services.trade_ingest.exports.mapping import MappingError, load_mapping, shipped

GOOD = """
platform = "taobao"
shop_kind = "c_shop"
time_zone = "Asia/Shanghai"
money = "yuan"
[statuses]
open = ["已发货"]
closed = { "交易关闭" = "买家不想要了" }
[orders]
file = "orders.csv"
columns = { order_id = "订单编号", buyer_id = "买家", placed = "创建时间", status = "订单状态", signed = "签收时间" }
constants = { signed_by = "self" }
[lines]
file = "lines.csv"
columns = { order_id = "订单编号", line_id = "子订单", sku = "编码", price = "价格", quantity = "数量" }
"""


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "shop.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", shipped())
def test_every_mapping_that_ships_can_be_used(name: str) -> None:
    assert load_mapping(name).orders.file


def test_a_mapping_of_ones_own_is_a_file(tmp_path: Path) -> None:
    mapping = load_mapping(written(tmp_path, GOOD))
    assert list(mapping.tables) == ["orders", "lines"]
    assert mapping.rules.closed_statuses == {"交易关闭": "买家不想要了"}
    assert (mapping.encoding, mapping.delimiter, mapping.shop) == ("utf-8-sig", ",", "")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('money = "yuan"', "", "missing required field `money`"),
        ('money = "yuan"', 'money = "dollar"', "money"),
        ('money = "yuan"', 'money = "yuan"\ncolour = "red"', "unknown field `colour`"),
        ('money = "yuan"', "money = ", "Invalid value"),
        ("Asia/Shanghai", "Asia/Peking", "'Asia/Peking' is no IANA time zone"),
        ('money = "yuan"', 'money = "yuan"\ntime_format = "%H:%M"', "time_format"),
        ('money = "yuan"', 'money = "yuan"\nencoding = "gbk-7"', "'gbk-7' is not known"),
        ('money = "yuan"', 'money = "yuan"\nencoding = "hex"', "encoding: 'hex' is not known as one of text"),
        ('money = "yuan"', 'money = "yuan"\ntime_format = "%Y-%m-%d %d %H:%M"', "time_format: '%Y-%m-%d %d %H:%M'"),
        ('file = "orders.csv"', 'file = "../orders.csv"', "[orders] file: '../orders.csv' is no plain file name"),
        ('money = "yuan"', 'money = "yuan"\ndelimiter = "||"', "delimiter"),
        ('file = "orders.csv"', 'file = ""', "orders.file"),
        ('buyer_id = "买家"', 'buyer_key = "买家"', "name the buyer_id, or a buyer_key that [buyers]"),
        ('status = "订单状态", ', "", "[statuses] and the status"),
        ('order_id = "订单编号", buyer_id', "buyer_id", "[orders] order_id is missing"),
        ('sku = "编码"', 'skuu = "编码"', "[lines] skuu is no field; there are order_id, line_id, sku"),
        ("constants = {", 'constants = { placed = "x",', "placed is both a column and a constant"),
        ('signed_by = "self"', "", "[orders] signed_by is missing"),
        ('signed_by = "self"', 'signed_by = "cat"', "constants.signed_by is none of self, station"),
    ],
)
def test_a_mapping_that_cannot_be_used_says_why_in_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(MappingError) as raised:
        load_mapping(written(tmp_path, GOOD.replace(old, new)))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["no/such.toml", "taobao"])
def test_a_mapping_that_is_not_there_names_those_that_ship(name: str) -> None:
    with pytest.raises(MappingError, match=r"No such file or directory; give a TOML file, or one of: .*olist"):
        load_mapping(name)
