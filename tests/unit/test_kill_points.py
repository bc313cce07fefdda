"""The points at which a process can be told to kill itself, and that they cost nothing untold."""

from __future__ import annotations

import inspect
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from staffa._internal import kill_points
from staffa._internal.kill_points import KillPoint, boundaries, boundary, parse_kill_point, sender
from staffa._internal.kill_points.catalogue import BOUNDARIES, POINTS
from staffa.config import Config
from staffa.drivers import asyncpg_pool
from staffa.engines.chunks import ChunkVerbs
from staffa.engines.crons import CronEngine
from staffa.engines.limited import LimitVerbs
from staffa.engines.linked.graphs import GraphVerbs
from staffa.engines.linked.verbs import FollowVerbs
from staffa.engines.postgres import PostgresEngine
from staffa.engines.postgres.heartbeat import PostgresHeartbeat
from staffa.engines.signals import SignalEngine
from staffa.engines.sqlite import SqliteEngine
from staffa.engines.sqlite.heartbeat import SqliteHeartbeat
from staffa.engines.sqlite.maintenance import SqliteTidying
from staffa.engines.statements.following import FollowStatements
from staffa.engines.statements.graphs import GraphStatements
from staffa.engines.unique import UniqueVerbs
from staffa.errors import ConfigError
from staffa.flows.composer import Composer
from staffa.queues import completions
from staffa.queues.acker import Acker
from staffa.queues.executor import Executor
from staffa.queues.handovers import Handovers
from staffa.queues.supervisor import Supervisor
from tests.support.database import PROJECT

MARKED: dict[str, Callable[..., Any]] = {
    "perform_job": Executor._perform,
    "graft_jobs": Composer._write,
    "stop_jobs": Executor.stop_all,
    "submit_outcome": Acker.submit,
    "hand_over": Handovers.hand_over,
    "stop_claiming": Supervisor.stop_claiming,
    "complete_job": completions.complete_on_sync,
    "commit": asyncpg_pool._commit,
}
CLASSES: list[type] = [
    ChunkVerbs,
    CronEngine,
    FollowStatements,
    FollowVerbs,
    GraphStatements,
    GraphVerbs,
    LimitVerbs,
    SignalEngine,
    PostgresEngine,
    PostgresHeartbeat,
    SqliteEngine,
    SqliteHeartbeat,
    SqliteTidying,
    UniqueVerbs,
]


def test_while_no_point_is_named_a_marked_function_is_the_function_itself() -> None:
    def function() -> None: ...

    async def send() -> bool:
        return True

    class Engine:
        async def claim_jobs(self) -> None: ...

    claim_jobs = vars(Engine)["claim_jobs"]
    assert kill_points._ARMED is None
    for name in BOUNDARIES:
        assert boundary(name)(function) is function
    assert sender(send)(function) is function
    assert vars(boundaries(Engine))["claim_jobs"] is claim_jobs


@pytest.mark.parametrize("name", MARKED)
def test_no_instruction_of_a_marked_function_is_about_kill_points(name: str) -> None:
    code = MARKED[name].__code__
    assert code.co_filename == inspect.getsourcefile(inspect.getmodule(MARKED[name]))  # type: ignore[arg-type]
    assert not {"boundary", "sender", "kill_points", "_ARMED"} & {*code.co_names, *code.co_freevars}


def test_every_boundary_lies_somewhere() -> None:
    methods = {name for marked in CLASSES for name in vars(marked)}
    assert BOUNDARIES.keys() - methods == MARKED.keys()


def test_every_boundary_is_in_the_documentation_with_its_phases() -> None:
    page = (PROJECT / "docs/internals/kill-points.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([\w, ]+) \|", page, re.MULTILINE)
    assert {name: tuple(phases.split(", ")) for name, phases in rows} == BOUNDARIES


def test_a_boundary_without_a_name_in_the_catalogue_is_refused() -> None:
    with pytest.raises(KeyError, match="clam"):
        boundary("clam")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("clam", "there is no kill point 'clam'; there are enqueue_jobs.before, "),
        ("claim_jobs", "there is no kill point 'claim_jobs'"),
        ("claim_jobs.after:0", "'0' is no turn: give a number from 1, as in claim_jobs.after:3"),
        ("claim_jobs.after:x", "'x' is no turn"),
        ("claim_jobs.after:1:SIGTERM", "'SIGTERM' can't be sent at claim_jobs.after: give SIGKILL"),
        ("claim_jobs.sent:1:SIGSTOP", "'SIGSTOP' can't be sent at claim_jobs.sent: give SIGKILL"),
    ],
)
def test_what_is_no_point_is_refused_with_the_names(
    text: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(kill_points.KILL_POINT, text)
    with pytest.raises(ConfigError) as caught:
        Config.load()
    assert f"STAFFA_KILL_POINT='{text}': {complaint}" in str(caught.value)


def test_a_point_is_read_with_its_turn_and_its_signal() -> None:
    for name in POINTS:
        assert ".".join((parse_kill_point(name).boundary, parse_kill_point(name).phase)) == name
    assert parse_kill_point("ack_jobs.sent") == KillPoint("ack_jobs", "sent")
    stopping = KillPoint("beat", "before", 3, signal.SIGSTOP)
    assert parse_kill_point("beat.before:3:SIGSTOP") == stopping


@pytest.mark.parametrize(
    ("point", "printed"),
    [
        ("submit_outcome.after", "a1\na2\n1\n"),
        ("submit_outcome.after:3", "a1\na2\n1\n2\n3\n"),
        ("perform_job.before:2", "a1\n"),
        ("stop_jobs.after", "a1\na2\n1\n2\n3\n"),
    ],
)
def test_a_process_is_killed_at_the_turn_that_was_named_and_at_no_other_point(
    point: str, printed: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env={**os.environ, kill_points.KILL_POINT: point},
        capture_output=True,
        text=True,
        check=False,
    )
    unharmed = point.startswith("stop_jobs")
    assert ended.returncode == (0 if unharmed else -signal.SIGKILL), ended.stderr
    assert ended.stderr == ("" if unharmed else f"SIGKILL at {point.partition(':')[0]}\n")
    assert ended.stdout == printed


_PROGRAM = """
import asyncio
from staffa._internal.kill_points import boundary

@boundary("perform_job")
async def perform(number):
    print(f"a{number}", flush=True)

@boundary("submit_outcome")
def submit(number):
    print(number, flush=True)

async def main():
    await perform(1)
    await perform(2)

asyncio.run(main())
for number in (1, 2, 3):
    submit(number)
"""
