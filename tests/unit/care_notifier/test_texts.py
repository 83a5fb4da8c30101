"""Templates: checked when loaded, rendered with contact placeholders left open."""

from pathlib import Path

import pytest

from services.care_notifier import texts
from services.care_notifier.texts import TemplateError, filled, load, render
from services.kernel.policy import default_policy


def written(directory: Path, body: str, name: str = "shipped.toml") -> Path:
    (directory / name).write_text(body, encoding="utf-8")
    return directory


def test_every_shipped_template_is_of_a_kind_of_the_policy() -> None:
    kinds = default_policy().care.kinds.__struct_fields__
    assert {template.partition(".")[0] for template in load()} <= set(kinds)


def test_an_unknown_placeholder_is_an_error_when_loaded(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"shipped.toml: text: #运单#"):
        load(written(tmp_path, 'text = "运单#运单#"'))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('text = "订单#订单号"', "does not end"),
        ('text = ""', "a text is wanted"),
        ("text = 3", "a text is wanted"),
        ('virtual = "您好"', "`text` is missing"),
        ("text = ", "shipped.toml: "),
    ],
)
def test_a_file_that_is_no_template_is_an_error_that_names_it(tmp_path: Path, body: str, said: str) -> None:
    with pytest.raises(TemplateError, match=said) as caught:
        load(written(tmp_path, body))
    assert "shipped.toml" in str(caught.value)


def test_a_variant_is_named_after_its_kind(tmp_path: Path) -> None:
    assert load(written(tmp_path, 'text = "您好"\nvirtual = "好"')) == {"shipped": "您好", "shipped.virtual": "好"}


def test_contact_placeholders_stay_open_and_are_filled_at_sending() -> None:
    values = {"商品清单": "杯子", "收货地区": "浙江", "发货时效说明": ""}
    text = render("payment_thanks", values)
    assert text.startswith("#收件人姓名#您好,已收到付款:杯子,寄往浙江")
    assert filled(text).startswith("亲您好,已收到付款")


def test_a_value_is_not_read_as_a_template() -> None:
    values = {"商品清单": "#订单号#", "收货地区": "浙江", "发货时效说明": ""}
    assert "#订单号#" in render("payment_thanks", values)


def test_a_missing_value_or_template_is_an_error_and_no_broken_text() -> None:
    with pytest.raises(KeyError):
        render("payment_thanks", {})
    with pytest.raises(KeyError):
        render("no_such_kind", {})


def test_what_may_stand_open_can_be_filled() -> None:
    assert set(texts.CONTACT) & texts.VALUES == set()
