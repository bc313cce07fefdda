"""The settings of a client: where they come from, and which values are refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from staffa import Config, Queue
from staffa.errors import ConfigError, NotYetAvailable, UnknownOption


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and an environment without settings of ours."""
    for setting in Config.__dataclass_fields__:
        monkeypatch.delenv(f"STAFFA_{setting.upper()}", raising=False)
    return tmp_path


def test_without_any_source_the_defaults_hold(folder: Path) -> None:
    config = Config.load(folder=folder)
    assert (config.dsn, config.prefix, config.name) == (None, "public", "Oban")
    assert (config.heartbeat, config.dead_after, config.shutdown_grace) == (5.0, 20.0, 15.0)
    assert config.queues == {}
    assert config.node


def test_a_file_of_our_own_goes_before_pyproject(folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[tool.staffa]\nprefix = "from_pyproject"\npoll = 3')
    assert Config.load(folder=folder).prefix == "from_pyproject"
    (folder / "staffa.toml").write_text('prefix = "from_staffa"')
    config = Config.load(folder=folder)
    assert (config.prefix, config.poll) == ("from_staffa", 1.0)


def test_arguments_go_before_the_environment_and_that_before_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "staffa.toml").write_text('prefix = "file"\nname = "file"\nnode = "file"\npoll = 2')
    monkeypatch.setenv("STAFFA_NAME", "environment")
    monkeypatch.setenv("STAFFA_NODE", "environment")
    config = Config.load(folder=folder, node="argument", poll=None)
    assert (config.prefix, config.name, config.node) == ("file", "environment", "argument")
    assert config.poll == 2.0


def test_the_current_folder_is_where_the_file_is_looked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "staffa.toml").write_text('prefix = "here"')
    monkeypatch.chdir(folder)
    assert Config.load().prefix == "here"


def test_a_file_holds_queues_and_lists(folder: Path) -> None:
    text = 'imports = ["a.b", "c"]\n[queues]\ndefault = 3\nmail = { limit = 5 }\n'
    (folder / "staffa.toml").write_text(text)
    config = Config.load(folder=folder)
    assert config.imports == ("a.b", "c")
    assert config.queues == {"default": Queue(limit=3), "mail": Queue(limit=5)}


def test_each_variable_is_read_as_its_setting_wants_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {
        "DSN": "postgres://localhost/app", "QUEUES": "default:10,mail:5", "IMPORTS": " a.b , c,",
        "POOL_SIZE": "7", "NODE_LIMIT": "30", "MAX_RESCUES": "0", "POLL": "0.5",
        "SHUTDOWN_GRACE": "0", "PROCESSES": "3", "PROCESS_MAX_AGE": "60",
        "PROCESS_MAX_MEMORY": "1000000",
    }  # fmt: skip
    for name, text in variables.items():
        monkeypatch.setenv(f"STAFFA_{name}", text)
    config = Config.load(folder=folder)
    assert config.dsn == "postgres://localhost/app"
    assert config.queues == {"default": Queue(limit=10), "mail": Queue(limit=5)}
    assert config.imports == ("a.b", "c")
    assert (config.pool_size, config.node_limit, config.max_rescues) == (7, 30, 0)
    assert (config.processes, config.process_max_age) == (3, 60.0)
    assert (config.process_max_memory, config.process_max_jobs) == (1_000_000, None)
    assert (config.poll, config.shutdown_grace) == (0.5, 0.0)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("POOL_SIZE", "many"), ("POOL_SIZE", "1.5"), ("POLL", "soon"), ("QUEUES", "default"),
        ("NODE_LIMIT", "all"), ("HEARTBEAT", "nan"), ("POLL", "inf"), ("POLL", "-1"),
        ("IMPORTS", "my-app"),
    ],
)  # fmt: skip
def test_a_variable_that_can_not_be_read_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv(f"STAFFA_{name}", text)
    with pytest.raises(ConfigError, match=f"(?i){name}"):
        Config.load(folder=folder)


def test_an_unknown_key_names_the_nearest_in_every_source(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnknownOption, match="did you mean 'queues'"):
        Config.load(folder=folder, queus={})
    (folder / "staffa.toml").write_text("heartbeet = 5")
    with pytest.raises(UnknownOption, match=r"staffa\.toml.* did you mean 'heartbeat'"):
        Config.load(folder=folder)
    (folder / "staffa.toml").unlink()
    (folder / "pyproject.toml").write_text("[tool.staffa]\npool-size = 5")
    with pytest.raises(UnknownOption, match=r"pyproject\.toml.* did you mean 'pool_size'"):
        Config.load(folder=folder)
    (folder / "pyproject.toml").unlink()
    monkeypatch.setenv("STAFFA_PREFIKS", "x")
    with pytest.raises(UnknownOption, match="did you mean 'STAFFA_PREFIX'"):
        Config.load(folder=folder)


@pytest.mark.parametrize("text", ["prefix = ", "\xff\xfe", "prefix = 'a'\nprefix = 'b'"])
def test_a_file_that_can_not_be_read_is_named(folder: Path, text: str) -> None:
    (folder / "staffa.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"staffa\.toml can't be read"):
        Config.load(folder=folder)


@pytest.mark.parametrize("text", ["tool = 5", "[tool]\nstaffa = 5", "[tool]\nstaffa = [1]"])
def test_a_pyproject_of_another_shape_is_a_clear_error(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(text)
    with pytest.raises(ConfigError):
        Config.load(folder=folder)


def test_a_pyproject_without_our_table_holds_nothing(folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[project]\nname = "app"')
    assert Config.load(folder=folder).prefix == "public"


@pytest.mark.parametrize(
    "settings",
    [
        {"dsn": "localhost"}, {"dsn": "http://localhost"}, {"dsn": 5}, {"dsn": ""},
        {"prefix": ""}, {"prefix": "a" * 50}, {"prefix": "é" * 25}, {"prefix": "a\x00"},
        {"prefix": None}, {"name": ""}, {"name": "n" * 128}, {"node": 5}, {"imports": "myapp"},
        {"imports": [5]}, {"imports": ["my app"]}, {"imports": [""]}, {"imports": 5},
        {"queues": ["default"]}, {"queues": {"default": 0}}, {"pool_size": 0}, {"pool_size": True},
        {"node_limit": 0}, {"node_limit": "9"},
        {"pool_size": 1.0}, {"max_rescues": -1}, {"poll": 0}, {"poll": "1"}, {"heartbeat": -1},
        {"processes": 0}, {"processes": True}, {"process_max_jobs": 0}, {"process_max_age": 0},
        {"process_max_memory": "1G"},
        {"heartbeat": 0}, {"leader_lease": float("inf")}, {"unknown_after": timedelta(days=-1)},
        {"heartbeat": 15}, {"dead_after": 9.9},
    ],
    ids=lambda settings: "-".join(f"{key}={value!r:.20}" for key, value in settings.items()),
)  # fmt: skip
def test_a_value_that_can_not_be_used_is_refused_by_its_setting(settings: dict[str, Any]) -> None:
    (setting,) = settings
    with pytest.raises(ConfigError, match=setting.removesuffix("s")):
        Config(**settings)


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "mysql+aiomysql"])
def test_a_database_of_a_later_version_says_so(scheme: str) -> None:
    with pytest.raises(NotYetAvailable, match=scheme.partition("+")[0]):
        Config(dsn=f"{scheme}://localhost/app")


def test_lengths_of_time_may_be_timedeltas() -> None:
    config = Config(heartbeat=timedelta(seconds=2), shutdown_grace=0)  # type: ignore[arg-type]  # what users may pass
    assert (config.heartbeat, config.shutdown_grace) == (2.0, 0.0)


def test_a_prefix_may_be_as_long_as_channels_allow_and_need_quotes() -> None:
    assert Config(prefix='"' * 49).prefix == '"' * 49


def test_settings_with_other_queues_are_otherwise_the_same() -> None:
    config = Config(dsn="postgresql://localhost/app", queues={"a": Queue(limit=1)}, poll=2.0)
    other: Mapping[str, Queue] = {"b": Queue(limit=2)}
    changed = config.with_queues(other)
    assert changed.queues == {"b": Queue(limit=2)}
    assert (changed.dsn, changed.poll) == (config.dsn, 2.0)


def test_an_empty_dsn_is_told_from_a_wrong_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAFFA_DSN", "")
    with pytest.raises(ConfigError, match=r"dsn is empty: leave it out .*STAFFA_DSN"):
        Config.load()


def test_a_health_port_is_read_from_the_file_and_from_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (Config.load(folder=folder).health_port, Config().health_host) == (None, "127.0.0.1")
    (folder / "staffa.toml").write_text('health_port = 8080\nhealth_host = "::"')
    config = Config.load(folder=folder)
    assert (config.health_port, config.health_host) == (8080, "::")
    monkeypatch.setenv("STAFFA_HEALTH_PORT", "0")
    config = Config.load(folder=folder)
    assert config.health_port == 0
    changed = config.with_health("0.0.0.0", None)
    assert (changed.health_port, changed.health_host) == (0, "0.0.0.0")
    assert config.with_health(None, 9).health_port == 9


@pytest.mark.parametrize("port", [-1, 65_536, True, "8080", 8080.0])
def test_what_is_no_port_is_refused(port: Any) -> None:
    with pytest.raises(ConfigError, match=r"health_port is .*: give a number from 0 to 65535"):
        Config(health_port=port)


@pytest.mark.parametrize("host", ["", " ", "a b", "http://x", "x\n", "x/y", 5, None, "x" * 254])
def test_what_is_no_address_is_refused(host: Any) -> None:
    with pytest.raises(ConfigError, match=r"health_host is .*127\.0\.0\.1"):
        Config(health_host=host)


def test_a_health_port_of_the_environment_that_is_no_number_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAFFA_HEALTH_PORT", "http")
    with pytest.raises(ConfigError, match="STAFFA_HEALTH_PORT='http'"):
        Config.load(folder=folder)
