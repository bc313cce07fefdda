"""Each file of SQL has a builder of its statement, and a head that tells what it does."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
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
    Checkpoint,
    Lease,
    Statement,
)
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
from staffa.engines.statements.repairs import RepairStatements
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
from staffa.statement import Part
from tests.unit.rows import CLAIMED_AT
from tests.unit.statements import (
    ACK,
    AGES,
    CONTROL,
    FINISHED,
    JOB,
    JOBS,
    LEADERS,
    LEVEL,
    OPERATIONS,
    PLAIN_ACK,
    PREFIX,
    PRODUCER,
    PRODUCERS,
    PRUNES,
    QUEUES,
    RESCUES,
    WAITING,
)

SIGNALS = SignalStatements(PREFIX)
UNIQUE = UniqueStatements(PREFIX)
DYNAMIC = DynamicStatements(PREFIX)
SURVEYS = SurveyStatements(PREFIX)
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


def _second(dialogue: Dialogue[Any]) -> Statement[Any]:
    """Return the second statement of a dialogue whose first one finds nothing."""
    next(dialogue)
    return dialogue.send([])


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
    "jobs/count_outcomes": lambda: SURVEYS.count_outcomes(3600.0),
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
    "unique/insert_new": lambda: UNIQUE.insert_new([Entry(Job(worker="w"), b"k")]),
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
    "chains/waits": lambda: CHAINS.waits([1]),
    "chains/alone": lambda: _only([CHAINS.alone]),
    "chains/bridge": lambda: _first(CHAINS.bridge([1], ["c"])),
    "flows/create": lambda: GRAPHS.create_flows([NEW_FLOW], None),
    "flows/once": lambda: GRAPHS.find_once("k"),
    "flows/known": lambda: GRAPHS.known(["w1"]),
    "flows/graft": lambda: GRAPHS.graft("w1", Lease.of(JOB), "list"),
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
    "flows/members": lambda: FLOW_CONTROL.members("w1", [State.SUSPENDED]),
    "flows/around": lambda: FLOW_CONTROL.around(["w1"]),
    "flows/grafted": lambda: FLOW_CONTROL.find_grafted([1]),
    "flows/reopen_jobs": lambda: FLOW_CONTROL.reopen_jobs([1]),
    "flows/reopen_flows": lambda: FLOW_CONTROL.reopen_flows(["w1"], [1]),
    "flows/reopen_steps": lambda: FLOW_CONTROL.reopen_steps([1]),
    "flows/waiting": lambda: FLOW_CONTROL.find_waiting([1]),
    "flows/suspend": lambda: FLOW_CONTROL.suspend([1]),
    "flows/forget_results": lambda: FLOW_CONTROL.forget_results([1]),
    "flows/let_go": lambda: FLOW_CONTROL.let_go(1),
    "flows/ended": lambda: FLOW_CONTROL.find_ended(age=60.0, after=None, limit=10),
    "flows/spent": lambda: FLOW_CONTROL.find_spent(["w1"]),
    "flows/steps_of_roots": lambda: FLOW_CONTROL.steps_of(["w1"]),
    "flows/delete": lambda: FLOW_CONTROL.delete(["w1"]),
    "flows/kept": lambda: FOLLOW.find_kept([1]),
    "flows/lock": lambda: FOLLOW.lock_flows(["w1"]),
    "flows/is_any_linked": lambda: FOLLOW.is_any_linked([1]),
    "flows/lock_of_jobs": lambda: FOLLOW.lock_of_jobs([1]),
    "flows/close_completed": lambda: _first(FOLLOW.close_jobs({1: "completed"})),
    "flows/close_jobs": lambda: _first(FOLLOW.close_jobs({1: "cancelled"})),
    "flows/close_flows": lambda: _first(FOLLOW.close_flows(["w1"])),
    "flows/release": lambda: _first(FOLLOW.release_steps([1])),
    "flows/release_dated": lambda: _second(FOLLOW.release_steps([1])),
    "flows/cancel": lambda: _first(FOLLOW.cancel_steps([Due(1, 2, "cancelled")])),
    "flows/postpone": lambda: FOLLOW.postpone({1: "{}"}),
    "flows/count": lambda: _first(FOLLOW.count_flows({"w1": [1, 0, 0, 0, 0, 0, 0, 0]})),
    "flows/enlist": lambda: _first(FOLLOW._enlist([Job(worker="w", meta={"batch_id": "b"})])),
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


@pytest.mark.parametrize("verb", ["jobs/enqueue", "jobs/stage", "flows/insert"])
@pytest.mark.parametrize("engine", ["postgres", "sqlite"])
def test_what_signs_jobs_does_all_that_its_plain_twin_does(engine: str, verb: str) -> None:
    folder = FILES.parents[1] / engine / "sql"
    plain, signed = (
        {
            line.strip().rstrip(",")
            for line in without_comments(file.read_text("utf-8")).splitlines()
        }
        for file in (folder / f"{verb}.sql", folder / f"{verb}_signed.sql")
    )
    assert [line for line in plain - signed if "tags" not in line] == []  # that is the row itself


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
