"""Encrypted args in real rows: unreadable there, readable where they run, and nowhere else."""

from __future__ import annotations

import base64
import json
import logging
from dataclasses import dataclass
from typing import Any

import pytest

from staffa import Worker, current_job, job, worker
from staffa.args.encryption import KeyRing
from staffa.errors import ConfigError
from staffa.jobs import Job
from tests.conftest import MakeClient
from tests.support.events import Recorder
from tests.support.rows import Rows

OLD = {"2025": bytes(range(32))}
BOTH = {"2026": bytes(32), **OLD}
SECRET = "078-05-1120"


@dataclass
class Person:
    ssn: str


SEEN: list[Any] = []


@job(name="payroll.pay", encrypted=True)
async def pay(person: Person, amount: int = 1) -> None:
    SEEN.append((person, amount, current_job().encrypted))


@job(name="payroll.fail", encrypted=True, max_attempts=1)
async def fail(ssn: int) -> None:
    raise RuntimeError("as planned")


@worker(name="payroll.Payroll", args=Person, encrypted=True)
class Payroll(Worker[Person]):
    async def process(self, job: Job[Person]) -> None:
        SEEN.append(job.args)


async def text_of(rows: Rows, number: int | None) -> str:
    row = await rows.get(number)
    return json.dumps(dict(row), default=str)


async def test_a_row_holds_nothing_readable_and_the_job_gets_its_args(
    make_client: MakeClient, events: Recorder, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    SEEN.clear()
    with caplog.at_level(logging.DEBUG):
        async with make_client(queues={"default": 5}, encryption_keys=BOTH) as app:
            stored = await app.enqueue(pay.new(Person(SECRET), 5))
            await app.enqueue(Payroll.new(Person(SECRET)))
            await events.wait("staffa.job.completed", 2)
            read = await app.get_job(stored)
            listed = await app.list_jobs()
    assert (Person(SECRET), 5, True) in SEEN
    assert Person(SECRET) in SEEN
    assert read is not None
    assert read.encrypted
    for found in (stored, read, *listed):
        assert SECRET not in found.args_json + found.meta_json + repr(found)
        assert list(found.args) == ["staffa_encrypted"]
    assert SECRET not in await text_of(rows, stored.id)
    assert SECRET not in caplog.text


async def test_keys_rotate_while_rows_of_the_old_key_wait(
    make_client: MakeClient, events: Recorder
) -> None:
    SEEN.clear()
    before = make_client(encryption_keys=OLD)
    await before.enqueue(pay.new(Person("old")))
    async with make_client(queues={"default": 1}, encryption_keys=BOTH) as app:
        stored = await app.enqueue(pay.new(Person("new")))
        await events.wait("staffa.job.completed", 2)
    assert stored.args["staffa_encrypted"]["key"] == "2026"
    assert [person.ssn for person, _, _ in SEEN] == ["old", "new"]


@pytest.mark.parametrize("keys", [OLD, None], ids=["another key", "no key"])
async def test_a_job_whose_key_is_not_known_here_is_put_back(
    keys: Any, make_client: MakeClient, events: Recorder, rows: Rows
) -> None:
    options = {} if keys is None else {"encryption_keys": keys}
    sender = make_client(encryption_keys=BOTH)
    stored = await sender.enqueue(pay.new(Person(SECRET)))
    async with make_client(queues={"default": 5}, **options):
        row = await rows.until(stored.id, "scheduled")
    assert row["attempt"] == 0
    assert row["errors"] == []
    (event,) = events.of("staffa.job.unknown_worker")
    assert "'2026', which is not known here" in str(event.error)  # type: ignore[attr-defined]  # its event has one


async def test_a_row_that_was_changed_or_moved_is_discarded_without_telling_its_args(
    make_client: MakeClient, rows: Rows
) -> None:
    sealed = KeyRing(BOTH).seal(json.dumps({"person": {"ssn": SECRET}}), "other")
    data = bytearray(base64.b64decode(sealed["staffa_encrypted"]["data"]))
    data[-1] ^= 1
    changed = {"staffa_encrypted": {"key": "2026", "data": base64.b64encode(data).decode()}}
    meta = '{"encrypted": true}'
    numbers = [
        await rows.insert(worker="payroll.pay", args=json.dumps(args), meta=meta)
        for args in (sealed, changed)
    ]
    async with make_client(queues={"default": 5}, encryption_keys=BOTH):
        for number in numbers:
            row = await rows.until(number, "discarded")
            assert "can't be opened with the key '2026'" in row["errors"][0]["error"]
            assert SECRET not in await text_of(rows, number)


async def test_neither_a_failure_nor_a_misfit_puts_args_into_the_errors(
    make_client: MakeClient, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    sealed = KeyRing(BOTH).seal(json.dumps({"ssn": SECRET}), "payroll.fail")
    number = await rows.insert(
        worker="payroll.fail", args=json.dumps(sealed), meta='{"encrypted": true}', max_attempts=1
    )
    with caplog.at_level(logging.DEBUG):
        async with make_client(queues={"default": 5}, encryption_keys=BOTH) as app:
            failed = await app.enqueue(fail.new(78051120))
            await rows.until(failed.id, "discarded")
            row = await rows.until(number, "discarded")
    assert "fail: args.ssn: expected int, not str" in row["errors"][0]["error"]
    assert SECRET not in await text_of(rows, number)
    assert "as planned" in await text_of(rows, failed.id)
    assert "78051120" not in await text_of(rows, failed.id) + caplog.text
    assert SECRET not in caplog.text


async def test_a_client_without_keys_writes_nothing(make_client: MakeClient, rows: Rows) -> None:
    app = make_client()
    with pytest.raises(ConfigError, match="set encryption_keys"):
        await app.enqueue_many(fail.options(encrypted=False).new(1), pay.new(Person(SECRET)))
    assert await rows.count() == {}
