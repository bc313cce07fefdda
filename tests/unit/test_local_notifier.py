"""Notifications within a process."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from staffa import Config
from staffa.client.backend import make_backend
from staffa.errors import ConfigError
from staffa.notifiers.local import LocalNotifier
from tests.support.events import eventually


class Mailbox(list[tuple[str, dict[str, Any]]]):
    """What arrived."""

    def __call__(self, channel: str, payload: dict[str, Any]) -> None:
        self.append((channel, payload))


async def test_all_that_listen_on_a_database_hear_what_is_sent_on_their_channels() -> None:
    sender, listener, elsewhere = LocalNotifier("a"), LocalNotifier("a"), LocalNotifier("b")
    here, there = Mailbox(), Mailbox()
    await listener.listen(["insert"], here)
    await elsewhere.listen(["insert"], there)
    assert (sender.connected, listener.connected) == (False, True)
    sent = {"queue": "mail", "list": [1]}
    await sender.notify([("insert", sent), ("signal", {"n": 1})])
    await eventually(lambda: here == [("insert", {"queue": "mail", "list": [1]})])
    assert here[0][1] is not sent
    assert there == []
    await listener.stop()
    await elsewhere.stop()


async def test_who_has_stopped_hears_nothing_and_may_listen_again() -> None:
    listener, box = LocalNotifier("a"), Mailbox()
    await listener.listen(["insert"], box)
    await listener.stop()
    await listener.stop()
    await listener.notify([("insert", {"n": 1})])
    await listener.listen(["insert"], box)
    await listener.notify([("insert", {"n": 2})])
    await eventually(lambda: box == [("insert", {"n": 2})])
    await listener.stop()
    assert not listener.connected


async def test_a_listener_whose_loop_has_ended_is_left_out() -> None:
    box = Mailbox()
    listener = LocalNotifier("a")
    await asyncio.to_thread(asyncio.run, listener.listen(["insert"], box))
    await LocalNotifier("a").notify([("insert", {"n": 1})])
    await listener.stop()
    assert box == []


async def test_a_loop_that_closes_while_it_is_told_stops_no_sender(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone, here, box = LocalNotifier("a"), LocalNotifier("a"), Mailbox()
    loop = asyncio.new_event_loop()
    await asyncio.to_thread(loop.run_until_complete, gone.listen(["insert"], Mailbox()))
    loop.close()
    monkeypatch.setattr(loop, "is_closed", lambda: False)  # as it was a moment ago
    await here.listen(["insert"], box)
    await here.notify([("insert", {"n": 1})])
    await eventually(lambda: box == [("insert", {"n": 1})])
    await gone.stop()
    await here.stop()


async def test_a_forked_child_does_not_reach_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    listener, box = LocalNotifier("a"), Mailbox()
    await listener.listen(["insert"], box)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    await listener.notify([("insert", {"n": 1})])
    monkeypatch.undo()
    await listener.notify([("insert", {"n": 2})])
    await eventually(lambda: box == [("insert", {"n": 2})])
    await listener.stop()


async def test_no_transaction_carries_them() -> None:
    with pytest.raises(ConfigError, match="leave conn= out"):
        await LocalNotifier("a").notify([("insert", {})], conn=object())


def test_postgresql_has_better_ones() -> None:
    dsn = "postgresql://localhost/app"
    with pytest.raises(ConfigError, match="notifier can't be 'local' with PostgreSQL"):
        make_backend(Config(dsn=dsn, notifier="local"), dsn, lambda: None)
