"""`staffa batch`, on both databases."""

from __future__ import annotations

import re

import pytest

from staffa import Batch, Job, Staffa, job
from staffa.config import Config
from staffa.testing import run_batch
from tests.support.program import Place


@job(name="cli.member", queue="work", max_attempts=1)
async def member(fails: bool = False) -> None:
    if fails:
        raise LookupError("no")


def news() -> Batch:
    return Batch([member.new(), member.new(True)], id="news-7", name="news",
                 on_exhausted=member.new())  # fmt: skip


async def enqueue(config: Config, *batches: Batch) -> None:
    async with Staffa(config.dsn, prefix=config.prefix, name="Oban") as app:
        for batch in batches:
            await app.enqueue(batch)


async def test_batches_are_listed_the_newest_first(place: Place) -> None:
    program, config = place
    assert (await program.run("batch", "list")).out == "there are no batches\n"
    await enqueue(config, news(), Batch([Job(worker="w")], id="second"))
    listed = (await program.run("batch", "list", "--json")).json
    assert [found["id"] for found in listed] == ["second", "news-7"]
    assert listed[1]["counts"]["active"] == 2
    older = await program.run("batch", "list", "--before", "second")
    assert "news-7" in older.out
    assert "second" not in older.out


async def test_a_batch_is_shown_with_its_counts_and_callbacks(place: Place) -> None:
    program, config = place
    async with Staffa(config.dsn, prefix=config.prefix, name="Oban") as app:
        await run_batch(news(), with_safety=True, app=app)
    lines = (await program.run("batch", "show", "news-7")).out.splitlines()
    assert lines[0] == "news  news-7"
    assert re.fullmatch(r"discarded, 2 of 2 jobs have ended, [\d.]+ s", lines[1])
    assert lines[2:] == ["  completed  1", "  discarded  1", "callbacks: exhausted"]
    told = (await program.run("batch", "show", "news-7", "--json")).json
    assert (told["state"], told["fired"]) == ("discarded", ["exhausted"])


async def test_a_batch_is_cancelled_with_consent(place: Place) -> None:
    program, config = place
    await enqueue(config, news())
    asked = await program.run("batch", "cancel", "news-7")
    assert (asked.code, asked.out) == (
        1,
        "would cancel 2 jobs of batch news-7: give --yes to do so\n",
    )
    done = await program.run("batch", "cancel", "news-7", "--yes")
    assert (done.code, done.out) == (0, "batch news-7: cancelled\n")
    assert (await program.run("batch", "show", "news-7", "--json")).json["state"] == "cancelled"


@pytest.mark.parametrize("line", ["show", "cancel --yes"])
async def test_a_batch_that_is_not_there_is_refused(place: Place, line: str) -> None:
    verb, *rest = line.split()
    finished = await place[0].run("batch", verb, "nowhere", *rest)
    assert finished.code == 1
    assert "there is no batch 'nowhere'" in finished.err
