"""The options of pruner and reindexer: which rule holds, and which values are refused."""

from __future__ import annotations

import itertools
import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from staffa import Config, Keep, Pruner, Reindexer, State
from staffa.errors import ConfigError, UnknownOption

COMPLETED = State.COMPLETED


def test_a_rule_goes_before_another_by_worker_then_queue_then_state() -> None:
    parts = {"worker": "w", "queue": "q", "state": "completed"}
    rules: list[Keep] = []
    for mask in itertools.product((False, True), repeat=3):
        named = {
            key: value for (key, value), given in zip(parts.items(), mask, strict=True) if given
        }
        rules.append(Keep(**named, max_len=len(rules)))  # type: ignore[arg-type]  # as told
    while rules:
        pruner = Pruner(rules=rules)
        assert pruner.rule_for(COMPLETED, "q", "w") == rules.pop()
    assert Pruner().rule_for(COMPLETED, "q", "w") == Keep(state=COMPLETED, max_age=86_400)


def test_a_rule_holds_for_what_it_names_alone() -> None:
    pruner = Pruner(rules=[Keep(queue="q", state="discarded", max_len=1), Keep(worker="w")])
    assert pruner.rule_for(State.DISCARDED, "q", "x").max_len == 1
    assert pruner.rule_for(COMPLETED, "q", "x").seconds == 86_400
    assert pruner.rule_for(State.DISCARDED, "other", "x").seconds == 7 * 86_400
    assert pruner.rule_for(State.DISCARDED, "q", "w").seconds == math.inf


def test_ages_may_be_timedeltas_and_for_ever() -> None:
    pruner = Pruner(completed=timedelta(hours=2), cancelled=None)
    assert pruner.rule_for(COMPLETED, "q", "w").seconds == 7200
    assert pruner.rule_for(State.CANCELLED, "q", "w").seconds == math.inf


@pytest.mark.parametrize(
    "options",
    [
        {"state": "executing"}, {"state": 5}, {"queue": ""}, {"queue": 5}, {"worker": "w" * 128},
        {"max_age": -1}, {"max_age": "1 day"}, {"max_len": -1}, {"max_len": 1.5}, {"max_len": True},
    ],
    ids=str,
)  # fmt: skip
def test_a_rule_that_can_not_be_used_is_refused(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(ConfigError, match=name):
        Keep(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"completed": -1}, {"cancelled": "no"}, {"rules": "x"}, {"rules": [5]}, {"interval": 0},
        {"batch": 0}, {"limit": True}, {"before_delete": "archive"},
        {"rules": [Keep(queue="q"), Keep(queue="q", max_len=3)]},
    ],
    ids=str,
)  # fmt: skip
def test_a_pruner_that_can_not_be_used_is_refused(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(ConfigError, match=name.removesuffix("s")):
        Pruner(**options)


@pytest.mark.parametrize(
    "options", [{"interval": 0}, {"min_bytes": -1}, {"ratio": 0.9}, {"ratio": "3"}, {"ratio": True}]
)
def test_a_reindexer_that_can_not_be_used_is_refused(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(ConfigError, match=name):
        Reindexer(**options)


def test_services_are_turned_off_and_on_by_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config.load(folder=tmp_path)
    assert (config.pruner, config.reindexer, config.sonar) == (Pruner(), Reindexer(), True)
    config = Config.load(folder=tmp_path, pruner=False, reindexer=False, sonar=False)
    assert (config.pruner, config.reindexer, config.sonar) == (None, None, False)
    for name in ("PRUNER", "REINDEXER", "SONAR"):
        monkeypatch.setenv(f"STAFFA_{name}", "off")
    config = Config.load(folder=tmp_path, reindexer=True)
    assert (config.pruner, config.reindexer, config.sonar) == (None, Reindexer(), False)
    monkeypatch.setenv("STAFFA_PRUNER", "maybe")
    with pytest.raises(ConfigError, match="on or off"):
        Config.load(folder=tmp_path)


def test_a_file_has_their_options_as_tables(tmp_path: Path) -> None:
    (tmp_path / "staffa.toml").write_text(
        """
        [pruner]
        completed = 3600
        [[pruner.rules]]
        queue = "audit"
        max_len = 5
        [reindexer]
        ratio = 2
        """
    )
    config = Config.load(folder=tmp_path)
    assert config.pruner == Pruner(completed=3600, rules=[Keep(queue="audit", max_len=5)])
    assert config.reindexer == Reindexer(ratio=2)
    for text, near in (
        ("[pruner]\ncompletd = 5", "completed"),
        ("[[pruner.rules]]\nqueu = 'a'", "queue"),
        ("[reindexer]\nratios = 2", "ratio"),
    ):
        (tmp_path / "staffa.toml").write_text(text)
        with pytest.raises(UnknownOption, match=f"did you mean '{near}'"):
            Config.load(folder=tmp_path)


@pytest.mark.parametrize(
    "settings",
    [
        {"notifier": "redis"}, {"pooler": "yes"}, {"sonar": 1}, {"pruner": 5}, {"reindexer": "on"},
        {"listen_dsn": "localhost"}, {"maintenance_dsn": "host=db password=hunter2"},
    ],
    ids=str,
)  # fmt: skip
def test_a_setting_that_can_not_be_used_is_refused(settings: dict[str, Any]) -> None:
    (name,) = settings
    with pytest.raises(ConfigError, match=name) as caught:
        Config(**settings)
    assert "hunter2" not in str(caught.value)


def test_no_dsn_shows_its_password() -> None:
    dsn = "postgresql://ada:hunter2@db/app"
    assert "hunter2" not in repr(Config(dsn=dsn, listen_dsn=dsn, maintenance_dsn=dsn))
