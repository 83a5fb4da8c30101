"""Qianniu's text (domain.md 3, Chat records): every form of a line, and that no line is lost."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from services.chat_ingest.records.lines import is_platform, is_status
from services.chat_ingest.records.qianniu_text import MAX_TEXT, Part, read
from services.chat_ingest.records.record import Recalled, Said, Stray

TIME = "2025-9-19 17:24:05"


def parsed(text: str) -> list[Said | Recalled | Stray]:
    return [part.entry for part in read(text.split("\n")) if isinstance(part.entry, Said | Recalled | Stray)]


def said(text: str) -> Said:
    (found,) = parsed(text)
    assert isinstance(found, Said)
    return found


@pytest.mark.parametrize(
    "header",
    [
        f"小美{TIME}",
        f"小美 {TIME}",
        f"  小美  {TIME}  ",
        f"小美\t{TIME}",
        "小美2025-09-19 17:24:05",
        "小美2025-9-19  17:24:05",
        "小美２０２５－９－１９　１７：２４：０５",
        f"小美\n{TIME}",
        f"小美 \n  {TIME}",
        "小美\n２０２５－９－１９ １７：２４：０５",
        f"\ufeff小美{TIME}",
        f"小美{TIME}\r",
    ],
)
def test_a_message_begins_with_a_name_and_a_time_on_its_line_or_the_next(header: str) -> None:
    found = said(f"{header}\n在吗")
    assert (found.sender, found.to, found.text) == ("小美", "", "在吗")
    assert datetime.strptime(found.time, "%Y-%m-%d %H:%M:%S") == datetime(2025, 9, 19, 17, 24, 5)
    assert found.line == 1


@pytest.mark.parametrize(
    "header",
    [
        f"小美 --> 旗舰店:小林 {TIME}",
        f"小美-->旗舰店:小林{TIME}",
        f"小美 －－＞ 旗舰店:小林　{TIME}",
        f"小美 --> 旗舰店:小林\n{TIME}",
    ],
)
def test_an_arrow_says_to_whom_it_was_said(header: str) -> None:
    found = said(f"{header}\n在吗")
    assert (found.sender, found.to, found.text) == ("小美", "旗舰店:小林", "在吗")


def test_a_name_that_ends_in_digits_keeps_them() -> None:
    assert said(f"tb12345{TIME}\n在吗").sender == "tb12345"


def test_a_name_is_taken_as_the_file_has_it() -> None:
    assert said(f"云裳：小林{TIME}\n在").sender == "云裳：小林"


def test_a_message_has_any_number_of_lines_and_keeps_blank_ones_within() -> None:
    assert said(f"小美{TIME}\n\n一\n\n  二 \n三\n\n").text == "一\n\n  二 \n三"


def test_a_message_without_text_is_one() -> None:
    first, second = parsed(f"小美{TIME}\n小美{TIME}\n在吗")
    assert isinstance(first, Said)
    assert isinstance(second, Said)
    assert (first.text, second.text) == ("", "在吗")


@pytest.mark.parametrize("line", ["已读", "未读", "发送中", " 已读 "])
def test_a_status_is_skipped(line: str) -> None:
    assert said(f"小美{TIME}\n在吗\n{line}\n还在吗").text == "在吗\n还在吗"


@pytest.mark.parametrize(
    "line",
    [
        "当前用户来自 淘宝移动端 宝贝详情页",
        "当前用户来自",
        "由 服务助手 转交给 小林",
        "由服务助手转交给小林，原因：【系统识别需干预，转人工】",
        "原因:【离线留言自动分配】",
        "原因：【离线留言自动分配】",
    ],
)
def test_a_line_of_the_platform_is_skipped_before_and_within_a_message(line: str) -> None:
    assert said(f"{line}\n小美{TIME}\n在吗\n{line}").text == "在吗"


@pytest.mark.parametrize("line", ["已读了吗", "我不是当前用户来自哪里", "原因：颜色不对"])
def test_what_only_resembles_such_a_line_is_text(line: str) -> None:
    assert said(f"小美{TIME}\n{line}").text == line


@pytest.mark.parametrize("line", ["小美 撤回了一条消息", "小美撤回了一条消息", "　小美　撤回了一条消息"])
def test_a_recall_has_the_time_of_the_message_before(line: str) -> None:
    message, recall = parsed(f"小美{TIME}\n在吗\n{line}")
    assert recall == Recalled(3, "小美", TIME)
    assert isinstance(message, Said)
    assert message.text == "在吗"


def test_a_recall_before_any_message_is_reported() -> None:
    assert isinstance(parsed("小美 撤回了一条消息")[0], Stray)


def test_a_recall_is_no_name_above_a_time() -> None:
    kinds = [type(entry) for entry in parsed(f"小美{TIME}\n在吗\n小美撤回了一条消息\n{TIME}")]
    assert kinds == [Said, Recalled, Stray]


@pytest.mark.parametrize("line", ["聊天记录", TIME, "--> 2025-9-19 17:24:05 x", "2025-9-19"])
def test_a_line_that_fits_nothing_is_reported_with_its_number_and_the_rest_goes_on(line: str) -> None:
    stray, message = parsed(f"\n{line}\n\n小美{TIME}\n在吗")
    assert isinstance(stray, Stray)
    assert (stray.line, stray.text) == (2, line)
    assert isinstance(message, Said)
    assert message.line == 4


def test_a_time_within_a_message_is_its_text() -> None:
    assert said(f"小美{TIME}\n{TIME}\n行吗").text == f"{TIME}\n行吗"
    assert said(f"小美{TIME}\n改到 2025-9-20 吧").text == "改到 2025-9-20 吧"


def test_a_message_that_is_too_long_is_reported_and_not_held() -> None:
    line = "长" * 1000
    stray, message = parsed("\n".join([f"小美{TIME}", *[line] * 100, f"小美{TIME}", "在吗"]))
    assert isinstance(stray, Stray)
    assert (stray.line, len(stray.text)) == (1, MAX_TEXT)
    assert str(MAX_TEXT) in stray.reason
    assert isinstance(message, Said)


class Line(Struct, frozen=True):
    """A message of a made-up chat."""

    sender: str
    to: str
    minutes: int
    text: str


def is_plain(line: str) -> bool:
    """Whether a line within a message is read as nothing but text."""
    return all(isinstance(part.entry, Stray | None) for part in read([line])) and not (
        is_status(line) or is_platform(line)
    )


# What itself reads like a header, a recall, a status or a platform's line is left out: the limit of the format.
LINES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp", "Cs"]), max_size=30).filter(is_plain)
TEXTS = st.lists(LINES, min_size=1, max_size=4).map("\n".join).map(str.strip)
NAMES = st.from_regex(r"[\w一-龥*]{1,12}(:[\w一-龥]{1,8})?", fullmatch=True).filter(
    lambda name: not (name.isdigit() or is_status(name) or is_platform(name) or "撤回" in name)
)
CHATS = st.lists(
    st.builds(Line, sender=NAMES, to=NAMES, minutes=st.integers(0, 500_000), text=TEXTS), min_size=1, max_size=6
)
FORMS = ("{who}{time}", "{who} {time}", "{who}\n{time}", "{who} --> {to} {time}")


def shown(line: Line, form: str, padded: bool) -> str:
    time = datetime(2025, 1, 1) + timedelta(minutes=line.minutes)
    day = f"{time:%Y-%m-%d}" if padded else f"{time.year}-{time.month}-{time.day}"
    return form.format(who=line.sender, to=line.to, time=f"{day} {time:%H:%M:%S}")


@given(CHATS, st.sampled_from(FORMS), st.booleans(), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_what_is_rendered_in_a_form_reads_back(
    chat: list[Line], form: str, padded: bool, end: str, status: bool
) -> None:
    under = ["已读"] if status else []
    text = "\n".join(part for line in chat for part in (shown(line, form, padded), line.text, *under))
    lines = [line + end for line in text.split("\n")]
    found = [part.entry for part in read(lines) if part.entry]
    assert [(one.sender, one.to, one.text) for one in found if isinstance(one, Said)] == [
        (line.sender, line.to if "{to}" in form else "", line.text) for line in chat
    ]
    assert [datetime.strptime(one.time, "%Y-%m-%d %H:%M:%S") for one in found if isinstance(one, Said)] == [
        datetime(2025, 1, 1) + timedelta(minutes=line.minutes) for line in chat
    ]


FRAGMENTS = st.sampled_from(
    [
        "小美", TIME, f"小美{TIME}", "小美 --> 店:小林", "-->", "撤回了一条消息", "小美 撤回了一条消息", "已读", "",
        "当前用户来自 手机", "　", "在吗", "：", "\ufeff", "2025-9-19",
    ]
)  # fmt: skip
ANY_LINES = st.lists(st.lists(FRAGMENTS | st.text(max_size=8), max_size=3).map("".join), max_size=12)


@given(ANY_LINES)
def test_every_line_is_of_a_message_skipped_or_reported(lines: list[str]) -> None:
    parts: list[Part] = list(read(lines))
    assert sum(part.lines for part in parts) == len(lines)
    for part in parts:
        if part.entry is None:
            assert part.lines == 1
    entries = [part.entry for part in parts]
    kept = "".join("".join(str(getattr(entry, name, "")) for name in ("sender", "to", "text")) for entry in entries)
    for line in lines:
        if "在吗" in line and not is_platform(line):
            assert "在吗" in kept
