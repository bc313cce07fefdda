"""Fixtures for pytest; see docs/testing.md.

A package of its own, beside `staffa`: pytest imports it in every run, and it must cost next to
nothing where no test asks for its fixtures. What they need is imported when they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from staffa import Staffa
    from staffa.testing import VirtualClock

DEFAULT_DSN = "sqlite://"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the database of the tests be chosen."""
    text = "database of the tests' jobs; each test gets an empty one (default: SQLite, no server)"
    parser.addini("staffa_dsn", text, default=DEFAULT_DSN)
    parser.getgroup("staffa").addoption("--staffa-dsn", help=text, metavar="DSN")


def pytest_configure(config: pytest.Config) -> None:
    """Add the fixtures that end on the loops of those plugins that run async tests."""
    for plugin, module in (("asyncio", "on_asyncio"), ("anyio", "on_anyio")):
        if config.pluginmanager.hasplugin(plugin):
            name = f"{__name__}.{module}"
            config.pluginmanager.register(import_module(name), name)


@pytest.fixture(scope="session")
def staffa_dsn(pytestconfig: pytest.Config) -> str:
    """The database of the tests' jobs: of ``--staffa-dsn``, or of the setting ``staffa_dsn``."""
    return str(pytestconfig.getoption("--staffa-dsn") or pytestconfig.getini("staffa_dsn"))


@pytest.fixture
def staffa_options() -> dict[str, Any]:
    """The options of the test's client, for you to define anew: ``{"name": "billing"}``.

    With a ``prefix`` the client works in that schema, which is yours: it is neither made nor
    emptied.
    """
    return {}


@pytest.fixture
def staffa_clock() -> VirtualClock:
    """A clock that stands still until the test moves it; the test's client goes by it."""
    clock: VirtualClock = import_module("staffa.testing").VirtualClock()
    return clock


@pytest.fixture(scope="session")
def _staffa_schema(staffa_dsn: str) -> Iterator[str | None]:
    """The schema of this process of the run, on a server; None where each test has a database."""
    with import_module("staffa.testing.plugin").temporary_schema(staffa_dsn) as name:
        yield name


@pytest.fixture
def staffa_app(
    request: pytest.FixtureRequest, staffa_dsn: str, staffa_options: dict[str, Any]
) -> Iterator[Staffa]:
    """A client that stores jobs and runs none, on a database without any.

    Decorated functions and `get_instance` find it, whatever clients there are beside.
    """
    plugin = import_module("staffa.testing.plugin")
    ending = plugin.find_ending(request)
    opened: list[Staffa] | None = None if ending is None else request.getfixturevalue(ending)
    options = dict(staffa_options)
    if "staffa_clock" in request.fixturenames:
        options.setdefault("clock", request.getfixturevalue("staffa_clock"))
    if "prefix" not in options and (schema := request.getfixturevalue("_staffa_schema")):
        options["prefix"] = schema
        plugin.empty(staffa_dsn, schema)
    with plugin.only_client(staffa_dsn, options) as app:
        if opened is not None:
            opened.append(app)
        yield app
        if opened is None:
            plugin.end(app)
