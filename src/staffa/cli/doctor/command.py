"""`staffa doctor`: what is wrong, or soon will be, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

import click

from staffa._internal.clock import SYSTEM_CLOCK
from staffa.cli.code import UnknownName, find_unknown
from staffa.cli.doctor.findings import Finding, Level
from staffa.cli.doctor.server import (
    judge_connections,
    judge_pooler,
    judge_schema,
    judge_server,
    try_notifications,
)
from staffa.cli.doctor.tables import judge_indexes, judge_reindexer, judge_vacuum
from staffa.cli.doctor.work import (
    LATELY_SECONDS,
    judge_age,
    judge_outcomes,
    judge_producers,
    judge_waiting,
    judge_workers,
)
from staffa.cli.loading import import_modules, import_option
from staffa.cli.options import EXIT_REFUSED, command, open_database
from staffa.cli.output import Output
from staffa.cli.queue_status import judge_queues, living, read_dynamic
from staffa.client.backend import Backend, make_backend
from staffa.config import Config
from staffa.survey import ServerHealth

_MOST = 1
_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}


@click.command()
@import_option
@command
async def doctor(config: Config, output: Output, modules: Sequence[str]) -> None:
    """Find what is wrong, and say what to do.

    Exits with 1 if there is a problem; warnings alone are no failure. With --import, or the setting
    imports, the workers of jobs that wait are compared with the code.

    Example: staffa doctor --import myapp.jobs
    """
    loaded = [*config.imports, *modules]
    import_modules(loaded)
    async with open_database(config) as dsn:
        findings = await _examine(config, dsn, compare=bool(loaded))
    worst = [finding for finding in findings if finding.level is Level.PROBLEM]
    if output.as_json:
        output.data({"ok": not worst, "findings": [finding.describe() for finding in findings]})
    else:
        output.table(
            ("check", "level", "what", "what to do"),
            [(one.check, one.level, one.what, one.remedy) for one in findings],
            styles=[_STYLES[one.level] for one in findings],
        )
    if worst:
        raise SystemExit(EXIT_REFUSED)


async def _examine(config: Config, dsn: str, *, compare: bool) -> list[Finding]:
    backend = make_backend(config, dsn, lambda: None)
    try:
        schema = judge_schema(await backend.migrator.status())
        if schema.level is Level.PROBLEM:
            return [schema]
        await backend.engine.survey.list_producers()  # connects, which must not count as skew
        asked_at = SYSTEM_CLOCK.now()
        health = await backend.engine.survey.check_server()
        findings = [schema, *judge_server(health, asked_at, SYSTEM_CLOCK.now())]
        can = backend.engine.capabilities  # a file has none of what follows
        if can.poolers:
            findings.append(judge_pooler(config, health))
        findings += await _examine_work(config, backend, health, compare=compare)
        if can.rebuilds_indexes:
            findings += judge_vacuum(await backend.engine.check_vacuum())
            findings.append(await judge_indexes(config, dsn))
            findings.append(judge_reindexer(config))
        if can.listens:
            findings.append(await try_notifications(config, backend.notifier))
        return findings
    finally:
        await backend.notifier.stop()
        await backend.engine.close()


async def _examine_work(
    config: Config, backend: Backend, health: ServerHealth, *, compare: bool
) -> list[Finding]:
    survey = backend.engine.survey
    producers = await survey.list_producers()
    alive = living(producers, config.name, config.dead_after)
    running = await survey.count_running()
    waiting = await survey.count_waiting(most=_MOST)
    controls = await survey.list_controls(config.name)
    dynamic = await read_dynamic(backend.engine, config.name)
    counts = {(one.queue, one.state): one.count for one in waiting}
    queues = judge_queues(counts, alive, running, controls, dynamic)
    longest = await survey.list_running(1)
    unknown = await _find_unknown(config, backend) if compare else None
    return [
        *judge_connections(config, health, alive),
        *judge_producers(producers, running, config.name, config.dead_after),
        judge_age(longest[0] if longest else None, health.leading_peers, health.now),
        *judge_waiting(waiting, queues, health.now),
        *judge_outcomes(await survey.count_outcomes(seconds=LATELY_SECONDS)),
        judge_workers(unknown),
    ]


async def _find_unknown(config: Config, backend: Backend) -> list[UnknownName]:
    waiting = await backend.engine.survey.count_workers()
    stored = await backend.engine.read_crons(config.name, reader=None, dead_after=config.dead_after)
    return find_unknown(waiting, stored.entries, config.imports)
