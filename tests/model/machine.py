"""Whatever happens to jobs in whatever order: the engine and the model must tell the same.

Each rule does one thing to both, and compares what they say. After each rule all columns of all
rows are compared, and what holds for jobs whatever the model thinks is checked on the rows.
"""

from __future__ import annotations

from collections.abc import Collection, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from staffa.engine import Ack, Changed, Checkpoint, Lease, Producer
from staffa.jobs import Job
from staffa.types import State
from staffa.unique import Unique
from tests.model.jobs import END_TIMES, ENDS, KnownJob, KnownJobs
from tests.model.worlds import BEGIN, World

T = TypeVar("T")

MAX_RESCUES = 2
QUEUES = ("mail", "media")
PRODUCERS = tuple(Producer(UUID(int=n), "Staffa", f"node.{n}") for n in range(1, 3))
STRANGER = 10**15
STEP = timedelta(milliseconds=1)

queues = st.sampled_from(QUEUES)
producers = st.sampled_from(PRODUCERS)
places = st.integers(0, 7)
several = st.lists(places, min_size=1, max_size=3)
lengths = st.sampled_from([-20, 0, 1, 20])
limits = st.sampled_from([1, 2, 100])
endings = st.sampled_from(
    ["complete", "complete", "fail", "fail", "snooze", "cancel", "discard", "interrupt", "record"]
)


@dataclass(frozen=True)
class Run:
    """A lease that was once given."""

    lease: Lease
    producer: Producer
    snoozed: int


@dataclass(frozen=True)
class Written:
    """An outcome that was written, and how often its job had been written to then."""

    ack: Ack
    producer: Producer
    writes: int


class Machine(RuleBasedStateMachine):
    """An engine and the model."""

    run: ClassVar[Any]
    """Runs a coroutine to its end."""
    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.model = KnownJobs(BEGIN)
        self.runs: list[Run] = []
        self.written: list[Written] = []
        self.before: dict[int, dict[str, Any]] = {}
        self.changed_by_hand: set[int] = set()
        self.count = 0

    @initialize(
        attempts=st.lists(st.integers(1, 3), min_size=3, max_size=6), beats=st.booleans(),
        kinds=st.lists(endings, min_size=1, max_size=2),
    )  # fmt: skip
    def begin(self, attempts: list[int], kinds: list[str], *, beats: bool) -> None:
        """There are a few jobs, some of which have run, and some run."""
        self.wait_for(self.world.begin())
        self.wait_for(self.world.set_time(self.model.now))
        for limit in attempts:
            self.insert("mail", 0, limit, 0, unique=False, due=None)
        if beats:
            self.beat(PRODUCERS[0])
        self.claim("mail", len(kinds) + 1, PRODUCERS[0])
        self.end_runs(list(range(len(kinds))), kinds)
        self.before = self.wait_for(self.world.rows())

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        found: T = type(self).run(work)
        return found

    def pass_time(self, length: timedelta = STEP) -> None:
        """Every step has a moment of its own, as on a real clock."""
        self.model.now += length
        self.wait_for(self.world.set_time(self.model.now))

    def pick(self, places: Sequence[int], first: Collection[State] = ()) -> list[int]:
        """Return ids of jobs, those in some states first, and one that no job has."""
        jobs = sorted(self.model.jobs.values(), key=lambda job: (job.state not in first, job.id))
        return sorted({jobs[n].id if n < len(jobs) else STRANGER for n in places})

    # -- how jobs come and go

    @rule(
        queue=queues, priority=st.integers(0, 2), attempts=st.integers(1, 3),
        key=st.integers(0, 2), unique=st.booleans(),
        due=st.one_of(st.none(), st.tuples(st.booleans(), lengths)),
    )  # fmt: skip
    def insert(
        self, queue: str, priority: int, attempts: int, key: int, *, unique: bool,
        due: tuple[bool, int] | None,
    ) -> None:  # fmt: skip
        self.pass_time()
        model, options = self.model, dict[str, Any]()
        at = model.now if due is None else model.now + timedelta(seconds=due[1])
        if due is not None and due[0]:
            options["scheduled_at"] = at
        elif due is not None:
            at = model.now + timedelta(seconds=max(due[1], 0))
            options["scheduled_in"] = max(due[1], 0)
        job = Job(
            worker="tests.Worker", queue=queue, priority=priority, max_attempts=attempts,
            args={"key": key}, unique=Unique() if unique else None, **options,
        )  # fmt: skip
        (stored,) = self.wait_for(self.world.engine.enqueue_jobs([job]))
        rival = model.rival((queue, key)) if unique else None
        assert stored.id is not None
        assert stored.conflict is (rival is not None)
        if rival is not None:
            assert (stored.id, stored.state) == (rival, model.jobs[rival].state)
            return
        assert stored.id not in model.jobs
        known = KnownJob(
            id=stored.id, state=State.AVAILABLE, queue=queue, args={"key": key}, priority=priority,
            max_attempts=attempts, inserted_at=at, scheduled_at=at,
            key=(queue, key) if unique else None,
        )  # fmt: skip
        model.insert(known)
        assert stored.state == known.state

    @rule(limit=limits)
    def stage(self, limit: int) -> None:
        self.pass_time()
        found = self.wait_for(self.world.engine.stage_jobs(limit, QUEUES))
        assert found.staged == self.model.stage(limit)
        available = {job.queue for job in self.model.jobs.values() if job.state == "available"}
        assert found.queues == available

    @rule(seconds=st.sampled_from([1, 30, 5000]))
    def wait(self, seconds: int) -> None:
        self.pass_time(timedelta(seconds=seconds))

    @rule(places=several)
    def delete(self, places: list[int]) -> None:
        ids = self.pick(places, ENDS)
        self.same_ids(self.wait_for(self.world.engine.delete_jobs(ids)), self.model.delete(ids))

    @precondition(lambda self: any(job.state in ENDS for job in self.model.jobs.values()))
    @rule(
        age=st.sampled_from([0, 0, 10]), limit=limits, places=several,
        meanwhile=st.sampled_from([None, "retry", "update", "delete"]),
    )  # fmt: skip
    def prune(self, age: int, limit: int, meanwhile: str | None, places: list[int]) -> None:
        """Old jobs are looked at, then deleted, but for what was changed in between."""
        self.pass_time()
        found = []
        for state in sorted(ENDS):
            page = self.wait_for(
                self.world.engine.find_oldest_finished(state, age=age, after=None, limit=limit)
            )
            assert [job.id for job in page] == self.model.finished(state, age, limit)
            found += page
        seen = {job.id: (job.columns(), job.writes) for job in self.model.jobs.values()}
        match meanwhile:
            case "retry":
                self.retry(places)
            case "delete":
                self.delete(places)
            case "update":
                self.update(places, {"priority": 1}, read=False)
        unchanged = {
            job.id
            for job in found
            if (known := self.model.jobs.get(job.id)) is not None
            and known.columns() == seen[job.id][0]
            and (known.writes == seen[job.id][1] or not self.world.versions_count_writes)
        }
        pruned = self.wait_for(self.world.engine.prune_jobs(found))
        assert pruned == self.model.prune(unchanged)

    # -- how they run

    @rule(queue=queues, limit=limits, producer=producers)
    def claim(self, queue: str, limit: int, producer: Producer) -> None:
        self.pass_time()
        found = self.wait_for(self.world.engine.claim_jobs(queue, limit, producer))
        assert [job.id for job in found] == self.model.claim(queue, limit, producer)
        for job in found:
            assert job.attempt <= job.max_attempts
            lease = Lease.of(job)
            assert lease not in {run.lease for run in self.runs}, "a lease never comes twice"
            self.runs.append(Run(lease, producer, job.meta.get("snoozed", 0)))

    @precondition(lambda self: self.held_runs())
    @rule(place=places, late=endings)
    def claim_again(self, place: int, late: str) -> None:
        """A process gives back what it holds, and gets it again under the same attempt.

        What it still sends of the first run must not end the second.
        """
        runs = self.held_runs()
        run = runs[-1 - place % len(runs)]
        self.put_back(run.producer, None, [])
        self.claim(self.model.jobs[run.lease.id].queue, 100, run.producer)
        self.refuse(run, late)

    def ending(self, run: Run, kind: str) -> Ack:
        """Return an outcome as the executor makes them."""
        lease = run.lease
        self.count += 1
        error = f"error {self.count}"
        match kind:
            case "fail":
                return Ack(lease=lease, state=State.RETRYABLE, error=error, delay=15.0)
            case "snooze":
                meta = {"snoozed": run.snoozed + 1}
                return Ack(lease=lease, state=State.SCHEDULED, refund=True, delay=5.0, meta=meta)
            case "cancel":
                return Ack(lease=lease, state=State.CANCELLED, error=error)
            case "discard":
                return Ack(lease=lease, state=State.DISCARDED, error=error)
            case "interrupt":
                return Ack(lease=lease, state=State.AVAILABLE, refund=True)
            case "record":
                return Ack(lease=lease, state=State.COMPLETED, meta={"return": error})
            case _:
                return Ack(lease=lease, state=State.COMPLETED)

    @precondition(lambda self: self.runs)
    @rule(places=several, kinds=st.lists(endings, min_size=4, max_size=4))
    def end_runs(self, places: list[int], kinds: list[str]) -> None:
        """A bundle of outcomes, most of runs of late; some of their leases may have ended."""
        self.pass_time()
        chosen = {
            run.lease.id: (run, kind)
            for place, kind in zip(places, kinds, strict=False)
            for run in [self.runs[-1 - place % len(self.runs)]]
        }
        for producer in PRODUCERS:
            mine = [(run, kind) for run, kind in chosen.values() if run.producer is producer]
            acks = [self.ending(run, kind) for run, kind in mine]
            lost = {ack.lease.id for ack in acks if not self.holds(ack.lease, producer)}
            found = self.wait_for(self.world.engine.ack_jobs(acks, producer))
            assert found == self.model.ack(acks, producer)
            assert found.keys().isdisjoint(lost)
            for ack in acks:
                if ack.lease.id in found:
                    writes = self.model.jobs[ack.lease.id].writes
                    self.written.append(Written(ack, producer, writes))

    @precondition(lambda self: self.held_runs())
    @rule(place=places, kind=endings)
    def end_run_of_another(self, place: int, kind: str) -> None:
        """Whoever does not hold the lease ends nothing, whatever else is right."""
        self.pass_time()
        runs = self.held_runs()
        run = runs[-1 - place % len(runs)]
        (other,) = (producer for producer in PRODUCERS if producer is not run.producer)
        assert self.wait_for(self.world.engine.ack_jobs([self.ending(run, kind)], other)) == {}

    def held_runs(self) -> list[Run]:
        return [run for run in self.runs if self.holds(run.lease, run.producer)]

    @precondition(lambda self: self.written)
    @rule(place=places)
    def send_an_outcome_again(self, place: int) -> None:
        """Nothing is written, and an outcome that nothing has followed is known to be stored."""
        self.pass_time()
        sent = self.written[-1 - place % len(self.written)]
        again = self.wait_for(self.world.engine.ack_jobs([sent.ack], sent.producer))
        assert again == {}
        traced = self.wait_for(self.world.engine.trace_acks([sent.ack], sent.producer))
        job = self.model.jobs.get(sent.ack.lease.id)
        if job is None or job.writes == sent.writes:
            assert traced == {sent.ack.lease.id}

    @precondition(lambda self: self.ended_runs())
    @rule(place=places, kind=st.sampled_from(["fail", "snooze", "record", "cancel"]))
    def send_an_outcome_late(self, place: int, kind: str) -> None:
        """A zombie's outcome is not written, nor taken for written while its job is there."""
        runs = self.ended_runs()
        run = runs[-1 - place % len(runs)]
        ack = self.refuse(run, kind)
        traced = self.wait_for(self.world.engine.trace_acks([ack], run.producer))
        assert traced == (frozenset() if ack.lease.id in self.model.jobs else {ack.lease.id})

    def refuse(self, run: Run, kind: str) -> Ack:
        """Send an outcome of a run whose lease has ended."""
        self.pass_time()
        ack = self.ending(run, kind)
        assert self.wait_for(self.world.engine.ack_jobs([ack], run.producer)) == {}
        checkpoint = Checkpoint(run.lease, {"progress": "late"})
        noted = self.wait_for(self.world.engine.checkpoint_jobs([checkpoint], run.producer))
        assert noted == frozenset()
        return ack

    def ended_runs(self) -> list[Run]:
        """Return the runs of which no outcome was written, and none can be.

        Those whose jobs run again come last, where most are taken from.
        """
        acked = {sent.ack.lease for sent in self.written}
        running = {job.id for job in self.model.jobs.values() if job.state is State.EXECUTING}
        ended = [run for run in self.runs if not self.holds(run.lease, run.producer)]
        unknown = [run for run in ended if run.lease not in acked]
        return sorted(unknown, key=lambda run: run.lease.id in running)

    @precondition(lambda self: self.runs)
    @rule(place=places, note=st.integers(0, 3), producer=st.one_of(st.none(), producers))
    def checkpoint(self, place: int, note: int, producer: Producer | None) -> None:
        self.pass_time()
        run = self.runs[-1 - place % len(self.runs)]
        by = producer or run.producer
        meta = {"progress": {"at": note}}
        found = self.wait_for(self.world.engine.checkpoint_jobs([Checkpoint(run.lease, meta)], by))
        assert found == ({run.lease} if self.model.checkpoint(run.lease, meta, by) else set())

    @precondition(lambda self: self.runs)
    @rule(producer=producers)
    def look_for_lost_leases(self, producer: Producer) -> None:
        mine = [run.lease for run in self.runs[-8:] if run.producer is producer]
        heart = self.world.engine.heartbeat()
        lost = self.wait_for(heart.find_lost_leases(producer, mine))
        self.wait_for(heart.close())
        assert set(lost) == {lease for lease in mine if not self.holds(lease, producer)}

    def holds(self, lease: Lease, producer: Producer) -> bool:
        job = self.model.jobs.get(lease.id)
        return job is not None and job.holds(lease, producer)

    # -- what people do

    @rule(places=several)
    def cancel(self, places: list[int]) -> None:
        self.pass_time()
        ids = self.pick(places, {State.EXECUTING})
        self.same_ids(self.wait_for(self.world.engine.cancel_jobs(ids)), self.model.cancel(ids))

    @rule(places=several)
    def retry(self, places: list[int]) -> None:
        self.pass_time()
        ids = self.pick(places, ENDS)
        found = self.model.retry(ids)
        self.changed_by_hand |= found
        self.same_ids(self.wait_for(self.world.engine.retry_jobs(ids)), found)

    @rule(
        places=several,
        changes=st.fixed_dictionaries(
            {},
            optional={
                "priority": st.integers(0, 2), "max_attempts": st.sampled_from([1, 1, 3]),
                "queue": queues, "meta": st.sampled_from([{}, {"note": 1}]),
                "scheduled_at": lengths,
            },
        ),
        delay=st.booleans(),
        read=st.booleans(),
    )  # fmt: skip
    def update(
        self, places: list[int], changes: dict[str, Any], *, read: bool, delay: bool = False
    ) -> None:
        self.pass_time()
        ids = self.pick(places, ENDS)
        plain = dict(changes)
        seconds = plain.pop("scheduled_at", None)
        if seconds is not None:
            seconds = max(seconds, 0) if delay else seconds
            due = self.model.now + timedelta(seconds=seconds)
            changes = {**changes, "scheduled_at": due}
            plain |= {"scheduled_in": seconds} if delay else {"scheduled_at": due.isoformat()}
        found = self.model.update(ids, changes)
        self.changed_by_hand |= found
        if read:
            jobs = self.wait_for(self.world.engine.update_jobs(ids, plain))
            assert {job.id: job.state for job in jobs} == {
                number: self.model.jobs[number].state for number in found
            }
        else:
            self.same_ids(self.wait_for(self.world.engine.change_jobs(ids, plain)), found)

    @staticmethod
    def same_ids(found: list[Changed], expected: set[int]) -> None:
        assert sorted(job.id for job in found) == sorted(expected)

    # -- how processes live and die

    @rule(producer=producers)
    def beat(self, producer: Producer) -> None:
        self.pass_time()
        heart = self.world.engine.heartbeat()
        pulse = self.wait_for(heart.beat(producer))
        self.wait_for(heart.close())
        self.model.beat(producer)
        others = {uuid: n for uuid, n in self.model.beats.items() if uuid != producer.uuid}
        assert pulse.others == others

    @rule(
        dead=st.lists(producers, min_size=1, unique=True), limit=limits,
        since=st.sampled_from([0, 0, 1]),
    )  # fmt: skip
    def rescue(self, dead: list[Producer], limit: int, since: int) -> None:
        """Producers were seen dead, and may have beaten since."""
        self.pass_time()
        seen = {each.uuid: self.model.beats.get(each.uuid, 0) - since for each in dead}
        found = self.wait_for(
            self.world.engine.rescue_jobs(seen, max_rescues=MAX_RESCUES, limit=limit)
        )
        expected = self.model.rescue(seen, MAX_RESCUES, limit)
        assert {job.id: job.state for job in found} == expected

    @rule(producer=producers, queue=st.one_of(st.none(), queues), running=several)
    def put_back(self, producer: Producer, queue: str | None, running: list[int]) -> None:
        self.pass_time()
        ids = self.pick(running)
        found = self.wait_for(self.world.engine.release_jobs(producer, queue=queue, running=ids))
        assert found == self.model.release(producer, queue, ids)

    @rule(age=st.sampled_from([0, 60]), limit=limits)
    def rescue_foreign(self, age: int, limit: int) -> None:
        self.pass_time()
        found = self.wait_for(self.world.engine.rescue_foreign_jobs(age=age, limit=limit))
        expected = self.model.rescue_foreign(age, limit)
        assert {job.id: job.state for job in found} == expected

    @rule(limit=limits)
    def discard_exhausted(self, limit: int) -> None:
        self.pass_time()
        found = self.wait_for(self.world.engine.discard_exhausted_jobs(limit=limit))
        expected = self.model.discard_exhausted(limit)
        assert {job.id: job.state for job in found} == expected

    @rule(producer=producers, age=st.sampled_from([None, 0, 60]))
    def forget_producers(self, producer: Producer, age: int | None) -> None:
        """One that stops, or all that have been silent for long."""
        self.pass_time()
        if age is None:
            self.wait_for(self.world.engine.remove_producer(producer))
            self.model.remove_producer(producer)
        else:
            reaped = self.wait_for(self.world.engine.reap_producers(age=age))
            assert reaped == self.model.reap(age)

    # -- what must hold after each of these

    @invariant()
    def rows_are_as_the_model_says(self) -> None:
        rows = self.wait_for(self.world.rows())
        assert rows == self.model.columns()
        for number, row in rows.items():
            _check_row(row)
            self._check_change(self.before.get(number), row)
            known = self.model.jobs[number]
            assert known.claims == known.attempt + known.given_back
        self.before, self.changed_by_hand = rows, set()

    def _check_change(self, before: dict[str, Any] | None, row: dict[str, Any]) -> None:
        """No row may go from one state to another but by what is known to do so."""
        if before is None:
            return
        if before["state"] in ENDS and row["id"] not in self.changed_by_hand:
            assert row == before, "an ended job changes only by hand"
        assert row["errors"][: len(before["errors"])] == before["errors"], "errors are only added"
        if row["id"] not in self.changed_by_hand:
            for name in ("rescued", "snoozed"):
                assert row["meta"].get(name, 0) >= before["meta"].get(name, 0)
        assert row["inserted_at"] == before["inserted_at"]

    def teardown(self) -> None:
        counted = self.wait_for(self.world.engine.count_jobs())
        recount: dict[tuple[str, State], int] = {}
        for job in self.model.jobs.values():
            key = (job.queue, job.state)
            recount[key] = recount.get(key, 0) + 1
        assert counted == recount


def _check_row(row: dict[str, Any]) -> None:
    """What holds for each row at any time."""
    assert 0 <= row["attempt"] <= row["max_attempts"]
    for state, name in END_TIMES.items():
        assert (row[name] is not None) is (row["state"] == state), f"{name} of {row}"
    if row["state"] == State.EXECUTING:
        assert row["attempt"] >= 1
        assert row["attempted_at"] is not None
        assert len(row["attempted_by"]) == 2
    assert row["meta"].get("rescued", 0) <= MAX_RESCUES + 1
