"""Claims under a global limit that are one statement: exact, whoever claims beside them."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest

from staffa import GlobalLimit, Queue, current_job, job
from staffa._internal.identifiers import quote_identifier
from staffa.dialogues import Dialogue
from staffa.drivers.asyncpg import ConnectionSettings
from staffa.engine import Ack, Lease, Producer
from staffa.engines.limited.at_once import AtOnce, ClaimsAtOnce
from staffa.engines.postgres import PostgresEngine
from staffa.engines.statements.limits import LimitStatements
from staffa.jobs import Job
from staffa.limits import Limits, RateLimit
from staffa.types import State
from tests.chaos.history import install
from tests.conformance.work import QUEUE, new_job, new_producer
from tests.conftest import MakeClient
from tests.integration.test_limits import greatest_at_once, limited, write_settings
from tests.support.app import steps
from tests.support.database import PROJECT
from tests.support.events import eventually
from tests.support.processes import Spawn
from tests.support.proxy import Proxy
from tests.support.rows import Rows

CLAIM = "-- Claim from "
FLAT = Limits(global_limit=GlobalLimit(6))
IN_TURNS = Limits(global_limit=GlobalLimit(6, partition="args.tenant"))


class Noting(ClaimsAtOnce):
    """Notes how many jobs came of each attempt, and has a clock that stands still."""

    def __init__(self, statements: LimitStatements) -> None:
        super().__init__(statements, lambda: self.seconds)
        self.seconds = 0.0
        self.made: list[int] = []
        self.attempted = 0

    def claim(self, queue: str, limit: int, producer: Producer) -> Dialogue[AtOnce]:
        """Note it."""
        dialogue = super().claim(queue, limit, producer)
        found = yield from self._count(dialogue)
        self.made.append(len(found.jobs if found.claim is None else found.claim.jobs))
        return found

    def _count(self, dialogue: Dialogue[AtOnce]) -> Dialogue[AtOnce]:
        result = None
        asked = 0
        while True:
            try:
                statement = dialogue.send(result)
            except StopIteration as end:
                self.attempted += asked > 0
                found: AtOnce = end.value
                return found
            asked += 1
            result = yield statement


class Node:
    """A process that claims.

    Args:
        engine: Its engine.
        prefix: The schema.
        number: Which one.
        at_once: Whether it claims in one statement where it can.
    """

    def __init__(
        self, engine: PostgresEngine, prefix: str, number: int, *, at_once: bool = True
    ) -> None:
        self.engine, self.producer = engine, new_producer(f"node.{number}")
        self.noted = Noting(LimitStatements(prefix))
        engine._at_once = self.noted if at_once else None

    async def claim(self, wanted: int, limits: Limits, queue: str = QUEUE) -> list[Job]:
        """Lease jobs."""
        found = await self.engine.claim_limited_jobs(queue, wanted, self.producer, limits)
        return found.jobs

    async def complete(self, jobs: list[Job]) -> None:
        """End jobs."""
        acks = [Ack(lease=Lease.of(job), state=State.COMPLETED) for job in jobs]
        assert len(await self.engine.ack_jobs(acks, self.producer)) == len(jobs)


MakeNode = Callable[..., Node]


@pytest.fixture
async def make_node(dsn: str, prefix: str) -> AsyncIterator[MakeNode]:
    """Makes nodes."""
    engines: list[PostgresEngine] = []

    def make(*, at_once: bool = True, settings: ConnectionSettings | None = None) -> Node:
        engine = PostgresEngine(settings or ConnectionSettings(dsn), prefix, 2)
        engines.append(engine)
        return Node(engine, prefix, len(engines), at_once=at_once)

    yield make
    for engine in engines:
        await engine.close()


async def enqueue(node: Node, limits: Limits, tenants: str, **options: object) -> list[Job]:
    """Insert a job for each letter, in a queue whose limits are known."""
    await node.engine.configure_limits({QUEUE: limits})
    return await node.engine.enqueue_jobs(
        [new_job(args={"tenant": tenant}, **options) for tenant in tenants]
    )


def tenants(jobs: list[Job]) -> str:
    """Return whose jobs they are."""
    return "".join(job.args["tenant"] for job in jobs)


@pytest.mark.parametrize("limits", [FLAT, IN_TURNS], ids=["flat", "in turns"])
async def test_a_claim_after_one_that_came_back_full_is_one_statement(
    make_node: MakeNode, connection: asyncpg.Connection, limits: Limits
) -> None:
    node = make_node()
    await enqueue(node, limits, "abc" * 4)
    first = await node.claim(3, limits)
    second = await node.claim(3, limits)
    assert node.noted.made == [0, 3]
    assert tenants(first) + tenants(second) == "abcabc"
    assert {job.attempt for job in second} == {1}
    assert {job.attempted_by for job in second} == {(node.producer.node, str(node.producer.uuid))}
    await node.complete(first + second)


async def test_a_flat_claim_tells_whether_a_limit_holds_jobs_back(make_node: MakeNode) -> None:
    node = make_node()
    await enqueue(node, FLAT, "a" * 9)
    jobs = await node.claim(4, FLAT)
    found = await node.engine.claim_limited_jobs(QUEUE, 4, node.producer, FLAT)
    assert (len(found.jobs), found.short, found.delay) == (2, True, None)
    await node.complete([*jobs, *found.jobs])
    found = await node.engine.claim_limited_jobs(QUEUE, 4, node.producer, FLAT)
    assert (len(found.jobs), found.short) == (3, False)
    assert node.noted.made == [0, 2, 3]


@pytest.mark.parametrize("limits", [FLAT, IN_TURNS], ids=["flat", "in turns"])
async def test_a_statement_that_has_waited_for_another_claim_takes_nothing_itself(
    make_node: MakeNode, dsn: str, prefix: str, connection: asyncpg.Connection, limits: Limits
) -> None:
    """Its snapshot is older than what it has waited for: there, the slots look free."""
    node, other = make_node(), make_node(at_once=False)
    await enqueue(node, limits, "a" * 20)
    first = await node.claim(2, limits)
    lock = LimitStatements(prefix).lock(QUEUE)
    holder = await asyncpg.connect(dsn)
    transaction = holder.transaction()
    await transaction.start()
    assert await holder.fetch(lock.sql, *lock.params)
    waiting = asyncio.create_task(node.claim(4, limits))

    async def waits() -> bool:
        return bool(
            await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND wait_event_type = 'Lock' AND starts_with(query, $1)",
                CLAIM,
            )
        )

    await eventually(waits, "the statement that waits")
    jobs = f"{quote_identifier(prefix)}.oban_jobs"
    late = await holder.fetch(
        f"""UPDATE {jobs} SET state = 'executing', attempt = 1, attempted_by = ARRAY['other', 'x'],
                   attempted_at = timezone('UTC', now()),
                   meta = meta || jsonb_build_object('partition_key',
                                                     coalesce(meta ->> 'partition_key', ''))
             WHERE id > (SELECT max(id) - 3 FROM {jobs})
         RETURNING id"""
    )
    await transaction.commit()
    await holder.close()
    assert (len(first), len(late)) == (2, 3)
    assert len(await waiting) == 1
    assert node.noted.made == [0, 0]
    assert await other.claim(4, limits) == []


async def test_a_claim_that_does_not_know_of_the_last_one_is_made_step_by_step(
    make_node: MakeNode,
) -> None:
    node, other = make_node(), make_node()
    await enqueue(node, IN_TURNS, "abcabcabcabc")
    first = await node.claim(1, IN_TURNS)
    second = await other.claim(1, IN_TURNS)
    third = await node.claim(1, IN_TURNS)
    assert tenants([*first, *second, *third]) == "abc"
    assert node.noted.made == [0, 0]
    assert node.noted.attempted == 1


@pytest.mark.parametrize("limits", [FLAT, IN_TURNS], ids=["flat", "in turns"])
async def test_limits_that_another_node_has_changed_are_obeyed_at_once(
    make_node: MakeNode, limits: Limits
) -> None:
    node, other = make_node(), make_node()
    await enqueue(node, limits, "a" * 9)
    assert len(await node.claim(2, limits)) == 2
    await other.engine.configure_limits({QUEUE: Limits(global_limit=GlobalLimit(3))})
    assert len(await node.claim(4, limits)) == 1
    assert len(await node.claim(4, limits)) == 0


async def test_running_jobs_that_no_limited_claim_has_leased_count_once_they_are_due(
    make_node: MakeNode, rows: Rows
) -> None:
    node, other = make_node(), make_node()
    await enqueue(node, FLAT, "a" * 9)
    assert len(await node.claim(1, FLAT)) == 1
    assert len(await other.engine.claim_jobs(QUEUE, 4, other.producer)) == 4
    await rows.connection.execute(
        f"UPDATE {quote_identifier(rows.prefix)}.staffa_limits SET sweep = sweep - 'strays_at'"
    )
    assert len(await node.claim(4, FLAT)) == 1
    assert node.noted.made == [0, 0]
    assert node.noted.attempted == 1


async def test_jobs_without_a_key_have_their_turn_at_once(make_node: MakeNode, rows: Rows) -> None:
    node = make_node()
    await enqueue(node, IN_TURNS, "aaaaaa")
    assert tenants(await node.claim(2, IN_TURNS)) == "aa"
    await rows.insert(worker="tests.Worker", queue=QUEUE, args='{"tenant": "b"}')
    assert tenants(await node.claim(2, IN_TURNS)) == "ba"


async def test_a_default_isolation_of_the_server_changes_nothing(
    make_node: MakeNode, dsn: str
) -> None:
    settings = ConnectionSettings(dsn)
    settings.settings["default_transaction_isolation"] = "repeatable read"  # type: ignore[index]
    nodes = [make_node(settings=settings) for _ in range(3)]
    await enqueue(nodes[0], FLAT, "a" * 60)
    for node in nodes:
        node.noted.rest = lambda queue: None  # type: ignore[method-assign]
    assert await work(nodes, FLAT) == 60


@pytest.mark.parametrize("limits", [FLAT, IN_TURNS], ids=["flat", "in turns"])
async def test_nodes_that_claim_all_the_time_keep_a_limit_at_every_moment(
    make_node: MakeNode, rows: Rows, limits: Limits
) -> None:
    await install(rows.connection, rows.prefix)
    nodes = [make_node() for _ in range(3)]
    await enqueue(nodes[0], limits, "ab" * 150)
    for node in nodes:
        node.noted.rest = lambda queue: None  # type: ignore[method-assign]
    at_once = [*await nodes[0].claim(1, limits), *await nodes[0].claim(2, limits)]
    assert nodes[0].noted.made == [0, 2]
    assert await work(nodes, limits) == 297
    await nodes[0].complete(at_once)
    greatest = await greatest_at_once(rows)
    assert (max(greatest.values()) if limits is IN_TURNS else sum(greatest.values())) <= 12
    assert sum(node.noted.attempted for node in nodes) > 1


async def work(nodes: list[Node], limits: Limits) -> int:
    """Have nodes claim and complete until nothing is left; return how many jobs there were."""
    done = 0

    async def run(node: Node) -> None:
        nonlocal done
        turn = random.Random(node.producer.node)
        while (await node.engine.count_available({QUEUE: 1})).get(QUEUE):
            jobs = await node.claim(turn.randint(1, 4), limits)
            await node.complete(jobs)
            done += len(jobs)

    await asyncio.gather(*(run(node) for node in nodes))
    return done


@pytest.mark.parametrize("seed", range(6))
async def test_turns_are_the_same_in_one_statement_and_step_by_step(
    make_node: MakeNode, seed: int
) -> None:
    turn = random.Random(seed)
    limits = Limits(global_limit=GlobalLimit(turn.randint(2, 9), partition="args.tenant"))
    queues = {"swift": make_node(), "plain": make_node(at_once=False)}
    letters = turn.choices("abcdefg", weights=[9, 1, 3, 5, 2, 7, 4], k=300)
    for queue, node in queues.items():
        await node.engine.configure_limits({queue: limits})
        await node.engine.enqueue_jobs(
            [
                new_job(queue=queue, args={"tenant": letter, "place": place})
                for place, letter in enumerate(letters)
            ]
        )
    running: dict[str, list[Job]] = {queue: [] for queue in queues}
    for _ in range(40):
        wanted, ends, at = turn.randint(1, 12), turn.randint(0, 14), turn.random()
        taken = {}
        for queue, node in queues.items():
            jobs = await node.claim(wanted, limits, queue)
            taken[queue] = [(job.args["tenant"], job.args["place"]) for job in jobs]
            held = sorted([*running[queue], *jobs], key=lambda job: int(job.args["place"]))
            first = int(at * max(len(held) - ends, 0))
            await node.complete(held[first : first + ends])
            running[queue] = held[:first] + held[first + ends :]
        assert taken["swift"] == taken["plain"]
    assert sum(queues["swift"].noted.made) > 0


async def test_a_rate_limit_is_left_to_the_dialogue(make_node: MakeNode) -> None:
    node = make_node()
    limits = Limits(global_limit=GlobalLimit(9), rate_limit=RateLimit(3, period=3600))
    await enqueue(node, limits, "a" * 9)
    assert [len(await node.claim(2, limits)) for _ in range(3)] == [2, 1, 0]
    assert node.noted.attempted == 0


async def test_jobs_of_a_claim_whose_reply_was_lost_are_put_back_and_run_once(
    make_client: MakeClient, proxy: Proxy, rows: Rows
) -> None:
    ran: list[int | None] = []

    @job(max_attempts=1)
    async def note() -> None:
        ran.append(current_job().id)

    stored = await make_client().enqueue_many(note.new() for _ in range(20))
    proxy.lose_reply(CLAIM)
    queues = {"default": Queue(limit=3, global_limit=GlobalLimit(5))}
    async with make_client(dsn=proxy.dsn, queues=queues):
        await proxy.caught()
        await rows.until_count(completed=20)
    assert sorted(filter(None, ran)) == [entry.id for entry in stored]


@pytest.mark.parametrize("limit", ["{ allowed = 4 }", '{ allowed = 2, partition = "args.tenant" }'])
@pytest.mark.parametrize("point", ["claim_limited_jobs.sent:3", "claim_limited_jobs.after:3"])
async def test_a_process_that_dies_of_a_claim_leaves_no_slot_taken(
    spawn: Spawn, make_client: MakeClient, rows: Rows, tmp_path: Path, limit: str, point: str
) -> None:
    await install(rows.connection, rows.prefix)
    write_settings(tmp_path, f"global_limit = {limit}")
    app = make_client()
    await app.enqueue_many(
        [
            Job(worker="tests.tenant", args={"tenant": name, "folder": str(tmp_path)})
            for name in "abab" * 10
        ]
    )
    doomed = spawn(
        folder=tmp_path,
        module="tests.support.tenants",
        environment={"PYTHONPATH": str(PROJECT), "STAFFA_KILL_POINT": point},
    )
    await doomed.ended()
    limited(spawn, tmp_path)
    await rows.until_count(completed=40)
    greatest: Counter[str] = await greatest_at_once(rows)
    assert max(greatest.values()) <= (2 if "partition" in limit else 4)
    assert len(steps(tmp_path, "noted")) >= 40
