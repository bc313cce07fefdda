"""Django's settings of a database and a client's DSN: whether both name the same one."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
from sqlalchemy import create_engine

from staffa.drivers.connections import run_on_sync
from staffa.drivers.connections.django import DjangoConnection, is_same_database
from staffa.engine import Statement, Statements
from staffa.errors import ConfigError

POSTGRES = "django.db.backends.postgresql"
EMBEDDED = "postgresql://postgres@/postgres?host=/var/tmp/staffa-1000/shop-1f0c/socket&port=5432"
FOLDER = "/var/tmp/staffa-1000/shop-1f0c/socket"


def django(name: str, host: str = "", port: Any = "", engine: str = POSTGRES) -> dict[str, Any]:
    return {"ENGINE": engine, "NAME": name, "HOST": host, "PORT": port}


@pytest.mark.parametrize(
    ("options", "dsn"),
    [
        (django("shop"), "postgresql://localhost/shop"),
        (django("shop", "localhost", 5432), "postgresql://me:secret@127.0.0.1/shop"),
        (django("shop", "DB.example.com"), "postgresql://db.example.com:5432/shop"),
        (django("shop", "/var/run/postgresql"), "postgresql:///shop"),
        (django("shop", "/srv/pg"), "postgresql://%2Fsrv%2Fpg/shop"),
        (django("shop", "db"), "postgresql://?host=db&dbname=shop"),
        (django("shop", "db", 6000), "postgresql:///shop?host=db&port=6000"),
        (django("me", "db"), "postgresql://db/?user=me"),
        (django("postgres", FOLDER, "5432"), EMBEDDED),
        (django("postgres", FOLDER + "/"), EMBEDDED),
        (django("test_postgres", FOLDER), EMBEDDED),
        (django("test_shop", "db"), "postgresql://db/shop"),
        (django("test_shop_2", "db"), "postgresql://db/shop"),
        (django("test_shop", "db"), "postgresql://db/test_shop"),
    ],
)
def test_the_same_database_is_told_however_it_is_written(options: dict[str, Any], dsn: str) -> None:
    assert is_same_database(options, dsn)


@pytest.mark.parametrize(
    ("options", "dsn"),
    [
        (django("postgres", "localhost"), EMBEDDED),
        (django("postgres"), EMBEDDED),
        (django("postgres", "/var/run/postgresql"), EMBEDDED),
        (django("postgres", FOLDER.replace("shop", "other")), EMBEDDED),
        (django("postgres", FOLDER, 5433), EMBEDDED),
        (django("shop", "db"), "postgresql://db/shop2"),
        (django("shop", "db"), "postgresql://db/test_shop"),
        (django("shop", "db", 5433), "postgresql://db/shop"),
        (django("shop", "db"), "postgresql://db:5432,other:5432/shop"),
        (django("shop", "db"), "sqlite:///shop"),
        (django("shop", engine="django.db.backends.sqlite3"), "postgresql:///shop"),
    ],
)
def test_another_database_is_not_taken_for_the_same(options: dict[str, Any], dsn: str) -> None:
    assert not is_same_database(options, dsn)


class OtherConnection:
    """Stands in for the connection of a driver that is not joined."""


class Wrapper:
    """Stands in for Django's connection over such a driver."""

    alias = "default"
    vendor = "postgresql"
    connection = OtherConnection()

    def cursor(self) -> Any:
        return nullcontext()

    def validate_no_broken_transaction(self) -> None: ...


def test_a_driver_that_is_not_psycopg_3_is_named_with_the_remedy() -> None:
    OtherConnection.__module__ = "psycopg2.extensions"
    statements = Statements.of(Statement("SELECT 1", (), list))
    with pytest.raises(ConfigError, match=r"postgresql by psycopg2\.ext.*psycopg\[binary\]"):
        DjangoConnection(Wrapper(), "default").run(statements)


def test_a_dialect_of_sqlalchemy_that_is_not_known_is_named_with_those_that_are() -> None:
    engine = create_engine("sqlite://")
    engine.dialect.name, engine.dialect.driver = "postgresql", "psycopg2"
    statements = Statements.of(Statement("SELECT 1", (), list))
    with (
        engine.connect() as connection,
        pytest.raises(ConfigError, match=r"postgresql\+psycopg2: use one of postgresql\+psycopg,"),
    ):
        run_on_sync(connection, statements)
    engine.dispose()
