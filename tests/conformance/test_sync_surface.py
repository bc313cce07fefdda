"""The surface for synchronous code against the asynchronous one: the same methods do the same.

Each operation is tried through both, each on a fresh schema, and must tell and leave the same. One
more kind of database joins the suite as a parameter of the fixture `fresh`.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from staffa import Batch, Cron, Job, JobFilter, Staffa, State, Unique, Workflow, job
from staffa.errors import ConfigError, InvalidJob, UnknownOption
from staffa.sync import SyncStaffa
from tests.conftest import QUICK
from tests.support.events import eventually
from tests.support.files import make_file
from tests.support.schemas import Schemas

Fresh = Callable[[], Awaitable[Staffa]]

_OMITTED = frozenset(
    {"inserted_at", "scheduled_at", "attempted_at", "completed_at", "cancelled_at"}
)


class Do(Protocol):
    """Calls a method of the client by its name, through one of the surfaces."""

    async def __call__(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Return what it returns, or a list of what it yields."""


class Scenario(Protocol):
    """Tries methods, and returns what they told."""

    __name__: str

    async def __call__(self, do: Do, app: Staffa, /) -> Any:
        """Try them."""


SCENARIOS: dict[str, Scenario] = {}


def of(*names: str) -> Callable[[Scenario], Scenario]:
    """Have a scenario try methods."""

    def keep(scenario: Scenario) -> Scenario:
        SCENARIOS.update(dict.fromkeys(names, scenario))
        return scenario

    return keep


def asynchronous(app: Staffa) -> Do:
    """Return the surface that is awaited."""

    async def do(name: str, *args: Any, **kwargs: Any) -> Any:
        result = getattr(app, name)(*args, **kwargs)
        if hasattr(result, "__aiter__"):
            return [item async for item in result]
        return await result

    return do


def synchronous(app: Staffa) -> Do:
    """Return the surface for synchronous code, which is called on a thread here."""

    def call(name: str, *args: Any, **kwargs: Any) -> Any:
        result = getattr(app.sync, name)(*args, **kwargs)
        return list(result) if isinstance(result, Iterator) else result

    async def do(name: str, *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(call, name, *args, **kwargs)

    return do


@pytest.fixture(params=["postgres", "sqlite", "sqlite in a temporary file"])
def place(request: pytest.FixtureRequest) -> tuple[str, Schemas | None]:
    """A kind of database, with its schemas if it has such."""
    served = request.param == "postgres"
    return request.param, request.getfixturevalue("schemas") if served else None


@pytest.fixture
async def fresh(place: tuple[str, Schemas | None], tmp_path: Path) -> AsyncIterator[Fresh]:
    """Makes clients, each on an empty, migrated database or schema of its own."""
    kind, schemas = place
    made: list[Staffa] = []
    prefixes: list[str] = []

    async def make() -> Staffa:
        options: dict[str, Any] = {"name": "the same", "node": "here", **QUICK}
        if schemas is not None:
            dsn = schemas.dsn
            prefixes.append(await schemas.take())
            options["prefix"] = prefixes[-1]
        elif kind == "sqlite":
            path = tmp_path / f"jobs-{len(made)}.db"
            dsn = f"sqlite:///{path}"
            await make_file(path)
        else:
            dsn = "sqlite://"
        made.append(Staffa(dsn, **options))
        return made[-1]

    yield make
    for app in made:
        await app.stop(grace=0)
    if schemas is not None:
        for prefix in prefixes:
            schemas.give_back(prefix)


def coroutine_methods() -> dict[str, Any]:
    """Return the client's public methods that are awaited or iterated asynchronously."""
    return {
        name: method
        for name, method in inspect.getmembers(Staffa, inspect.isfunction)
        if not name.startswith("_")
        and any(
            kind in str(inspect.signature(method).return_annotation) for kind in ("Async", "Co")
        )
        | inspect.iscoroutinefunction(method)
    }


def test_every_method_has_its_twin_with_equal_parameters() -> None:
    methods = coroutine_methods()
    assert len(methods) > 20
    for name, method in methods.items():
        twin = getattr(SyncStaffa, name)
        assert not inspect.iscoroutinefunction(twin)
        theirs, ours = (inspect.signature(each).parameters for each in (method, twin))
        assert list(ours) == list(theirs), name
        for parameter in ours:
            assert ours[parameter].kind == theirs[parameter].kind
            assert ours[parameter].default == theirs[parameter].default
            if name != "enqueue_many":  # whose async iterables stay with the other one
                assert ours[parameter].annotation == theirs[parameter].annotation
        assert "await" not in inspect.getdoc(twin), name  # type: ignore[operator]  # it has one
        assert inspect.getdoc(twin).splitlines()[0] == inspect.getdoc(method).splitlines()[0]  # type: ignore[union-attr]  # likewise


def test_every_method_is_tried() -> None:
    assert SCENARIOS.keys() == coroutine_methods().keys()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "scenario" in metafunc.fixturenames:
        once = {scenario.__name__: scenario for scenario in SCENARIOS.values()}
        metafunc.parametrize("scenario", once.values(), ids=once.keys())


async def test_both_surfaces_tell_and_leave_the_same(scenario: Scenario, fresh: Fresh) -> None:
    outcomes = []
    for surface in (asynchronous, synchronous):
        app = await fresh()
        told = await scenario(surface(app), app)
        left = [stored async for stored in app.stream_jobs()]
        outcomes.append((_plain(told), _plain(left)))
        await app.stop(grace=0)
    assert outcomes[0] == outcomes[1]
    assert outcomes[0] != (None, [])


def _plain(value: Any) -> Any:
    """Return what can be compared: jobs without their times."""
    if isinstance(value, Job):
        columns = {
            column: getattr(value, column)
            for column in ("id", "state", "queue", "worker", "args", "meta", "tags", "priority")
        }
        return {**columns, "conflict": value.conflict, "attempt": value.attempt}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Exception):
        return type(value), str(value)
    return value


def jobs(count: int, **options: Any) -> Iterator[Job]:
    """Yield jobs, for once."""
    return (Job(worker="a.b", args={"number": n}, **options) for n in range(count))


async def refusal(doing: Awaitable[Any]) -> Exception:
    """Return what an operation raises."""
    try:
        return AssertionError(f"it returned {await doing!r}")
    except Exception as error:  # noqa: BLE001  # whatever it is, it is to be the same
        return error


@of("enqueue")
async def enqueue(do: Do, app: Staffa) -> Any:
    unique = Job(worker="a.b", unique=Unique())
    stored = await do("enqueue", unique)
    again = await do("enqueue", Job(worker="a.b", unique=Unique()))
    return stored, again, await refusal(do("enqueue", stored)), await refusal(do("enqueue", 5))


@of("enqueue_many")
async def enqueue_many(do: Do, app: Staffa) -> Any:
    told: list[Any] = []
    many = await do("enqueue_many", jobs(5), Job(worker="c.d"), on_progress=told.append)
    spaced = await do("enqueue_many", jobs(4), chunk_size=2, auto_space=60)
    streamed = await do("enqueue_many", jobs(7), stream=True, chunk_size=3, on_progress=told.append)
    wrong = await refusal(do("enqueue_many", jobs(1), strem=True))
    assert isinstance(wrong, UnknownOption)
    half = await refusal(do("enqueue_many", [Job(worker="a.b"), 5]))
    assert isinstance(half, InvalidJob)
    return many, spaced, streamed, told, wrong, half, await do("enqueue_many", [])


@of("get_job", "list_jobs", "stream_jobs", "count_jobs")
async def read(do: Do, app: Staffa) -> Any:
    stored = await do("enqueue_many", jobs(250))
    wanted = JobFilter(ids=[job.id for job in stored[:120]])
    return (
        await do("get_job", stored[0]),
        await do("get_job", 10**6),
        await refusal(do("get_job", "1")),
        await do("list_jobs", JobFilter(limit=2)),
        await refusal(do("list_jobs", {"queue": "x"})),
        await do("stream_jobs"),
        await do("stream_jobs", wanted),
        await do("count_jobs"),
        await do("count_jobs", wanted),
    )


@of("fetch_result")
async def fetch_result(do: Do, app: Staffa) -> Any:
    @job(recorded=True)
    def add(a: int, b: int) -> int:
        return a + b

    stored = await do("enqueue", add.new(1, 2))
    early = await refusal(do("fetch_result", stored))
    await do("start", queues={"default": 1})
    await eventually(lambda: _has_state(app, stored, State.COMPLETED))
    told = early, await do("fetch_result", stored)
    await do("stop")
    return told


async def _has_state(app: Staffa, stored: Job, state: State) -> bool:
    found = await app.get_job(stored)
    return found is not None and found.state is state


@of("relay", "relay_many")
async def relay(do: Do, app: Staffa) -> Any:
    @job
    def add(a: int, b: int) -> int:
        return a + b

    async def told(wait: Callable[..., Any], *args: Any) -> Any:
        result = await asyncio.to_thread(wait, *args)  # one of the two surfaces blocks
        return await result if inspect.isawaitable(result) else result

    refused = await refusal(do("relay", None))
    await do("start", queues={"default": 1})
    one = await do("relay", add.new(1, 2))
    several = await do("relay_many", [add.new(3, 4)], add.new(5, 6))
    results = refused, await told(one.result, 30), await told(several.results, 30)
    await app.delete_many_jobs(JobFilter(), everything=True)  # their marks differ
    await do("stop")
    return results


@of("signal")
async def signal(do: Do, app: Staffa) -> Any:
    stored = await do("enqueue_many", jobs(3))
    ids = [job.id for job in stored]
    told = [
        await do("signal", stored[0], {"n": 1}),
        await do("signal", iter(ids)),
        await do("signal", 10**6),
        await refusal(do("signal", stored[0], object())),
    ]
    assert told[:3] == [ids[:1], ids[1:], []]
    await app.delete_many_jobs(JobFilter(), everything=True)  # they tell when they were signalled
    return told


@of("cancel_job", "retry_job", "delete_job")
async def change_one(do: Do, app: Staffa) -> Any:
    stored = await do("enqueue", Job(worker="a.b"))
    told = []
    for name in ("retry_job", "cancel_job", "cancel_job", "retry_job", "delete_job", "delete_job"):
        told.append(await do(name, stored))
        told.append(await do("get_job", stored))
    return told, await refusal(do("cancel_job", None))


@of("cancel_many_jobs", "retry_many_jobs", "delete_many_jobs")
async def change_many(do: Do, app: Staffa) -> Any:
    stored = await do("enqueue_many", jobs(30))
    wanted, told = JobFilter(queues=["default"]), []
    progress: list[Any] = []
    for name in ("cancel_many_jobs", "retry_many_jobs", "delete_many_jobs"):
        told.append(await do(name, (job.id for job in stored[:3])))
        told.append(await do(name, wanted, on_progress=progress.append))
        told.append(await refusal(do(name, JobFilter())))
        await do("enqueue_many", jobs(2))
    return told, progress


@of("update_job", "update_many_jobs")
async def update(do: Do, app: Staffa) -> Any:
    def count(job: Job) -> dict[str, Any] | None:
        return {"meta": {"seen": job.id}}

    def refuse(job: Job) -> None:
        raise KeyError(job.id)

    stored = await do("enqueue_many", jobs(3))
    return (
        await do("update_job", stored[0], priority=3),
        await do("update_job", stored[0], {"tags": ["x"]}),
        await do("update_job", stored[0], count),
        await do("update_job", 10**6, count),
        await refusal(do("update_job", stored[0], refuse)),
        await refusal(do("update_job", stored[0], state="available")),
        await do("update_many_jobs", iter(stored), queue="other"),
        await do("update_many_jobs", JobFilter(queues=["other"]), {"priority": 9}),
    )


@of(
    "start", "stop", "pause_queue", "resume_queue", "pause_all_queues", "resume_all_queues",
    "scale_queue", "start_queue", "stop_queue",
)  # fmt: skip
async def control(do: Do, app: Staffa) -> Any:
    def seen() -> list[tuple[str, int, bool]]:
        checks = sorted(app.check_all_queues(), key=lambda check: check.queue)
        assert app.sync.check_all_queues() == app.check_all_queues()
        return [(check.queue, check.limit, check.paused) for check in checks]

    told: list[Any] = [await do("start", queues={"a": 1, "b": 2}), app.started]
    told.append(await refusal(do("start")))
    for name, given, named in (
        ("pause_queue", ["a"], {}),
        ("scale_queue", ["a"], {"limit": 7}),
        ("resume_queue", ["a"], {}),
        ("pause_all_queues", [], {}),
        ("resume_all_queues", [], {"node": "here"}),
        ("pause_queue", ["b"], {"node": "elsewhere"}),
        ("start_queue", ["c"], {"limit": 3, "paused": True}),
        ("stop_queue", ["b"], {}),
    ):
        await do(name, *given, **named)
        told.append((name, seen()))
    told.append(await refusal(do("pause_queue", "*")))
    told.append((await do("stop", grace=0), app.started, seen()))
    return told


@of(
    "insert_queue", "insert_queues", "update_queue", "delete_queue", "list_queues", "get_queue",
)  # fmt: skip
async def dynamic_queues(do: Do, app: Staffa) -> Any:
    told: list[Any] = [await refusal(do("update_queue", "a", limit=1))]
    await do("insert_queues", {"a": 1, "b": {"limit": 2}})
    await do("insert_queue", "c", 3)
    await do("update_queue", "a", limit=5)
    told += [await do("delete_queue", "b"), await do("delete_queue", "b")]
    told += [(one.queue, dict(one.options)) for one in await do("list_queues")]
    told.append((await do("get_queue", "a")).options)
    return [*told, await do("get_queue", "b")]


@of("list_crons", "run_cron")
async def crons(do: Do, app: Staffa) -> Any:
    @job(cron=Cron("@yearly", name="yearly", args={"number": 5}))
    def yearly(number: int) -> None: ...

    await do("start", queues={"other": 1})

    async def registered() -> bool:
        return bool(await do("list_crons"))

    await eventually(registered)
    entries = [(entry.name, entry.expression) for entry in await do("list_crons")]
    made = await do("run_cron", "yearly")
    wrong = await refusal(do("run_cron", "yerly"))
    await do("stop", grace=0)
    return entries, made.args, made.worker, wrong


@of("insert_cron", "update_cron", "delete_cron", "get_cron", "pause_cron", "resume_cron")
async def dynamic_crons(do: Do, app: Staffa) -> Any:
    made = await do("insert_cron", Cron("@yearly", worker="a.b", name="yearly", args={"x": 1}))
    twice = await refusal(do("insert_cron", Cron("@daily", worker="a.b", name="yearly")))
    changed = await do("update_cron", "yearly", expression="@daily", queue="mail")
    told = [made.expression, changed.expression, changed.args, changed.options, twice]
    for change in ("pause_cron", "resume_cron"):
        await do(change, "yearly")
        told.append((await do("get_cron", "yearly")).paused)
    await do("delete_cron", "yearly")
    told += [await do("get_cron", "yearly"), await refusal(do("pause_cron", "yearly"))]
    return told


async def test_an_async_iterable_is_refused_where_nothing_awaits_it(fresh: Fresh) -> None:
    async def produce() -> AsyncIterator[Job]:
        yield Job(worker="a.b")

    app = await fresh()
    with pytest.raises(ConfigError, match="async iterable"):
        await synchronous(app)("enqueue_many", produce())


@of("batches")
async def batches(do: Do, app: Staffa) -> Any:
    handle = await do("enqueue", Batch([Job(worker="a.b")], id="b", name="bunch"))
    (status,) = await do("batches", limit=1)
    told = (status.id, status.name, status.state, status.total, dict(status.counts))
    return handle.id, told, await refusal(do("batches", limit=0))


@of("workflows")
async def workflows(do: Do, app: Staffa) -> Any:
    flow = Workflow("order", id="w").add("a", Job(worker="a.b"))
    handle = await do("enqueue", flow.add("b", Job(worker="a.b"), deps="a"))
    (status,) = await do("workflows", limit=1)
    told = (status.id, status.name, status.state, status.total, dict(status.counts))
    return handle.id, told, await refusal(do("workflows", limit=0))
