"""No password is shown: not in what is printed, nor in errors, however the DSN was mistyped."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from staffa import Config, Staffa
from staffa.drivers.asyncpg import ConnectionSettings
from staffa.errors import ConfigError
from staffa.settings import mask_password

SECRET = "hunter2"


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://ada:hunter2@db/app",
        "postgresql://:hunter2@db/app",
        "postgresql://ada:hunter2@db1,db2:5433/app",
        "postgresql://ada:p@hunter2@db/app",
        "postgresql://ada:p/hunter2@db/app",
        "postgresql://ada:p:hunter2@db/app",
        "postgresql://db/app?user=ada&password=hunter2",
        "postgresql://db/app?PASSWORD=hunter2&sslmode=require",
        "postgresql://ada:hunter2@db/app?sslpassword=hunter2",
    ],
)
def test_a_masked_dsn_shows_no_password(dsn: str) -> None:
    masked = mask_password(dsn)
    assert SECRET not in masked
    assert "***" in masked


@pytest.mark.parametrize("dsn", ["postgresql://db/app", "postgresql://ada@db:5432/app?a=b", ""])
def test_a_dsn_without_a_password_is_shown_as_it_is(dsn: str) -> None:
    assert mask_password(dsn) == dsn


def test_what_holds_a_dsn_does_not_show_its_password() -> None:
    dsn = "postgresql://ada:hunter2@db/app"
    shown = [Config(dsn=dsn), ConnectionSettings(dsn), Staffa(dsn)]
    assert SECRET not in "".join(f"{thing!r} {thing}" for thing in shown)


@pytest.mark.parametrize(
    "dsn",
    [
        "postgrse://ada:hunter2@db/app",
        "postgresql:/ada:hunter2@db/app",
        "postgresql//ada:hunter2@db/app",
        "ada:hunter2@db/app",
        "host=db user=ada password=hunter2",
        "host=db user=ada password='my hunter2'",
        "host=db user=ada password = hunter2",
        "postgrse://ada:two\nhunter2@db/app",
    ],
)
def test_the_error_of_a_mistyped_dsn_shows_no_password(dsn: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config(dsn=dsn)
    assert SECRET not in str(caught.value)


def test_the_error_of_a_variable_or_file_shows_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAFFA_DSN", "postgrse://ada:hunter2@db/app")
    with pytest.raises(ConfigError) as from_environment:
        Config.load(folder=tmp_path)
    monkeypatch.delenv("STAFFA_DSN")
    (tmp_path / "staffa.toml").write_text('dsn = "postgrse://ada:hunter2@db/app"')
    with pytest.raises(ConfigError) as from_file:
        Config.load(folder=tmp_path)
    assert SECRET not in f"{from_environment.value} {from_file.value}"


async def test_a_refused_connection_shows_no_password(caplog: pytest.LogCaptureFixture) -> None:
    app = Staffa("postgresql://ada:hunter2@127.0.0.1:1/app", queues={"default": 1})
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(Exception, match="can't be reached") as caught,
    ):
        await app.start()
    await app.stop()
    assert SECRET not in str(caught.value)
    assert SECRET not in caplog.text
