"""The clients of a process, by name."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from staffa import Job, Staffa, get_instance, instance
from staffa.errors import InstanceError
from staffa.relays import Ending, Relay, SyncRelay


class SenderNow:
    """The same for synchronous code."""

    def __init__(self, sent: list[tuple[Job, Any]]) -> None:
        self.sent = sent

    def enqueue(self, job: Job, *, conn: Any = None) -> Job:
        self.sent.append((job, conn))
        return job

    def relay(self, job: Job, *, conn: Any = None) -> SyncRelay:
        self.sent.append((job, conn))
        return SyncRelay(Relay(job, nobody))

    def enqueue_many(self, *jobs: Any, **options: Any) -> Any:
        raise NotImplementedError


async def nobody(relay: Relay) -> Ending:
    raise NotImplementedError


class Sender:
    """A client, as far as decorated functions see it."""

    def __init__(self) -> None:
        self.sent: list[tuple[Job, Any]] = []
        self.sync = SenderNow(self.sent)

    async def enqueue(self, job: Job, *, conn: Any = None) -> Job:
        self.sent.append((job, conn))
        return job

    async def relay(self, job: Job, *, conn: Any = None) -> Relay:
        self.sent.append((job, conn))
        return Relay(job, nobody)

    def enqueue_many(self, *jobs: Any, **options: Any) -> Any:
        raise NotImplementedError


def test_without_a_client_the_error_tells_how_to_make_one() -> None:
    with pytest.raises(InstanceError, match="create one first"):
        get_instance()


def test_the_only_client_needs_no_name() -> None:
    app = Staffa("postgresql://localhost/app", name="mine")
    assert get_instance() is app
    assert Staffa.get_instance("mine") is app
    with pytest.raises(InstanceError, match="no client is named 'other': there are 'mine'"):
        get_instance("other")


def test_among_several_the_one_of_the_default_name_is_meant() -> None:
    one, other = Sender(), Sender()
    instance.register("a", one)
    instance.register("b", other)
    with pytest.raises(InstanceError, match="'a', 'b'"):
        get_instance()
    default = Sender()
    instance.register("Oban", default)
    assert get_instance() is default
    assert get_instance("a") is one


async def test_a_name_is_taken_until_its_client_is_stopped() -> None:
    first = Staffa("postgresql://localhost/app")
    with pytest.raises(InstanceError, match="exists already: stop it first"):
        Staffa("postgresql://localhost/app")
    await first.stop()
    second = Staffa("postgresql://localhost/app")
    assert get_instance() is second


def test_the_same_client_may_be_registered_again_and_only_it_unregisters_itself() -> None:
    mine, other = Sender(), Sender()
    instance.register("a", mine)
    instance.register("a", mine)
    instance.unregister("a", other)
    instance.unregister("b", other)
    assert get_instance("a") is mine
    instance.unregister("a", mine)
    instance.register("a", other)


def test_a_client_that_nobody_holds_is_forgotten() -> None:
    instance.register("a", Sender())
    gc.collect()
    with pytest.raises(InstanceError):
        get_instance("a")


def test_of_many_that_take_a_name_at_once_one_gets_it() -> None:
    senders = [Sender() for _ in range(50)]

    def register(sender: Sender) -> bool:
        try:
            instance.register("a", sender)
        except InstanceError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(register, senders)) == 1
