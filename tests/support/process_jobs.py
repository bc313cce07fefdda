"""Jobs that children of a pool of processes run: each does one thing that may go wrong."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket as socket_module
import stat
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from staffa import Cancel, Discard, Job, Record, Snooze, current_job, job, worker
from staffa.errors import JobCancelled, JobError
from staffa.queues.pools.process.frames import encode_frame

_kept: list[Any] = []


class Busy(ConnectionError):
    """An error of the users' own."""


class Unprintable(Exception):
    """An error that refuses to be printed."""

    def __str__(self) -> str:
        raise SystemExit(3)


@job(executor="process")
def add_up(first: int, second: int = 1) -> int:
    return first + second


@job
def pid() -> int:
    return os.getpid()


@job
def echo(**values: Any) -> dict[str, Any]:
    return values


@job
async def echo_later(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


@job
def describe() -> dict[str, Any]:
    """Tell what the job knows of itself."""
    running = current_job()
    return {
        **{name: getattr(running, name) for name in ("id", "worker", "queue")},
        "state": str(running.state),
        **{name: getattr(running, name) for name in ("attempt", "max_attempts", "priority")},
        **{name: getattr(running, name) for name in ("args", "meta", "errors")},
        **{name: list(getattr(running, name)) for name in ("tags", "attempted_by")},
        **{name: getattr(running, name).isoformat() for name in ("inserted_at", "attempted_at")},
        "cancelled": running.cancelled(),
    }


@job
async def describe_in_a_task() -> int | None:
    return await asyncio.create_task(_current_id())


async def _current_id() -> int | None:
    return current_job().id


@job
def surroundings() -> dict[str, Any]:
    """Tell what surrounds the job."""
    return {
        "cwd": str(Path.cwd()),
        "path": sys.path,
        "variable": os.environ.get("A_VARIABLE_OF_THE_TEST"),
        "input": sys.stdin.read(),
        "main_thread": threading.current_thread() is threading.main_thread(),
    }


@job
def returns(kind: str) -> Any:
    match kind:
        case "cancel":
            return Cancel("not needed")
        case "discard":
            return Discard(ValueError("no such page"))
        case "snooze":
            return Snooze(90)
        case "unknown":
            return object()
        case "nan":
            return float("nan")
        case "long":
            return "x" * 40_000_000
        case "unreadable":
            return Cancel(Unprintable())
    return None


@dataclass
class Page:
    """What a job takes and returns."""

    number: int
    read_at: datetime


@job(recorded=True)
def turn(page: Page) -> Page:
    return Page(page.number + 1, page.read_at)


@job
async def record(kind: str) -> Record:
    return Record({"value": (1, b"bytes"), "nothing": object()}[kind])


@worker(args=Page, recorded=True)
class ReadPage:
    def process(self, job: Job[Page]) -> int:
        return job.args.number


@job
def fail(kind: str) -> None:  # noqa: C901  # one case for each error
    match kind:
        case "value":
            raise ValueError("bad value")
        case "busy":
            raise Busy("come back later")
        case "chain":
            try:
                _kept[1000]
            except IndexError as error:
                raise Busy("come back later") from error
        case "exit":
            sys.exit(3)
        case "interrupt":
            raise KeyboardInterrupt
        case "cancelled":
            raise asyncio.CancelledError
        case "unprintable":
            raise Unprintable
        case "surrogates":
            raise ValueError("a\udfffb\x00c")
        case "group":
            raise ExceptionGroup("several", [ValueError("one"), OSError("two")])
        case "local":

            class Local(LookupError):
                pass

            raise Local("only here")


@job
async def fail_later() -> None:
    await asyncio.sleep(0)
    raise Busy("come back later")


@job
def die(how: str) -> None:
    match how:
        case "SIGSEGV":
            ctypes.string_at(0)
        case "exit":
            os._exit(3)
        case "forked":  # what it leaves behind holds the socket open
            if os.fork() == 0:
                time.sleep(600)
            os._exit(3)
        case "thread":
            threading.Timer(0.0, os._exit, [4]).start()
            time.sleep(600)
        case _:
            os.kill(os.getpid(), getattr(signal, how))


@job
def write(what: str) -> None:  # noqa: C901  # one case for each
    """Write into the socket to the parent what does not belong there."""
    socket = next(
        number
        for number in range(3, 64)
        if Path(f"/proc/self/fd/{number}").exists() and stat.S_ISSOCK(os.fstat(number).st_mode)
    )
    match what:
        case "garbage":
            os.write(socket, b"print: hello\n")
        case "length":
            os.write(socket, b"SFR1\xff\xff\xff\xff")
        case "text":
            os.write(socket, b"SFR1\x00\x00\x00\x04oops")
        case "list":
            os.write(socket, b"SFR1\x00\x00\x00\x02[]")
        case "half":
            os.write(socket, b"SFR1\x00\x00\x00\x09{")
            os._exit(0)
        case "kind":
            os.write(socket, encode_frame("run"))
        case "result":
            os.write(socket, encode_frame("result", surprise=1))
        case "error":
            os.write(socket, encode_frame("error", memory=1, enqueued=[], error=[], stopped=1))
        case "message":
            os.write(socket, encode_frame("message", run=1))
            return
        case "shut":
            with socket_module.socket(fileno=os.dup(socket)) as another:
                another.shutdown(socket_module.SHUT_RDWR)
        case "close":
            os.close(socket)
            return
    time.sleep(600)


@job
def print_a_lot() -> None:
    sys.stdout.write("to the output\n" * 10_000)
    sys.stderr.write("to the errors\n" * 10_000)


@job
def hold(folder: str, name: str = "begun") -> int:
    """Run until released."""
    _tell(folder, name)
    while not (Path(folder) / "released").exists():
        time.sleep(0.005)
    return os.getpid()


@job
def spin(folder: str) -> None:
    """Burn the processor."""
    _tell(folder)
    while True:
        pass


@job
def doze(folder: str) -> None:
    _tell(folder)
    time.sleep(600)


@job
def ignore_everything(folder: str) -> None:
    _tell(folder)
    while True:
        try:
            while True:
                pass
        except BaseException:  # noqa: BLE001  # this is what it is about
            pass


@job
def hold_the_lock(folder: str) -> None:
    """Stay in C with the interpreter's lock held."""
    _tell(folder)
    ctypes.PyDLL(None).sleep(600)


@job
def stop_in_order(folder: str) -> bool:
    _tell(folder)
    try:
        time.sleep(600)
    except JobCancelled:
        return current_job().cancelled()
    return False


@job
def fail_to_stop(folder: str) -> None:
    _tell(folder)
    try:
        time.sleep(600)
    finally:
        raise Busy("could not clean up")


@job
async def wait(folder: str) -> None:
    _tell(folder)
    await asyncio.Event().wait()


@job
async def block(folder: str) -> None:
    """Block the event loop."""
    _tell(folder)
    time.sleep(600)  # noqa: ASYNC251


@job
async def swallow_cancellation(folder: str) -> None:
    _tell(folder)
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


@job
def start_program(folder: str) -> None:
    """Start a program that outlives the job, and wait for it."""
    with subprocess.Popen(["sleep", "600"]) as program:
        _tell(folder, "begun", program.pid)


@job
def keep_memory(size: int) -> int:
    _kept.append(b"x" * size)
    return os.getpid()


@job
def send(kind: str, payload: dict[str, Any]) -> Any:
    return _context().send_message(kind, payload)


@job
async def send_later(kind: str, payload: dict[str, Any]) -> Any:
    return await _context().send_message_async(kind, payload)


@job
def note() -> dict[str, Any]:
    current_job().progress(0.5)
    current_job().update_meta(page=7)
    return current_job().meta


@job
async def note_later() -> dict[str, Any]:
    await current_job().progress(0.5)
    await current_job().update_meta(page=7)
    return current_job().meta


@job
def post(count: int, size: int = 1) -> None:
    for number in range(count):
        _context().post_message("progress", {"number": number, "text": "x" * size})


@job
def send_too_late() -> None:
    """Leave a thread behind that sends when the job has ended."""
    context = _context()

    def late() -> None:
        while not context._ended:
            time.sleep(0.001)
        try:
            context.send_message("late", {})
        except JobError as error:
            _kept.append(str(error))

    thread = threading.Thread(target=late, daemon=True)
    _kept.append(thread)
    thread.start()


@job
def what_came_of_it() -> str:
    thread, *_ = _kept
    thread.join(30)
    return str(_kept[-1])


@job
def note_queue(queue: str) -> None:
    current_job().note_enqueued([queue])


def _context() -> Any:
    return current_job()._context


def _tell(folder: str, name: str = "begun", number: int | None = None) -> None:
    path = Path(folder) / name
    part = path.with_suffix(".part")
    part.write_text(str(os.getpid() if number is None else number))
    part.rename(path)
