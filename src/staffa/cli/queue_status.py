"""What is known of queues from rows alone: jobs, living processes, what was set at run time.

The limits that processes were configured with are in no row, so only those are told that were set
since a process began; None means as it is configured there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from staffa.engine import EVERYBODY, Control, node_scope
from staffa.queue import ALL_QUEUES
from staffa.queues.controls import Controls, is_limit
from staffa.survey import ControlStatus, ProducerStatus, Running
from staffa.types import State


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeQueue:
    """A queue in a living process.

    Args:
        node: The node; it may have several processes.
        uuid: Of the process.
        running: How many of its jobs run there.
        paused: Whether it was paused there, or everywhere.
        limit: The limit that was set; processes that share the node's have a part of it.
        stopped: Whether it was stopped there.
    """

    node: str
    uuid: UUID
    running: int
    paused: bool
    limit: int | None
    stopped: bool


@dataclass(slots=True)
class QueueStatus:
    """A queue, wherever it runs.

    Args:
        queue: Its name.
        counts: Its jobs by state.
        paused: Whether it is paused for all processes, those that are started later too.
        nodes: The living processes that run jobs of it, or in which something about it was set.
    """

    queue: str
    counts: dict[State, int] = field(default_factory=dict)
    paused: bool = False
    nodes: list[NodeQueue] = field(default_factory=list)


def living(
    producers: Sequence[ProducerStatus], name: str, dead_after: float
) -> list[ProducerStatus]:
    """Return the producers of an instance that show that they live."""
    return [one for one in producers if one.name == name and one.silent < dead_after]


def judge_queues(
    counts: Mapping[tuple[str, State], int],
    producers: Sequence[ProducerStatus],
    running: Sequence[Running],
    controls: Sequence[ControlStatus],
) -> list[QueueStatus]:
    """Return all queues by name, of which there are jobs or about which something is set.

    Args:
        counts: The jobs by queue and state.
        producers: The living ones.
        running: The running jobs.
        controls: What is set.
    """
    found: dict[str, QueueStatus] = {}
    whole = _whole_pauses(controls)
    for queue in sorted(_names(counts, running, controls)):
        found[queue] = QueueStatus(queue, paused=whole.wanted(queue).paused)
    for (queue, state), count in counts.items():
        found[queue].counts[state] = count
    for producer in producers:
        heard, options = _heard(producer, controls)
        there = {one.queue: one.count for one in running if one.producer == str(producer.uuid)}
        set_here = {queue for queue, _ in options if queue != ALL_QUEUES}
        for queue in sorted(set_here | there.keys()):
            wanted = heard.wanted(queue)
            found[queue].nodes.append(
                NodeQueue(
                    node=producer.node,
                    uuid=producer.uuid,
                    running=there.get(queue, 0),
                    paused=wanted.paused,
                    limit=wanted.limit if (queue, "limit") in options else None,
                    stopped=(queue, "running") in options and not wanted.runs,
                )
            )
    return list(found.values())


def describe_queue(status: QueueStatus) -> dict[str, Any]:
    """Return a queue as JSON has it."""
    return {
        "queue": status.queue,
        "counts": {state.value: status.counts[state] for state in State if state in status.counts},
        "paused": status.paused,
        "nodes": [
            {
                "node": one.node,
                "uuid": str(one.uuid),
                "running": one.running,
                "paused": one.paused,
                "limit": one.limit,
                "stopped": one.stopped,
            }
            for one in status.nodes
        ],
    }


def tell_pauses(status: QueueStatus) -> str:
    """Return where a queue is paused.

    Example:
        >>> tell_pauses(QueueStatus("mail", paused=True))
        'everywhere'
    """
    paused = sorted({one.node for one in status.nodes if one.paused})
    if not status.paused:
        return f"on {', '.join(paused)}" if paused else ""
    resumed = sorted({one.node for one in status.nodes if not one.paused})
    return f"everywhere but on {', '.join(resumed)}" if resumed else "everywhere"


def tell_nodes(status: QueueStatus) -> str:
    """Return the nodes, with what was set there; processes of one node are taken together.

    Example:
        >>> def there(uuid: int, running: int) -> NodeQueue:
        ...     return NodeQueue(
        ...         node="web.1", uuid=UUID(int=uuid), running=running, paused=False, limit=5,
        ...         stopped=False,
        ...     )
        >>> tell_nodes(QueueStatus("mail", nodes=[there(1, 3)]))
        'web.1 (3 of 5)'
        >>> tell_nodes(QueueStatus("mail", nodes=[there(1, 3), there(2, 2)]))
        'web.1 (5 of 5 in 2 processes)'
    """
    running: Counter[tuple[str, int | None, bool]] = Counter()
    processes: Counter[tuple[str, int | None, bool]] = Counter()
    for one in status.nodes:
        key = (one.node, one.limit, one.stopped)
        running[key] += one.running
        processes[key] += 1
    told = []
    for key, count in processes.items():
        node, limit, stopped = key
        state = "stopped" if stopped else str(running[key])
        state += "" if limit is None or stopped else f" of {limit}"
        told.append(f"{node} ({state}{f' in {count} processes' if count > 1 else ''})")
    return ", ".join(told)


def _names(
    counts: Mapping[tuple[str, State], int],
    running: Sequence[Running],
    controls: Sequence[ControlStatus],
) -> set[str]:
    named = {queue for queue, _ in counts} | {one.queue for one in running}
    return named | {one.control.queue for one in controls} - {ALL_QUEUES}


def _whole_pauses(controls: Sequence[ControlStatus]) -> Controls:
    """Return what a process hears that begins now."""
    heard = Controls({})
    heard.learn(filter(_outlives, (one.control for one in controls)), at_start=True)
    return heard


def _heard(
    producer: ProducerStatus, controls: Sequence[ControlStatus]
) -> tuple[Controls, set[tuple[str, str]]]:
    """Return what a process has heard, and which options were set since it began."""
    heard = Controls({})
    before = [one.control for one in controls if one.changed_at < producer.started_at]
    since = [
        one.control
        for one in controls
        if one.changed_at >= producer.started_at
        and one.control.scope in {EVERYBODY, node_scope(producer.node), f"process:{producer.uuid}"}
    ]
    heard.learn(filter(_outlives, before), at_start=True)
    heard.learn(since)
    return heard, {
        (one.queue, one.option)
        for one in since
        if (is_limit(one.value) if one.option == "limit" else isinstance(one.value, bool))
        and (one.scope != EVERYBODY or one.option != "paused")
    }


def _outlives(control: Control) -> bool:
    return control.scope == EVERYBODY and control.option == "paused"
