"""`stack.json` leads the other commands to the servers, and tells nobody a secret."""

from pathlib import Path

import pytest

from services.cli.stackfile import STACK, Stack, clear_of_secrets, write_stack

DSN, NATS = "CAREBUS_POSTGRES_DSN", "CAREBUS_NATS_URL"


@pytest.mark.parametrize(
    ("name", "url"),
    [
        (DSN, "postgresql://u@h/care?password=hidden"),
        (DSN, "postgresql://u@h/care?sslmode=require&sslpassword=hidden"),
        (DSN, "host=h user=u password=hidden dbname=care"),
        (DSN, "postgresql://u:hid/den@h/care"),
        (NATS, "nats://hidden@h:4222"),
        (NATS, "nats://u:p1@a:4222,nats://u:hidden@b:4222"),
        (NATS, "hidden@h:4222"),
    ],
)
def test_a_url_that_may_hold_a_secret_is_left_out_with_what_belongs_to_it(name: str, url: str) -> None:
    files = {f"{name.rpartition('_')[0]}_CREDENTIALS_FILE": "c"} if name == NATS else {}
    assert clear_of_secrets({name: url, **files, "CAREBUS_CLOCK": "wall"}) == {"CAREBUS_CLOCK": "wall"}


@pytest.mark.parametrize(
    ("name", "url", "written"),
    [
        (DSN, "postgresql://u:hidden@h:5432/care", "postgresql://u@h:5432/care"),
        (DSN, "postgresql://u@h,h2/care?sslmode=require", "postgresql://u@h,h2/care?sslmode=require"),
        (DSN, "postgresql://[::1]:5432/care", "postgresql://[::1]:5432/care"),
        (NATS, "nats://u:hid@den@h:4222", "nats://u@h:4222"),
        (NATS, "nats://h:4222", "nats://h:4222"),
    ],
)
def test_a_plain_url_is_written_without_its_password(name: str, url: str, written: str) -> None:
    assert clear_of_secrets({name: url}) == {name: written}


def test_a_user_whose_password_is_in_a_file_is_no_token() -> None:
    variables = {NATS: "nats://u@h:4222", "CAREBUS_NATS_PASSWORD_FILE": "f"}
    assert clear_of_secrets(variables) == variables


def test_the_file_is_its_owners_alone_whatever_was_there_before(tmp_path: Path) -> None:
    for name in (STACK, f"{STACK}.unfinished"):
        (tmp_path / name).write_text("{")
        (tmp_path / name).chmod(0o644)
    write_stack(tmp_path, Stack(variables={}, services={}))
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {STACK: 0o600}
