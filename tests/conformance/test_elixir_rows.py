"""Rows are equal in shape to those that Elixir Oban writes for the same operations.

`data/elixir_rows.json` holds real rows of Elixir Oban 2.24-dev: same state, same nulls, same JSON
keys and types. A past `scheduled_at` at insertion is exempt: Elixir leaves it to its stager.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from staffa.engine import Engine, Producer
from staffa.results import Cancel, Discard, Snooze
from tests.conformance.play import Play, shape
from tests.conformance.stores import DATA, Store

ROWS: dict[str, dict[str, Any]] = json.loads((DATA / "elixir_rows.json").read_text("utf-8"))
AT = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

Recipe = Callable[[Play], Awaitable[object]]
RECIPES: dict[str, Recipe] = {}


def reproduces(start: str) -> Callable[[Recipe], Recipe]:
    """Register how the reference row is made whose case starts with a text."""

    def register(recipe: Recipe) -> Recipe:
        (case,) = [case for case in ROWS if case.startswith(start) and case not in RECIPES]
        RECIPES[case] = recipe
        return recipe

    return register


@reproduces("insert: worker defaults")
@reproduces("insert: args of every")
@reproduces("insert: Oban.Job.new")
async def _(play: Play) -> None:
    await play.insert()


@reproduces("insert: queue, priority 3")
async def _(play: Play) -> None:
    await play.insert(
        priority=3, tags=["alpha", "beta"], meta={"n": 1, "batch": "x"}, max_attempts=5
    )


@reproduces("insert: schedule_in 60")
async def _(play: Play) -> None:
    await play.insert(scheduled_in=60)


@reproduces("insert: scheduled_at with")
async def _(play: Play) -> None:
    await play.insert(scheduled_at=AT)


@reproduces("executing")
async def _(play: Play) -> None:
    await play.insert()
    await play.engine.claim_jobs(play.reference["queue"], 1, play.producer)


@reproduces("cancelled with Oban.cancel_job while executing")
async def _(play: Play) -> None:
    await play.insert()
    await play.engine.claim_jobs(play.reference["queue"], 1, play.producer)
    await play.engine.cancel_jobs(play.ids)


@reproduces("cancelled with Oban.cancel_job while available")
async def _(play: Play) -> None:
    await play.insert()
    await play.engine.cancel_jobs(play.ids)


@reproduces("the same after Oban.retry_job")
async def _(play: Play) -> None:
    await play.insert()
    await play.engine.cancel_jobs(play.ids)
    await play.engine.retry_jobs(play.ids)


@reproduces("completed, returned :ok")
async def _(play: Play) -> None:
    await play.insert()
    await play.run(None)


@reproduces("retryable, returned")
async def _(play: Play) -> None:
    await play.insert()
    await play.run(ValueError("boom"))


@reproduces("discarded, error at max_attempts 1")
async def _(play: Play) -> None:
    await play.insert(max_attempts=1)
    await play.run(ValueError("boom"))


@reproduces("discarded, three raises")
async def _(play: Play) -> None:
    await play.insert(max_attempts=3)
    await play.run(*[ValueError("boom")] * 3)


@reproduces("discarded (attempt 3 of 3) after")
async def _(play: Play) -> None:
    await play.insert(max_attempts=3)
    await play.run(*[ValueError("boom")] * 3)
    await play.engine.retry_jobs(play.ids)


@reproduces("completed on the second")
async def _(play: Play) -> None:
    await play.insert()
    await play.run(ValueError("boom"), None)


@reproduces("cancelled, returned")
async def _(play: Play) -> None:
    await play.insert()
    await play.run(Cancel("not needed any more"))


@reproduces("discarded, returned")
async def _(play: Play) -> None:
    await play.insert()
    await play.run(Discard("legacy discard"))


@reproduces("snoozed once")
async def _(play: Play) -> None:
    await play.insert()
    await play.run(Snooze(3600))


@reproduces("snoozed twice")
async def _(play: Play) -> None:
    await play.insert()
    await play.run(Snooze(0), Snooze(0), None)


@reproduces("completed, after Oban.retry_job")
async def _(play: Play) -> None:
    await play.insert()
    await play.run(None)
    await play.engine.retry_jobs(play.ids)


@reproduces("after Oban.update_job")
async def _(play: Play) -> None:
    await play.insert()
    changes = {name: play.reference[name] for name in ("args", "meta", "tags", "priority")}
    changes |= {"max_attempts": play.reference["max_attempts"], "scheduled_at": AT.isoformat()}
    await play.engine.update_jobs(play.ids, changes)


@pytest.mark.parametrize("case", ROWS)
async def test_a_row_has_the_shape_of_elixirs(
    store: Store, engine: Engine, producer: Producer, case: str
) -> None:
    play = Play(engine, producer, ROWS[case])
    await RECIPES[case](play)
    assert shape(await store.row(play.ids[0])) == shape(ROWS[case])


def test_every_reference_row_is_reproduced() -> None:
    assert RECIPES.keys() == ROWS.keys()
