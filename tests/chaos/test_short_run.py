"""A chaos run as `make chaos` makes it, short and with a fixed seed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.chaos.faults import FAULTS, Fault, schedule
from tests.chaos.history import Step
from tests.chaos.report import report
from tests.chaos.run import ChaosRun
from tests.chaos.server import ChaosServer
from tests.chaos.settings import RunSettings

_SEED = 2


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ChaosServer]:
    """A server of the test's own, as it will be crashed."""
    made = ChaosServer(tmp_path / "server")
    yield made
    made.remove()


async def test_nothing_is_lost_or_run_by_two_leases_whatever_goes_wrong(
    server: ChaosServer, tmp_path: Path
) -> None:
    settings = RunSettings(
        seed=_SEED,
        seconds=8,
        folder=tmp_path / "run",
        workers=2,
        enqueuers=1,
        seconds_between_faults=0.8,
        rescue_bound=300,  # how quickly is for machines that do nothing else
    )
    verdict = await ChaosRun(settings, server).run()
    told = "\n".join(report(settings, verdict))
    assert verdict.passed, told
    assert sum(verdict.faults.values()) >= 1, told
    assert verdict.history.steps(Step.COMPLETE) > 0, told
    assert "lost                               0" in told


def test_a_seed_fixes_what_goes_wrong_and_when() -> None:
    def told(seed: int) -> list[tuple[float, str, dict[str, object]]]:
        drawn = schedule(Random(seed), 300, 2.0, FAULTS)
        return [(at, fault.name, _drawn(fault)) for at, fault in drawn]

    assert told(1) == told(1)
    assert told(1) != told(2)
    assert {name for _, name, _ in told(1)} == {fault.name for fault in FAULTS}


def _drawn(fault: Fault) -> dict[str, object]:
    return {name: value for name, value in vars(fault).items() if name != "random"}
