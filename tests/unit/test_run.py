"""What a job may ask of its run: progress, checkpoints, and whether to stop."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import pytest

from staffa import Job
from staffa.engine import Lease
from staffa.errors import InvalidArgs, InvalidJob, JobCancelled
from staffa.queues.checkpoints import Checkpoints
from staffa.queues.run import Run
from tests.support.events import eventually
from tests.unit.rows import claimed


class Kept:
    """Stands for the checkpoints: keeps what is noted, and lets writes wait."""

    def __init__(self) -> None:
        self.noted: list[Mapping[str, Any]] = []
        self.written: list[Mapping[str, Any]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    def note(self, lease: Lease, patch: Mapping[str, Any]) -> None:
        self.noted.append(patch)

    async def write(self, lease: Lease, patch: Mapping[str, Any]) -> None:
        await self.gate.wait()
        self.written.append(patch)


@pytest.fixture
async def kept() -> Kept:
    return Kept()


@pytest.fixture
async def run(kept: Kept) -> Run:
    job = claimed(meta={"mine": 1})
    made = Run(job, cast("Checkpoints", kept), asyncio.get_running_loop())
    job.bind(made)
    return made


async def in_thread(function: Callable[[], Any]) -> Any:
    """Run a function in a thread of its own."""
    return await asyncio.to_thread(function)


async def test_progress_is_kept_with_its_note_and_in_the_jobs_own_meta(
    run: Run, kept: Kept
) -> None:
    await run.job.progress(0.5, "resizing", done=(1, 2))
    told = {"progress": {"value": 0.5, "note": "resizing", "done": [1, 2]}}
    assert kept.noted == [told]
    assert run.job.meta == {"mine": 1, **told}
    run.job.progress(1)
    assert kept.noted[-1] == {"progress": {"value": 1}}


async def test_progress_needs_no_await_anywhere(run: Run, kept: Kept) -> None:
    run.job.progress(0.25)

    def tell() -> None:
        run.job.progress(0.75)

    await in_thread(tell)
    assert [told["progress"]["value"] for told in kept.noted] == [0.25, 0.75]
    gc.collect()  # a coroutine that nobody awaited would be a warning, and so an error


@pytest.mark.parametrize(
    "value", [-0.01, 1.01, float("nan"), float("inf"), "0.5", None, True, 1 + 0j, [0.5]]
)
async def test_progress_out_of_range_is_refused(run: Run, kept: Kept, value: Any) -> None:
    with pytest.raises(InvalidJob, match="from 0 to 1"):
        run.job.progress(value)
    assert kept.noted == []
    assert "progress" not in run.job.meta


@pytest.mark.parametrize("value", [0, 1, 0.0, 1.0, 1e-300])
async def test_progress_may_be_at_either_end(run: Run, kept: Kept, value: float) -> None:
    run.job.progress(value)
    assert kept.noted[0]["progress"]["value"] == value


@pytest.mark.parametrize("more", [{"at": object()}, {"at": "a\x00b"}, {"at": float("nan")}])
async def test_what_is_no_json_is_refused_before_it_is_noted(
    run: Run, kept: Kept, more: dict[str, Any]
) -> None:
    with pytest.raises(InvalidArgs, match=r"progress\.at"):
        run.job.progress(0.5, **more)
    with pytest.raises(InvalidArgs, match=r"meta\.at"):
        run.job.update_meta(more)
    with pytest.raises(InvalidArgs, match="give a mapping"):
        run.job.update_meta(["at"])  # type: ignore[arg-type]
    assert (kept.noted, kept.written, run.job.meta) == ([], [], {"mine": 1})


async def test_what_was_noted_can_not_be_changed_afterwards(run: Run, kept: Kept) -> None:
    pages = [1, 2]
    run.job.progress(0.5, pages=pages)
    writing = run.job.update_meta(pages=pages)
    pages.append(object())  # type: ignore[arg-type]
    await writing
    assert kept.noted[0]["progress"]["pages"] == [1, 2]
    assert kept.written == [{"pages": [1, 2]}]


async def test_a_checkpoint_is_stored_when_its_await_or_in_a_thread_its_call_returns(
    run: Run, kept: Kept
) -> None:
    await run.job.update_meta({"page": 1}, more=2)
    assert kept.written == [{"page": 1, "more": 2}]

    def write() -> list[Mapping[str, Any]]:
        run.job.update_meta(page=2)
        return list(kept.written)

    assert (await in_thread(write))[-1] == {"page": 2}
    assert run.job.meta == {"mine": 1, "page": 2, "more": 2}


async def test_what_a_thread_awaits_from_a_loop_of_its_own_is_done(run: Run, kept: Kept) -> None:
    async def both() -> None:
        await run.job.progress(0.5)
        await run.job.update_meta(page=1)

    await in_thread(lambda: asyncio.run(both()))
    assert (len(kept.noted), len(kept.written)) == (1, 1)


async def test_a_thread_that_is_asked_to_stop_waits_for_no_checkpoint(run: Run, kept: Kept) -> None:
    kept.gate.clear()

    def write() -> Awaitable[None]:
        return run.job.update_meta(page=1)

    waiting = asyncio.ensure_future(in_thread(write))
    run.ask_to_stop()
    with pytest.raises(JobCancelled, match="asked to stop"):
        await waiting
    assert run.job.cancelled()
    assert kept.written == []


async def test_a_run_that_has_ended_notes_no_progress(run: Run, kept: Kept) -> None:
    run.ended = True
    run.job.progress(0.5)
    await in_thread(lambda: run.job.progress(0.6))
    assert kept.noted == []


async def test_a_run_that_has_ended_and_its_job_are_freed_without_the_garbage_collector(
    kept: Kept,
) -> None:
    gc.disable()
    try:
        job = claimed()
        run = Run(job, cast("Checkpoints", kept), asyncio.get_running_loop())
        job.bind(run)
        run.task = asyncio.current_task()
        run.end()
        freed = weakref.ref(run)
        del run, job
        assert freed() is None
    finally:
        gc.enable()


async def test_a_run_that_has_ended_completes_nothing(kept: Kept) -> None:
    job = claimed()
    run = Run(job, cast("Checkpoints", kept), asyncio.get_running_loop())
    job.bind(run)
    run.end()
    with pytest.raises(JobCancelled, match="job 1 has ended"):
        job.complete_in(object())


def test_a_thread_whose_loop_was_closed_is_told_so() -> None:
    async def make() -> Run:
        job = claimed()
        run = Run(job, cast("Checkpoints", Kept()), asyncio.get_running_loop())
        job.bind(run)
        return run

    run = asyncio.run(make())
    found: list[BaseException] = []

    def tell_progress() -> None:
        run.job.progress(0.5)

    def write_meta() -> None:
        run.job.update_meta(page=1)

    def tell() -> None:
        for call in (tell_progress, write_meta):
            try:
                call()
            except JobCancelled as error:
                found.append(error)

    thread = threading.Thread(target=tell)
    thread.start()
    thread.join()
    assert [str(error) for error in found] == ["job 1 was left behind by its process"] * 2


async def test_a_job_that_does_not_run_here_can_note_nothing(kept: Kept) -> None:
    for job in (Job(worker="w"), claimed()):
        with pytest.raises(InvalidJob, match="does not run here"):
            job.progress(0.5)
        with pytest.raises(InvalidJob, match="does not run here"):
            job.update_meta(page=1)
        assert job.meta == {}
    await eventually(lambda: not kept.noted)
