"""The builders of statements: text, parameters and decoding, without a database."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import staffa.engines.postgres
from staffa import Job, JobFilter, State
from staffa.chunking import ChunkRule
from staffa.cron import stored
from staffa.cron.changes import HeldCron, change, spread
from staffa.dialogues import Dialogue
from staffa.dynamic import DynamicQueue
from staffa.engine import (
    Ack,
    Changed,
    Checkpoint,
    Control,
    Lease,
    Producer,
    Pulse,
    Rescued,
    Staged,
    Statement,
)
from staffa.engines.statements.ages import AgeStatements
from staffa.engines.statements.chains import ChainStatements
from staffa.engines.statements.chunks import ChunkStatements, Follower, Formed
from staffa.engines.statements.crons import CronStatements
from staffa.engines.statements.dynamic import DynamicStatements
from staffa.engines.statements.flow_control import FlowControlStatements
from staffa.engines.statements.flows import FlowStatements
from staffa.engines.statements.following import Due, FollowStatements
from staffa.engines.statements.graphs import GraphStatements, StoredEdge, StoredStep
from staffa.engines.statements.jobs import JobStatements
from staffa.engines.statements.limited import Owner, Ring, Spending, Weights
from staffa.engines.statements.limits import LimitStatements
from staffa.engines.statements.nodes import LeaderStatements, ProducerStatements
from staffa.engines.statements.operations import OperationStatements, Stretch
from staffa.engines.statements.prunes import PruneStatements
from staffa.engines.statements.queues import QueueStatements
from staffa.engines.statements.repairs import RepairStatements
from staffa.engines.statements.rescues import RescueStatements
from staffa.engines.statements.rounds import Entry
from staffa.engines.statements.signals import SignalStatements
from staffa.engines.statements.surveys import (
    NodeSurveyStatements,
    QueueSurveyStatements,
    SurveyStatements,
)
from staffa.engines.statements.unique import UniqueStatements
from staffa.limits import GlobalLimit, Limits, Partition
from staffa.linking import FlowKind, NewFlow, Policies
from staffa.maintenance import Finished
from staffa.statement import Part
from staffa.waiting import Level, Waiting
from tests.unit.rows import CLAIMED_AT, claimed, row

PREFIX = 'my "jobs"'
PRODUCER = Producer(UUID(int=5), "Oban", "node-a")
JOB = claimed(PRODUCER, id=7, attempt=2)
ACK = Ack(lease=Lease.of(JOB), state=State.RETRYABLE, error="it failed")
PLAIN_ACK = Ack(lease=Lease.of(JOB), state=State.COMPLETED)
JOBS, RESCUES = JobStatements(PREFIX), RescueStatements(PREFIX)
OPERATIONS = OperationStatements(PREFIX)
PRUNES = PruneStatements(PREFIX)
SIGNALS = SignalStatements(PREFIX)
AGES = AgeStatements(PREFIX)
UNIQUE = UniqueStatements(PREFIX)
PRODUCERS, LEADERS = ProducerStatements(PREFIX), LeaderStatements(PREFIX)
DYNAMIC = DynamicStatements(PREFIX)
QUEUES = QueueStatements(PREFIX)
SURVEYS = SurveyStatements(PREFIX)
CONTROL = Control("mail", "*", "limit", 5)
CRONS = CronStatements(PREFIX)
CHUNKS, RULE = ChunkStatements(PREFIX), ChunkRule(("w",), 100, 1.0, ("args.a",))
CHAINS = ChainStatements(PREFIX)
FLOWS, FLOW_CONTROL = FlowStatements(PREFIX), FlowControlStatements(PREFIX)
GRAPHS, FOLLOW = GraphStatements(PREFIX), FollowStatements(PREFIX)
REPAIRS = RepairStatements(PREFIX)
NEW_FLOW = NewFlow("w1", FlowKind.WORKFLOW, "w1")
LIMITS = LimitStatements(PREFIX)
RING = Ring("mail", Partition("args.id"))
ENTRY = stored.Entry("nightly", "@daily", "UTC", "cron", Job(worker="w"))
HELD = stored.StoredCron(
    **ENTRY.as_row(), active=True, last_tick=CLAIMED_AT, last_job_id=None, booted_at=CLAIMED_AT,
    registered_at=CLAIMED_AT, updated_at=CLAIMED_AT, read_at=CLAIMED_AT,
)  # fmt: skip
CHANGE = change(HeldCron(HELD, None), {**spread(HELD.as_row()), "paused": True}, timedelta())
FINISHED = Finished(
    id=3, state=State.COMPLETED, queue="q", worker="w", age=9.0, ended_at="then", version="77"
)
LEVEL = Level(queue="mail", priority=5)
WAITING = Waiting(
    id=3, queue="mail", worker="w", priority=5, own_priority=7, waited=9.0, due_since="then"
)
FILES = Path(staffa.engines.postgres.__file__).parent / "sql"


def _signed() -> JobStatements:
    """Return the statements of jobs once limits are known."""
    statements = JobStatements(PREFIX)
    statements.signed = True
    return statements


def _signed_graphs() -> GraphStatements:
    """Return the statements of flows once limits are known."""
    statements = GraphStatements(PREFIX)
    statements.signed = True
    return statements


def _first(dialogue: Dialogue[Any]) -> Statement[Any]:
    """Return the statement that a dialogue begins with, here its only one."""
    return next(dialogue)


def _only(parts: Sequence[Part]) -> Statement[Any]:
    """Return the statement of the only part."""
    (part,) = parts
    statement = part()
    assert statement is not None
    return statement


BUILDERS: dict[str, Callable[[], Statement[Any]]] = {
    "jobs/enqueue": lambda: JOBS.enqueue([Job(worker="w"), Job(worker="w")]),
    "jobs/enqueue_one": lambda: JOBS.enqueue([Job(worker="w")]),
    "jobs/write": lambda: JOBS.write([Job(worker="w")]),
    "jobs/count_available": lambda: JOBS.count_available({"mail": 5}),
    "jobs/claim": lambda: JOBS.claim("mail", 5, PRODUCER),
    "jobs/ack": lambda: JOBS.ack([ACK], PRODUCER),
    "jobs/complete": lambda: JOBS.ack([PLAIN_ACK], PRODUCER),
    "jobs/trace": lambda: JOBS.trace([ACK], PRODUCER),
    "jobs/checkpoint": lambda: JOBS.checkpoint([Checkpoint(ACK.lease, {"a": 1})], PRODUCER),
    "jobs/signal": lambda: SIGNALS.signal([1], "go", "null"),
    "jobs/find_signals": lambda: SIGNALS.find([ACK.lease], PRODUCER),
    "jobs/stage": lambda: JOBS.stage(100, ["mail"]),
    "jobs/stage_queue": lambda: JOBS.stage_queue("mail", None),
    "jobs/reset": JOBS.reset,
    "jobs/cancel": lambda: OPERATIONS.cancel([1]),
    "jobs/retry": lambda: OPERATIONS.retry([1]),
    "jobs/delete": lambda: OPERATIONS.delete([1]),
    "jobs/update": lambda: OPERATIONS.update([1], {"priority": 1}),
    "jobs/get": lambda: OPERATIONS.get([1]),
    "jobs/lock": lambda: OPERATIONS.lock(1, 15.0),
    "jobs/list": lambda: OPERATIONS.select(JobFilter(queues=["q"], before_id=5), 100),
    "jobs/span": lambda: OPERATIONS.span(5, 1000),
    "jobs/find": lambda: OPERATIONS.find(JobFilter(args={"n": 1}), 0, 9, 1000),
    "jobs/pick": lambda: OPERATIONS.pick(JobFilter(ids=[1])),
    "jobs/bounds": lambda: OPERATIONS.bounds(JobFilter(states=["available"], queues=["q"])),
    "jobs/count": lambda: OPERATIONS.count(JobFilter(queues=["q"])),
    "jobs/count_running": SURVEYS.count_running,
    "jobs/count_waiting": lambda: SURVEYS.count_waiting(100),
    "jobs/count_ended": lambda: SURVEYS.count_ended(1.0),
    "jobs/count_workers": SURVEYS.count_workers,
    "jobs/list_running": lambda: SURVEYS.list_running(10),
    "jobs/list_failed": lambda: SURVEYS.list_failed(10),
    "jobs/holds": lambda: JOBS.find_holds(PRODUCER, [ACK.lease]),
    "jobs/lost_leases": lambda: JOBS.find_lost_leases(PRODUCER, [ACK.lease]),
    "jobs/release": lambda: RESCUES.release(PRODUCER, queue=None, running=[1]),
    "jobs/rescue": lambda: RESCUES.rescue({UUID(int=9): 3}, max_rescues=3, limit=10),
    "jobs/rescue_foreign": lambda: RESCUES.rescue_foreign(age=3600.0, limit=10),
    "jobs/discard_exhausted": lambda: RESCUES.discard_exhausted(limit=10),
    "jobs/oldest_finished": lambda: PRUNES.find_oldest(
        State.COMPLETED, age=60.0, after=None, limit=10
    ),
    "jobs/newest_finished": lambda: PRUNES.find_newest(
        State.COMPLETED, age=0.0, before=None, limit=10
    ),
    "jobs/prune": lambda: PRUNES.prune([FINISHED]),
    "jobs/levels": lambda: AGES.find_levels(after=None, limit=100),
    "jobs/oldest_waiting": lambda: AGES.find_oldest(LEVEL, age=60.0, after=None, limit=10),
    "jobs/raise": lambda: AGES.raise_to([WAITING], [4]),
    "unique/take": lambda: UNIQUE.take([b"k"]),
    "unique/write_new": lambda: UNIQUE.write_new([Entry(Job(worker="w"), b"k")]),
    "unique/take_back": lambda: UNIQUE.take_back([1]),
    "unique/enqueue": lambda: UNIQUE.enqueue({0: Entry(Job(worker="w"), None)}),
    "unique/prune": lambda: UNIQUE.prune("", 10),
    "producers/list": lambda: NodeSurveyStatements(PREFIX).list_producers(),
    "producers/beat": lambda: PRODUCERS.beat(PRODUCER, 7),
    "producers/remove": lambda: PRODUCERS.remove(PRODUCER),
    "producers/reap": lambda: PRODUCERS.reap(age=60.0),
    "queues/list": lambda: QueueSurveyStatements(PREFIX).list_controls("Oban"),
    "queues/control": lambda: QUEUES.control("Oban", [CONTROL]),
    "queues/forget": lambda: QUEUES.forget(age=60.0),
    "dynamic/lock": lambda: DYNAMIC.lock("Oban"),
    "dynamic/read": lambda: DYNAMIC.read("Oban"),
    "dynamic/changes": lambda: DYNAMIC.changes("Oban", 7),
    "dynamic/write": lambda: DYNAMIC.write("Oban", [DynamicQueue(queue="q", options={})]),
    "dynamic/keep": lambda: DYNAMIC.keep("Oban", [CONTROL]),
    "dynamic/forget": lambda: DYNAMIC.forget(age=60.0),
    "leaders/elect": lambda: LEADERS.elect(PRODUCER, lease=30.0),
    "leaders/resign": lambda: LEADERS.resign(PRODUCER),
    "jobs/enqueue_signed": lambda: _signed().enqueue([Job(worker="w")]),
    "jobs/stage_signed": lambda: _signed().stage(100, ["mail"]),
    "jobs/claim_others": lambda: JOBS.claim("mail", 5, PRODUCER, ["w"]),
    "chunks/look": lambda: CHUNKS.look("mail", 1000, 5, [RULE]),
    "chunks/claim": lambda: CHUNKS.claim("mail", [Formed([1, 2], RULE)], PRODUCER),
    "chunks/join": lambda: CHUNKS.join("mail", [Follower(2, 1, "")], PRODUCER, CLAIMED_AT),
    "chains/lock": lambda: CHAINS.lock(["c"]),
    "chains/link": lambda: _only(CHAINS.link([(1, Job(worker="w"))])),
    "chains/bridge": lambda: _first(CHAINS.bridge([1], ["c"])),
    "flows/create": lambda: GRAPHS.create_flows([NEW_FLOW], None),
    "flows/once": lambda: GRAPHS.find_once("k"),
    "flows/known": lambda: GRAPHS.known(["w1"]),
    "flows/graft": lambda: GRAPHS.graft("w1"),
    "flows/states": lambda: GRAPHS.states([1]),
    "flows/ends": lambda: GRAPHS.ends(["w1"]),
    "flows/insert": lambda: GRAPHS.insert_steps([Job(worker="w")], [True]),
    "flows/insert_signed": lambda: _signed_graphs().insert_steps([Job(worker="w")], [True]),
    "flows/add_steps": lambda: GRAPHS.add_steps([StoredStep(1, "w1", 1, False, Policies())]),
    "flows/add_edges": lambda: GRAPHS.add_edges([StoredEdge(2, 1, None, None)]),
    "flows/duplicate": lambda: GRAPHS.find_duplicate(["w1"]),
    "flows/read": lambda: FLOWS.read(["w1"]),
    "flows/list": lambda: FLOWS.newest(FlowKind.WORKFLOW, limit=10, before=None),
    "flows/steps": lambda: FLOWS.steps("w1", ["a"]),
    "flows/jobs": lambda: FLOWS.jobs("w1", after=0, limit=10, callbacks=False),
    "flows/results": lambda: FLOWS.results(["w1"], "w2", ["a"]),
    "flows/change_options": lambda: FLOWS.change_options("w1", {"a": 1}),
    "flows/members": lambda: FLOW_CONTROL.members("w1", [State.SUSPENDED]),
    "flows/around": lambda: FLOW_CONTROL.around(["w1"]),
    "flows/reopen_jobs": lambda: FLOW_CONTROL.reopen_jobs([1]),
    "flows/reopen_flows": lambda: FLOW_CONTROL.reopen_flows(["w1"], [1]),
    "flows/recount": lambda: FLOW_CONTROL.recount([1]),
    "flows/waiting": lambda: FLOW_CONTROL.find_waiting([1]),
    "flows/suspend": lambda: FLOW_CONTROL.suspend([1]),
    "flows/forget_results": lambda: FLOW_CONTROL.forget_results([1]),
    "flows/let_go": lambda: FLOW_CONTROL.let_go(1),
    "flows/ended": lambda: FLOW_CONTROL.find_ended(age=60.0, after=None, limit=10),
    "flows/spent": lambda: FLOW_CONTROL.find_spent(["w1"]),
    "flows/steps_of_roots": lambda: FLOW_CONTROL.steps_of(["w1"]),
    "flows/delete": lambda: FLOW_CONTROL.delete(["w1"]),
    "flows/kept": lambda: FOLLOW.find_kept([1]),
    "flows/lock": lambda: FOLLOW.lock(["w1"]),
    "flows/is_any_linked": lambda: FOLLOW.is_any_linked([1]),
    "flows/lock_of_jobs": lambda: FOLLOW.lock_of_jobs([1]),
    "flows/close_jobs": lambda: _first(FOLLOW.close_jobs({1: "completed"})),
    "flows/close_flows": lambda: _first(FOLLOW.close_flows(["w1"])),
    "flows/release": lambda: _first(FOLLOW.release_steps([Due(1)])),
    "flows/postpone": lambda: FOLLOW.postpone({1: "{}"}),
    "flows/count": lambda: _first(FOLLOW.count_flows({"w1": [1, 0, 0, 0, 0, 0, 0, 0]})),
    "flows/fire": lambda: _first(FOLLOW.fire_callbacks([("b1", "completed")])),
    "flows/forget": lambda: _first(FOLLOW.forget_steps([1])),
    "flows/take_unchecked": lambda: REPAIRS.take(60.0, 0.1, 10),
    "flows/strays": lambda: REPAIRS.find_strays(["w1"], 10),
    "flows/count_jobs": lambda: REPAIRS.recount(["w1"]),
    "limits/configure": lambda: LIMITS.configure({"mail": Limits(global_limit=GlobalLimit(5))}),
    "limits/lock": lambda: LIMITS.lock("mail"),
    "limits/keep": lambda: LIMITS.keep("mail", {"0": "k"}, {"seen": 5}),
    "limits/look": lambda: LIMITS.look("mail", counted=True, node="n"),
    "limits/strays": lambda: LIMITS.find_strays("mail", RING.partition, None),
    "limits/sweep": lambda: LIMITS.sweep(RING, (0, "2026-01-01", 5), 100),
    "limits/tail": lambda: LIMITS.find_unsigned(RING, 50),
    "limits/sign": lambda: LIMITS.sign(RING, [1]),
    "limits/walk": lambda: LIMITS.walk(
        RING,
        0,
        wanted=5,
        cursors={},
        slots=1,
        node=None,
        strays={},
        now=CLAIMED_AT,
        weights=Weights(),
    ),
    "limits/take": lambda: LIMITS.take(
        RING, 0, {"k": (5, None)}, tokens=None, now=CLAIMED_AT, producer=PRODUCER, weights=Weights()
    ),
    "limits/take_flat": lambda: LIMITS.take_flat(
        "mail", 5, tokens=None, now=CLAIMED_AT, producer=PRODUCER, weights=Weights()
    ),
    "limits/claim": lambda: LIMITS.claim("mail", 5, PRODUCER, options="{}", allowed=9, node=None),
    "limits/claim_in_turns": lambda: LIMITS.claim_in_turns(
        RING, 5, PRODUCER, used_at=CLAIMED_AT, slots=9, node=None, sweep={}, page=200
    ),
    "limits/head": lambda: LIMITS.weigh_head("mail", Weights()),
    "limits/waiting": lambda: LIMITS.find_waiting(RING, 2),
    "limits/spend": lambda: LIMITS.spend("mail", [Spending("k", {}, None)]),
    "limits/measure": lambda: LIMITS.measure("mail", Owner(["worker"], "w")),
    "limits/refund": lambda: LIMITS.refund("mail", None),
    "limits/list": lambda: LIMITS.list_limits(None),
    "limits/busy": lambda: LIMITS.find_busy("mail", RING.partition, 10),
    "limits/forget": lambda: LIMITS.forget(age=60.0),
    "limits/forget_rates": lambda: LIMITS.forget_rates(age=60.0),
    "crons/insert": lambda: CRONS.insert("Oban", [ENTRY.as_row()], dead_after=20.0),
    "crons/hold": lambda: CRONS.hold("Oban", ["nightly"], dead_after=20.0),
    "crons/write": lambda: CRONS.write("Oban", [CHANGE]),
    "crons/delete": lambda: CRONS.delete("Oban", "nightly", dead_after=20.0),
    "crons/sync": lambda: CRONS.sync(PRODUCER, dead_after=20.0),
    "crons/declare": lambda: CRONS.declare(PRODUCER, [ENTRY], dead_after=20.0),
    "crons/read": lambda: CRONS.read("Oban", reader=PRODUCER.uuid, dead_after=20.0),
    "crons/take": lambda: CRONS.take("Oban", "nightly", CLAIMED_AT),
    "crons/note": lambda: CRONS.note("Oban", "nightly", 5),
    "crons/tend": lambda: CRONS.tend("Oban", dead_after=20.0, forget_after=60.0),
}


def without_comments(sql: str) -> str:
    return "\n".join(line.partition("--")[0] for line in sql.splitlines())


def test_every_file_has_its_builder() -> None:
    files = {str(path.relative_to(FILES).with_suffix("")) for path in FILES.rglob("*.sql")}
    assert files == set(BUILDERS)


@pytest.mark.parametrize("verb", BUILDERS)
def test_the_schema_is_put_in_and_every_parameter_is_used(verb: str) -> None:
    statement = BUILDERS[verb]()
    text = without_comments(statement.sql)
    assert ':"prefix"' not in text
    assert '"my ""jobs""".' in text
    numbers = {int(number) for number in re.findall(r"\$(\d+)", text)}
    assert numbers == set(range(1, len(statement.params) + 1))


@pytest.mark.parametrize("verb", BUILDERS)
def test_a_file_tells_its_purpose_its_locks_and_its_index(verb: str) -> None:
    text = (FILES / f"{verb}.sql").read_text("utf-8")
    assert text.startswith("-- ")
    assert "Locks:" in text
    assert "Index:" in text
    assert without_comments(text).count(";") == 1, "one statement a file"


def test_jobs_are_sent_as_one_array_in_their_order() -> None:
    at = datetime(2026, 1, 1, 12, 0, 0, 5, UTC)
    jobs = [
        Job(worker="a", args={"n": 2**70}, queue="q", tags=["x"], scheduled_at=at),
        Job(worker="b", meta={"m": "é"}, priority=3, max_attempts=5, scheduled_in=2.5),
    ]
    statement = JOBS.enqueue(jobs)
    first, second = json.loads(statement.params[0])
    assert first == {
        "queue": "q", "worker": "a", "args": [{"n": 2**70}], "meta": {}, "tags": ["x"],
        "priority": 0, "max_attempts": 20, "scheduled_at": at.isoformat(), "scheduled_in": None,
    }  # fmt: skip
    assert (second["meta"], second["scheduled_in"], second["scheduled_at"]) == (
        {"m": "é"},
        2.5,
        None,
    )
    found = [
        {"id": number, "state": "available", "inserted_at": at, "scheduled_at": at}
        for number in (8, 9)
    ]
    assert [(job.id, job.worker) for job in statement.decode(found)] == [(8, "a"), (9, "b")]
    with pytest.raises(ValueError):
        statement.decode(found[:1])


def test_claimed_jobs_come_in_the_order_in_which_they_start() -> None:
    statement = JOBS.claim("mail", 5, PRODUCER)
    assert statement.params == ("mail", 5, "node-a", str(PRODUCER.uuid))
    later = CLAIMED_AT + timedelta(seconds=1)
    rows = [
        row(id=1, priority=1), row(id=2, scheduled_at=later), row(id=4), row(id=3),
    ]  # fmt: skip
    jobs = statement.decode(rows)
    assert [job.id for job in jobs] == [3, 4, 2, 1]
    assert {(job.queue, job.state, job.attempted_by) for job in jobs} == {
        ("mail", State.EXECUTING, ("node-a", str(PRODUCER.uuid)))
    }


def test_outcomes_are_sent_as_columns() -> None:
    snoozed = Ack(
        lease=Lease(8, 1, CLAIMED_AT), state=State.SCHEDULED, refund=True, delay=60.0,
        meta={"snoozed": 2**70},
    )  # fmt: skip
    failed = Ack(lease=Lease(9, 3, CLAIMED_AT), state=State.RETRYABLE, error="boom", delay=15.0)
    statement = JOBS.ack([PLAIN_ACK, snoozed, failed], PRODUCER)
    assert statement.params == (
        [7, 8, 9],
        [2, 1, 3],
        [CLAIMED_AT] * 3,
        str(PRODUCER.uuid),
        ["completed", "scheduled", "retryable"],
        [False, True, False],
        [None, None, "boom"],
        [None, 60.0, 15.0],
        [None, '{"snoozed":1180591620717411303424}', None],
    )
    assert statement.decode([{"id": 7, "state": "completed"}]) == {7: State.COMPLETED}


def test_completions_name_the_time_of_their_claim_once() -> None:
    later = CLAIMED_AT + timedelta(seconds=1)
    leases = [Lease(7, 2, CLAIMED_AT), Lease(8, 1, later), Lease(9, 1, CLAIMED_AT)]
    acks = [Ack(lease=lease, state=State.COMPLETED) for lease in leases]
    statement = JOBS.ack(acks, PRODUCER)
    assert statement.params == (
        [7, 8, 9],
        [2, 1, 1],
        [1, 2, 1],
        [CLAIMED_AT, later],
        str(PRODUCER.uuid),
    )
    assert statement.decode([{"ids": [7, 9]}]) == dict.fromkeys([7, 9], State.COMPLETED)
    assert statement.decode([{"ids": None}]) == {}


def trace_row(**columns: Any) -> dict[str, Any]:
    return {
        "id": 7, "state": "completed", "meta": "{}", "errors": "[]",
        "producer": str(PRODUCER.uuid), "attempted_at": CLAIMED_AT, **columns,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ack", "columns", "shown"),
    [
        ({}, {}, True),
        ({}, {"state": "executing"}, False),
        ({}, {"attempted_at": CLAIMED_AT + timedelta(microseconds=1)}, False),
        ({}, {"producer": str(UUID(int=6))}, False),
        ({}, {"producer": None, "attempted_at": None}, False),
        ({"error": "boom"}, {"errors": '[{"attempt":2,"error":"boom"}]'}, True),
        ({"error": "boom"}, {"errors": '[{"attempt":1,"error":"boom"}]'}, False),
        ({"error": "boom"}, {"errors": '["odd",null,5,{"attempt":2,"error":"boom"}]'}, True),
        ({"error": "boom"}, {"errors": '["odd"]'}, False),
        ({"meta": {"snoozed": 1}}, {"meta": '{"snoozed":1,"mine":2}'}, True),
        ({"meta": {"snoozed": 2}}, {"meta": '{"snoozed":1}'}, False),
        ({"meta": {"snoozed": 2}}, {"meta": "[]"}, False),
    ],
)
def test_a_row_shows_whether_an_outcome_was_written(
    ack: dict[str, Any], columns: dict[str, Any], shown: bool
) -> None:
    wanted = Ack(**{"lease": ACK.lease, "state": State.COMPLETED, **ack})
    found = JOBS.trace([wanted], PRODUCER).decode([trace_row(**columns)])
    assert found == (frozenset({7}) if shown else frozenset())


def test_a_job_that_was_deleted_since_had_been_written() -> None:
    assert JOBS.trace([ACK], PRODUCER).decode([]) == {7}


def test_staging_counts_what_it_staged_and_names_the_queues() -> None:
    statement = JOBS.stage(100, ("mail",))
    assert statement.params == (100, ["mail"])
    rows = [
        {"queue": "a", "staged": 2},
        {"queue": "b", "staged": 1},
        {"queue": "mail", "staged": 0},
    ]
    assert statement.decode(rows) == Staged(3, frozenset({"a", "b", "mail"}))


def test_changes_of_state_are_decoded() -> None:
    found = [{"id": 1, "queue": "q", "worker": "w", "previous_state": "executing", "attempt": 3}]
    for build in (OPERATIONS.cancel, OPERATIONS.retry, OPERATIONS.delete):
        assert build([1]).decode(found) == [Changed(1, "q", "w", State.EXECUTING)]
    changes = {"args": {"n": 2**70}}
    assert OPERATIONS.change([1], changes).decode(found) == [Changed(1, "q", "w", State.EXECUTING)]
    text = f'{{"args":{{"n":{2**70}}}}}'
    assert OPERATIONS.update((1, 2), changes).params == (text, True, [1, 2])
    assert OPERATIONS.change((1, 2), changes).params == (text, False, [1, 2])
    rows = [{"queue": "q", "state": "available", "count": 5}]
    assert OPERATIONS.count(JobFilter()).decode(rows) == {("q", State.AVAILABLE): 5}


def test_what_was_found_in_a_stretch_is_decoded() -> None:
    statement = OPERATIONS.find(JobFilter(), 0, 9, 1000)
    assert statement.decode([{"ids": [1, 3], "last": 7}]) == Stretch([1, 3], 7)
    assert statement.decode([{"ids": None, "last": None}]) == Stretch([], None)
    bounds = OPERATIONS.bounds(JobFilter(states=["available"]))
    assert bounds.decode([{"first": 3, "last": 9}]) == (3, 9)
    assert bounds.decode([{"first": None, "last": None}]) is None


def test_rows_that_others_hold_are_left_out_only_where_that_is_asked_for() -> None:
    for verb in ("cancel", "retry", "delete"):
        build = getattr(OPERATIONS, verb)
        assert "FOR UPDATE SKIP LOCKED" in build([1], wait=False).sql
        assert "FOR UPDATE SKIP LOCKED" not in build([1], wait=True).sql
    assert "FOR UPDATE SKIP LOCKED" in OPERATIONS.change([1], {}, wait=False).sql
    assert "FOR UPDATE SKIP LOCKED" not in OPERATIONS.change([1], {}).sql


def test_what_gives_up_leases_names_the_producers_and_the_limits() -> None:
    dead = {UUID(int=9): 3, UUID(int=8): 4}
    params = RESCUES.rescue(dead, max_rescues=3, limit=10).params
    assert params[:4] == ([UUID(int=9), UUID(int=8)], [3, 4], 3, 10)
    assert "4 times" in params[4]
    assert RESCUES.release(PRODUCER, queue="q", running=(1,)).params == (
        str(PRODUCER.uuid),
        "q",
        [1],
    )
    found = [{"id": 1, "queue": "q", "worker": "w", "state": "discarded", "attempt": 3}]
    assert RESCUES.discard_exhausted(limit=1).decode(found) == [
        Rescued(1, "q", "w", State.DISCARDED)
    ]


def test_signs_of_life_are_decoded() -> None:
    other = {"uuid": str(UUID(int=9)), "beats": 4, "queue": None, "version": None}
    change = {
        "uuid": None, "queue": "mail", "scope": "*", "option": "limit", "value": "5", "version": 8,
    }  # fmt: skip
    last = {"uuid": None, "queue": None, "version": 9}
    pulse = PRODUCERS.beat(PRODUCER, None).decode([other, change, last])
    assert pulse == Pulse({UUID(int=9): 4}, [Control("mail", "*", "limit", 5, 8)], 9)
    assert PRODUCERS.beat(PRODUCER, 7).decode([]) == Pulse({}, [], 0)
    assert PRODUCERS.reap(age=1.0).decode([{}, {}]) == 2
    assert LEADERS.elect(PRODUCER, lease=30.0).params == ("Oban", "node-a", PRODUCER.uuid, 30.0)
    assert LEADERS.elect(PRODUCER, lease=30.0).decode([{}]) is True
    assert LEADERS.resign(PRODUCER).decode([]) is False


def test_an_option_of_a_queue_is_sent_as_json() -> None:
    options = [CONTROL, Control("mail", "node:a", "paused", True)]
    assert QUEUES.control("Oban", options).params == (
        "Oban", ["mail", "mail"], ["*", "node:a"], ["limit", "paused"], ["5", "true"],
    )  # fmt: skip


def test_a_value_that_can_not_be_decoded_stops_no_heartbeat() -> None:
    row = {"queue": "mail", "scope": "*", "option": "limit", "value": "[" * 9999, "version": 1}
    assert QUEUES.control("Oban", []).decode([row]) == [Control("mail", "*", "limit", None, 1)]


def test_a_walk_goes_on_where_its_last_page_ended() -> None:
    first = PRUNES.find_oldest(State.DISCARDED, age=60.0, after=None, limit=10)
    assert first.params == ("discarded", 60.0, "-infinity", -(2**63), 10)
    found = {"id": 3, "queue": "q", "worker": "w", "age": 9.0, "ended_at": "then", "version": "77"}
    assert PRUNES.find_oldest(State.COMPLETED, age=0.0, after=None, limit=1).decode([found]) == [
        FINISHED
    ]
    onward = PRUNES.find_oldest(State.COMPLETED, age=60.0, after=FINISHED, limit=10)
    back = PRUNES.find_newest(State.COMPLETED, age=0.0, before=FINISHED, limit=10)
    assert onward.params[2:4] == back.params[2:4] == ("then", 3)


def test_a_walk_along_what_waits_goes_on_where_its_last_page_ended() -> None:
    first = AGES.find_oldest(LEVEL, age=60.0, after=None, limit=10)
    assert first.params == ("mail", 5, 60.0, "-infinity", -(2**63), 10)
    found = {"id": 3, "worker": "w", "own_priority": 7, "waited": 9.0, "due_since": "then"}
    assert first.decode([found]) == [WAITING]
    onward = AGES.find_oldest(LEVEL, age=60.0, after=WAITING, limit=10)
    assert onward.params[3:5] == ("then", 3)
    assert AGES.find_levels(after=LEVEL, limit=9).params == ("mail", 5, 9)


def test_what_rises_is_named_as_it_was_read() -> None:
    assert AGES.raise_to([WAITING], [4]).params == ([3], ["then"], [5], [7], [4])
    assert AGES.raise_to([WAITING], [4]).decode([{"id": 3}]) == frozenset({3})


def test_what_is_pruned_is_named_with_its_version() -> None:
    assert PRUNES.prune([FINISHED]).params == ([3], ["77"])
    assert PRUNES.prune([FINISHED]).decode([{"id": 3}]) == frozenset({3})
