"""The option `chunk`: what it takes, what is refused, and what a result says of each job."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from staffa import Cancel, Chunk, Job, Partition, Snooze, job, registry, worker
from staffa.chunking import ChunkRule
from staffa.chunks import share_result
from staffa.errors import ConfigError, InvalidArgs, InvalidJob, UnknownOption
from staffa.queues.rules import ChunkRules, divide, rule_of
from tests.unit.rows import claimed


def test_a_chunk_has_sensible_values_and_takes_a_timedelta() -> None:
    assert (Chunk().size, Chunk().seconds, Chunk().fields) == (100, 1.0, ())
    chunk = Chunk(timeout=timedelta(minutes=1), by=["args.a", "worker", "meta.b.c"])
    assert (chunk.seconds, chunk.fields) == (60.0, ("args.a", "meta.b.c"))
    assert Chunk(by="args.a") == Chunk(by=Partition("args.a"))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"size": 0}, "size of chunk is 0: give a whole number from 1 to 20000"),
        ({"size": 20001}, "size of chunk is 20001"),
        ({"size": True}, "size of chunk is True"),
        ({"size": 2.5}, "size of chunk is 2.5"),
        ({"timeout": -1}, "timeout of chunk"),
        ({"timeout": "1s"}, "timeout of chunk"),
        ({"timeout": float("nan")}, "timeout of chunk"),
        ({"by": "tenant"}, "by of chunk: partition has 'tenant'"),
        ({"by": []}, "by of chunk"),
        ({"by": 5}, "by of chunk"),
    ],
)
def test_bad_values_are_refused_by_name(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError) as error:
        Chunk(**options)
    assert named in str(error.value)


def test_a_function_with_chunk_makes_jobs_of_any_keywords() -> None:
    @job(queue="events", chunk=Chunk(size=5))
    async def load(jobs: list[Job]) -> None: ...

    made = load.new(event=1, tags=["a"])
    assert (made.args, made.queue) == ({"event": 1, "tags": ["a"]}, "events")
    assert load.options(priority=3).new().args == {}
    with pytest.raises(InvalidArgs, match="load"):
        load.new(1)
    with pytest.raises(InvalidArgs, match="JSON"):
        load.new(event=object())
    with pytest.raises(UnknownOption, match="chunk"):
        load.options(chunk=Chunk())  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"chunk": True}, "chunk is True: give Chunk(size=100"),
        ({"chunk": Chunk(), "executor": "process"}, "executor='process'"),
        ({"chunk": Chunk(), "recorded": True}, "recorded"),
        ({"chunk": Chunk(by="args.a"), "encrypted": True}, "by='meta.account_id'"),
        ({"chunk": Chunk(), "args": dict}, "args= is for worker classes"),
    ],
)
def test_what_can_not_be_had_beside_it_is_refused(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError) as error:

        @job(**options)
        def load(jobs: list[Job]) -> None: ...

    assert named in str(error.value)


def test_a_function_that_takes_no_list_of_jobs_is_refused() -> None:
    with pytest.raises(ConfigError, match="called with a list of jobs"):

        @job(chunk=Chunk())  # type: ignore[arg-type]  # that is the point
        def load(first: list[Job], second: int) -> None: ...


def test_encrypted_jobs_of_a_chunk_by_args_are_refused_one_by_one() -> None:
    @job(chunk=Chunk(by="args.a"))
    def load(jobs: list[Job]) -> None: ...

    with pytest.raises(ConfigError, match="can't read"):
        load.options(encrypted=True)


def test_a_class_takes_args_as_without_chunk() -> None:
    @worker(queue="events", chunk=Chunk(size=5))
    class Load:
        async def process(self, jobs: list[Job]) -> None: ...

    assert Load.new({"a": 1}, priority=2).args == {"a": 1}  # type: ignore[attr-defined]


def test_the_registry_knows_which_workers_have_chunks() -> None:
    def define(**options: Any) -> None:
        @job(name="tests.load", **options)
        def load(jobs: Any = None) -> None: ...

    before = registry.chunked()
    define(chunk=Chunk(size=7, timeout=2, by="args.a"), aliases=["tests.old"])
    (found,) = (one for one in registry.chunked() if one not in before)
    assert rule_of(found) == ChunkRule(("tests.load", "tests.old"), 7, 2.0, ("args.a",))
    define(chunk=Chunk(size=8))
    assert [one.chunk for one in registry.chunked() if one not in before] == [Chunk(size=8)]
    define()
    assert registry.chunked() == before


def test_rules_are_those_of_a_queue_until_a_job_of_another_is_met() -> None:
    @job(name="tests.here", queue="here", chunk=Chunk(size=2))
    def here(jobs: list[Job]) -> None: ...

    @job(name="tests.there", queue="there", chunk=Chunk(size=3))
    def there(jobs: list[Job]) -> None: ...

    rules, others = ChunkRules("here"), ChunkRules("elsewhere")
    assert [rule.names for rule in rules.current()] == [("tests.here",)]
    assert others.current() == ()
    assert rules.find_strangers([claimed(worker="tests.plain")]) == []
    stranger = claimed(worker="tests.there")
    assert rules.find_strangers([claimed(worker="tests.plain"), stranger]) == [stranger]
    assert {rule.names for rule in rules.current()} >= {("tests.here",), ("tests.there",)}
    assert others.current() == ()


def test_a_result_that_is_no_mapping_holds_for_all_jobs() -> None:
    jobs = [claimed(id=1), claimed(id=2)]
    assert share_result(None, jobs) == {jobs[0]: None, jobs[1]: None}
    assert set(share_result(Cancel("no"), jobs).values()) == {Cancel("no")}


def test_a_mapping_names_jobs_or_their_ids_and_the_others_complete() -> None:
    jobs = [claimed(id=number) for number in (1, 2, 3)]
    error = ValueError("no")
    shared = share_result({jobs[0]: Snooze(60), 3: error}, jobs)
    assert [shared[one] for one in jobs] == [Snooze(60), None, error]


@pytest.mark.parametrize("key", [9, "1", None, claimed(id=9)])
def test_a_key_that_is_no_job_of_the_chunk_is_an_error(key: Any) -> None:
    with pytest.raises(InvalidJob, match="no job of it"):
        share_result({key: Cancel()}, [claimed(id=1)])


def test_jobs_are_divided_into_the_chunks_that_they_would_run_in() -> None:
    @job(name="tests.load", chunk=Chunk(size=2, by="args.a"))
    def load(jobs: list[Job]) -> None: ...

    @job(name="tests.plain")
    def plain(n: int) -> None: ...

    made = [load.new(a=1), plain.new(1), load.new(a=2), load.new(a=1), load.new(a=1), plain.new(2)]
    one, two, three, four, five, six = made
    assert divide(made) == [[one, four], [two], [three], [five], [six]]
    apart = load.options(queue="other").new(a=2)
    assert divide([three, apart]) == [[three], [apart]]
