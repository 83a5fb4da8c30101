"""Crash points: inert unless armed, and armed only by a name that exists."""

import re
from pathlib import Path

import pytest

from services.kernel import crash

KERNEL = Path(crash.__file__).parent


@pytest.mark.parametrize("order", ["nowhere:1", "after_read", "after_read:x", ":", "after_read:-1", "after_read:1:nap"])
def test_an_order_of_another_form_is_refused(order: str):
    with pytest.raises(ValueError, match="give <point>:<n>"):
        crash.arm(order)


def test_every_point_stands_in_the_code_and_no_other():
    used = {name for file in KERNEL.glob("*.py") for name in re.findall(r'crash\.point\("(\w+)"\)', file.read_text())}
    assert used == set(crash.POINTS)


def test_nothing_is_armed_by_itself():
    crash.arm("")
    for name in crash.POINTS:
        crash.point(name)
