"""A notifier carries payloads between nodes, and comes back after it was cut off.

Another notifier joins the suite as one more entry of `KINDS`.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest

from staffa.drivers.asyncpg import ConnectionSettings
from staffa.drivers.asyncpg_pool import Pool
from staffa.notifier import Notifier
from staffa.notifiers.local import LocalNotifier
from staffa.notifiers.postgres import PostgresNotifier
from tests.support.events import TIMEOUT_SECONDS, eventually

CHANNELS = ["insert", "signal", "leader"]
BIG = {"action": "start", "text": "ž" * 20_000}


class Mailbox:
    """What a listening notifier received."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()

    def __call__(self, channel: str, payload: dict[str, Any]) -> None:
        self._messages.put_nowait((channel, payload))

    async def next(self) -> tuple[str, dict[str, Any]]:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await self._messages.get()


class PostgresWire:
    """Notifiers of one schema, and the ways to disturb them."""

    def __init__(self, dsn: str, prefix: str, connection: asyncpg.Connection) -> None:
        self._settings = ConnectionSettings(dsn)
        self._prefix = prefix
        self._connection = connection
        self._pool = Pool(self._settings, 2)
        self._made: list[Notifier] = []

    def notifier(
        self, on_reconnect: Callable[[], None] = lambda: None, *, prefix: str | None = None
    ) -> Notifier:
        """Return a node's notifier."""
        made = PostgresNotifier(self._settings, self._pool, prefix or self._prefix, on_reconnect)
        self._made.append(made)
        return made

    async def send_raw(self, channel: str, text: str) -> None:
        """Send a text that another program wrote."""
        name = f"{self._prefix}.oban_{channel}"
        await self._connection.execute("SELECT pg_notify($1, $2)", name, text)

    async def cut(self) -> int:
        """Cut all listening connections, and return how many there were."""
        rows = await self._connection.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN %'"
            " AND position($1 in query) > 0",
            self._prefix.replace('"', '""'),
        )
        return len(rows)

    async def close(self) -> None:
        for notifier in self._made:
            await notifier.stop()
        await self._pool.close()


class LocalWire:
    """Notifiers of one database within this process; nothing else sends, and nothing is cut."""

    def __init__(self, dsn: str, prefix: str, connection: asyncpg.Connection) -> None:
        self._place = prefix
        self._made: list[Notifier] = []

    def notifier(
        self, on_reconnect: Callable[[], None] = lambda: None, *, prefix: str | None = None
    ) -> Notifier:
        """Return a node's notifier; it never reconnects."""
        made = LocalNotifier(prefix or self._place)
        self._made.append(made)
        return made

    async def send_raw(self, channel: str, text: str) -> None:
        pytest.skip("no other program sends within this process")

    async def cut(self) -> int:
        pytest.skip("there is no connection that could be cut")

    async def close(self) -> None:
        for notifier in self._made:
            await notifier.stop()


Wire = PostgresWire | LocalWire
KINDS: dict[str, type[PostgresWire | LocalWire]] = {
    "postgres": PostgresWire,
    "local": LocalWire,
}


@pytest.fixture(params=KINDS)
async def wire(
    request: pytest.FixtureRequest, dsn: str, empty_prefix: str, connection: asyncpg.Connection
) -> AsyncIterator[Wire]:
    """A place for notifiers, of every kind in turn; its prefix needs quoting."""
    made = KINDS[request.param](dsn, empty_prefix, connection)
    yield made
    await made.close()


async def test_a_payload_reaches_all_that_listen(wire: Wire) -> None:
    boxes = [Mailbox(), Mailbox()]
    for box in boxes:
        await wire.notifier().listen(CHANNELS, box)
    await wire.notifier().notify([("insert", {"queue": "žluť 'quoted' \"twice\""})])
    for box in boxes:
        assert await box.next() == ("insert", {"queue": "žluť 'quoted' \"twice\""})


async def test_payloads_arrive_in_order_on_the_channels_listened_to(wire: Wire) -> None:
    box = Mailbox()
    await wire.notifier().listen(["insert", "leader"], box)
    sender = wire.notifier()
    await sender.notify([])
    await sender.notify(
        [("insert", {"n": 1}), ("signal", {"n": 2}), ("leader", {"n": 3}), ("insert", {"n": 4})]
    )
    arrived = [await box.next() for _ in range(3)]
    assert arrived == [("insert", {"n": 1}), ("leader", {"n": 3}), ("insert", {"n": 4})]


async def test_a_big_payload_arrives_whole(wire: Wire) -> None:
    box = Mailbox()
    await wire.notifier().listen(CHANNELS, box)
    await wire.notifier().notify([("signal", BIG)])
    assert await box.next() == ("signal", BIG)


async def test_a_payload_that_no_notification_can_hold_is_refused(wire: Wire) -> None:
    noise = base64.b64encode(random.Random(1).randbytes(9000)).decode()
    with pytest.raises(ValueError, match="split it"):
        await wire.notifier().notify([("signal", {"noise": noise})])


@pytest.mark.parametrize("mark", ["Z:", ""])
async def test_both_packed_spellings_of_the_peers_are_read(wire: Wire, mark: str) -> None:
    box = Mailbox()
    await wire.notifier().listen(CHANNELS, box)
    packed = base64.b64encode(gzip.compress(b'{"queue":"mail"}')).decode()
    await wire.send_raw("insert", mark + packed)
    assert await box.next() == ("insert", {"queue": "mail"})


async def test_what_can_not_be_decoded_is_dropped_and_listening_goes_on(
    wire: Wire,
) -> None:
    box = Mailbox()
    await wire.notifier().listen(CHANNELS, box)
    bomb = base64.b64encode(gzip.compress(b'{"a":"' + b"x" * 3_000_000 + b'"}')).decode()
    hostile = ["", "{", "[1]", "null", "Z:", "Z:!!", "H4sI", "žluť", "{" * 5000, bomb]
    hostile += [base64.b64encode(gzip.compress(data)).decode() for data in (b"\xff", b"[]", b"")]
    for text in hostile:
        await wire.send_raw("insert", text)
    await wire.send_raw("insert", '{"last":true}')
    assert await box.next() == ("insert", {"last": True})


async def test_another_prefix_hears_nothing(wire: Wire) -> None:
    ours, theirs = Mailbox(), Mailbox()
    other = wire.notifier(prefix="it's another")
    await wire.notifier().listen(CHANNELS, ours)
    await other.listen(CHANNELS, theirs)
    await wire.notifier().notify([("insert", {"queue": "ours"})])
    await other.notify([("insert", {"queue": "theirs"})])
    assert await ours.next() == ("insert", {"queue": "ours"})
    assert await theirs.next() == ("insert", {"queue": "theirs"})


async def test_a_lost_connection_is_made_again_and_told(wire: Wire) -> None:
    box, reconnected = Mailbox(), asyncio.Semaphore(0)
    notifier = wire.notifier(reconnected.release)
    await notifier.listen(CHANNELS, box)
    for number in range(3):
        assert await wire.cut() == 1
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await reconnected.acquire()
        assert notifier.connected
        await wire.notifier().notify([("insert", {"n": number})])
        assert await box.next() == ("insert", {"n": number})
    assert reconnected.locked()


async def test_it_tells_whether_notifications_can_arrive(wire: Wire) -> None:
    notifier = wire.notifier()
    told = [notifier.connected]
    await notifier.listen(CHANNELS, Mailbox())
    told.append(notifier.connected)
    await notifier.stop()
    told.append(notifier.connected)
    assert told == [False, True, False]


async def test_a_stopped_notifier_leaves_no_connection(wire: Wire) -> None:
    notifier = wire.notifier()
    await notifier.listen(CHANNELS, Mailbox())
    await notifier.stop()

    async def nobody_listens() -> bool:
        return await wire.cut() == 0

    await eventually(nobody_listens, "the connection to be closed")
