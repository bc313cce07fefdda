"""The options of the prioritizer: which rule holds, how far a job rises, what is refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffa import Config, Prioritizer, Rise
from staffa.ageing import Ageing
from staffa.errors import ConfigError, UnknownOption

SECONDS = st.floats(0.001, 1e6)


def test_a_rule_goes_before_another_by_worker_then_queue() -> None:
    rules = [
        Rise(max_priority=1), Rise(queue="q", max_priority=2), Rise(worker="w", max_priority=3),
        Rise(worker="w", queue="q", max_priority=4),
    ]  # fmt: skip
    options = Prioritizer(rules=rules)
    for queue, worker, most in (("x", "x", 1), ("q", "x", 2), ("x", "w", 3), ("q", "w", 4)):
        found = options.rule_for(queue, worker)
        assert found is not None
        assert found.max_priority == most


def test_a_rule_leaves_the_rest_to_the_options() -> None:
    options = Prioritizer(
        after=timedelta(minutes=2), interval=30, max_priority=3,
        rules=[Rise(queue="a", after=5), Rise(queue="b", interval=timedelta(hours=1))],
    )  # fmt: skip
    assert options.rule_for("a", "w") == Ageing(5.0, 30.0, 3)
    assert options.rule_for("b", "w") == Ageing(120.0, 3600.0, 3)
    assert options.rule_for("c", "w") == Ageing(120.0, 30.0, 3)


def test_what_is_excluded_does_not_rise() -> None:
    options = Prioritizer(rules=[Rise(exclude=True), Rise(queue="mail"), Rise(worker="w", after=9)])
    assert options.rule_for("other", "x") is None
    assert options.rule_for("mail", "x") == Ageing(300.0, 60.0, 0)
    assert options.rules_in("other") == [Ageing(9.0, 60.0, 0)]
    assert Prioritizer(rules=[Rise(queue="q", exclude=True)]).rules_in("q") == []


def test_rounds_come_as_often_as_the_shortest_time_of_any_rule_that_holds() -> None:
    assert Prioritizer().pace == 60
    assert Prioritizer(after=10).pace == 10
    assert Prioritizer(rules=[Rise(worker="w", interval=7)]).pace == 7
    excluded = [Rise(exclude=True), Rise(queue="q", after=1, exclude=True)]
    assert Prioritizer(rules=excluded).pace == 60


@given(st.integers(0, 9), st.integers(0, 9), SECONDS, SECONDS, st.floats(0, 1e9), st.floats(0, 1e9))
def test_a_priority_never_falls_with_time_and_never_rises_beyond_the_most(
    own: int, most: int, after: float, interval: float, one: float, other: float
) -> None:
    ageing = Ageing(after, interval, most)
    early, late = sorted((one, other))
    assert own >= ageing.priority_of(own, early) >= ageing.priority_of(own, late)
    assert ageing.priority_of(own, late) >= min(own, most)
    assert (ageing.priority_of(own, early) < own) == (early >= after and own > most)


@pytest.mark.parametrize(
    "options",
    [
        {"queue": ""}, {"queue": 5}, {"worker": "w" * 128}, {"after": 0}, {"after": -1},
        {"after": "5 min"}, {"interval": 0}, {"interval": True}, {"max_priority": 10},
        {"max_priority": -1}, {"max_priority": True}, {"exclude": 1},
    ],
    ids=str,
)  # fmt: skip
def test_a_rule_that_can_not_be_used_is_refused(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(ConfigError, match=name):
        Rise(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"after": 0}, {"interval": -1}, {"max_priority": 11}, {"max_priority": 1.5}, {"batch": 0},
        {"limit": True}, {"rules": "x"}, {"rules": [5]},
        {"rules": [Rise(queue="q"), Rise(queue="q")]},
    ],
    ids=str,
)  # fmt: skip
def test_a_prioritizer_that_can_not_be_used_is_refused(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(ConfigError, match=name.removesuffix("s")):
        Prioritizer(**options)


def test_it_is_off_unless_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Config.load(folder=tmp_path).prioritizer is None
    assert Config.load(folder=tmp_path, prioritizer=True).prioritizer == Prioritizer()
    monkeypatch.setenv("STAFFA_PRIORITIZER", "on")
    assert Config.load(folder=tmp_path).prioritizer == Prioritizer()
    assert Config.load(folder=tmp_path, prioritizer=False).prioritizer is None
    with pytest.raises(ConfigError, match="prioritizer"):
        Config(prioritizer=5)  # type: ignore[arg-type]  # as users may write it


def test_a_file_has_its_options_as_a_table(tmp_path: Path) -> None:
    (tmp_path / "staffa.toml").write_text(
        """
        [prioritizer]
        after = 600
        [[prioritizer.rules]]
        queue = "mail"
        max_priority = 3
        """
    )
    rules = [Rise(queue="mail", max_priority=3)]
    assert Config.load(folder=tmp_path).prioritizer == Prioritizer(after=600, rules=rules)
    for text, near in (
        ("[prioritizer]\naftr = 5", "after"),
        ("[[prioritizer.rules]]\nmax_prioritie = 1", "max_priority"),
    ):
        (tmp_path / "staffa.toml").write_text(text)
        with pytest.raises(UnknownOption, match=f"did you mean '{near}'"):
            Config.load(folder=tmp_path)
