"""What is known of queues from rows alone: jobs, living processes, what was set at run time.

The limits of single processes, as they were configured, are in no row, so only those are told that
were set since a process began; None means as it is configured there. Those of dynamic queues are
known, and so is on which nodes these run, as far as that does not hang on a process's environment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from staffa.cli.limit_status import describe_limits
from staffa.dynamic import DynamicQueue
from staffa.engine import AS_CONFIGURED, EVERYBODY, Control, Engine, dynamic_control, node_scope
from staffa.errors import ConfigError, SchemaMissing
from staffa.limits import Limits
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
        nodes: The living processes that run jobs of it, or in which something about it was set; of
            a dynamic queue those that run it.
        dynamic: What is kept of it in the database.
        limits: Those of all nodes, if it has some.
    """

    queue: str
    counts: dict[State, int] = field(default_factory=dict)
    paused: bool = False
    nodes: list[NodeQueue] = field(default_factory=list)
    dynamic: DynamicQueue | None = None
    limits: Limits | None = None

    @property
    def error(self) -> str | None:
        """Why what is kept of it can't be read here, and so runs nowhere that is like here."""
        return None if self.dynamic is None else _error_of(self.dynamic)


def living(
    producers: Sequence[ProducerStatus], name: str, dead_after: float
) -> list[ProducerStatus]:
    """Return the producers of an instance that show that they live."""
    return [one for one in producers if one.name == name and one.silent < dead_after]


async def read_dynamic(engine: Engine, name: str) -> list[DynamicQueue]:
    """Read the dynamic queues of an instance; a schema that is not migrated yet has none."""
    try:
        return await engine.read_dynamic_queues(name)
    except SchemaMissing:
        return []


async def read_limits(engine: Engine) -> dict[str, Limits]:
    """Return the limits of all nodes by queue; none where the tables are older than these."""
    try:
        return {use.queue: use.limits for use in await engine.read_limits()}
    except SchemaMissing:
        return {}


def judge_queues(
    counts: Mapping[tuple[str, State], int],
    producers: Sequence[ProducerStatus],
    running: Sequence[Running],
    controls: Sequence[ControlStatus],
    dynamic: Sequence[DynamicQueue] = (),
    limits: Mapping[str, Limits] | None = None,
) -> list[QueueStatus]:
    """Return all queues by name, of which there are jobs or about which something is set.

    Args:
        counts: The jobs by queue and state.
        producers: The living ones.
        running: The running jobs.
        controls: What is set.
        dynamic: The dynamic queues.
        limits: Those of all nodes, by queue.
    """
    limits = limits or {}
    found: dict[str, QueueStatus] = {}
    rows = {row.queue: row for row in dynamic if not row.deleted}
    readable = [row for row in rows.values() if _error_of(row) is None]
    whole = _whole_pauses(controls, readable)
    for queue in sorted(_names(counts, running, controls) | rows.keys() | limits.keys()):
        found[queue] = QueueStatus(
            queue,
            paused=whole.wanted(queue).paused,
            dynamic=rows.get(queue),
            limits=limits.get(queue),
        )
    for (queue, state), count in counts.items():
        found[queue].counts[state] = count
    for producer in producers:
        heard, options = _heard(producer, controls, readable)
        there = {one.queue: one.count for one in running if one.producer == str(producer.uuid)}
        set_here = {queue for queue, _ in options if queue != ALL_QUEUES}
        fitting = {row.queue for row in readable if _may_run(row, producer.node)}
        for queue in sorted(set_here | there.keys() | fitting):
            wanted = heard.wanted(queue)
            found[queue].nodes.append(
                NodeQueue(
                    node=producer.node,
                    uuid=producer.uuid,
                    running=there.get(queue, 0),
                    paused=wanted.paused,
                    limit=wanted.limit if _tells_limit(queue, options, fitting) else None,
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
        "limits": None if status.limits is None else describe_limits(status.limits),
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
        "dynamic": None
        if status.dynamic is None
        else {
            "options": dict(status.dynamic.options),
            "configured": status.dynamic.configured,
            "error": status.error,
        },
    }


def tell_dynamic(status: QueueStatus) -> str:
    """Return what is kept of a queue in the database.

    Example:
        >>> row = DynamicQueue(queue="mail", options={"limit": 5, "only": {"node": "web.1"}})
        >>> tell_dynamic(QueueStatus("mail", dynamic=row))
        'limit 5, only where node is web.1'
    """
    if status.dynamic is None:
        return ""
    if status.error is not None:
        return "can't be read here"
    queue = status.dynamic.read()
    return f"limit {queue.limit}" + (f", only where {queue.only}" if queue.only else "")


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
    told = {one.control.queue for one in controls if one.control.value != AS_CONFIGURED}
    return named | told - {ALL_QUEUES}


def _error_of(row: DynamicQueue) -> str | None:
    try:
        row.read()
    except ConfigError as error:
        return str(error)
    return None


def _may_run(row: DynamicQueue, node: str) -> bool:
    """Tell whether a node may run a dynamic queue, whatever is set there."""
    only = row.read().only
    return only is None or only.fits_node(node) is not False


def _tells_limit(queue: str, options: set[tuple[str, str]], fitting: set[str]) -> bool:
    return (queue, "limit") in options or queue in fitting


def _whole_pauses(controls: Sequence[ControlStatus], dynamic: Sequence[DynamicQueue]) -> Controls:
    """Return what a process hears that begins now."""
    heard = Controls({})
    heard.learn(map(dynamic_control, dynamic), at_start=True)
    heard.learn(filter(_outlives, (one.control for one in controls)), at_start=True)
    return heard


def _heard(
    producer: ProducerStatus,
    controls: Sequence[ControlStatus],
    dynamic: Sequence[DynamicQueue],
) -> tuple[Controls, set[tuple[str, str]]]:
    """Return what a process has heard, and which options were set since it began."""
    heard = Controls({}, node=producer.node)
    heard.learn(map(dynamic_control, dynamic))
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
