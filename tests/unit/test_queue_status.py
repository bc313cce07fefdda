"""What the command line makes of the rows about queues."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

from rich.console import Console

from staffa.cli.queue_status import (
    QueueStatus,
    describe_queue,
    judge_queues,
    living,
    tell_nodes,
    tell_pauses,
)
from staffa.cli.top.frame import draw
from staffa.cli.top.snapshot import NodeLine, Snapshot
from staffa.engine import EVERYBODY, Control, node_scope
from staffa.survey import ControlStatus, ProducerStatus, Running
from staffa.types import State

NOW = datetime(2026, 11, 26, tzinfo=UTC)
HOUR = timedelta(hours=1)


def producer(node: str, *, began: datetime = NOW, silent: float = 0) -> ProducerStatus:
    return ProducerStatus(
        uuid=uuid4(), name="Oban", node=node, started_at=began, silent=silent, leads=False
    )


def control(
    version: int, queue: str, option: str, value: Any, scope: str = EVERYBODY
) -> ControlStatus:
    """Return an option that was set so many hours after now."""
    return ControlStatus(
        control=Control(queue, scope, option, value, version), changed_at=NOW + version * HOUR
    )


def judge(
    *controls: ControlStatus,
    producers: list[ProducerStatus] | None = None,
    running: list[Running] | None = None,
) -> dict[str, QueueStatus]:
    found = judge_queues({}, producers or [], running or [], controls)
    return {status.queue: status for status in found}


def test_the_last_pause_or_resume_wins_whatever_it_was_for() -> None:
    found = judge(
        control(1, "mail", "paused", True),
        control(2, "*", "paused", False),
        control(3, "bills", "paused", True),
        control(4, "media", "paused", False),
    )
    assert {name: status.paused for name, status in found.items()} == {
        "mail": False, "bills": True, "media": False,
    }  # fmt: skip


def test_a_pause_of_all_queues_is_one_of_each_but_of_those_resumed_since() -> None:
    found = judge(
        control(1, "mail", "limit", 5),
        control(2, "*", "paused", True),
        control(3, "bills", "paused", False),
    )
    assert {name: status.paused for name, status in found.items()} == {"mail": True, "bills": False}


def test_a_node_that_was_resumed_is_named_as_the_exception() -> None:
    found = judge(
        control(1, "mail", "paused", True),
        control(2, "mail", "paused", False, node_scope("web.2")),
        producers=[producer("web.1"), producer("web.2")],
    )
    assert tell_pauses(found["mail"]) == "everywhere but on web.2"


def test_what_was_set_before_a_process_began_holds_only_if_it_pauses_a_whole_queue() -> None:
    late = producer("web.1", began=NOW + 10 * HOUR)
    found = judge(
        control(1, "mail", "limit", 5),
        control(2, "mail", "paused", True, node_scope("web.1")),
        control(3, "bills", "running", False),
        control(4, "media", "paused", True),
        producers=[late],
        running=[Running(queue="media", node="web.1", producer=str(late.uuid), count=2)],
    )
    assert (found["mail"].nodes, found["bills"].nodes) == ([], [])
    assert found["media"].nodes[0].paused
    assert tell_nodes(found["media"]) == "web.1 (2)"


def test_values_that_nobody_obeys_change_nothing() -> None:
    found = judge(
        control(1, "mail", "paused", None),
        control(2, "mail", "limit", "many"),
        control(3, "mail", "nonsense", True),
        producers=[producer("web.1")],
    )
    assert not found["mail"].paused
    assert [node.limit for node in found["mail"].nodes] == [None]


def test_jobs_of_others_are_counted_but_on_no_node_of_ours() -> None:
    found = judge(
        producers=[producer("web.1")],
        running=[Running(queue="mail", node="elixir@a", producer="x", count=2)],
    )
    assert found["mail"].nodes == []


def test_only_processes_of_the_instance_that_show_signs_of_life_live() -> None:
    alive, dead = producer("web.1", silent=3), producer("web.2", silent=30)
    assert living([alive, dead], "Oban", 20) == [alive]
    assert living([alive], "another", 20) == []


def test_counts_are_told_by_queue() -> None:
    found = judge_queues({("b", State.AVAILABLE): 2, ("a", State.COMPLETED): 1}, [], [], [])
    assert [(status.queue, status.counts) for status in found] == [
        ("a", {State.COMPLETED: 1}), ("b", {State.AVAILABLE: 2}),
    ]  # fmt: skip


def test_processes_of_one_node_are_added_up_for_people_and_told_apart_in_json() -> None:
    two, other = [producer("web.1"), producer("web.1")], producer("web.2")
    there = [
        Running(queue="mail", node=one.node, producer=str(one.uuid), count=count)
        for one, count in ((two[0], 3), (two[1], 2), (other, 1))
    ]
    limit = control(1, "mail", "limit", 20, node_scope("web.1"))
    found = judge(limit, producers=[*two, other], running=there)["mail"]
    assert tell_nodes(found) == "web.1 (5 of 20 in 2 processes), web.2 (1)"
    told = describe_queue(found)["nodes"]
    assert [one["uuid"] for one in told] == [str(one.uuid) for one in (*two, other)]
    assert [one["running"] for one in told] == [3, 2, 1]


def test_the_view_tells_processes_of_one_node_apart() -> None:
    nodes = [
        NodeLine(node=node, uuid=uuid, leads=False, started_at=NOW, silent=0.0, running=0)
        for node, uuid in (
            ("web.1", "aaaaaaaa-1"),
            ("web.1", "bbbbbbbb-2"),
            ("web.2", "cccccccc-3"),
        )
    ]
    snapshot = Snapshot(at=NOW, nodes=nodes, queues=(), running=(), errors=())
    console = Console(width=120, file=StringIO(), record=True)
    console.print(draw(snapshot, name="Oban", height=40))
    text = console.export_text()
    assert "web.1 aaaaaaaa " in text
    assert "web.1 bbbbbbbb " in text
    assert "cccccccc" not in text
