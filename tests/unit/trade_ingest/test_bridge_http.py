"""What a bridge's answer proves, and what a file of bridges may say."""

from itertools import pairwise
from pathlib import Path

import pytest

from services.kernel.settings import Settings, SettingsError
from services.trade_ingest.bridge import ATTEMPTS, PAUSE_S, pause_s
from services.trade_ingest.bridge_file import read_bridges
from services.trade_ingest.bridge_http import NOTE, Outcome, outcome

# answers


@pytest.mark.parametrize(
    ("http_status", "body", "status"),
    [
        (200, '{"status": "done"}', "done"),
        (201, '{"status": "done", "platform_ref": 401}', "done"),
        (200, '{"status": "refused", "error": "closed"}', "failed"),
        (409, '{"status": "refused"}', "failed"),
        (500, '{"status": "refused"}', "failed"),
        (503, '{"status": "not_done"}', "again"),
        (200, '{"status": "not_done"}', "again"),
        (429, "", "again"),
        (400, "", "failed"),
        (404, "<html>", "failed"),
        (202, '{"status": "accepted"}', "unknown"),
        (202, '{"status": "done"}', "unknown"),
        (200, "", "unknown"),
        (200, "[]", "unknown"),
        (200, '{"status": "DONE"}', "unknown"),
        (302, "", "unknown"),
        (500, "", "unknown"),
        (500, '{"status": "done"}', "unknown"),
        (502, "\xff", "unknown"),
    ],
)
def test_only_what_says_so_is_done_or_known_not_to_be(http_status: int, body: str, status: str) -> None:
    assert outcome(http_status, body.encode("latin-1")).status == status


def test_the_platforms_number_is_kept_digit_for_digit() -> None:
    said = b'{"status": "done", "platform_ref": 401000000000000012345}'
    assert outcome(200, said) == Outcome("done", "401000000000000012345")


def test_a_bridges_words_are_kept_on_one_line_of_bounded_length() -> None:
    said = outcome(200, b'{"status": "refused", "error": "no\\r\\n\\u0000way ' + b"x" * 9_999 + b'"}')
    assert said.note.startswith("no way x")
    assert len(said.note) == NOTE


def test_each_pause_is_twice_the_one_before_up_to_the_longest() -> None:
    pauses = [pause_s(attempts) for attempts in range(1, ATTEMPTS)]
    first, longest = PAUSE_S
    assert pauses[:3] == [first, 2 * first, 4 * first]
    assert pauses[-1] == longest
    assert all(later in (2 * before, longest) for before, later in pairwise(pauses))


# the file


def bridges(directory: Path, text: str, secret: str = "whsec_" + "a" * 32) -> Settings:
    path = directory / "bridges.toml"
    path.write_text(text)
    (directory / "one.secret").write_text(secret)
    return Settings(bridges_file=str(path))


def shop(**fields: str) -> str:
    given = {"url": "https://bridge.example/s1", "platform": "taobao", "secret_file": "one.secret"} | fields
    return "[shop.s1]\n" + "".join(f'{name} = "{value}"\n' for name, value in given.items())


def test_without_the_setting_no_shop_has_a_bridge() -> None:
    assert read_bridges(Settings()) == {}


def test_a_bridge_signs_with_every_secret_of_its_file(tmp_path: Path) -> None:
    settings = bridges(tmp_path, shop(), secret=f"{'a' * 32}\nwhsec_{'b' * 32}\n")
    assert len(read_bridges(settings)["s1"].signers) == 2


@pytest.mark.parametrize(
    ("text", "secret", "named"),
    [
        ("[shop", "a" * 32, "bridges.toml"),
        (shop(platform="ebay"), "a" * 32, "platform"),
        (shop(colour="red"), "a" * 32, "colour"),
        (shop(url="bridge.example"), "a" * 32, "shop.s1.url"),
        (shop(url="http://bridge.example/"), "a" * 32, "https"),
        (shop(url="https://user:pa55@bridge.example/"), "a" * 32, "shop.s1.url"),
        (shop(secret_file="none.secret"), "a" * 32, "none.secret"),
        (shop(), "tooshort", "one.secret: line 1"),
        (shop(), "", "no secret"),
    ],
)
def test_a_wrong_file_is_said_in_one_line_that_quotes_no_secret(
    tmp_path: Path, text: str, secret: str, named: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read_bridges(bridges(tmp_path, text, secret))
    said = str(caught.value)
    assert said.startswith("CAREBUS_BRIDGES_FILE: ")
    assert named in said
    assert "\n" not in said
    assert "pa55" not in said
    assert "tooshort" not in said


@pytest.mark.parametrize("host", ["127.0.0.1:80", "localhost", "[::1]:80"])
def test_on_this_machine_a_bridge_needs_no_tls(tmp_path: Path, host: str) -> None:
    assert read_bridges(bridges(tmp_path, shop(url=f"http://{host}/s1")))
