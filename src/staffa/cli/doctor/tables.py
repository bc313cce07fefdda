"""Looks at the tables: dead rows, old snapshots, bloated and invalid indexes."""

from __future__ import annotations

from collections.abc import Iterator

from staffa.cli.doctor.findings import Finding, ok, problem, warning
from staffa.cli.output import tell_seconds
from staffa.client.backend import make_maintenance
from staffa.config import Config
from staffa.errors import ConfigError, DatabaseError
from staffa.maintenance import VacuumHealth
from staffa.services.reindexer import DEAD_FACTOR, LEAST_DEAD, find_bloated
from staffa.upkeep import Reindexer

_OLD_SNAPSHOT_SECONDS = 3600.0


def judge_vacuum(health: VacuumHealth) -> Iterator[Finding]:
    """Judge what vacuums have left, and what stops them."""
    oldest = health.oldest_snapshot
    if oldest is not None and oldest > _OLD_SNAPSHOT_SECONDS:
        yield warning(
            "snapshots",
            f"a transaction has been reading for {tell_seconds(oldest)}: no vacuum removes what "
            "it can see",
            "end it: pg_stat_activity tells which it is, by its xact_start",
        )
    else:
        yield ok("snapshots", f"the oldest has {tell_seconds(oldest or 0.0)}")
    told = f"the jobs table has about {health.live} rows and {health.dead} dead ones"
    if health.dead >= LEAST_DEAD and health.dead >= DEAD_FACTOR * health.live:
        yield warning("vacuum", told, "see that autovacuum runs on it")
    else:
        yield ok("vacuum", told)


async def judge_indexes(config: Config, dsn: str) -> Finding:
    """Judge the indexes, as 'staffa maintain --dry-run' does."""
    check = "indexes"
    try:
        maintenance = make_maintenance(config.maintenance_dsn or dsn, config.prefix)
        indexes = await maintenance.read_indexes()
    except (ConfigError, DatabaseError) as error:
        return warning(check, f"they can't be looked at: {error}", "set maintenance_dsn")
    broken = [index.name for index in indexes if not index.valid and not index.leftover]
    if broken:
        return problem(check, f"invalid: {', '.join(broken)}", "build them anew, or drop them")
    bloated = find_bloated(indexes, config.reindexer or Reindexer())
    leftovers = [index.name for index in indexes if index.leftover]
    if bloated or leftovers:
        named = ", ".join([*(index.name for index in bloated), *leftovers])
        return warning(check, f"bloated or left behind: {named}", "run 'staffa maintain'")
    return ok(check, f"{len(indexes)}, none bloated")


def judge_reindexer(config: Config) -> Finding:
    """Judge whether somebody looks after the indexes."""
    check = "reindexer"
    if config.reindexer is None:
        return ok(check, "off, by the setting reindexer")
    if config.maintenance_dsn is None:
        return warning(
            check,
            "no process rebuilds indexes: none knows the owner of the tables",
            "set maintenance_dsn, or run 'staffa maintain' now and then",
        )
    return ok(check, "on, where maintenance_dsn is set as here")
