"""What is sent and decoded by the statements of nodes, of their queues, and of their upkeep."""

from __future__ import annotations

from uuid import UUID

from staffa import State
from staffa.engine import (
    Control,
    Pulse,
    Rescued,
)
from tests.unit.statements import (
    AGES,
    CONTROL,
    FINISHED,
    LEADERS,
    LEVEL,
    PRODUCER,
    PRODUCERS,
    PRUNES,
    QUEUES,
    RESCUES,
    WAITING,
)


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
