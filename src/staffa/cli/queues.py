"""`staffa queues`: look at queues and control them; `dynamic_queues` keeps some in the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from staffa._internal.nearest import nearest
from staffa.cli.audit import audited
from staffa.cli.dynamic_queues import add, delete, set_
from staffa.cli.groups import Commands
from staffa.cli.limit_status import tell_limits
from staffa.cli.loading import import_modules, import_option
from staffa.cli.numbers import WholeNumber
from staffa.cli.options import command, open_backend, open_client
from staffa.cli.output import Output, printable
from staffa.cli.queue_status import (
    describe_queue,
    judge_queues,
    living,
    read_dynamic,
    read_limits,
    tell_dynamic,
    tell_nodes,
    tell_pauses,
)
from staffa.client import Staffa
from staffa.config import Config
from staffa.queue import MAX_LIMIT
from staffa.types import State

_QUICK = (State.AVAILABLE, State.SCHEDULED, State.RETRYABLE, State.EXECUTING)
_MOST = 1_000_000

_NODE = click.option(
    "--node", metavar="NAME", help="Only on this node, until its processes end; else on all."
)
_LIMIT = WholeNumber(1, MAX_LIMIT)
_NAMES = click.argument("names", nargs=-1, metavar="[QUEUE]...")
_ALL = click.option("--all", "everything", is_flag=True, help="All queues, later ones too.")


@click.group(cls=Commands)
def queues() -> None:
    """List, control and keep queues, wherever they run.

    They are paused, resumed, scaled, started and stopped, and may be kept in the database.
    Processes obey at once, or within a heartbeat where notifications don't arrive. Running jobs
    go on to their end.

    Example: staffa queues pause mail
    """


for _change in (add, set_, delete):
    queues.add_command(_change)


@queues.command("list")
@click.option("--quick", is_flag=True, help="Leave out ended and suspended jobs; for large tables.")
@click.option("--node", metavar="NAME", help="Only queues that this node is known to run.")
@command
async def list_(config: Config, output: Output, quick: bool, node: str | None) -> None:
    """List queues: jobs by state, pauses, limits of all nodes, nodes.

    Shown are the nodes that run jobs of a queue, or where something was set about it. A limit of a
    node is shown where it was set since the node began; else it is as configured there. Dynamic
    queues are shown with their limits, their rules, and the nodes that run them.

    Example: staffa queues list --quick
    """
    async with open_backend(config) as backend:
        engine = backend.engine
        running = await engine.survey.count_running()
        if quick:
            waiting = await engine.survey.count_waiting(most=_MOST)
            counts = {(one.queue, one.state): one.count for one in waiting}
            for one in running:
                key = (one.queue, State.EXECUTING)
                counts[key] = counts.get(key, 0) + one.count
        else:
            counts = await engine.count_jobs()
        producers = await engine.survey.list_producers()
        controls = await engine.survey.list_controls(config.name)
        dynamic = await read_dynamic(engine, config.name)
        limits = await read_limits(engine)
    alive = living(producers, config.name, config.dead_after)
    if node is not None:
        alive = [producer for producer in alive if producer.node == node]
    found = judge_queues(counts, alive, running, controls, dynamic, limits)
    if node is not None:
        found = [status for status in found if status.nodes]
    if output.as_json:
        output.data([describe_queue(status) for status in found])
        return
    states = _QUICK if quick else tuple(State)
    kept = any(status.dynamic is not None for status in found)
    output.table(
        ("queue", *states, "paused", "limits", *(("dynamic",) if kept else ()), "nodes"),
        [
            (
                status.queue,
                *(status.counts.get(state, 0) for state in states),
                tell_pauses(status),
                tell_limits(status.limits),
                *((tell_dynamic(status),) if kept else ()),
                tell_nodes(status),
            )
            for status in found
        ],
    )


@queues.command()
@_NAMES
@_ALL
@_NODE
@import_option
@command
async def pause(config: Config, output: Output, **options: Any) -> None:
    """Claim no more jobs of queues; those that run go on.

    Without --node the pause outlives restarts, until the queue is resumed.

    Example: staffa queues pause mail --node web.1
    """
    changes = (Staffa.pause_queue, Staffa.pause_all_queues)
    await _change_pauses("pause", "paused", changes, config, output, **options)


@queues.command()
@_NAMES
@_ALL
@_NODE
@import_option
@command
async def resume(config: Config, output: Output, **options: Any) -> None:
    """Claim jobs of queues again.

    Example: staffa queues resume --all
    """
    changes = (Staffa.resume_queue, Staffa.resume_all_queues)
    await _change_pauses("resume", "resumed", changes, config, output, **options)


@queues.command()
@click.argument("name", metavar="QUEUE")
@click.argument("limit", type=_LIMIT)
@_NODE
@import_option
@command
async def scale(
    config: Config,
    output: Output,
    name: str,
    limit: int,
    node: str | None,
    modules: Sequence[str],
) -> None:
    """Set how many jobs run at once in each process.

    It holds for the worker processes that are alive now.

    Example: staffa queues scale mail 20
    """
    import_modules(modules)
    async with open_client(config) as client:
        with audited(config, "queues.scale", queues=[name], limit=limit, node=node):
            await client.scale_queue(name, limit=limit, node=node)
    _tell(output, "scale", f"scaled to {limit}", [name], node, limit=limit)
    await _tell_doubts(config, output, [name])


@queues.command()
@click.argument("name", metavar="QUEUE")
@click.option(
    "--limit", type=_LIMIT, metavar="N", help="How many jobs at once; else as set or configured."
)
@click.option("--paused", is_flag=True, help="Start it paused.")
@_NODE
@import_option
@command
async def start(
    config: Config,
    output: Output,
    name: str,
    limit: int | None,
    paused: bool,
    node: str | None,
    modules: Sequence[str],
) -> None:
    """Run a queue in each worker process that is alive now.

    Example: staffa queues start reports --limit 2 --node web.1
    """
    import_modules(modules)
    async with open_client(config) as client:
        with audited(config, "queues.start", queues=[name], limit=limit, node=node):
            await client.start_queue(name, limit=limit, paused=paused or None, node=node)
    _tell(output, "start", "started", [name], node, limit=limit)


@queues.command()
@click.argument("name", metavar="QUEUE")
@_NODE
@import_option
@command
async def stop(
    config: Config, output: Output, name: str, node: str | None, modules: Sequence[str]
) -> None:
    """Run a queue no more; running jobs go on.

    It holds for the worker processes that are alive now.

    Example: staffa queues stop reports
    """
    import_modules(modules)
    async with open_client(config) as client:
        with audited(config, "queues.stop", queues=[name], node=node):
            await client.stop_queue(name, node=node)
    _tell(output, "stop", "stopped", [name], node)
    await _tell_doubts(config, output, [name])


async def _change_pauses(
    action: str,
    done: str,
    changes: tuple[Callable[..., Any], Callable[..., Any]],
    config: Config,
    output: Output,
    *,
    names: Sequence[str],
    everything: bool,
    node: str | None,
    modules: Sequence[str],
) -> None:
    if bool(names) == everything:
        raise click.UsageError("give names of queues, or --all")
    import_modules(modules)
    one, every = changes
    async with open_client(config) as client:
        with audited(config, f"queues.{action}", queues=list(names) or ["*"], node=node):
            if everything:
                await every(client, node=node)
            for name in names:
                await one(client, name, node=node)
    _tell(output, action, done, names, node)
    await _tell_doubts(config, output, names)


async def _tell_doubts(config: Config, output: Output, names: Sequence[str]) -> None:
    """Tell people of names without jobs that are much like the name of a queue with jobs."""
    if output.as_json:
        return
    async with open_backend(config) as backend:
        waiting = await backend.engine.survey.count_waiting(most=1)
        running = await backend.engine.survey.count_running()
    busy = {one.queue for one in waiting} | {one.queue for one in running}
    for name in names:
        near = nearest(name, busy)
        if name not in busy and near is not None:
            told = f"no job of queue {name!r} waits or runs: did you mean {near!r}?"
            click.echo(printable(told), err=True)


def _tell(
    output: Output,
    action: str,
    done: str,
    names: Sequence[str],
    node: str | None,
    **more: Any,
) -> None:
    where = "on all nodes" if node is None else f"on node {node}"
    what = f"queue {', '.join(names)}" if names else "all queues"
    output.say(
        f"{what}: {done} {where}", action=action, queues=list(names) or ["*"], node=node, **more
    )
