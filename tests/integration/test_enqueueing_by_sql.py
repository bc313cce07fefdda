"""Jobs that are enqueued by the SQL function, as programs in other languages do it."""

from __future__ import annotations

import asyncpg
import pytest

from staffa import current_job, job
from staffa._internal.identifiers import quote_identifier
from tests.conftest import MakeClient
from tests.support.events import Recorder, eventually
from tests.support.rows import Rows


async def enqueue(rows: Rows, arguments: str) -> int:
    function = f"{quote_identifier(rows.prefix)}.staffa_enqueue"
    return int(await rows.connection.fetchval(f"SELECT {function}({arguments})"))


async def test_the_row_is_that_of_a_job_enqueued_in_python(
    make_client: MakeClient, rows: Rows
) -> None:
    @job(queue="mail", name="by_sql", priority=3, max_attempts=5, tags=[" A ", "b", "a"])
    async def send(to: str) -> None: ...

    app = make_client()
    ours = await rows.get((await app.enqueue(send.new("a"))).id)
    theirs = await rows.get(
        await enqueue(
            rows,
            """'by_sql', '{"to": "a"}', queue => 'mail', priority => 3, max_attempts => 5,
               tags => ARRAY[' A ', 'b', 'a']""",
        )
    )
    changing = {"id", "inserted_at", "scheduled_at"}
    assert {key: value for key, value in ours.items() if key not in changing} == {
        key: value for key, value in theirs.items() if key not in changing
    }


async def test_such_a_job_runs(make_client: MakeClient, rows: Rows, events: Recorder) -> None:
    ran: list[str] = []

    @job(name="by_sql")
    async def send(to: str) -> None:
        ran.append(f"{to} {current_job().id}")

    async with make_client(queues={"default": 1}):
        number = await enqueue(rows, """'by_sql', '{"to": "a"}'""")
        await events.wait("staffa.job.completed")
    assert ran == [f"a {number}"]


async def test_it_goes_with_the_transaction(rows: Rows) -> None:
    transaction = rows.connection.transaction()
    await transaction.start()
    number = await enqueue(rows, "'any'")
    await transaction.rollback()
    assert await rows.get(number) == {}


async def test_it_may_be_due_later(rows: Rows) -> None:
    number = await enqueue(rows, "'any', scheduled_in => '1 hour'")
    row = await rows.get(number)
    assert row["state"] == "scheduled"
    assert (row["scheduled_at"] - row["inserted_at"]).total_seconds() == 3600
    past = await enqueue(rows, "'any', scheduled_at => '2020-01-01T00:00:00+02:00'")
    row = await rows.get(past)
    assert (row["state"], row["scheduled_at"].isoformat()) == ("available", "2019-12-31T22:00:00")


async def test_it_notifies_only_if_asked(rows: Rows, dsn: str) -> None:
    heard: list[object] = []
    listener = await asyncpg.connect(dsn)
    await listener.add_listener(f"{rows.prefix}.oban_insert", lambda *args: heard.append(args[-1]))
    await enqueue(rows, "'any', queue => 'silent'")
    await enqueue(rows, "'any', queue => 'later', scheduled_in => '1 hour', notify => true")
    await enqueue(rows, "'any', queue => 'loud', notify => true")
    await eventually(lambda: heard, "the notification")
    assert [str(payload).replace(" ", "") for payload in heard] == ['{"queue":"loud"}']
    await listener.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("''", "worker '' is no name"),
        ("NULL", "worker NULL is no name"),
        ("repeat('w', 128)", "is no name"),
        ("'any', queue => ''", "queue '' is no name"),
        ("'any', priority => 10", "priority is 10"),
        ("'any', priority => -1", "priority is -1"),
        ("'any', max_attempts => 0", "max_attempts is 0"),
        ("'any', '[1]'", "args is no JSON object"),
        ("'any', meta => '3'", "meta is no JSON object"),
        ("'any', tags => ARRAY['']", "a tag is null, empty or too long"),
        ("'any', tags => ARRAY[NULL]", "a tag is null, empty or too long"),
        ("'any', scheduled_in => '-1 second'", "scheduled_in is"),
        ("'any', scheduled_at => now(), scheduled_in => '1 s'", "are both given"),
    ],
)
async def test_what_python_refuses_is_refused_with_a_hint(
    rows: Rows, arguments: str, message: str
) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError, match=message) as caught:
        await enqueue(rows, arguments)
    assert caught.value.hint
    assert await rows.count() == {}
