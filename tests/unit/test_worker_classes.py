"""`@worker`: classes with a method `process`, with and without the typed base."""

from __future__ import annotations

import pytest

from staffa import Job, Oban, Staffa, Worker, get_instance, instance, registry, worker
from staffa.errors import ConfigError, UnknownOption
from tests.unit.rows import claimed
from tests.unit.test_instance import Sender


@worker(queue="mail", priority=2)
class Mailer(Worker):
    """Takes the typed base."""

    async def process(self, job: Job) -> object:
        return job.args


async def test_the_example_of_the_peer_runs_as_it_stands() -> None:
    client = Sender()
    instance.register("Oban", client)

    @worker(max_attempts=5, queue="badges")
    class GenerateBadge:
        async def process(self, job: Job) -> None:
            await get_instance().enqueue(
                Job(worker="myapp.Notify", queue="mail", args={"id": job.args["id"]})
            )

    made: Job = GenerateBadge.new({"id": 1})  # type: ignore[attr-defined]  # added by the decorator
    assert (made.max_attempts, made.queue, made.args) == (5, "badges", {"id": 1})
    definition = registry.resolve(made.worker)
    assert definition.executor == "async"
    await definition.prepare(claimed(args=made.args))()
    ((sent, _),) = client.sent
    assert (sent.worker, sent.queue, sent.args) == ("myapp.Notify", "mail", {"id": 1})


def test_the_client_has_the_name_that_users_of_the_peer_know() -> None:
    assert Oban is Staffa


def test_args_are_a_mapping_and_options_go_before_those_of_the_decorator() -> None:
    assert Mailer.new().args == {}
    made = Mailer.new({"to": "ada"}, queue="other", tags=["x"])
    assert (made.args, made.queue, made.priority, made.tags) == ({"to": "ada"}, "other", 2, ("x",))


async def test_enqueue_goes_through_the_client_and_the_connection_given() -> None:
    client, connection = Sender(), object()
    instance.register("a", client)
    await Mailer.enqueue({"to": "ada"}, conn=connection, priority=9)
    ((sent, conn),) = client.sent
    assert (sent.args, sent.priority) == ({"to": "ada"}, 9)
    assert conn is connection


async def test_each_job_gets_an_object_of_its_own() -> None:
    @worker()
    class Counter:
        def __init__(self) -> None:
            self.count = 0

        def process(self, job: Job) -> int:
            self.count += 1
            return self.count

    definition = registry.resolve(f"{__name__}.{Counter.__qualname__}")
    assert definition.executor == "thread"
    assert [definition.prepare(claimed())() for _ in range(3)] == [1, 1, 1]


def test_a_worker_that_extends_another_makes_jobs_of_its_own() -> None:
    @worker(queue="special")
    class Special(Mailer):
        pass

    assert Special.new().worker.endswith("Special")
    assert Special.new().queue == "special"
    assert Mailer.new().queue == "mail"


def test_what_a_class_has_already_is_left_alone() -> None:
    @worker()
    class Own:
        @classmethod
        def new(cls) -> str:
            return "mine"

        def process(self, job: Job) -> None: ...

    assert Own.new() == "mine"


def test_a_class_without_process_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"Empty has no method process"):

        @worker()
        class Empty:
            pass

    with pytest.raises(ConfigError, match="no method process"):

        @worker()
        class Odd:
            process = 5


def test_the_base_alone_is_no_worker() -> None:
    with pytest.raises(ConfigError, match="no method process"):

        @worker()
        class Nothing(Worker):
            pass


def test_an_unknown_option_names_the_nearest() -> None:
    with pytest.raises(UnknownOption, match="did you mean 'max_attempts'"):
        worker(max_attempt=1)  # type: ignore[call-arg]  # the misspelling is the point
    with pytest.raises(UnknownOption, match="did you mean 'scheduled_in'"):
        Mailer.new({}, schedule_in=1)  # type: ignore[call-arg]  # the misspelling is the point


def test_an_executor_that_can_not_run_the_class_is_refused() -> None:
    with pytest.raises(ConfigError, match="thread"):
        worker(executor="thread")(Mailer)


def test_a_nested_class_is_refused_where_another_process_has_to_find_it() -> None:
    class Nested:
        def process(self, job: Job) -> None: ...

    with pytest.raises(ConfigError, match="at the top of its module"):
        worker(executor="process")(Nested)
