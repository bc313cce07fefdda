"""What jobs raise in processes, and every way in which a process may die."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from types import TracebackType

import pytest

from staffa import errors as staffa_errors
from staffa._internal.clock import SYSTEM_CLOCK
from staffa.errors import ProcessDied, ProcessJobError, ProcessUnavailable
from staffa.queues.described import describe_error
from staffa.queues.pools.process import ProcessCall, ProcessPool, frames
from staffa.queues.pools.process.failures import dump_error, load_error
from staffa.queues.pools.process.frames import FrameError
from staffa.queues.pools.process.handle import Child, NotBegun
from tests.support import process_jobs as jobs
from tests.unit.process_pool.calls import begin, call_of, gone, run, told
from tests.unit.process_pool.conftest import MakePool
from tests.unit.programs import write
from tests.unit.rows import claimed


async def failure(pool: ProcessPool, kind: str) -> ProcessJobError:
    with pytest.raises(ProcessJobError) as caught:
        await run(pool, jobs.fail, kind=kind)
    return caught.value


async def test_an_error_carries_its_class_its_text_and_its_traceback(pool: ProcessPool) -> None:
    error = await failure(pool, "busy")
    assert str(error) == "tests.support.process_jobs.Busy: come back later"
    assert error.original_type is jobs.Busy
    assert error.matches(OSError)
    assert error.matches(ValueError, ConnectionError)
    assert not error.matches(ValueError, asyncio.CancelledError)
    lines = error.traceback.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].startswith(f'  File "{jobs.__file__}"')  # our own frames are left out
    assert lines[-1] == "tests.support.process_jobs.Busy: come back later"


async def test_the_errors_of_the_row_show_what_a_thread_would_have_shown(pool: ProcessPool) -> None:
    for kind in ("value", "busy", "chain", "group"):
        with pytest.raises((ValueError, OSError, ExceptionGroup)) as caught:
            jobs.fail(kind)
        here = caught.value.with_traceback(_users_frames(caught.tb))
        assert describe_error(await failure(pool, kind)) == describe_error(here)


def _users_frames(traceback: TracebackType | None) -> TracebackType | None:
    """Leave out the frames of this test."""
    while traceback is not None and traceback.tb_frame.f_code.co_filename != jobs.__file__:
        traceback = traceback.tb_next
    return traceback


async def test_a_coroutine_shows_only_frames_of_its_own(pool: ProcessPool) -> None:
    with pytest.raises(ProcessJobError) as caught:
        await run(pool, jobs.fail_later)
    lines = caught.value.traceback.splitlines()
    assert [line for line in lines if line.startswith("  File")] == [lines[1]]
    assert jobs.__file__ in lines[1]


@pytest.mark.parametrize(
    ("kind", "known", "text"),
    [
        ("exit", SystemExit, "SystemExit: 3"),
        ("interrupt", KeyboardInterrupt, "KeyboardInterrupt"),
        ("cancelled", asyncio.CancelledError, "asyncio.exceptions.CancelledError"),
        ("unprintable", jobs.Unprintable, "tests.support.process_jobs.Unprintable: it can't be"),
        ("surrogates", ValueError, "ValueError: a\\udfffb\\x00c"),
        ("group", ExceptionGroup, "ExceptionGroup: several (2 sub-exceptions)"),
        ("local", None, "tests.support.process_jobs.fail.<locals>.Local: only here"),
    ],
)  # fmt: skip
async def test_whatever_is_raised_fails_the_attempt_and_the_process_serves_again(
    pool: ProcessPool, kind: str, known: type[BaseException] | None, text: str
) -> None:
    before = await run(pool, jobs.pid)
    error = await failure(pool, kind)
    assert error.original_type is known
    assert str(error).startswith(text)
    assert error.matches(BaseException)
    assert await run(pool, jobs.pid) == before


async def test_a_result_that_can_not_be_read_fails_the_attempt(pool: ProcessPool) -> None:
    with pytest.raises(ProcessJobError):
        await run(pool, jobs.returns, kind="unreadable")
    assert await run(pool, jobs.echo) == {}


def test_a_base_that_is_known_here_matches_where_the_class_is_not() -> None:
    dumped = dump_error(jobs.Busy("x"))
    dumped["types"][0] = ("a_module_that_is_not_here", "Busy")
    error = load_error(json.loads(json.dumps(dumped)))
    assert error.original_type is None
    assert error.matches(ConnectionError)


@pytest.mark.parametrize(
    "name",
    [("os", "system"), ("os", "environ.get"), ("builtins", "int"), ("builtins", ""), ("", "")],
)
def test_only_classes_of_errors_are_found(name: tuple[str, str]) -> None:
    error = load_error({"types": [name], "message": "", "traceback": ""})
    assert error.original_type is None


def test_nothing_is_imported_to_find_a_class() -> None:
    assert "this" not in sys.modules
    load_error({"types": [("this", "Error")], "message": "", "traceback": ""})
    assert "this" not in sys.modules


@pytest.mark.parametrize(
    ("how", "text", "name", "code"),
    [
        ("SIGKILL", "killed by SIGKILL (the kernel may have run out of memory)", "SIGKILL", None),
        ("SIGSEGV", "killed by SIGSEGV (code in C has crashed)", "SIGSEGV", None),
        ("SIGABRT", "killed by SIGABRT", "SIGABRT", None),
        ("SIGUSR1", "killed by SIGUSR1", "SIGUSR1", None),
        ("exit", "ended with exit code 3 in the middle of the job", None, 3),
        ("thread", "ended with exit code 4 in the middle of the job", None, 4),
        ("forked", "ended with exit code 3 in the middle of the job", None, 3),
    ],
)  # fmt: skip
async def test_a_process_that_dies_fails_one_attempt_and_names_the_reason(
    make_pool: MakePool, tmp_path: Path, how: str, text: str, name: str | None, code: int | None
) -> None:
    pool = make_pool(size=2)
    other = begin(pool, jobs.hold, folder=str(tmp_path))
    await told(tmp_path)
    with pytest.raises(ProcessDied) as caught:
        await run(pool, jobs.die, how=how)
    assert text in str(caught.value)
    assert (caught.value.signal_name, caught.value.exit_code) == (name, code)
    assert isinstance(await run(pool, jobs.pid), int)
    (tmp_path / "released").touch()
    await other


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("garbage", "it sent bytes that are no frame: b'print: hello"),
        ("length", "it sent a frame of 4294967295 bytes"),
        ("text", "it sent a frame that is no JSON"),
        ("list", "it sent a frame without a kind"),
        ("kind", "it sent a frame of kind 'run' out of turn"),
        ("half", "ended with exit code 0"),
        ("result", "an outcome that can't be read"),
        ("error", "an outcome that can't be read"),
        ("shut", "killed by SIGKILL"),
        ("close", "killed by SIGKILL"),
    ],
)  # fmt: skip
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks for the socket in /proc")
async def test_what_is_no_frame_ends_the_process_and_fails_one_attempt(
    pool: ProcessPool, what: str, text: str
) -> None:
    with pytest.raises(ProcessDied) as caught:
        await run(pool, jobs.write, what=what)
    assert text in str(caught.value)
    assert await run(pool, jobs.echo) == {}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks for the socket in /proc")
async def test_a_message_without_contents_harms_nobody(
    pool: ProcessPool, caplog: pytest.LogCaptureFixture
) -> None:
    assert await run(pool, jobs.write, what="message") is None
    assert await run(pool, jobs.echo) == {}


async def test_a_job_that_is_too_long_is_refused_and_the_process_goes_on(
    pool: ProcessPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await run(pool, jobs.pid)
    monkeypatch.setattr(frames, "MAX_FRAME_BYTES", 1000)
    with pytest.raises(FrameError, match="more than 1000"):
        await run(pool, jobs.echo, text="x" * 1000)
    assert await run(pool, jobs.pid) == before


async def test_a_process_that_was_killed_between_two_jobs_costs_no_attempt(
    pool: ProcessPool,
) -> None:
    first = await run(pool, jobs.pid)
    os.kill(first, signal.SIGKILL)  # the pool learns of it while the next job is on its way
    second = await run(pool, jobs.pid)
    os.kill(second, signal.SIGKILL)
    await gone(second)
    third = await run(pool, jobs.pid)
    assert len({first, second, third}) == 3


async def test_a_process_that_died_as_soon_as_it_was_ready_begins_nothing() -> None:
    child = Child(lambda child: None, SYSTEM_CLOCK)
    await child.start()
    child.kill()
    assert child.task is not None
    await child.task
    with pytest.raises(NotBegun, match="had ended before the job"):
        await child.run(call_of(jobs.pid), None)
    child.exit()
    assert (
        child._killer is None or child._killer.cancelled()
    )  # its number may be another process's by now


@pytest.mark.parametrize(
    ("module", "error"),
    [("raise OSError('no such disk')", OSError), ("import no_such_module_at_all", ImportError),
     ("def f(:", SyntaxError), ("raise SystemExit(3)", SystemExit)],
)  # fmt: skip
async def test_a_module_that_can_not_be_imported_fails_the_attempt_with_its_traceback(
    pool: ProcessPool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    error: type[BaseException],
) -> None:
    write(tmp_path / "broken_module.py", module)
    monkeypatch.syspath_prepend(tmp_path)
    call = ProcessCall(job=claimed(), worker="broken", source="broken_module.f")
    with pytest.raises(ProcessJobError) as caught:
        await pool.run(call)
    assert caught.value.matches(error)
    assert "broken_module.py" in caught.value.traceback
    assert await run(pool, jobs.echo) == {}


@pytest.mark.parametrize("source", ["no_such_module.f", "json.loads", "__main__.f"])
async def test_a_worker_that_is_not_defined_there_fails_the_attempt_with_the_remedy(
    pool: ProcessPool, source: str
) -> None:
    call = ProcessCall(job=claimed(), worker="nowhere", source=source)
    with pytest.raises(ProcessJobError, match=f"after the import of {source}: define it") as caught:
        await pool.run(call)
    assert caught.value.original_type is staffa_errors.UnknownWorker


@pytest.mark.parametrize(
    ("executable", "text"),
    [("", "sys.executable is empty"), ("/no/such/python", "No such file"),
     ("/bin/false", "ended before it was ready")],
)  # fmt: skip
async def test_calls_fail_with_the_reason_while_no_process_can_be_started(
    make_pool: MakePool, monkeypatch: pytest.MonkeyPatch, executable: str, text: str
) -> None:
    pool = make_pool(size=4)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", executable)
        tries = [run(pool, jobs.pid) for _ in range(40)]
        found = await asyncio.gather(*tries, return_exceptions=True)
    assert {type(error) for error in found} == {ProcessUnavailable}
    assert all(text in str(error) for error in found)
    assert isinstance(await run(pool, jobs.pid), int)


async def test_starts_that_fail_become_rare(
    make_pool: MakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_pool(size=4)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    found = await asyncio.gather(*(run(pool, jobs.pid) for _ in range(20)), return_exceptions=True)
    told = ["starts in a row have failed" in str(error) for error in found]
    assert sorted(told) == [False] * 6 + [True] * 14  # the first round, then one after another
    later = await asyncio.gather(*(run(pool, jobs.pid) for _ in range(4)), return_exceptions=True)
    assert sum("4 starts in a row have failed" in str(error) for error in later) == 3
