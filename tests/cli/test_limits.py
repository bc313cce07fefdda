"""`staffa limits`, on both databases."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from staffa import GlobalLimit, Job, RateLimit, Staffa
from staffa.cli.limit_status import list_partitions, list_uses
from staffa.cli.options import open_backend
from staffa.config import Config
from staffa.engine import Producer
from staffa.limiting import LimitUse, PartitionUse
from staffa.limits import Limits
from tests.support.program import Place

EXPORTS = Limits(
    global_limit=GlobalLimit(2, partition="args.tenant"),
    rate_limit=RateLimit(2, period=3600, partition="args.tenant"),
)
MAIL = Limits(rate_limit=RateLimit(3, period=3600))


async def use_limits(config: Config) -> None:
    """Have two queues with limits: of the one jobs run, the other has no tokens left."""
    producer = Producer(uuid4(), "Oban", "web.1")
    async with open_backend(config) as backend:
        engine = backend.engine
        await engine.configure_limits({"exports": EXPORTS, "mail": MAIL})
        async with Staffa(config.dsn, prefix=config.prefix) as app:
            for tenant in ("a", "a", "a", "b"):
                await app.enqueue(Job(worker="w", queue="exports", args={"tenant": tenant}))
            await app.enqueue_many(Job(worker="w", queue="mail") for _ in range(8))
        await engine.claim_limited_jobs("exports", 9, producer, EXPORTS)
        await engine.claim_limited_jobs("mail", 9, producer, MAIL)


async def test_what_is_used_of_limits_and_what_waits_is_shown(place: Place) -> None:
    program, config = place
    await use_limits(config)
    shown = await program.run("limits", "show", "--json")
    assert shown.code == 0, shown.err
    exports, mail = shown.json
    assert (exports["queue"], exports["rate_limit"]["algorithm"]) == ("exports", "sliding_window")
    assert exports["global_limit"] == {
        "allowed": 2, "partition": ["args.tenant"], "burst": False, "per_node": False,
    }  # fmt: skip
    assert (exports["running"], exports["spent"], exports["waiting"]) == (3, None, 1)
    busiest, other = exports["partitions"]
    assert (busiest["key"], busiest["running"], busiest["spent"]) == ('["a"]', 2, 2)
    assert 3000 < busiest["next_token_in"] <= 3660
    assert other == {"key": '["b"]', "running": 1, "spent": 1, "next_token_in": 0.0}
    assert mail["global_limit"] is None
    assert (mail["spent"], mail["waiting"], mail["partitions"]) == (3, 5, [])
    assert 3000 < mail["next_token_in"] <= 3660
    (alone,) = (await program.run("limits", "show", "exports", "--json", "--partitions=1")).json
    assert [one["key"] for one in alone["partitions"]] == ['["a"]']
    told = (await program.run("limits", "show")).out
    rows = [line.split() for line in told.splitlines()]
    assert ["exports", "2", "at", "once", "args.tenant", "3", "1"] in rows
    assert any(row[:7] == ["mail", "3", "in", "3600", "s", "3", "in"] for row in rows)
    assert ["exports", "2", "in", "3600", "s", "args.tenant", "1"] in rows
    assert ["exports", '["a"]', "2", "2", "when", "a", "job", "ends"] in rows
    assert ["exports", '["b"]', "1", "1", "now"] in rows


async def test_limits_are_listed_with_queues(place: Place) -> None:
    program, config = place
    await use_limits(config)
    found = {row["queue"]: row for row in (await program.run("queues", "list", "--json")).json}
    assert found["mail"]["limits"]["rate_limit"]["allowed"] == 3
    assert found["mail"]["limits"]["global_limit"] is None
    told = (await program.run("queues", "list", "--quick")).out
    assert "2 at once by args.tenant" in told
    assert "3 in 3600 s" in told


async def test_a_queue_without_limits_is_not_found(place: Place) -> None:
    program, _ = place
    nothing = await program.run("limits", "show", "--json")
    assert (nothing.code, nothing.json) == (0, [])
    finished = await program.run("limits", "show", "mail")
    assert (finished.code, finished.out) == (1, "")
    assert finished.err == "no node has told of limits of queue 'mail'\n"
    as_json = await program.run("limits", "show", "mail", "--json")
    assert (as_json.code, as_json.json) == (1, [])


@pytest.mark.parametrize(
    ("use", "row"),
    [
        (
            LimitUse("q", Limits(global_limit=GlobalLimit(2)), 1, None),
            ("q", "2 at once", None, 1, None, "now", 7),
        ),
        (
            LimitUse("q", Limits(global_limit=GlobalLimit(2)), 2, None),
            ("q", "2 at once", None, 2, None, "when a job ends", 7),
        ),
        (
            LimitUse("q", Limits(global_limit=GlobalLimit(2, per_node=True)), 3, None),
            ("q", "2 at once on a node", None, 3, None, None, 7),
        ),
        (
            LimitUse("q", Limits(rate_limit=RateLimit(5, period=1)), 0, 1, delay=0.0),
            ("q", "5 in 1 s", None, None, 4, "now", 7),
        ),
        (
            LimitUse("q", Limits(rate_limit=RateLimit(5, period=1)), 0, 0, delay=0.5),
            ("q", "5 in 1 s", None, None, 5, "in 0.5 s", 7),
        ),
        (
            LimitUse("q", Limits(rate_limit=RateLimit(5, period=1, partition="worker")), 0, None),
            ("q", "5 in 1 s", "worker", None, None, None, 7),
        ),
    ],
)
def test_a_limit_tells_when_more_can_start(use: LimitUse, row: tuple[Any, ...]) -> None:
    assert list(list_uses(use, 7)) == [row]


@pytest.mark.parametrize(
    ("running", "available", "delay", "following"),
    [
        (2, 0, 3.0, "when a job ends"),
        (1, 0, 3.0, "in 3.0 s"),
        (1, 4, 0.0, "now"),
    ],
)
def test_a_partition_needs_a_slot_and_a_token(
    running: int, available: int, delay: float, following: str
) -> None:
    limits = Limits(
        global_limit=GlobalLimit(2, partition="worker"),
        rate_limit=RateLimit(5, period=9, partition="worker"),
    )
    use = LimitUse("q", limits, 2, None, [PartitionUse('["w"]', running, available, delay)])
    assert list(list_partitions(use)) == [("q", '["w"]', running, 5 - available, following)]
