"""Queues that are kept in the database: every node runs what they say, over restarts.

Heartbeats and polls are set to an hour where only a notification can be in time, and notifications
are swallowed where only the heartbeat can.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import asyncpg
import pytest

from staffa import Only, Queue, RateLimit, Staffa, instance, job
from staffa._internal.identifiers import quote_identifier
from staffa.client.backend import make_migrator
from staffa.errors import ConfigError, SchemaMissing, UnknownOption
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.queue_control import SLOW, check
from tests.support.rows import Rows

MANUAL: dict[str, Any] = {"dynamic_queues": "manual"}
AUTOMATIC: dict[str, Any] = {"dynamic_queues": "automatic"}


class MakeNode(Protocol):
    """Makes a client of the test's instance, as another process would."""

    def __call__(self, node: str = "web.1", **options: Any) -> Staffa: ...


@pytest.fixture
def make_node(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> MakeNode:
    """Makes clients of one name, which a single process may not have."""
    monkeypatch.setattr(instance, "register", lambda name, client: None)

    def make(node: str = "web.1", **options: Any) -> Staffa:
        return make_client(name="shop", node=node, **options)

    return make


def running(app: Staffa) -> dict[str, tuple[int, bool]]:
    """Return the limits of the queues that run in a client's process, and whether they pause."""
    return {check.queue: (check.limit, check.paused) for check in app.check_all_queues()}


async def until(app: Staffa, wanted: dict[str, tuple[int, bool]]) -> None:
    """Wait until these queues run, and no others."""
    try:
        await eventually(lambda: running(app) == wanted, f"{wanted}")
    except AssertionError as error:
        raise AssertionError(f"{error}; running are {running(app)}") from None


async def test_a_queue_is_inserted_changed_and_deleted_on_every_node_by_a_client_without_queues(
    speed: dict[str, Any], make_node: MakeNode, events: Recorder
) -> None:
    operator = make_node("operator")
    async with (
        make_node("web.1", **MANUAL, **speed) as one,
        make_node("web.2", queues={"default": 1}, **speed) as other,
    ):
        assert (running(one), running(other)) == ({}, {"default": (1, False)})
        await operator.insert_queues({"a": 2, "b": {"limit": 3, "paused": True}})
        await until(one, {"a": (2, False), "b": (3, True)})
        await until(other, {"default": (1, False), "a": (2, False), "b": (3, True)})
        await operator.update_queue("b", limit=4)
        await until(one, {"a": (2, False), "b": (4, True)})
        await operator.update_queue("b", paused=False)
        await until(one, {"a": (2, False), "b": (4, False)})
        assert await operator.delete_queue("a")
        assert not await operator.delete_queue("a")
        await until(one, {"b": (4, False)})
        await until(other, {"default": (1, False), "b": (4, False)})
        await operator.insert_queue("a", Queue(limit=1))
        await until(one, {"a": (1, False), "b": (4, False)})
    told = [
        (event.name.rpartition(".")[2], event.data["queue"], event.data["options"])
        for event in events.events
        if event.name.startswith("staffa.queue.") and "options" in event.data
    ]
    assert told == [
        ("inserted", "a", {"limit": 2}),
        ("inserted", "b", {"limit": 3, "paused": True}),
        ("updated", "b", {"limit": 4, "paused": True}),
        ("updated", "b", {"limit": 4}),
        ("deleted", "a", {"limit": 2}),
        ("inserted", "a", {"limit": 1}),
    ]
    started = [e for e in events.of("staffa.queue.started") if e.data["queue"] == "b"]
    assert sorted(event.data["producer"].node for event in started) == ["web.1", "web.2"]


async def test_the_caller_s_own_node_has_obeyed_when_the_call_returns(make_node: MakeNode) -> None:
    async with make_node(**MANUAL, **SLOW) as app:
        await app.insert_queue("a", 2)
        assert running(app) == {"a": (2, False)}
        await app.update_queue("a", only={"node": "another"})
        assert running(app) == {}
        await app.update_queue("a", only=None, limit=3)
        assert running(app) == {"a": (3, False)}
        found = await app.get_queue("a")
        assert found is not None
        assert (found.read(), found.configured) == (Queue(limit=3), None)
        await app.delete_queue("a")
        assert (running(app), await app.get_queue("a")) == ({}, None)


async def test_jobs_of_a_deleted_queue_end_or_stay_and_run_when_it_is_inserted_again(
    make_node: MakeNode, rows: Rows, events: Recorder
) -> None:
    go_on = asyncio.Event()

    @job(queue="reports")
    async def wait() -> None:
        await go_on.wait()

    async with make_node(**MANUAL) as app:
        await app.insert_queue("reports", 1)
        stored = [await app.enqueue(wait.new()) for _ in range(2)]
        await events.wait("staffa.job.start")
        await app.delete_queue("reports")
        assert check(app, "reports") is None
        go_on.set()
        await rows.until_count(completed=1, available=1)
        await app.insert_queue("reports", 1)
        for entry in stored:
            await rows.until(entry.id, "completed")


async def test_another_cooldown_is_obeyed_by_processes_that_run(
    make_node: MakeNode, rows: Rows
) -> None:
    @job(queue="reports")
    async def report() -> None: ...

    async with make_node(**MANUAL) as app:
        await app.enqueue(report.new())
        await app.insert_queue("reports", Queue(dispatch_cooldown=3600))
        await rows.until_count(completed=1)
        await app.enqueue(report.new())
        await app.update_queue("reports", dispatch_cooldown=None)
        await rows.until_count(completed=2)


async def test_only_the_nodes_that_a_rule_names_run_a_queue(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_ROLE", "x")
    operator = make_node("operator")
    async with make_node("web.1", **MANUAL) as one, make_node("mail.1", **MANUAL) as other:
        await operator.insert_queues(
            {
                "is": Queue(limit=1, only=Only(node="web.1")),
                "not": Queue(limit=1, only=Only(not_node="web.1")),
                "matches": Queue(limit=1, only=Only(node_matches=r"^web\.\d")),
                "env": Queue(limit=1, only=Only(env="NODE_ROLE", value="x")),
                "no env": Queue(limit=1, only=Only(env="NODE_ROLE", value="y")),
            }
        )
        await until(one, dict.fromkeys(("is", "matches", "env"), (1, False)))
        await until(other, dict.fromkeys(("not", "env"), (1, False)))
        await operator.update_queue("is", only=Only(node="mail.1"))
        await until(one, dict.fromkeys(("matches", "env"), (1, False)))
        await until(other, dict.fromkeys(("is", "not", "env"), (1, False)))


async def test_a_rule_binds_a_configured_queue_too(make_node: MakeNode) -> None:
    queues = {"here": Queue(limit=1, only=Only(node="web.1")), "there": {"only": {"node": "x"}}}
    async with make_node("web.1", queues=queues) as app:
        assert running(app) == {"here": (1, False)}


async def test_what_was_changed_at_run_time_survives_until_the_configuration_changes_it(
    make_node: MakeNode,
) -> None:
    configured: dict[str, Any] = {"a": 5, "b": {"limit": 5, "paused": True}, "c": 5}
    app = make_node(queues=configured, **MANUAL)
    async with app:
        assert running(app) == {"a": (5, False), "b": (5, True), "c": (5, False)}
        await app.scale_queue("a", limit=7)
        await app.pause_queue("a")
        await app.resume_queue("b")
        await app.delete_queue("c")
        await app.insert_queue("d", 1)
    changed = {"a": (7, True), "b": (5, False), "d": (1, False)}
    async with make_node(queues=configured, **MANUAL) as app:
        assert running(app) == changed
    configured["a"], configured["c"] = 6, 4
    async with make_node(queues=configured, **MANUAL) as app:
        assert running(app) == {**changed, "a": (6, True), "c": (4, False)}
        found = await app.get_queue("a")
        assert found is not None
        assert (found.options, found.configured) == ({"limit": 6, "paused": True}, {"limit": 6})
        await app.resume_all_queues()
    async with make_node(queues=configured, **MANUAL) as app:
        assert running(app)["a"] == (6, False)


async def test_limits_of_all_nodes_that_were_changed_at_run_time_survive_restarts(
    make_node: MakeNode,
) -> None:
    configured = {"a": Queue(rate_limit=RateLimit(9, period=3600)), "b": 1}
    async with make_node(queues=configured, **MANUAL) as app:
        await app.update_queue("a", rate_limit={"allowed": 4, "period": 3600})
        await app.update_queue("b", rate_limit={"allowed": 3, "period": 3600})
        assert [await app.rate(queue).available() for queue in "ab"] == [4, 3]
    async with make_node(queues=configured, **MANUAL) as app:
        assert [await app.rate(queue).available() for queue in "ab"] == [4, 3]
    configured["a"] = Queue(rate_limit=RateLimit(8, period=3600))
    async with make_node(queues=configured, **MANUAL) as app:
        assert [await app.rate(queue).available() for queue in "ab"] == [8, 3]
        await app.update_queue("b", rate_limit=None)
        with pytest.raises(ConfigError, match="queue 'b' has no rate limit"):
            await app.rate("b").available()


async def test_a_configuration_that_changes_an_option_is_obeyed_by_nodes_that_run(
    make_node: MakeNode,
) -> None:
    async with make_node("web.1", queues={"a": 5}, **MANUAL) as old:
        await old.scale_queue("a", limit=7)
        await old.pause_queue("a", node="web.1")
        async with make_node("web.2", queues={"a": 6, "b": 1}, **MANUAL) as new:
            assert running(new) == {"a": (6, False), "b": (1, False)}
            await until(old, {"a": (6, True), "b": (1, False)})


async def test_automatic_mode_deletes_what_the_configuration_lacks_and_manual_mode_keeps_it(
    make_node: MakeNode, events: Recorder
) -> None:
    async with make_node(queues={"a": 1, "b": 1}, **MANUAL) as app:
        await app.insert_queue("c", 1)
    async with make_node(queues={"a": 1}, **MANUAL) as app:
        assert sorted(running(app)) == ["a", "b", "c"]
        async with make_node("web.2", queues={"a": 1}, **AUTOMATIC) as other:
            assert sorted(running(other)) == ["a"]
            await until(app, {"a": (1, False)})
    deleted = [event.data["queue"] for event in events.of("staffa.queue.deleted")]
    assert sorted(deleted) == ["b", "c"]


async def test_a_row_that_can_not_be_read_starts_nothing_and_stops_no_other_queue(
    make_node: MakeNode, rows: Rows, events: Recorder
) -> None:
    table = f"{quote_identifier(rows.prefix)}.staffa_dynamic_queues"
    operator = make_node("operator")
    await operator.insert_queues({"a": 1, "b": 1, "c": 1})
    await rows.connection.execute(
        f"UPDATE {table} SET options = '{{\"limit\": 1, \"newer\": 2}}' WHERE queue = 'b'"
    )
    async with make_node(**MANUAL) as app:
        assert sorted(running(app)) == ["a", "c"]
        told = [str(event.data["error"]) for event in events.of("staffa.error")]
        assert len(told) == 1
        assert "queue 'b' has options that can't be used here" in told[0]
        with pytest.raises(ConfigError, match="newer"):
            await operator.update_queue("b", limit=2)
        await operator.insert_queue("b", 2)
        await until(app, {"a": (1, False), "b": (2, False), "c": (1, False)})


async def test_clients_that_change_one_queue_at_the_same_time_undo_nothing_of_each_other(
    make_node: MakeNode,
) -> None:
    clients = [make_node(f"client.{number}") for number in range(3)]
    await clients[0].insert_queue("a", 1)
    for number in range(1, 11):
        await asyncio.gather(
            clients[0].update_queue("a", limit=number),
            clients[1].update_queue("a", paused=number % 2 == 0),
            clients[2].update_queue("a", only={"node": f"web.{number}"}),
        )
        found = await clients[0].get_queue("a")
        assert found is not None
        assert found.read() == Queue(
            limit=number, paused=number % 2 == 0, only=Only(node=f"web.{number}")
        )


async def test_the_last_of_an_update_a_scale_and_a_pause_wins(make_node: MakeNode) -> None:
    async with make_node(**MANUAL) as app:
        await app.insert_queue("a", 1)
        await app.scale_queue("a", limit=2, node="web.1")
        await app.stop_queue("a")
        assert running(app) == {}
        await app.update_queue("a", limit=3)  # stopped all the same
        assert running(app) == {}
        await app.start_queue("a")
        assert running(app) == {"a": (3, False)}
        await app.pause_all_queues()
        await app.insert_queue("b", 1)
        assert running(app) == {"a": (3, True), "b": (1, True)}
        await app.update_queue("b", paused=True)
        await app.update_queue("b", paused=False)
        assert running(app) == {"a": (3, True), "b": (1, False)}


async def test_a_signal_of_a_peer_changes_a_dynamic_queue_in_each_process(
    make_node: MakeNode,
) -> None:
    async with make_node(**MANUAL) as app:
        await app.insert_queue("a", 1)
        notifier = (await make_node("peer")._open()).notifier
        await notifier.notify([("signal", {"action": "scale", "queue": "a", "limit": 4})])
        await until(app, {"a": (4, False)})
        await notifier.notify([("signal", {"action": "pause", "queue": "a", "ident": "any"})])
        await until(app, {"a": (4, True)})


async def test_a_schema_that_is_not_migrated_yet_has_none_and_queues_are_controlled_all_the_same(
    make_client: MakeClient, dsn: str, empty_prefix: str, connection: asyncpg.Connection
) -> None:
    await make_migrator(dsn, empty_prefix).up()
    await connection.execute(f"DROP TABLE {quote_identifier(empty_prefix)}.staffa_dynamic_queues")
    async with make_client(prefix=empty_prefix, queues={"a": 5}) as app:
        await app.scale_queue("a", limit=7)
        await app.pause_queue("a")
        assert running(app) == {"a": (7, True)}
        engine = (await app._open()).engine
        assert await engine.forget_controls(age=0) == 0
        with pytest.raises(SchemaMissing, match="staffa migrate up"):
            await app.insert_queue("b", 1)


async def test_what_can_not_be_done_is_refused(make_node: MakeNode) -> None:
    app = make_node()
    with pytest.raises(UnknownOption, match="dynamic queue 'a'"):
        await app.update_queue("a", limit=1)
    wrong: list[dict[str, Any]] = [{"limit": 0}, {"limmit": 1}, {"only": {}}]
    for options in wrong:
        with pytest.raises(ConfigError):
            await app.update_queue("a", **options)
        with pytest.raises(ConfigError):
            await app.insert_queue("a", options)
    with pytest.raises(ConfigError, match="all queues"):
        await app.insert_queue("*", 1)
    with pytest.raises(ConfigError, match="manual or automatic"):
        make_node(dynamic_queues="auto")
