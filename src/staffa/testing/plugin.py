"""What the fixtures of `pytest_staffa` do; imported when a test asks for one of them."""

from __future__ import annotations

import asyncio
import inspect
import threading
import uuid
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from staffa import instance
from staffa._internal.lazy import load
from staffa.client import Staffa
from staffa.config import Config
from staffa.errors import ConfigError

T = TypeVar("T")

_SERVERS = ("postgresql", "postgres")


def find_ending(request: Any) -> str | None:
    """Return the fixture that ends a client on the loop of a test; None for a test without one.

    Raises:
        ConfigError: If nothing is there that runs async tests.
    """
    node = request.node
    if "anyio_backend" in request.fixturenames or node.get_closest_marker("anyio") is not None:
        return "_staffa_ending_anyio"
    mark = node.get_closest_marker("asyncio")
    if mark is not None:
        scope = mark.kwargs.get("loop_scope") or _default_scope(request.config)
        return f"_staffa_ending_asyncio_{scope}"
    if inspect.iscoroutinefunction(inspect.unwrap(getattr(node, "obj", None) or find_ending)):
        raise ConfigError(
            f"{node.nodeid} is async def, but nothing runs it: mark it with pytest.mark.asyncio or "
            "pytest.mark.anyio, and install pytest-asyncio or anyio"
        )
    return None


def _default_scope(config: Any) -> str:
    try:
        found = config.getini("asyncio_default_test_loop_scope")
    except (KeyError, ValueError):  # an older pytest-asyncio has no such setting
        found = None
    return str(found or "function")


@contextmanager
def only_client(dsn: str, options: dict[str, Any]) -> Iterator[Staffa]:
    """Make a client that is the only one of this process until the block ends."""
    with instance.replaced():
        yield Staffa(dsn, **{"testing": "manual", **options})


def end(app: Staffa) -> None:
    """Stop the client of a test without a loop of its own."""
    app.sync.stop()


@contextmanager
def temporary_schema(dsn: str) -> Iterator[str | None]:
    """Make a schema with empty tables on a server, and take it away at the end.

    It has a name of its own in each process of a run, so that these are not in each other's way.
    """
    if dsn.partition("://")[0].partition("+")[0] not in _SERVERS:
        yield None
        return
    name = f"staffa_test_{uuid.uuid4().hex[:12]}"
    migrator = load("staffa.client.backend:make_migrator")(dsn, name)
    _apart(migrator.up)
    try:
        yield name
    finally:
        _apart(migrator.remove)


def empty(dsn: str, schema: str) -> None:
    """Delete all that a test has left."""
    config = Config(dsn=dsn, prefix=schema)

    async def reset() -> None:
        engine = load("staffa.client.backend:make_backend")(config, dsn, lambda: None).engine
        try:
            await engine.reset()
        finally:
            await engine.close()

    _apart(reset)


def _apart(function: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function on a thread of its own, whatever loops there are on this one."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(asyncio.run(function()))
        except BaseException as error:  # noqa: BLE001  # it goes to the thread that waits
            errors.append(error)

    thread = threading.Thread(target=run, name="staffa-pytest")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
