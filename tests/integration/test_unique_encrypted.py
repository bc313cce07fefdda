"""Unique jobs whose args nobody can read in the rows."""

from __future__ import annotations

import os

from staffa import Unique, job
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
