"""What becomes of queues that are kept in the database: options, plans, what processes do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from staffa import DynamicQueue, GlobalLimit, Only, Queue, RateLimit
from staffa.dynamic import read_options, write_options
from staffa.engine import AS_CONFIGURED, Control
from staffa.errors import ConfigError, UnknownOption
from staffa.queues.controls import Controls, Wanted
from staffa.queues.dynamic import Plan, delete, insert, synchronise, update
from tests.support.events import Recorder


def row(**fields: Any) -> DynamicQueue:
    return DynamicQueue(**{"queue": "mail", "options": {"limit": 5}, **fields})


def outcome(plan: Plan) -> tuple[list[str], list[DynamicQueue], dict[str, Any]]:
    """Return what a plan tells, what it writes, and what it sets."""
    controls = {control.option: control.value for control in plan.changes.controls}
    return [what for what, _ in plan.happened], list(plan.changes.rows), controls


@pytest.mark.parametrize(
    "queue",
    [
        Queue(),
        Queue(limit=3, paused=True),
        Queue(only=Only(env="ROLE", value="")),
        Queue(only=Only(node_matches="^a", not_node="ab")),
        Queue(dispatch_cooldown=timedelta(seconds=1.5)),
        Queue(global_limit=GlobalLimit(3, partition=("worker", "args.a"), burst=True)),
        Queue(rate_limit=RateLimit(3, period=timedelta(minutes=1), partition="args.a", weight=2)),
    ],
)
def test_options_are_read_as_they_were_written(queue: Queue) -> None:
    assert read_options("mail", write_options(queue)) == queue


def test_options_are_written_without_those_that_are_as_by_default() -> None:
    assert write_options(Queue()) == {"limit": 10}


@pytest.mark.parametrize(
    "options",
    [None, [1], {"limit": "5"}, {"limit": 0}, {"newer": 1}, {"only": {"zone": "a"}}, {"": 1}],
)
def test_options_that_can_not_be_read_are_an_error_that_names_the_queue(options: Any) -> None:
    with pytest.raises(ConfigError, match="queue 'mail'"):
        read_options("mail", options)


def test_an_insert_of_a_new_queue_takes_back_what_was_set_before_but_not_a_pause() -> None:
    assert outcome(insert([], {"mail": Queue(limit=5)})) == (
        ["inserted"],
        [row()],
        {"running": AS_CONFIGURED, "limit": AS_CONFIGURED},
    )


def test_an_insert_replaces_all_options_and_remembers_the_configuration() -> None:
    old = row(options={"limit": 1, "paused": True}, configured={"limit": 1})
    assert outcome(insert([old], {"mail": Queue(limit=5)})) == (
        ["updated"],
        [row(configured={"limit": 1})],
        {"limit": 5, "paused": False},
    )


def test_an_insert_of_what_is_there_changes_nothing() -> None:
    assert outcome(insert([row()], {"mail": Queue(limit=5)})) == ([], [], {})


def test_an_update_changes_one_option_and_leaves_the_others() -> None:
    old = row(options={"limit": 5, "paused": True}, configured={"limit": 5})
    assert outcome(update([old], "mail", {"limit": 7})) == (
        ["updated"],
        [row(options={"limit": 7, "paused": True}, configured={"limit": 5})],
        {"limit": 7},
    )
    assert outcome(update([old], "mail", {"paused": None}))[1:] == (
        [row(configured={"limit": 5})],
        {"paused": False},
    )


def test_another_rule_decides_anew_where_a_queue_runs() -> None:
    plan = update([row()], "mail", {"only": Only(node="a")})
    assert outcome(plan)[1:] == (
        [row(options={"limit": 5, "only": {"node": "a"}})],
        {"running": AS_CONFIGURED},
    )


@pytest.mark.parametrize("rows", [[], [row(deleted=True)], [row(queue="mails")]])
def test_an_update_of_a_queue_that_is_not_there_is_refused(rows: list[DynamicQueue]) -> None:
    with pytest.raises(UnknownOption, match="dynamic queue 'mail'"):
        update(rows, "mail", {"limit": 1})


def test_an_update_of_options_of_a_newer_version_is_refused_and_an_insert_replaces_them() -> None:
    newer = row(options={"limit": 1, "newer": True})
    with pytest.raises(ConfigError, match="newer"):
        update([newer], "mail", {"limit": 2})
    assert outcome(insert([newer], {"mail": Queue(limit=5)}))[1] == [row()]


def test_a_delete_keeps_a_row_that_tells_of_it() -> None:
    assert outcome(delete([row()], "mail")) == (
        ["deleted"],
        [row(deleted=True)],
        dict.fromkeys(("running", "limit", "paused"), AS_CONFIGURED),
    )
    for rows in ([], [row(deleted=True)]):
        assert outcome(delete(rows, "mail")) == ([], [], {})


LAST = {"limit": 5}


@pytest.mark.parametrize(
    ("old", "configured", "options"),
    [
        pytest.param({"limit": 7}, Queue(limit=5), {"limit": 7}, id="changed here"),
        pytest.param({"limit": 7}, Queue(limit=6), {"limit": 6}, id="changed in both"),
        pytest.param(
            {"limit": 7, "paused": True},
            Queue(limit=6),
            {"limit": 6, "paused": True},
            id="another option",
        ),
        pytest.param(
            {"limit": 7},
            Queue(limit=5, only=Only(node="a")),
            {"limit": 7, "only": {"node": "a"}},
            id="a new option",
        ),
    ],
)
def test_a_configuration_changes_the_options_that_it_has_changed_since_it_was_seen_last(
    old: dict[str, Any], configured: Queue, options: dict[str, Any]
) -> None:
    found = row(options=old, configured=LAST)
    plan = synchronise([found], {"mail": configured}, absent=False)
    written = plan.changes.rows
    assert [one.options for one in written] in ([options], [] if options == old else None)
    for one in written:
        assert one.configured == write_options(configured)


def test_an_option_that_the_configuration_has_dropped_is_as_by_default() -> None:
    old = row(options={"limit": 7, "paused": True}, configured={"limit": 5, "paused": True})
    plan = synchronise([old], {"mail": Queue(limit=5)}, absent=False)
    assert outcome(plan) == (
        ["updated"],
        [row(options={"limit": 7}, configured=LAST)],
        {"paused": False},
    )


def test_a_queue_that_the_configuration_brings_is_inserted_and_seen_once() -> None:
    plan = synchronise([], {"mail": Queue(limit=5)}, absent=True)
    assert outcome(plan)[:2] == (["inserted"], [row(configured=LAST)])
    again = synchronise(plan.changes.rows, {"mail": Queue(limit=5)}, absent=True)
    assert outcome(again) == ([], [], {})


def test_a_queue_that_was_inserted_at_run_time_takes_what_the_configuration_says_later() -> None:
    old = row(options={"limit": 1, "paused": True})
    (new,) = synchronise([old], {"mail": Queue(limit=5)}, absent=False).changes.rows
    assert new == row(options={"limit": 5, "paused": True}, configured=LAST)


def test_a_queue_that_was_deleted_stays_so_until_the_configuration_changes_it() -> None:
    old = row(deleted=True, configured=LAST)
    assert outcome(synchronise([old], {"mail": Queue(limit=5)}, absent=True)) == ([], [], {})
    plan = synchronise([old], {"mail": Queue(limit=6)}, absent=True)
    assert outcome(plan)[:2] == (
        ["inserted"],
        [row(options={"limit": 6}, configured={"limit": 6})],
    )


def test_queues_that_the_configuration_lacks_are_deleted_in_automatic_mode_alone() -> None:
    rows = [row(), row(queue="mine", configured=LAST), row(queue="old", deleted=True)]
    assert outcome(synchronise(rows, {}, absent=False)) == ([], [], {})
    names, written, _ = outcome(synchronise(rows, {}, absent=True))
    assert names == ["deleted", "deleted"]
    assert written == [row(deleted=True), row(queue="mine", deleted=True)]


def test_a_deleted_queue_that_the_configuration_lacks_now_is_configured_no_more() -> None:
    old = row(deleted=True, configured=LAST)
    plan = synchronise([old], {}, absent=True)
    assert outcome(plan) == ([], [row(deleted=True)], {})


def dynamic(options: Any, version: int, queue: str = "mail") -> Control:
    return Control(queue, "*", "dynamic", options, version)


def test_a_row_takes_the_place_of_the_configuration_until_it_is_deleted() -> None:
    controls = Controls({"mail": Queue(limit=5)}, node="web.1")
    assert controls.learn([dynamic({"limit": 7, "paused": True}, 1)]) == {"mail"}
    assert controls.wanted("mail") == Wanted(runs=True, paused=True, limit=7)
    controls.learn([dynamic({"limit": 8, "only": {"not_node": "web.1"}}, 2)])
    assert controls.wanted("mail") == Wanted(runs=False, paused=False, limit=8)
    controls.learn([dynamic({"limit": 9}, 1)])  # an older one, learned late
    assert not controls.wanted("mail").runs
    controls.learn([dynamic(None, 3)])
    assert controls.wanted("mail") == Wanted(runs=True, paused=False, limit=5)


def test_what_was_set_holds_until_it_is_taken_back() -> None:
    controls = Controls({}, node="web.1")
    controls.learn([dynamic({"limit": 7, "only": {"node": "web.2"}}, 1)])
    controls.learn([Control("mail", "*", "running", True, 2)])
    controls.learn([Control("mail", "process:x", "limit", 3, 3)])
    assert controls.wanted("mail") == Wanted(runs=True, paused=False, limit=3)
    lifted = [Control("mail", "*", option, AS_CONFIGURED, 4) for option in ("running", "limit")]
    assert controls.learn(lifted) == {"mail"}
    assert controls.wanted("mail") == Wanted(runs=False, paused=False, limit=7)


def test_a_pause_of_all_queues_holds_for_one_whose_own_pause_is_taken_back() -> None:
    controls = Controls({}, node="web.1")
    controls.learn([dynamic({"limit": 7}, 1), Control("*", "*", "paused", True, 2)])
    controls.learn([Control("mail", "*", "paused", AS_CONFIGURED, 3)])
    assert controls.wanted("mail").paused
    controls.learn([Control("mail", "*", "paused", False, 4)])
    assert not controls.wanted("mail").paused


def test_a_process_begins_with_what_the_row_says_about_a_pause_that_was_lifted() -> None:
    controls = Controls({}, node="web.1")
    known = [
        dynamic({"limit": 1, "paused": True}, 3),
        Control("mail", "*", "paused", False, 2),
        Control("*", "*", "paused", True, 1),
        dynamic({"limit": 1, "paused": False}, 3, "other"),
    ]
    controls.learn(known, at_start=True)
    assert controls.wanted("mail").paused
    assert controls.wanted("other").paused  # as all queues are


def test_a_row_that_can_not_be_read_stops_its_queue_and_no_other_and_is_told_once(
    events: Recorder,
) -> None:
    controls = Controls({"mail": Queue(limit=5), "other": Queue()}, node="web.1")
    broken = dynamic({"limit": 5, "newer": True}, 1)
    controls.learn([broken, Control("mail", "*", "running", True, 2)])
    controls.learn([broken])
    assert not controls.wanted("mail").runs
    assert controls.wanted("other").runs
    (told,) = events.of("staffa.error")
    assert "newer" in str(told.data["error"])
    controls.learn([dynamic({"limit": 4}, 3)])
    assert controls.wanted("mail") == Wanted(runs=True, paused=False, limit=4)


def test_what_was_changed_at_run_time_yields_to_a_configuration_that_it_can_not_go_with() -> None:
    rate = {"allowed": 60, "period": 60.0, "partition": ["args.a"]}
    old = row(options={"limit": 5, "rate_limit": rate}, configured={"limit": 5})
    old = replace(old, options=write_options(old.read()))
    news = Queue(limit=5, global_limit=GlobalLimit(3, partition="args.b"))
    told = write_options(news)
    assert outcome(synchronise([old], {"mail": news}, absent=False))[1] == [
        row(options=told, configured=told)
    ]


def test_a_limit_above_those_that_can_be_set_at_run_time_holds_all_the_same() -> None:
    controls = Controls({})
    plan = update([row()], "mail", {"limit": 20_000})
    told = [Control("mail", "*", "limit", 3, version=1)]
    told += [replace(one, version=2) for one in plan.changes.controls]
    told += [Control("mail", "*", "dynamic", plan.changes.rows[0].options, version=3)]
    controls.learn(told)
    assert controls.wanted("mail").limit == 20_000
