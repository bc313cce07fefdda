"""`@job`: functions that stay callable and make jobs."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from staffa import Job, instance, job, registry
from staffa.errors import ConfigError, InvalidArgs, InvalidJob, NotYetAvailable, UnknownOption
from tests.unit.rows import claimed
from tests.unit.test_instance import Sender

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@job(queue="mail", priority=3, max_attempts=5, tags=["a"], meta={"from": "decorator"})
async def send(to: str, subject: str = "hi") -> str:
    """Send a mail."""
    return f"{to}: {subject}"


async def test_a_decorated_function_is_still_the_function() -> None:
    assert await send("ada", subject="hey") == "ada: hey"
    assert send.__name__ == "send"  # type: ignore[attr-defined]  # set by update_wrapper
    assert send.__doc__ == "Send a mail."
    assert list(inspect.signature(send).parameters) == ["to", "subject"]
    assert "test_job_functions.send" in repr(send)


def test_a_new_job_has_the_arguments_by_name_and_the_options_of_the_decorator() -> None:
    made = send.new("ada")
    assert made.args == {"to": "ada"}
    assert (made.worker, made.queue, made.priority) == (send.worker_name, "mail", 3)
    assert (made.max_attempts, made.tags, made.meta) == (5, ("a",), {"from": "decorator"})


def test_options_of_a_call_go_before_those_of_the_decorator() -> None:
    made = send.options(queue="other", priority=0, tags=["b"], meta={}).new("ada", "hey")
    assert (made.queue, made.priority, made.tags, made.meta) == ("other", 0, ("b",), {})
    assert made.max_attempts == 5
    assert send.new("ada").queue == "mail"


def test_a_time_of_a_call_replaces_the_delay_of_the_decorator() -> None:
    @job(scheduled_in=60)
    def later() -> None: ...

    @job(scheduled_at=NOON)
    def at_noon() -> None: ...

    assert later.options(scheduled_at=NOON).new().scheduled_at == NOON
    assert later.new().scheduled_in == 60.0
    assert at_noon.options(scheduled_in=timedelta(minutes=1)).new().scheduled_in == 60.0


def test_labels_from_an_iterator_are_on_every_job() -> None:
    @job(tags=iter(["a", "b"]))
    def labelled() -> None: ...

    assert [labelled.new().tags for _ in range(2)] == [("a", "b"), ("a", "b")]


async def test_enqueue_goes_through_the_client_and_the_connection_given() -> None:
    client, connection = Sender(), object()
    instance.register("a", client)
    await send.enqueue("ada")
    await send.options(conn=connection, queue="other").enqueue("bob")
    assert [(made.args["to"], made.queue, conn) for made, conn in client.sent] == [
        ("ada", "mail", None),
        ("bob", "other", connection),
    ]


@pytest.mark.parametrize("call", [send.new, send.options().new])
def test_a_call_that_the_function_would_not_take_is_refused(call: Any) -> None:
    with pytest.raises(InvalidArgs, match=r"send\(to"):
        call()
    with pytest.raises(InvalidArgs, match=r"args\.to"):
        call(object())


def test_the_call_of_a_row_binds_its_arguments() -> None:
    @job
    def add(a: int, /, b: int, *, c: int = 3, **rest: int) -> Any:
        return a, b, c, rest

    definition = registry.resolve(add.worker_name)
    assert definition.prepare(claimed(args={"a": 1, "b": 2, "d": 4}))() == (1, 2, 3, {"d": 4})
    with pytest.raises(InvalidArgs, match="needs b"):
        definition.prepare(claimed(args={"a": 1}))


@pytest.mark.parametrize("stored", ["[]", "5", '"text"', "null"])
def test_a_row_whose_args_are_no_object_can_not_be_decoded(stored: str) -> None:
    with pytest.raises(ValueError):
        registry.resolve(send.worker_name).prepare(claimed(args=stored))


SPECIFIED = {
    "queue", "priority", "max_attempts", "tags", "meta", "scheduled_at", "scheduled_in", "unique",
    "replace", "timeout", "deadline", "executor", "recorded", "encrypted", "name", "aliases",
    "hooks", "chain", "weight", "cron", "instance", "discard_on", "cancel_on", "retry_on",
    "backoff", "args", "unknown",
}  # fmt: skip


@pytest.mark.parametrize("option", sorted(SPECIFIED))
def test_an_option_of_the_specification_is_built_or_announced(option: str) -> None:
    try:
        job(**{option: object()})(send)  # type: ignore[call-overload]  # any option
    except UnknownOption as error:
        pytest.fail(str(error))
    except (ValueError, TypeError):
        pass  # known, and refuses a mere object


def test_an_unknown_option_names_the_nearest() -> None:
    with pytest.raises(UnknownOption, match="'priorty': did you mean 'priority'"):
        job(priorty=1)(send)  # type: ignore[call-overload]  # the misspelling is the point
    with pytest.raises(UnknownOption, match="'queu': did you mean 'queue'"):
        send.options(queu="x")  # type: ignore[call-arg]  # the misspelling is the point


@pytest.mark.parametrize(
    "options", [{"priority": 10}, {"queue": ""}, {"timeout": -1}, {"backoff": "5"}, {"tags": [""]}]
)
def test_a_bad_value_is_refused_where_it_is_written(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="|".join(option.rstrip("s") for option in options)):

        @job(**options)
        def never() -> None: ...


@pytest.mark.parametrize("executor", ["dask", "ray"])
def test_an_executor_of_a_later_version_says_so(executor: Any) -> None:
    with pytest.raises(NotYetAvailable, match=executor):
        job(executor=executor)(send)


def test_an_executor_that_can_not_run_the_function_is_refused() -> None:
    async def waits() -> None: ...
    def blocks() -> None: ...

    for executor, function in (("thread", waits), ("async", blocks), ("fibre", blocks)):
        with pytest.raises(ConfigError, match=f"executor '{executor}' can't run"):
            job(executor=executor)(function)  # type: ignore[call-overload]  # also a wrong one
    assert registry.resolve(job(executor="thread")(blocks).worker_name).executor == "thread"
    assert registry.resolve(job(executor="async")(waits).worker_name).executor == "async"


def test_a_function_without_names_for_its_arguments_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\*args"):

        @job
        def many(*values: int) -> None: ...


def test_a_job_of_a_function_is_a_plain_job() -> None:
    assert type(send.new("ada")) is Job


def test_jobs_of_one_call_share_no_data() -> None:
    @job(meta={"m": {"n": 1}})
    async def send(to: str) -> None: ...

    first, second = send.new("a"), send.new("b")
    first.meta["m"]["n"] = 2
    first.args["to"] = "c"
    assert (second.meta, second.args) == ({"m": {"n": 1}}, {"to": "b"})
    assert send.new("d").meta == {"m": {"n": 1}}


def test_options_that_can_not_be_used_are_refused_at_each_job() -> None:
    @job
    async def send(to: str) -> None: ...

    wrong = send.options(priority=99)
    for _ in range(2):
        with pytest.raises(InvalidJob, match="priority 99"):
            wrong.new("a")
