"""Entries as users write them, and what a process makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from staffa import Config, Cron, Job, job, worker
from staffa.args.encryption import KeyRing
from staffa.cron.declared import Collector, declared
from staffa.cron.entries import parse_crons, parse_setting
from staffa.cron.stored import Entry
from staffa.errors import ConfigError, UnknownOption
from tests.support.events import Recorder


def collect(*crons: Cron, timezone: str = "UTC") -> dict[str, Entry]:
    return {entry.name: entry for entry in Collector(crons, "Oban", timezone, ()).collect()}


def of_worker(entries: Mapping[str, Entry], name: str) -> list[Entry]:
    return [entry for entry in entries.values() if entry.job.worker == name]


def test_a_decorator_declares_one_or_several_entries() -> None:
    @job(queue="reports", cron="0 3 * * *", name="shop.one")
    def one() -> None: ...

    @job(
        name="shop.several",
        queue="reports",
        priority=2,
        tags=["a"],
        cron=[
            "@hourly",
            Cron(
                "0 3 * * *", timezone="Europe/Berlin", dst="skip", args={"day": 1}, name="nightly",
                queue="night", scheduled_in=5, timeout=9, meta={"m": 1},
            ),
        ],
    )  # fmt: skip
    def several(day: int = 0) -> None: ...

    entries = collect()
    (first,) = of_worker(entries, "shop.one")
    assert (first.expression, first.timezone, first.dst) == ("0 3 * * *", "UTC", "cron")
    assert (first.job.queue, first.job.args) == ("reports", {})
    hourly, nightly = sorted(
        of_worker(entries, "shop.several"), key=lambda entry: entry.expression
    )[::-1]
    assert (hourly.expression, hourly.job.queue, hourly.job.tags) == ("@hourly", "reports", ("a",))
    assert (nightly.name, nightly.timezone, nightly.dst) == ("nightly", "Europe/Berlin", "skip")
    assert (nightly.job.queue, nightly.job.priority, nightly.job.args) == ("night", 2, {"day": 1})
    assert nightly.job.scheduled_in == 5
    assert nightly.job.meta["m"] == 1


def test_a_class_declares_entries_too() -> None:
    @worker(name="Shop.Badge", queue="badges", cron=Cron("@daily", args={"id": 7}))
    class Badge:
        async def process(self, job: Job) -> None: ...

    (entry,) = of_worker(collect(), "Shop.Badge")
    assert (entry.job.queue, entry.job.args) == ("badges", {"id": 7})


def test_a_derived_name_is_stable_and_differs_by_worker_expression_args_and_time_zone() -> None:
    def names(*crons: Cron, timezone: str = "UTC") -> list[str]:
        return list(collect(*crons, timezone=timezone))

    assert names(Cron("@daily", worker="a.b")) == names(Cron(" @DAILY ", worker="a.b"))
    assert names(Cron("@daily", worker="a.b", args={"x": 1, "y": 2})) == names(
        Cron("@daily", worker="a.b", args={"y": 2, "x": 1}, queue="other")
    )
    different = names(
        Cron("@daily", worker="a.b"),
        Cron("@hourly", worker="a.b"),
        Cron("@daily", worker="a.c"),
        Cron("@daily", worker="a.b", args={"x": 1}),
        Cron("@daily", worker="a.b", timezone="Europe/Berlin"),
        Cron("@daily", worker="w" * 127),
    )
    assert len(set(different)) == 6
    assert all(len(name) <= 127 for name in different)
    assert names(Cron("@daily", worker="a.b", timezone="Europe/Berlin")) == names(
        Cron("@daily", worker="a.b"), timezone="Europe/Berlin"
    )
    assert names(Cron("@daily", worker="a.b"))[0].startswith("a.b-")


def test_two_entries_of_one_name_are_refused_by_name() -> None:
    @job(name="shop.first", cron=Cron("@daily", name="nightly"))
    def first() -> None: ...

    with pytest.raises(ConfigError, match=r"'nightly': .*@daily.* of shop.first and .*shop.second"):

        @job(name="shop.second", cron=Cron("@hourly", name="nightly"))
        def second() -> None: ...

    with pytest.raises(ConfigError, match=r"two cron entries .*shop.twice.*another name="):

        @job(name="shop.twice", cron=["@daily", "@daily"])
        def twice() -> None: ...

    with pytest.raises(ConfigError, match=r"'nightly': '@daily' of shop.first and '0 4 .*' of a.b"):
        collect(Cron("0 4 * * *", worker="a.b", name="nightly"))


def test_a_worker_that_is_decorated_anew_declares_anew() -> None:
    def define(cron: Any) -> None:
        @job(name="shop.reloaded", cron=cron)
        def reloaded() -> None: ...

    define(["@daily", "@hourly"])
    define("@daily")
    assert len(of_worker(collect(), "shop.reloaded")) == 1
    define([])
    assert of_worker(collect(), "shop.reloaded") == []


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("61 * * * *", "minute '61'"),
        (Cron("@daily"), "missing a required argument: 'day'.*args="),
        (Cron("@daily", args={"month": 1}), "month|day"),
        (Cron("@daily", args={"day": object()}), "args.day: expected int, not object"),
        (Cron("@daily", args={"day": 1}, worker="other"), "names a worker: leave it out"),
        (Cron("@daily", args={"day": 1}, priority=99), "priority 99"),
        (5, "cron is 5"),
        ([5], "cron entry 5"),
        ([None], "cron entry None"),
    ],
)
def test_what_can_make_no_job_is_refused_where_it_is_written(cron: Any, words: str) -> None:
    before = declared()
    with pytest.raises(ConfigError, match=words):

        @job(cron=cron)
        def needs(day: int) -> None: ...

    assert declared() == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timezone": "Europe/Berlim"}, "did you mean 'Europe/Berlin'"),
        ({"dst": "corn"}, "did you mean 'cron'"),
        ({"name": ""}, "name ''"), ({"name": "x" * 128}, "1 to 127"), ({"name": 5}, "name 5"),
        ({"scheduled_at": 1}, "scheduled_at"), ({"priorty": 1}, "did you mean 'priority'"),
        ({"args": [1]}, "by name"), ({"worker": 5}, "worker 5"), ({"worker": ""}, "worker ''"),
        ({"worker": len}, "worker <built-in"),
    ],
)  # fmt: skip
def test_a_bad_value_of_an_entry_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Cron("@daily", **options)


def test_the_worker_may_be_given_as_what_was_decorated() -> None:
    @job(name="shop.given")
    def function() -> None: ...

    @worker(name="Shop.Given")
    class Given:
        async def process(self, job: Job) -> None: ...

    assert Cron("@daily", worker=function).worker == "shop.given"
    assert Cron("@daily", worker=Given).worker == "Shop.Given"


def test_tables_name_their_entries_or_are_listed() -> None:
    table = {"expression": "0 3 * * *", "worker": "a.b", "queue": "q", "args": {"x": 1}}
    (listed,) = parse_crons([table])
    (named,) = parse_crons({"nightly": table})
    (alone,) = parse_crons(table)
    assert [cron.name for cron in (listed, named, alone)] == [None, "nightly", None]
    for cron in (listed, named, alone):
        assert (cron.expression.text, cron.worker, cron.args) == ("0 3 * * *", "a.b", {"x": 1})
        assert cron.options == {"queue": "q"}


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ([{"worker": "a.b"}], "lacks its expression"),
        ([{"expression": "@daily"}], "names no worker"),
        (["@daily"], "names no worker"),
        ([{"expression": "@daily", "worker": "a.b", "qeue": "q"}], "did you mean 'queue'"),
        ([{"expression": "@daily", "worker": "a.b", "args": {"x": {1}}}], "args of .* is of type"),
        ({"nightly": "@daily"}, "nightly.*give a table"),
        ({"nightly": {"expression": "@dayly", "worker": "a.b"}}, "did you mean '@daily'"),
        (5, "cron is 5"), ("@daily", "names no worker"),
    ],
)  # fmt: skip
def test_a_bad_entry_of_the_settings_is_refused_at_once(setting: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_setting(setting)
    with pytest.raises(ConfigError, match=words):
        Config(cron=setting)


def test_the_file_holds_entries_and_a_time_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "staffa.toml"
    path.write_text(
        'timezone = "Europe/Berlin"\n[[cron]]\nexpression = "0 3 * * *"\nworker = "a.b"\n'
        'args = { month = "last" }\npriority = 3\n'
    )
    config = Config.load(folder=tmp_path)
    assert config.timezone == "Europe/Berlin"
    assert config.cron is not None
    (cron,) = config.cron
    assert (cron.worker, cron.args, cron.options) == ("a.b", {"month": "last"}, {"priority": 3})
    path.write_text('[cron.nightly]\nexpression = "0 3 * * *"\nworker = "a.b"\n')
    config = Config.load(folder=tmp_path)
    assert config.cron is not None
    assert [cron.name for cron in config.cron] == ["nightly"]
    path.write_text("cron = false\n")
    assert Config.load(folder=tmp_path).cron is None
    path.write_text('[cron.nightly]\nexpression = "0 3 * * *"\nworker = "a.b"\n')
    monkeypatch.setenv("STAFFA_CRON", "off")
    assert Config.load(folder=tmp_path).cron is None
    monkeypatch.setenv("STAFFA_CRON", "@daily")
    with pytest.raises(ConfigError, match="STAFFA_CRON='@daily': only off"):
        Config.load(folder=tmp_path)


def test_cron_can_be_off_and_a_bad_time_zone_is_refused() -> None:
    assert Config().cron == ()
    assert Config(cron=False).cron is None  # type: ignore[arg-type]  # what users may pass
    assert Config(cron=True).cron == ()  # type: ignore[arg-type]  # what users may pass
    with pytest.raises(ConfigError, match="did you mean 'Europe/Berlin'"):
        Config(timezone="Europe/Berln")


def test_the_mode_of_syncing_is_one_of_two_wherever_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Config().cron_sync == "manual"
    (tmp_path / "staffa.toml").write_text('cron_sync = "automatic"\n')
    assert Config.load(folder=tmp_path).cron_sync == "automatic"
    monkeypatch.setenv("STAFFA_CRON_SYNC", "manual")
    assert Config.load(folder=tmp_path).cron_sync == "manual"
    for wrong in ("always", True, None, ["manual"]):
        with pytest.raises(ConfigError, match=r"cron_sync is .*: give manual or automatic"):
            Config(cron_sync=wrong)  # type: ignore[arg-type]  # what users may pass


def test_an_entry_is_guaranteed_or_paused_or_not() -> None:
    table = {"expression": "@daily", "worker": "a.b", "guaranteed": True, "paused": True}
    (cron,) = parse_setting([table]) or ()
    (entry,) = collect(cron).values()
    assert (entry.guaranteed, entry.paused) == (True, True)
    for option in ("guaranteed", "paused"):
        with pytest.raises(ConfigError, match=rf"'@daily' has {option} 'yes': give True or False"):
            parse_setting([{**table, option: "yes"}])


async def test_an_entry_that_can_make_no_job_is_reported_and_left_out(events: Recorder) -> None:
    @job(name="shop.needs", queue="reports")
    def needs(day: int) -> None: ...

    crons = (
        Cron("@daily", worker="shop.needs", name="lacks"),
        Cron("@daily", worker="shop.needs", name="has", args={"day": 1}),
        Cron("@daily", worker="shop.needs", name="wrong", args={"day": 1}, priority=99),
        Cron("@daily", worker="Other.Program", name="foreign", args={"x": 1}, queue="other"),
    )
    collector = Collector(crons, "Oban", "UTC", ())
    entries = {entry.name: entry for entry in collector.collect()}
    assert entries.keys() == {"has", "foreign"}
    assert entries["has"].job.queue == "reports"
    assert (entries["foreign"].job.worker, entries["foreign"].job.queue) == (
        "Other.Program",
        "other",
    )
    told = [event.data["what"] for event in events.of("staffa.error")]
    assert len(told) == 3
    assert collector.collect() == list(entries.values())
    assert len(events.of("staffa.error")) == 3, "nothing is reported twice"


def test_entries_declared_later_are_found_and_a_late_double_leaves_what_was() -> None:
    collector = Collector((Cron("@daily", worker="a.b", name="nightly"),), "Oban", "UTC", ())
    before = collector.collect()

    @job(cron=Cron("@hourly", name="late"), name="shop.late")
    def late() -> None: ...

    assert {entry.name for entry in collector.collect()} >= {"nightly", "late"}
    after = collector.collect()
    assert after is collector.collect()
    assert after is not before

    @job(cron=Cron("@hourly", name="nightly"), name="shop.double")
    def double() -> None: ...

    with pytest.raises(ConfigError, match="nightly"):
        collector.collect()
    assert collector.collect() is after


def test_an_unknown_option_of_the_decorator_is_still_told() -> None:
    with pytest.raises(UnknownOption, match="did you mean 'cron'"):
        job(cronn="@daily")(len)  # type: ignore[call-overload]  # the misspelling is the point


@dataclass
class Badge:
    """A model of args."""

    id: int
    due: date


def test_args_may_be_what_the_annotations_say() -> None:
    @job(name="shop.dated", cron=Cron("@daily", args={"day": date(2026, 1, 2)}))
    def dated(day: date) -> None: ...

    @worker(name="Shop.Dated", args=Badge, cron=Cron("@daily", args={"id": 7, "due": "2026-01-02"}))
    class Dated:
        async def process(self, job: Job) -> None: ...

    table = {
        "expression": "@hourly",
        "worker": "Shop.Dated",
        "args": {"id": 8, "due": "2026-01-03"},
    }
    entries = collect(*parse_crons([table]))
    (function,) = of_worker(entries, "shop.dated")
    assert function.as_row()["args"] == {"day": "2026-01-02"}
    rows = [entry.as_row()["args"] for entry in of_worker(entries, "Shop.Dated")]
    assert rows == [{"id": 7, "due": "2026-01-02"}, {"id": 8, "due": "2026-01-03"}]
    with pytest.raises(ConfigError, match=r"makes no job of shop\.wrong: .*day"):

        @job(name="shop.wrong", cron=Cron("@daily", args={"day": "never"}))
        def wrong(day: date) -> None: ...


def test_args_that_are_to_be_encrypted_are_stored_so_and_the_name_tells_nothing_of_them() -> None:
    def names(secret: str) -> list[str]:
        @job(name="shop.pay", encrypted=True, cron=Cron("@daily", args={"ssn": secret}))
        def pay(ssn: str) -> None: ...

        entries = Collector((), "Oban", "UTC", (), KeyRing({"2026": bytes(32)})).collect()
        (entry,) = (entry for entry in entries if entry.job.worker == "shop.pay")
        assert secret not in str(entry.as_row())
        assert entry.as_row()["options"]["meta"]["encrypted"] is True
        return [entry.name]

    assert names("078-05-1120") == names("219-09-9999")


async def test_an_entry_whose_args_can_not_be_encrypted_is_left_out(events: Recorder) -> None:
    @job(name="shop.keyless", encrypted=True, cron=Cron("@daily", args={"ssn": "078-05-1120"}))
    def keyless(ssn: str) -> None: ...

    assert of_worker(collect(), "shop.keyless") == []
    (told,) = events.of("staffa.error")
    assert "there is no key" in str(told.data["error"])
    assert "078" not in str(told.data)
