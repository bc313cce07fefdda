"""Queues that are kept in the database: who hears of them, and that no change undoes another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NoReturn

import pytest

from staffa import GlobalLimit
from staffa.dynamic import DynamicQueue
from staffa.engine import (
    AS_CONFIGURED,
    EVERYBODY,
    Control,
    Engine,
    Heartbeat,
    Producer,
    QueueChanges,
    node_scope,
)
from staffa.engines.statements.limits import LimitStatements
from staffa.errors import ConfigError
from staffa.limits import Limits
from tests.conformance.work import new_producer

NAME = "Staffa"


@pytest.fixture
async def heart(engine: Engine) -> AsyncIterator[Heartbeat]:
    """A heartbeat."""
    made = engine.heartbeat()
    yield made
    await made.close()


def writing(
    *rows: DynamicQueue, controls: Sequence[Control] = ()
) -> Callable[[Sequence[DynamicQueue]], QueueChanges]:
    """Return what writes rows, whatever is there."""
    return lambda found: QueueChanges(rows=rows, controls=controls)


def mail(**fields: Any) -> DynamicQueue:
    return DynamicQueue(**{"queue": "mail", "options": {"limit": 5}, **fields})


async def news(heart: Heartbeat, producer: Producer, known: int | None) -> dict[str, Any]:
    pulse = await heart.beat(producer, known)
    return {one.queue: one.value for one in pulse.controls if one.option == "dynamic"}


async def test_what_is_written_is_read_as_it_was(engine: Engine) -> None:
    odd = DynamicQueue(
        queue='q "u" ü',
        options={"limit": 10**12, "only": {"node": "ü"}, "newer": [None, True, 1.5, {"a": {}}]},
        configured={"limit": 3},
    )
    assert await engine.read_dynamic_queues(NAME) == []
    written = await engine.change_dynamic_queues(NAME, writing(mail(), odd))
    assert [(one.queue, one.scope, one.option) for one in written] == [
        ("mail", EVERYBODY, "dynamic"),
        (odd.queue, EVERYBODY, "dynamic"),
    ]
    found = await engine.read_dynamic_queues(NAME)
    assert found == [mail(), odd]
    assert [one.version for one in found] == [one.version for one in written]
    assert found[0].changed_at is not None
    assert found[0].changed_at.tzinfo is not None
    assert await engine.read_dynamic_queues("another instance") == []


async def test_a_row_is_replaced_as_a_whole(engine: Engine) -> None:
    first = mail(options={"limit": 1, "paused": True}, configured={"limit": 1})
    await engine.change_dynamic_queues(NAME, writing(first))
    (old,) = await engine.read_dynamic_queues(NAME)
    await engine.change_dynamic_queues(NAME, writing(mail(deleted=True)))
    (new,) = await engine.read_dynamic_queues(NAME)
    assert (new, new.configured) == (mail(deleted=True), None)
    assert new.version > old.version


async def test_a_change_that_changes_nothing_writes_nothing(
    engine: Engine, heart: Heartbeat, producer: Producer
) -> None:
    await engine.change_dynamic_queues(NAME, writing(mail()))
    before = (await heart.beat(producer)).version
    assert await engine.change_dynamic_queues(NAME, writing()) == []
    assert (await heart.beat(producer, before)).version == before


async def test_an_error_of_the_function_leaves_everything_as_it_was(engine: Engine) -> None:
    def refuse(rows: Sequence[DynamicQueue]) -> QueueChanges:
        raise ConfigError("no")

    with pytest.raises(ConfigError, match=r"^no$"):
        await engine.change_dynamic_queues(NAME, refuse)
    await engine.change_dynamic_queues(NAME, writing(mail()))
    assert await engine.read_dynamic_queues(NAME) == [mail()]


async def test_limits_are_written_with_the_rows_or_neither_is(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"mail": Limits(global_limit=GlobalLimit(3))}
    await engine.change_dynamic_queues(NAME, lambda _: QueueChanges(rows=[mail()], limits=limits))
    (use,) = await engine.read_limits()
    assert (use.queue, use.limits) == ("mail", limits["mail"])

    def refuse(self: LimitStatements, limits: object) -> NoReturn:
        raise ConfigError("no")

    monkeypatch.setattr(LimitStatements, "configure", refuse)
    changes = QueueChanges(rows=[mail(deleted=True)], limits=limits)
    with pytest.raises(ConfigError, match=r"^no$"):
        await engine.change_dynamic_queues(NAME, lambda _: changes)
    assert await engine.read_dynamic_queues(NAME) == [mail()]


async def test_a_process_hears_of_each_change_once(
    engine: Engine, heart: Heartbeat, producer: Producer
) -> None:
    begun = await heart.beat(producer)
    control = Control("mail", EVERYBODY, "limit", AS_CONFIGURED)
    written = await engine.change_dynamic_queues(NAME, writing(mail(), controls=[control]))
    assert {one.option for one in written} == {"limit", "dynamic"}
    pulse = await heart.beat(producer, begun.version)
    assert sorted(pulse.controls, key=lambda one: one.version) == sorted(
        written, key=lambda one: one.version
    )
    assert pulse.version == max(one.version for one in written)
    assert (await heart.beat(producer, pulse.version)).controls == []
    await engine.change_dynamic_queues(NAME, writing(mail(deleted=True)))
    assert await news(heart, producer, pulse.version) == {"mail": None}


async def test_a_process_that_begins_hears_of_the_queues_that_are_there(
    engine: Engine, heart: Heartbeat
) -> None:
    gone = DynamicQueue(queue="gone", options={}, deleted=True)
    await engine.change_dynamic_queues(NAME, writing(mail(), gone))
    await engine.change_dynamic_queues("another", writing(mail(queue="foreign")))
    assert await news(heart, new_producer(), None) == {"mail": {"limit": 5}}


async def test_changes_at_the_same_time_are_made_one_after_the_other(
    engine: Engine, other_engine: Engine
) -> None:
    await engine.change_dynamic_queues(NAME, writing(mail(options={})))

    def adding(option: str) -> Callable[[Sequence[DynamicQueue]], QueueChanges]:
        def change(rows: Sequence[DynamicQueue]) -> QueueChanges:
            return QueueChanges(rows=[mail(options={**rows[0].options, option: 1})])

        return change

    await asyncio.gather(
        *(
            [engine, other_engine][number % 2].change_dynamic_queues(NAME, adding(f"o{number}"))
            for number in range(20)
        )
    )
    (found,) = await engine.read_dynamic_queues(NAME)
    assert found.options == {f"o{number}": 1 for number in range(20)}


async def test_what_is_set_for_everybody_is_kept_among_the_options(
    engine: Engine, heart: Heartbeat, producer: Producer
) -> None:
    other = mail(queue="other", options={"limit": 1, "paused": True})
    gone = mail(queue="gone", deleted=True)
    await engine.change_dynamic_queues(NAME, writing(mail(), other, gone))
    await engine.change_dynamic_queues("another", writing(mail()))
    known = (await heart.beat(producer)).version
    controls = [
        Control("mail", EVERYBODY, "limit", 7),
        Control("mail", EVERYBODY, "paused", True),
        Control("other", node_scope("x"), "limit", 8),
        Control("other", EVERYBODY, "running", False),
        Control("*", EVERYBODY, "paused", True),
        Control("gone", EVERYBODY, "limit", 9),
        Control("not there", EVERYBODY, "limit", 9),
    ]
    await engine.control_queues(NAME, controls)
    found = {one.queue: one.options for one in await engine.read_dynamic_queues(NAME)}
    assert found == {
        "mail": {"limit": 7, "paused": True},
        "other": other.options,
        "gone": gone.options,
    }
    assert await news(heart, producer, known) == {"mail": {"limit": 7, "paused": True}}
    await engine.control_queues(NAME, [Control("*", EVERYBODY, "paused", False)])
    found = {one.queue: one.options for one in await engine.read_dynamic_queues(NAME)}
    assert found["mail"] == {"limit": 7, "paused": False}
    assert found["other"] == {"limit": 1, "paused": False}
    assert await engine.read_dynamic_queues("another") == [mail()]


async def test_a_deleted_queue_is_forgotten_when_nobody_has_to_hear_of_it(
    engine: Engine, heart: Heartbeat
) -> None:
    old = new_producer()
    await heart.beat(old)
    rows = [
        mail(),
        mail(queue="deleted", deleted=True),
        mail(queue="configured", deleted=True, configured={"limit": 5}),
    ]
    await engine.change_dynamic_queues(NAME, writing(*rows))
    assert await engine.forget_controls(age=0) == 0
    await engine.remove_producer(old)
    assert await engine.forget_controls(age=3600) == 0
    assert await engine.forget_controls(age=0) == 1
    names = [one.queue for one in await engine.read_dynamic_queues(NAME)]
    assert names == ["configured", "mail"]
