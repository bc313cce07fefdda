"""Jobs of flows run on several nodes, end in all ways that there are, and are told of."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import asyncpg
import pytest

from staffa import Cancel, EndReason, Job, current_job, hooks, job
from staffa._internal.identifiers import quote_identifier
from staffa.drivers.asyncpg import ConnectionSettings
from staffa.engines.postgres import PostgresEngine
from staffa.linking import FlowKind, Graph, NeedsFlow, NeedsStep, NewFlow, NewStep, Policies, Policy
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.rows import Rows

SLOW_POLL = {"poll": 3600, "heartbeat": 900, "dead_after": 3600}
"""Under which nobody finds a job without being told of it."""


@pytest.fixture(autouse=True)
def no_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "_attached", ())


@pytest.fixture
async def engine(dsn: str, prefix: str) -> AsyncIterator[PostgresEngine]:
    """An engine that runs nothing."""
    made = PostgresEngine(ConnectionSettings(dsn), prefix, 4)
    yield made
    await made.close()


def new_flow(name: str = "w", kind: FlowKind = FlowKind.WORKFLOW, **options: object) -> NewFlow:
    return NewFlow(name, kind, name, **options)  # type: ignore[arg-type]


def step(worker: str, *needs: int, flow: str = "w", queue: str = "default") -> NewStep:
    return NewStep(
        Job(worker=worker, queue=queue, meta={"workflow_id": flow}),
        [NeedsStep(need) for need in needs],
    )


async def ended(engine: PostgresEngine, flow: str = "w") -> bool:
    (row,) = await engine.read_flows([flow])
    return row.finished_at is not None


async def test_a_fan_runs_on_two_nodes_that_are_woken_and_not_by_polling(
    make_client: MakeClient, engine: PostgresEngine, events: Recorder
) -> None:
    ran: list[str] = []

    @job(name="first")
    async def first() -> None:
        ran.append("first")

    @job(name="member")
    async def member() -> None:
        await asyncio.sleep(0)
        ran.append("member")

    @job(name="last")
    async def last() -> None:
        ran.append("last")

    one = make_client(queues={"default": 5, "right": 5}, **SLOW_POLL)
    other = make_client(queues={"default": 5, "left": 5}, **SLOW_POLL)
    async with one, other:
        members = [step("member", 0, queue=("left", "right")[n % 2]) for n in range(100)]
        inserted = await engine.insert_graph(
            Graph([new_flow()], [step("first"), *members, step("last", *range(1, 101))])
        )
        await one._wake(inserted.woken)
        await events.wait("staffa.flow.end")
    assert (ran[0], ran[-1], Counter(ran)["member"]) == ("first", "last", 100)
    assert await ended(engine)


async def test_a_dependent_that_is_cancelled_is_told_of(
    make_client: MakeClient, engine: PostgresEngine, events: Recorder
) -> None:
    told: list[tuple[str, int | None]] = []

    class Notes:
        async def on_cancelled(self, reason: EndReason, job: Job) -> None:
            told.append((reason.value, job.id))

    @job(name="gives_up")
    async def gives_up() -> Cancel:
        return Cancel("no")

    @job(name="never", hooks=[Notes()])
    async def never() -> None:
        raise AssertionError

    async with make_client(queues={"default": 5}):
        inserted = await engine.insert_graph(
            Graph([new_flow()], [step("gives_up"), step("never", 0), step("never", 1)])
        )
        await events.wait("staffa.flow.end")
        await eventually(lambda: len(told) == 2, "the hooks")
    assert sorted(told) == [("dependency", inserted.ids[1]), ("dependency", inserted.ids[2])]
    names = [event.name for event in events.events if event.name == "staffa.job.cancelled"]
    assert len(names) == 3


async def test_a_client_that_cancels_a_job_tells_of_its_dependents(
    make_client: MakeClient, engine: PostgresEngine, events: Recorder
) -> None:
    told: list[tuple[str, int | None]] = []

    class Notes:
        async def on_cancelled(self, reason: EndReason, job: Job) -> None:
            told.append((reason.value, job.id))

    @job(name="never", hooks=[Notes()])
    async def never() -> None:
        raise AssertionError

    inserted = await engine.insert_graph(
        Graph([new_flow()], [step("never"), step("never", 0), step("never", 1)])
    )
    app = make_client()
    assert await app.cancel_job(inserted.ids[0])
    assert sorted(told) == [
        ("dependency", inserted.ids[1]),
        ("dependency", inserted.ids[2]),
        ("manual", inserted.ids[0]),
    ]
    assert [event.data["flow"] for event in events.of("staffa.flow.end")] == ["w"]


async def test_a_client_that_deletes_a_job_wakes_what_goes_on_without_it(
    make_client: MakeClient, engine: PostgresEngine, events: Recorder
) -> None:
    @job(name="goes_on")
    async def goes_on() -> None: ...

    async with make_client(queues={"default": 5}, **SLOW_POLL) as app:
        later = NewStep(
            Job(worker="goes_on", meta={"workflow_id": "w"}, scheduled_in=3600),
            [],
        )
        waits = NewStep(
            Job(worker="goes_on", meta={"workflow_id": "w"}),
            [NeedsStep(0)],
            Policies(deleted=Policy.IGNORE),
        )
        inserted = await engine.insert_graph(Graph([new_flow()], [later, waits]))
        assert await app.delete_job(inserted.ids[0])
        await events.wait("staffa.flow.end")


async def test_a_job_completes_in_a_transaction_of_the_users_and_is_followed(
    make_client: MakeClient, engine: PostgresEngine, events: Recorder, dsn: str, rows: Rows
) -> None:
    @job(name="pays")
    async def pays() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            async with connection.transaction():
                await current_job().complete_in(connection)
        finally:
            await connection.close()

    @job(name="ships")
    async def ships() -> None: ...

    async with make_client(queues={"default": 5}, **SLOW_POLL) as app:
        inserted = await engine.insert_graph(Graph([new_flow()], [step("pays"), step("ships", 0)]))
        await app._wake(inserted.woken)
        await events.wait("staffa.flow.end")
    assert [(await rows.get(number))["state"] for number in inserted.ids] == ["completed"] * 2


async def test_a_transaction_that_adds_to_a_flow_holds_up_no_other_outcome(
    make_client: MakeClient,
    engine: PostgresEngine,
    events: Recorder,
    connection: asyncpg.Connection,
    prefix: str,
) -> None:
    go_on = asyncio.Event()

    @job(name="waits")
    async def waits() -> None:
        await go_on.wait()

    @job(name="plain")
    async def plain() -> None: ...

    async with make_client(queues={"default": 5}) as app:
        await engine.insert_graph(Graph([new_flow()], [step("waits")]))
        await engine.insert_graph(
            Graph([new_flow("v")], [step("plain", flow="v"), step("plain", 0, flow="v")])
        )
        async with connection.transaction():
            await connection.execute(
                f"SELECT FROM {quote_identifier(prefix)}.staffa_flows WHERE id = 'w' FOR UPDATE"
            )
            go_on.set()
            await app.enqueue(Job(worker="plain"))
            await eventually(lambda: len(events.of("staffa.job.completed")) == 3, "the others")
            assert not await ended(engine)
        await eventually(lambda: len(events.of("staffa.job.completed")) == 4, "the held one")
    assert await ended(engine)


async def test_a_step_waits_for_all_that_is_inside_of_a_flow(
    make_client: MakeClient, engine: PostgresEngine, events: Recorder
) -> None:
    ran: list[str] = []

    @job(name="inner")
    async def inner() -> None:
        ran.append("inner")

    @job(name="outer")
    async def outer() -> None:
        ran.append("outer")

    flows = [new_flow(), NewFlow("i", FlowKind.WORKFLOW, "w", "w")]
    members = [step("inner", flow="i") for _ in range(20)]
    last = NewStep(Job(worker="outer", meta={"workflow_id": "w"}), [NeedsFlow("i")])
    async with make_client(queues={"default": 5}):
        await engine.insert_graph(Graph(flows, [*members, last]))
        await events.wait("staffa.flow.end", count=2)
    assert ran == ["inner"] * 20 + ["outer"]


async def test_a_batch_tells_of_its_end_once(
    make_client: MakeClient, engine: PostgresEngine, events: Recorder
) -> None:
    ran: list[str] = []

    @job(name="member")
    async def member() -> None: ...

    @job(name="done")
    async def done() -> None:
        ran.append(str(current_job().meta["batch_id"]))

    bunch = new_flow("b", FlowKind.BATCH, callbacks={"completed": Job(worker="done")})
    members = [NewStep(Job(worker="member", meta={"batch_id": "b"})) for _ in range(200)]
    one = make_client(queues={"default": 5})
    other = make_client(queues={"default": 5})
    async with one, other:
        await engine.insert_graph(Graph([bunch], members))
        await eventually(lambda: ran == ["b"], "the callback")
    assert ran == ["b"]
