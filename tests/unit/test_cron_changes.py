"""What the configuration and people change about an entry, option by option."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from staffa import Cron, Job, job, worker
from staffa.args.encryption import KeyRing
from staffa.cron.changes import CronChange, HeldCron, Values, change, gather, register, spread
from staffa.cron.declared import Collector
from staffa.cron.edits import CronChanges, make_edit, new_entry
from staffa.cron.entries import CRON_OPTIONS
from staffa.cron.stored import Entry, StoredCron
from staffa.errors import ConfigError, InvalidJob, StatementConflict, UnknownOption

NOW = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)
GRACE = timedelta(minutes=2)
KEYS = KeyRing({"2026": bytes(32)})


def entry_of(cron: Cron, keys: KeyRing = KEYS) -> Entry:
    return new_entry(cron, "Oban", "UTC", (), keys)


def stored(entry: Entry, **columns: Any) -> StoredCron:
    found = StoredCron(
        **entry.as_row(), active=True, last_tick=NOW, last_job_id=None, booted_at=NOW,
        registered_at=NOW, updated_at=NOW, read_at=NOW,
    )  # fmt: skip
    return replace(found, **columns)


def cron(**options: Any) -> Cron:
    return Cron(options.pop("expression", "0 3 * * *"), worker="a.b", name="nightly", **options)


def told_by(entry: Entry) -> Values:
    done = register(HeldCron(stored(entry), None), entry, GRACE)
    assert done is not None
    assert done.configured is not None
    return done.configured


def after(done: CronChange | None) -> StoredCron:
    assert done is not None
    return replace(done.before, **gather(done.values))


def update(entry: StoredCron, *, keys: KeyRing = KEYS, **given: Any) -> StoredCron:
    return replace(entry, **gather(make_edit(entry, given, (), keys).apply(entry)))


def test_columns_spread_to_values_are_gathered_to_the_same_columns() -> None:
    row = entry_of(cron(meta={"a": 1, "b": None}, timeout=5, unique=True, tags=["x"])).as_row()
    again = gather(spread(row))
    assert {**again, "name": row["name"]} == row
    odd = {**row, "options": {"meta": 5, "queue": None}}
    assert gather(spread(odd))["options"] == odd["options"]


def test_what_the_configuration_says_again_changes_nothing() -> None:
    entry = entry_of(cron(meta={"a": 1.0}, timeout=5))
    changed = stored(entry, expression="@hourly", args={"x": 1}, paused=True)
    assert register(HeldCron(changed, told_by(entry)), entry, GRACE) is None


@pytest.mark.parametrize(
    ("option", "before", "now", "column"),
    [
        ("expression", "0 3 * * *", "0 4 * * *", "expression"),
        ("timezone", "UTC", "Europe/Berlin", "timezone"),
        ("dst", "cron", "skip", "dst"),
        ("guaranteed", False, True, "guaranteed"),
        ("paused", False, True, "paused"),
        ("paused", True, False, "paused"),
        ("args", {"x": 1}, {"x": 2}, "args"),
    ],
)
def test_only_the_option_that_the_configuration_changes_is_set(
    option: str, before: Any, now: Any, column: str
) -> None:
    earlier, later = entry_of(cron(**{option: before})), entry_of(cron(**{option: now}))
    values: dict[str, Any] = {
        "worker": "c.d",
        "args": {"mine": 1},
        "expression": "@hourly",
        "dst": "all",
    }
    values |= {"paused": not now} if option == "paused" else {}
    edited = stored(earlier, **values)
    found = after(register(HeldCron(edited, told_by(earlier)), later, GRACE))
    assert getattr(found, column) == later.as_row()[column]
    kept = {name: value for name, value in values.items() if name != column}
    assert {name: getattr(found, name) for name in kept} == kept


def test_options_of_jobs_and_keys_of_meta_are_options_of_their_own() -> None:
    earlier = entry_of(cron(priority=1, meta={"a": 1, "b": 2}, timeout=5, scheduled_in=9))
    later = entry_of(cron(priority=2, meta={"a": 1, "c": 3}, timeout=6))
    edited = stored(earlier)
    edited = update(edited, queue="mine", meta={"a": 7, "b": 8}, priority=9)
    found = after(register(HeldCron(edited, told_by(earlier)), later, GRACE))
    assert (found.options["queue"], found.options["priority"]) == ("mine", 2)
    assert found.options["meta"] == {"a": 7, "c": 3, "staffa_timeout": 6.0}
    assert "scheduled_in" not in found.options


def test_encrypted_args_are_stored_anew_only_if_they_or_the_key_in_front_change() -> None:
    def entry(ssn: str, keys: KeyRing = KEYS, worker: str = "a.b") -> Entry:
        made = Cron("@daily", worker=worker, name="pay", args={"ssn": ssn}, encrypted=True)
        (found,) = Collector((made,), "Oban", "UTC", (), keys).collect()
        return found

    first = entry("078-05-1120")
    told = told_by(first)
    assert "078" not in str(told)
    mine = stored(first, args={"staffa_encrypted": "mine"})
    assert register(HeldCron(mine, told), entry("078-05-1120"), GRACE) is None
    rolled = KeyRing({"2027": bytes([1]) * 32, "2026": bytes(32)})
    for other in (entry("219-09-9999"), entry("078-05-1120", rolled),
                  entry("078-05-1120", worker="c.d")):  # fmt: skip
        found = after(register(HeldCron(mine, told), other, GRACE))
        assert found.args == other.as_row()["args"]


def test_times_that_change_restart_the_entry_and_so_does_resuming_it() -> None:
    entry = stored(entry_of(cron()), paused=True)
    held = HeldCron(entry, None)

    def restarts(**values: Any) -> bool:
        return change(held, {**spread(entry.as_row()), **values}, GRACE).restarts

    assert restarts(expression="@daily")
    assert restarts(timezone="Europe/Berlin")
    assert restarts(dst="skip")
    assert restarts(paused=False)
    assert not restarts(worker="c.d", args={"x": 1}, guaranteed=True)


@pytest.mark.parametrize(
    ("columns", "ticks"),
    [
        ({}, ["12:29", "12:30"]),
        ({"last_tick": NOW - timedelta(seconds=60)}, ["12:30"]),
        ({"paused": True}, []),
        ({"active": False}, []),
        ({"timezone": "No/Where"}, []),
        ({"options": {"queue": ""}}, []),
        ({"guaranteed": True}, ["12:29", "12:30"]),
    ],
)
def test_ticks_that_were_due_by_the_old_times_are_to_be_taken(
    columns: dict[str, Any], ticks: list[str]
) -> None:
    ago = NOW - timedelta(minutes=30)
    columns = {"last_tick": ago, "updated_at": ago, **columns}
    entry = stored(entry_of(cron(expression="* * * * *")), **columns)
    held = HeldCron(entry, None)
    done = change(held, {**spread(entry.as_row()), "expression": "@hourly"}, GRACE)
    assert [f"{tick:%H:%M}" for tick in done.ticks] == ticks
    assert change(held, {**spread(entry.as_row()), "dst": entry.dst}, GRACE).ticks == ()


def test_an_edit_sets_what_is_given_and_leaves_the_rest() -> None:
    entry = stored(
        entry_of(cron(meta={"a": 1}, timeout=5, deadline=60, unique=True, scheduled_in=10))
    )
    assert update(entry, expression=" @HOURLY ").expression == "@hourly"
    assert update(entry, worker="c.d", timezone="Europe/Berlin", dst="all").worker == "c.d"
    assert update(entry, args={"x": 1}).args == {"x": 1}
    assert update(entry, tags=iter(["B", "a "])).options["tags"] == ["b", "a"]
    assert update(entry, meta={"b": 2}).options["meta"] == {
        "b": 2, "staffa_timeout": 5.0, "staffa_deadline": {"after": 70.0, "force": False},
    }  # fmt: skip
    cleared = update(entry, timeout=None, deadline=None, meta=None, unique=False, scheduled_in=None)
    assert cleared.options.keys() == {"queue", "priority", "max_attempts", "tags"}
    assert update(entry, scheduled_in=40).options["meta"]["staffa_deadline"]["after"] == 100.0
    assert update(entry, deadline=5).options["meta"]["staffa_deadline"]["after"] == 15.0
    assert update(entry, recorded=True).options["meta"]["recorded"] is True


def test_all_options_of_an_entry_s_jobs_can_be_changed() -> None:
    own = {"expression", "timezone", "dst", "guaranteed", "worker", "args"}
    assert CronChanges.__annotations__.keys() - own == CRON_OPTIONS - {"instance"}


def test_an_edit_of_args_is_checked_against_the_worker() -> None:
    @job(name="a.b")
    def nightly(day: int) -> None: ...

    @worker(name="Shop.Hooked")
    class Hooked:
        @staticmethod
        def before_new(args: Any, options: Any) -> Any:
            return {**args, "hooked": True}, {**options, "queue": "hooked"}

        async def process(self, job: Job) -> None: ...

    entry = stored(entry_of(cron(args={"day": 1})))
    assert update(entry, args={"day": 2}).args == {"day": 2}
    with pytest.raises(InvalidJob, match="day"):
        update(entry, args={"month": 1})
    stale = replace(entry, args={"month": 1})
    assert update(stale, queue="q").args == {"month": 1}, "only what changes is checked"
    with pytest.raises(InvalidJob, match="day"):
        update(replace(stale, worker="c.d"), worker="a.b")
    hooked = update(entry, worker=Hooked, args={})
    assert (hooked.args, hooked.options["queue"]) == ({"hooked": True}, "hooked")


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({}, ConfigError, "nothing to change of cron entry 'nightly'"),
        ({"expresion": "@daily"}, UnknownOption, "did you mean 'expression'"),
        ({"paused": True}, UnknownOption, "paused"),
        ({"scheduled_at": NOW}, UnknownOption, "scheduled_at"),
        ({"instance": "x"}, ConfigError, "can't change its instance"),
        ({"expression": "61 * * * *"}, ConfigError, "minute '61'"),
        ({"timezone": "Europe/Berlim"}, ConfigError, "did you mean 'Europe/Berlin'"),
        ({"dst": "corn"}, ConfigError, "did you mean 'cron'"),
        ({"guaranteed": 1}, ConfigError, "guaranteed 1: give True or False"),
        ({"worker": 5}, ConfigError, "worker 5"),
        ({"args": [1]}, ConfigError, "give them by name"),
        ({"args": {"x": object()}}, InvalidJob, "args.x"),
        ({"queue": ""}, InvalidJob, "queue ''"),
        ({"priority": 99}, InvalidJob, "priority 99"),
        ({"encrypted": True}, ConfigError, "give args= as well"),
        ({"encrypted": True, "args": {}, "unique": True}, ConfigError, "unique"),
    ],
)
def test_what_can_not_be_is_refused(given: dict[str, Any], kind: type, words: str) -> None:
    with pytest.raises(kind, match=words):
        update(stored(entry_of(cron())), **given)


def test_what_can_not_be_together_is_refused_whenever_the_other_was_set() -> None:
    entry = stored(entry_of(cron()))
    edit = make_edit(entry, {"unique": True}, (), KEYS)
    sealed = update(entry, encrypted=True, args={"x": 1})
    with pytest.raises(ConfigError, match="unique and have encrypted args"):
        edit.apply(sealed)


def test_encrypted_args_are_sealed_and_stay_with_their_worker() -> None:
    entry = stored(entry_of(cron(args={"ssn": "078"}, encrypted=True)))
    changed = update(entry, args={"ssn": "219"})
    assert KEYS.open(changed.args, "a.b") == {"ssn": "219"}
    assert changed.options["meta"]["encrypted"] is True
    assert update(entry, queue="q", encrypted=True).args == entry.args
    with pytest.raises(ConfigError, match="give args= as well"):
        update(entry, worker="c.d")
    moved = update(entry, worker="c.d", args={"ssn": "219"})
    assert KEYS.open(moved.args, "c.d") == {"ssn": "219"}
    plain = update(entry, encrypted=False, args={"x": 1})
    assert (plain.args, plain.options.get("meta")) == ({"x": 1}, None)
    edit = make_edit(entry, {"args": {"ssn": "219"}}, (), KEYS)
    with pytest.raises(StatementConflict, match="try again"):
        edit.apply(moved)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("@daily", "'@daily' is no entry: give a Cron"),
        (Cron("@daily"), "names no worker"),
        (Cron("@daily", worker="a.b", instance="other"), "insert it with that client"),
        (Cron("@daily", worker="a.b", encrypted=True, unique=True), "unique and have encrypted"),
    ],
)
def test_an_entry_that_can_not_be_made_is_refused(given: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        entry_of(given)
