"""Settings come from the environment; a wrong one is named, a secret comes from a file."""

from pathlib import Path

import pytest

from services.kernel.settings import Settings, SettingsError, read_settings


def test_what_is_not_said_has_its_default():
    assert read_settings({}) == Settings()


def test_a_variable_is_named_after_its_field():
    settings = read_settings({"CAREBUS_NATS_URL": "nats://bus:4222", "CAREBUS_BATCH": "50", "OTHER": "x"})
    assert (settings.nats_url, settings.batch) == ("nats://bus:4222", 50)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("CAREBUS_BATCH", "many", "Expected `int`"),
        ("CAREBUS_BATCH", "0", ">= 1"),
        ("CAREBUS_CLOCK", "sundial", "Invalid enum value"),
        ("CAREBUS_HTTP_PORT", "70000", "<= 65535"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_variable(name: str, value: str, why: str):
    with pytest.raises(SettingsError) as caught:
        read_settings({name: value})
    assert str(caught.value).startswith(f"{name}={value!r}: ")
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_password_is_read_from_its_file(tmp_path: Path):
    secret = tmp_path / "password"
    secret.write_text("p@ss/word\n", encoding="utf-8")
    settings = read_settings(
        {
            "CAREBUS_POSTGRES_DSN": "postgresql://desk@db:5432/carebus",
            "CAREBUS_POSTGRES_PASSWORD_FILE": str(secret),
            "CAREBUS_NATS_URL": "nats://service@bus:4222",
            "CAREBUS_NATS_PASSWORD_FILE": str(secret),
        }
    )
    assert settings.dsn() == "postgresql://desk:p%40ss%2Fword@db:5432/carebus"
    assert settings.dsn("carebus_aftersales") == "postgresql://carebus_aftersales:p%40ss%2Fword@db:5432/carebus"
    assert settings.nats() == "nats://service:p%40ss%2Fword@bus:4222"


def test_a_password_file_that_cannot_be_read_is_named(tmp_path: Path):
    settings = read_settings({"CAREBUS_POSTGRES_PASSWORD_FILE": str(tmp_path / "none")})
    with pytest.raises(SettingsError, match="CAREBUS_POSTGRES_PASSWORD_FILE: cannot read"):
        settings.dsn()
