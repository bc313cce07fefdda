"""What the doctor makes of figures that no test can have a server tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from staffa import Config
from staffa.cli.doctor.findings import Level
from staffa.cli.doctor.server import judge_connections, judge_pooler, judge_server
from staffa.cli.doctor.tables import judge_reindexer, judge_vacuum
from staffa.cli.doctor.work import judge_outcomes
from staffa.maintenance import VacuumHealth
from staffa.survey import Outcomes, ProducerStatus, ServerHealth

NOW = datetime(2026, 11, 26, tzinfo=UTC)


def levels(
    config: Config, health: ServerHealth, early: float = 0, late: float = 0
) -> dict[str, str]:
    asked, answered = NOW + timedelta(seconds=early), NOW + timedelta(seconds=late)
    found = [*judge_server(health, asked, answered), judge_pooler(config, health)]
    return {one.check: one.level.value for one in found}


@pytest.mark.parametrize(
    ("early", "late", "level"),
    [(-1, 1, "ok"), (-30, 0, "ok"), (0, 30, "ok"), (6, 7, "warning"), (-9, -8, "warning")],
)
def test_a_slow_answer_is_no_wrong_clock(early: float, late: float, level: str) -> None:
    assert levels(Config(), ServerHealth(now=NOW, version="17"), early, late)["clock"] == level


def test_a_standby_is_a_problem() -> None:
    health = ServerHealth(now=NOW, version="17", read_only=True)
    assert levels(Config(), health)["server"] == "problem"


@pytest.mark.parametrize(
    ("used", "processes", "pooled", "level"),
    [
        (10, 2, False, Level.OK),
        (90, 2, False, Level.WARNING),
        (100, 2, False, Level.PROBLEM),
        (10, 10, False, Level.WARNING),
        (10, 13, False, Level.PROBLEM),
        (10, 13, True, Level.OK),
    ],
)
def test_the_budget_of_connections_is_what_processes_may_use(
    used: int, processes: int, pooled: bool, level: Level
) -> None:
    health = ServerHealth(
        now=NOW, version="17", pooled=pooled, max_connections=100, used_connections=used
    )
    living = [
        ProducerStatus(uuid=uuid4(), name="a", node="n", started_at=NOW, silent=0, leads=False)
        for _ in range(processes)
    ]
    (found,) = judge_connections(Config(), health, living)
    assert found.level is level


def test_an_engine_without_a_budget_is_not_judged() -> None:
    assert list(judge_connections(Config(), ServerHealth(now=NOW, version="3"), [])) == []


@pytest.mark.parametrize(
    ("live", "dead", "oldest", "expected"),
    [
        (10, 20, None, {"snapshots": "ok", "vacuum": "ok"}),
        (10, 60_000, 10.0, {"snapshots": "ok", "vacuum": "warning"}),
        (10**6, 60_000, 7200.0, {"snapshots": "warning", "vacuum": "ok"}),
    ],
)
def test_dead_rows_and_old_snapshots_are_warnings(
    live: int, dead: int, oldest: float | None, expected: dict[str, str]
) -> None:
    health = VacuumHealth(live=live, dead=dead, vacuumed_at=None, oldest_snapshot=oldest)
    assert {one.check: one.level.value for one in judge_vacuum(health)} == expected


@pytest.mark.parametrize(
    ("completed", "failed", "level"),
    [
        (0, 0, Level.OK),
        (0, 9, Level.OK),
        (0, 10, Level.WARNING),
        (40, 10, Level.OK),
        (39, 10, Level.WARNING),
    ],
)
def test_many_failures_and_a_high_share_of_them_are_a_warning(
    completed: int, failed: int, level: Level
) -> None:
    counted = [Outcomes(worker="w", completed=completed, failed=failed)] * bool(completed + failed)
    (found,) = judge_outcomes(counted)
    assert found.level is level


def test_of_many_failing_workers_the_worst_are_named_and_the_rest_counted() -> None:
    counted = [Outcomes(worker=f"w{n}", completed=n, failed=20) for n in range(8)]
    found = list(judge_outcomes(counted))
    assert [one.what.split()[5] for one in found[:-1]] == ["w0", "w1", "w2", "w3", "w4"]
    assert "3 more workers" in found[-1].what


def test_a_reindexer_that_knows_no_owner_is_a_warning() -> None:
    assert judge_reindexer(Config()).level is Level.WARNING
    assert judge_reindexer(Config(reindexer=None)).level is Level.OK
    assert judge_reindexer(Config(maintenance_dsn="postgresql://db/a")).level is Level.OK
