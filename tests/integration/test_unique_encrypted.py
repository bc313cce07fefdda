"""Unique jobs whose args nobody can read in the rows."""

from __future__ import annotations

import os

from staffa import Job, Unique, job
from staffa.unique import Replace
from tests.conftest import MakeClient
from tests.support.rows import Rows


async def test_encrypted_args_are_compared_by_what_they_say(
    make_client: MakeClient, rows: Rows
) -> None:
    @job(name="pay", encrypted=True, unique=Unique(keys=["account"]))
    async def pay(account: str, amount: int) -> None: ...

    app = make_client(encryption_keys={"first": os.urandom(32), "digest": os.urandom(32)})
    first = await app.enqueue(pay.new("a", 5))
    again = await app.enqueue(pay.new("a", 7))
    other = await app.enqueue(pay.new("b", 5))
    assert (again.id, again.conflict) == (first.id, True)
    assert not other.conflict
    assert "a" not in (await rows.get(first.id))["args"]


async def test_a_rotated_key_leaves_unique_jobs_unique(make_client: MakeClient) -> None:
    @job(name="pay", encrypted=True, unique=True)
    async def pay(account: str) -> None: ...

    old, new, digest = os.urandom(32), os.urandom(32), os.urandom(32)
    before = make_client(encryption_keys={"old": old, "digest": digest})
    after = make_client(encryption_keys={"new": new, "old": old, "digest": digest})
    first = await before.enqueue(pay.new("a"))
    assert (await after.enqueue(pay.new("a"))).id == first.id


async def test_encrypted_jobs_and_open_ones_never_stand_for_each_other(
    make_client: MakeClient, rows: Rows
) -> None:
    app = make_client(encryption_keys={"a": b"k" * 32})
    replace: Replace = {"available": ["args", "meta"]}

    def make(encrypted: bool) -> Job:
        return Job(worker="w", args={"n": 1}, encrypted=encrypted, unique=True, replace=replace)

    jobs = await app.enqueue_many(make(encrypted) for encrypted in (True, False, True, False))
    assert [stored.conflict for stored in jobs] == [False, False, True, True]
    for stored in jobs:
        row = await rows.get(stored.id)
        assert (row["args"] == {"n": 1}) == (row["meta"] == {}) == (not stored.encrypted)
