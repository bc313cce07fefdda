"""Streams: what is prepared ahead of its turn, and what becomes of it if that never comes."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from staffa.client.bulk import Turn, write_ahead
from staffa.engine import Written
from staffa.jobs import Job


class Writes:
    """Notes what is prepared and written, and takes as long as it is told to."""

    def __init__(self) -> None:
        self.prepared: list[int] = []
        self.written: list[int] = []
        self.way = asyncio.Event()
        self.way.set()
        self.error: Exception | None = None

    async def __call__(self, chunk: list[Job], turn: Turn) -> Written:
        (job,) = chunk
        self.prepared.append(job.priority)
        await turn
        await self.way.wait()
        if self.error is not None:
            raise self.error
        self.written.append(job.priority)
        return Written([job.priority], {}, {})


@pytest.fixture
def writes() -> Writes:
    return Writes()


def steps(count: int) -> Iterator[list[Job]]:
    for number in range(count):
        yield []
        yield [Job(worker="w", priority=number)]


async def test_all_chunks_are_written_in_their_order(writes: Writes) -> None:
    found = [written.ids async for written in write_ahead(steps(5), writes)]
    assert found == [[0], [1], [2], [3], [4]]
    assert writes.written == [0, 1, 2, 3, 4]


async def test_one_chunk_is_prepared_while_the_one_before_it_is_written(writes: Writes) -> None:
    writes.way.clear()
    stream = write_ahead(steps(5), writes)
    reading = asyncio.ensure_future(anext(stream))
    await _turns()
    assert (writes.prepared, writes.written) == ([0, 1], [])
    writes.way.set()
    await reading
    await _turns()
    assert (writes.prepared, writes.written) == ([0, 1], [0])
    await stream.aclose()


async def test_what_nobody_asks_for_is_not_written(writes: Writes) -> None:
    async with aclosing(write_ahead(steps(5), writes)) as stream:
        assert (await anext(stream)).ids == [0]
    await _turns()
    assert writes.written == [0]
    assert len(asyncio.all_tasks()) == 1


async def test_nothing_is_written_after_a_failure(writes: Writes) -> None:
    writes.error = ValueError("refused")
    with pytest.raises(ValueError, match="refused"):
        async for _ in write_ahead(steps(5), writes):
            pass
    await _turns()
    assert writes.written == []
    assert len(asyncio.all_tasks()) == 1


async def test_what_its_source_raises_is_told_after_what_was_written(writes: Writes) -> None:
    def failing() -> Iterator[list[Job]]:
        yield from steps(2)
        raise ValueError("no more")

    stream = write_ahead(failing(), writes)
    assert [(await anext(stream)).ids for _ in range(2)] == [[0], [1]]
    with pytest.raises(ValueError, match="no more"):
        await anext(stream)


async def test_a_cancelled_reader_leaves_no_write_under_way(writes: Writes) -> None:
    writes.way.clear()

    async def read() -> None:
        async for _ in write_ahead(steps(5), writes):
            pass

    reading = asyncio.ensure_future(read())
    await _turns()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await _turns()
    assert len(asyncio.all_tasks()) == 1
    assert writes.written == []


async def test_what_is_refused_ahead_of_its_turn_is_told_in_its_turn_or_not_at_all(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def write(chunk: list[Job], turn: Turn) -> Written:
        (job,) = chunk
        if job.priority == 1:
            raise ValueError("no key")
        await turn
        return Written([job.priority], {}, {})

    stream = write_ahead(steps(3), write)
    assert (await anext(stream)).ids == [0]
    with pytest.raises(ValueError, match="no key"):
        await anext(stream)
    async with aclosing(write_ahead(steps(3), write)) as stream:
        assert (await anext(stream)).ids == [0]
    gc.collect()
    assert caplog.records == []


async def _turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)
