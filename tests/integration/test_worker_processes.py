"""`staffa start --processes N`: real processes that share limits, and one that looks after them."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from staffa import State
from tests.conftest import MakeClient
from tests.support.app import hold, release, steps
from tests.support.database import PROJECT
from tests.support.events import eventually
from tests.support.http import Reply, ask
from tests.support.processes import Spawn, WorkerProcess
from tests.support.rows import Rows

NODE = "rack.7"

_GATE = """
import time
from pathlib import Path
import tests.support.app

while Path("closed").exists():
    time.sleep(0.01)
"""


class Group:
    """A supervisor and its children."""

    def __init__(self, process: WorkerProcess, count: int) -> None:
        self.process = process
        self.count = count
        self._url = ""

    async def run(self) -> None:
        """Wait until all children run."""
        await self.process.logged(f"all {self.count} worker processes run")
        found = re.search(
            r"health is told at 127\.0\.0\.1 port (\d+)", self.process.log.read_text()
        )
        assert found
        self._url = f"http://127.0.0.1:{found[1]}"

    async def ask(self, path: str = "/readyz") -> Reply:
        """Ask the health port."""
        return await ask(self._url, path)

    async def pids(self) -> list[int]:
        """Return the ids of the children, the first one's first."""
        return [one["pid"] for one in (await self.ask()).body["processes"]]

    async def ready(self) -> list[int]:
        """Wait until the node is ready, and return the ids of its children."""

        async def is_ready() -> bool:
            return (await self.ask()).status == 200

        await eventually(is_ready, "a node that is ready")
        return await self.pids()


StartGroup = Callable[..., Awaitable[Group]]


@pytest.fixture
async def group(spawn: Spawn) -> AsyncIterator[StartGroup]:
    """Starts a supervisor with children; they have all ended before the test does."""
    started: list[Group] = []

    async def start(count: int = 2, *arguments: str, **settings: object) -> Group:
        options = {"node": NODE, "health_port": 0, "shutdown_grace": 20, **settings}
        process = spawn(arguments=("--processes", str(count), *arguments), **options)
        started.append(Group(process, count))
        await started[-1].run()
        return started[-1]

    yield start
    for one in started:
        if one.process.code is None:
            pids = await one.pids()
            one.process.send(signal.SIGTERM)
            one.process.send(signal.SIGTERM)
            await one.process.ended()
            await gone(*pids)


async def gone(*pids: int) -> None:
    """Wait until processes have ended."""

    def lives(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()

    await eventually(lambda: not any(map(lives, pids)), f"the end of {pids}")


def _is_stopped(pid: int) -> bool:
    threads = Path(f"/proc/{pid}/task").iterdir()
    return all("\nState:\tT" in (thread / "status").read_text() for thread in threads)


@asynccontextmanager
async def frozen(pid: int) -> AsyncIterator[None]:
    """Stop a process for a while, all its threads: they are not all stopped at once."""
    os.kill(pid, signal.SIGSTOP)
    try:
        await eventually(lambda: _is_stopped(pid), "a process that is stopped")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def spread(folder: Path, kind: str = "begun") -> Counter[int]:
    """Return how many jobs each process has begun."""
    return Counter(step.pid for step in steps(folder, kind))


async def test_children_share_the_limits_of_their_node_also_when_these_change(
    group: StartGroup, make_client: MakeClient, rows: Rows, tmp_path: Path
) -> None:
    app = make_client(name="Oban")
    jobs = [hold.new(str(tmp_path)) for _ in range(7)]
    jobs += [hold.options(queue="rare").new(str(tmp_path)) for _ in range(3)]
    await app.enqueue_many(jobs)
    many = await group(3, "--json", queues="default:4,rare:2")
    first, second, third = await many.ready()
    await eventually(lambda: len(steps(tmp_path)) == 6, "as many jobs as the limits allow")
    assert spread(tmp_path) == {first: 3, second: 2, third: 1}  # 2+1, 1+1, 1+0
    told = (await many.ask("/healthz")).body
    assert [one["clients"]["Oban"]["running_jobs"] for one in told["processes"]] == [3, 2, 1]

    await app.scale_queue("default", limit=6)
    await app.scale_queue("rare", limit=3, node=NODE)
    await eventually(lambda: len(steps(tmp_path)) == 9, "as many as the new limits allow")
    assert spread(tmp_path) == {first: 3, second: 3, third: 3}

    def listed(event: str) -> int:
        return sum(
            f'"{event}"' in line and '"worker_process"' in line
            for line in many.process.log.read_text().splitlines()
        )

    await app.scale_queue("rare", limit=1)
    await app.pause_queue("default", node=NODE)
    await eventually(lambda: listed("staffa.queue.paused") == 3, "a pause in all processes")
    assert (await many.ask()).status == 200  # two of them run no queue `rare`, as they should
    release(tmp_path)
    await eventually(lambda: len(steps(tmp_path, "ended")) == 9, "the end of what ran")
    await app.resume_queue("default", node=NODE)
    await eventually(lambda: len(steps(tmp_path, "ended")) == 10, "the end of all")
    await eventually(lambda: _all(rows, State.COMPLETED))
    many.process.send(signal.SIGTERM)
    assert await many.process.ended() == 0
    await gone(first, second, third)


async def _all(rows: Rows, state: State) -> bool:
    return set(await rows.count()) == {state.value}


async def _states(rows: Rows) -> list[tuple[str, int]]:
    found = await rows.connection.fetch(f"SELECT state, attempt FROM {rows.jobs}")
    return [(row["state"], row["attempt"]) for row in found]


async def test_a_child_that_hangs_is_told_and_one_that_is_killed_is_replaced(
    group: StartGroup, make_client: MakeClient, rows: Rows, tmp_path: Path
) -> None:
    (tmp_path / "gate.py").write_text(_GATE)
    two = await group(
        2, queues="default:2", module="gate", folder=tmp_path,
        environment={"PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    first, second = await two.ready()
    async with frozen(second):
        for told in await asyncio.gather(two.ask("/healthz"), two.ask("/readyz")):
            assert (told.status, told.reasons) == (503, "process 2: it does not answer")
    assert await two.ready() == [first, second]

    app = make_client(name="Oban")
    await app.scale_queue("default", limit=4, node=NODE)
    await app.enqueue_many([hold.new(str(tmp_path)) for _ in range(4)])
    await eventually(lambda: len(steps(tmp_path)) == 4, "the jobs")
    (tmp_path / "closed").touch()
    os.kill(second, signal.SIGKILL)
    await two.process.logged(f"worker process 2 of 2, pid {second}, was killed by SIGKILL")
    told = await two.ask()
    assert (told.status, (await two.ask("/healthz")).status) == (503, 200)
    assert "process 2: it " in told.reasons
    (tmp_path / "closed").unlink()
    pids = await two.ready()
    assert pids[0] == first
    assert pids[1] not in {first, second}
    await eventually(lambda: len(steps(tmp_path, "begun")) == 6, "the rescued jobs")
    # The new one has its part of the limit that was set for the node before it was started.
    assert spread(tmp_path) == {first: 2, second: 2, pids[1]: 2}
    release(tmp_path)
    await eventually(lambda: _all(rows, State.COMPLETED))
    os.kill(first, signal.SIGTERM)  # by hand: it ends in order
    await two.process.logged(f"worker process 1 of 2, pid {first}, ended with exit code 0")
    assert (await two.ready())[1] == pids[1]


async def test_the_first_signal_lets_jobs_end_also_when_children_get_it_besides(
    group: StartGroup, make_client: MakeClient, tmp_path: Path
) -> None:
    await make_client().enqueue_many([hold.new(str(tmp_path)) for _ in range(2)])
    two = await group(2, queues="default:2")
    pids = await two.ready()
    await eventually(lambda: len(steps(tmp_path)) == 2, "the jobs")
    two.process.send(signal.SIGTERM)
    for pid in pids * 2:  # as service managers do that send it to all processes of a service
        os.kill(pid, signal.SIGTERM)
    for number in (1, 2):
        await two.process.logged(f"[{number}] stopping:")
    told = await two.ask()
    assert (told.status, (await two.ask("/healthz")).status) == (503, 200)
    assert "process 1: Oban: it is shutting down" in told.body["reasons"]
    release(tmp_path)
    assert await two.process.ended() == 0
    assert len(steps(tmp_path, "ended")) == 2
    assert "at once" not in two.process.log.read_text()


async def test_a_second_signal_ends_the_grace_period_of_all_children(
    group: StartGroup, make_client: MakeClient, rows: Rows, tmp_path: Path
) -> None:
    await make_client().enqueue_many([hold.new(str(tmp_path)) for _ in range(2)])
    two = await group(2, queues="default:2", shutdown_grace=3600)
    pids = await two.ready()
    await eventually(lambda: len(steps(tmp_path)) == 2, "the jobs")
    two.process.send(signal.SIGINT)
    await two.process.logged("stopping all worker processes")
    two.process.send(signal.SIGINT)
    assert await two.process.ended() == 0
    await gone(*pids)
    assert await _states(rows) == [("available", 0)] * 2


async def test_children_end_in_order_when_the_supervisor_is_killed(
    group: StartGroup, make_client: MakeClient, rows: Rows, tmp_path: Path
) -> None:
    await make_client().enqueue_many([hold.new(str(tmp_path)) for _ in range(2)])
    two = await group(2, queues="default:2", shutdown_grace=0.1)
    pids = await two.ready()
    await eventually(lambda: len(steps(tmp_path)) == 2, "the jobs")
    two.process.kill()
    await gone(*pids)
    assert await _states(rows) == [("available", 0)] * 2
    assert two.process.log.read_text().count("the supervising process has ended: stopping") == 2
