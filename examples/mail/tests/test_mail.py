"""Mails are sent once, tried again when that may help, and given up when it does not.

The database and the SMTP server are real, and so is the worker process that is killed.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import asyncpg
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

import try_it
from bookshop import mail
from bookshop.__main__ import main as bookshop
from bookshop.database import create_tables
from bookshop.mail import patience, send_mail
from bookshop.orders import place_order
from mail_server import Mailbox, serving
from staffa import Job, Staffa, State
from staffa.client.backend import make_migrator
from tests.support.database import create_database, drop_database, running_server
from tests.support.events import eventually
from tests.support.processes import WorkerProcess

EXAMPLE = Path(__file__).parents[1]
QUICK: dict[str, Any] = {"poll": 0.05, "heartbeat": 0.1, "dead_after": 0.5, "leader_lease": 1.5}


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A server on which databases may be made."""
    with running_server() as dsn:
        yield dsn


@pytest.fixture
async def database(server: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A database with the tables of the shop and of its jobs."""
    dsn = await create_database(server)
    monkeypatch.setenv("STAFFA_DSN", dsn)
    await make_migrator(dsn, "public").up()
    yield dsn
    await drop_database(server, dsn)


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
    """The shop's connection."""
    made = await asyncpg.connect(database)
    await create_tables(made)
    yield made
    await made.close()


@pytest.fixture
async def mailbox(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Mailbox]:
    """What has come to the mail server."""
    made = Mailbox()
    async with serving(made) as port:
        monkeypatch.setenv("MAIL_SERVER", f"127.0.0.1:{port}")
        yield made


@pytest.fixture
async def shop(connection: asyncpg.Connection, mailbox: Mailbox) -> AsyncIterator[Staffa]:
    """The shop's client, which runs nothing until it is started."""
    app = Staffa(**QUICK)
    yield app
    await app.stop(grace=0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let retries come at once."""
    monkeypatch.setattr(mail, "FIRST_DELAY_SECONDS", 0.01)


async def in_state(app: Staffa, job: Job, state: State) -> Job:
    """Return a job once it is in a state."""

    async def reached() -> bool:
        found = await app.get_job(job)
        return found is not None and found.state == state

    await eventually(reached, f"job {job.id} to be {state}")
    found = await app.get_job(job)
    assert found is not None
    return found


async def attempts(connection: asyncpg.Connection) -> list[tuple[int, str | None, str | None]]:
    """Return what was tried: the attempt, its outcome, the server's answer."""
    rows = await connection.fetch("SELECT attempt, outcome, reply FROM mail_attempts ORDER BY id")
    return [(row["attempt"], row["outcome"], row["reply"]) for row in rows]


async def test_an_order_and_its_mails_are_stored_together(
    shop: Staffa, connection: asyncpg.Connection, mailbox: Mailbox
) -> None:
    order = await place_order(connection, "ada@example.com", "a novel")
    jobs = await shop.list_jobs()
    assert [(job.args["template"], job.args.get("about")) for job in reversed(jobs)] == [
        ("welcome", None),
        ("order", order),
    ]
    await shop.start(queues={"mail": 5})
    for job in jobs:
        await in_state(shop, job, State.COMPLETED)
    assert {letter["Subject"] for letter in mailbox.mails} == {"Welcome", f"Your order {order}"}
    assert any("a novel" in str(letter.get_payload()) for letter in mailbox.mails)


async def test_an_order_that_is_not_stored_sends_nothing(
    shop: Staffa, connection: asyncpg.Connection
) -> None:
    transaction = connection.transaction()
    await transaction.start()
    await place_order(connection, "ada@example.com", "a novel")
    await transaction.rollback()
    assert await connection.fetchval("SELECT count(*) FROM orders") == 0
    assert await shop.count_jobs() == {}


async def test_a_mail_is_unique_by_recipient_and_template_and_order(shop: Staffa) -> None:
    first = await send_mail.enqueue("ada@example.com", "welcome")
    again = await send_mail.enqueue("ada@example.com", "welcome")
    assert again.conflict
    assert again.id == first.id
    others = [
        await send_mail.enqueue("bob@example.com", "welcome"),
        await send_mail.enqueue("ada@example.com", "order", about=1),
        await send_mail.enqueue("ada@example.com", "order", about=2),
    ]
    assert not any(job.conflict for job in others)


async def test_a_mail_that_was_sent_stays_unique_within_the_period(
    shop: Staffa, mailbox: Mailbox
) -> None:
    sent = await send_mail.enqueue("ada@example.com", "welcome")
    await shop.start(queues={"mail": 5})
    await in_state(shop, sent, State.COMPLETED)
    assert (await send_mail.enqueue("ada@example.com", "welcome")).id == sent.id
    assert len(mailbox.mails) == 1


async def test_an_attempt_is_recorded_with_the_answer_of_the_server(
    shop: Staffa, connection: asyncpg.Connection, mailbox: Mailbox
) -> None:
    sent = await send_mail.enqueue("ada@example.com", "welcome")
    await shop.start(queues={"mail": 5})
    await in_state(shop, sent, State.COMPLETED)
    assert await attempts(connection) == [(1, "sent", "taken as number 1")]
    assert mailbox.mails[0]["Message-ID"] == f"<job-{sent.id}@bookshop.example.com>"


async def test_an_address_that_is_put_off_is_tried_again(
    shop: Staffa, connection: asyncpg.Connection, mailbox: Mailbox, impatient: None
) -> None:
    sent = await send_mail.enqueue("later@example.com", "welcome")
    await shop.start(queues={"mail": 5})
    ended = await in_state(shop, sent, State.COMPLETED)
    assert ended.attempt == 2
    assert await attempts(connection) == [
        (1, "try again", "451 come back in a moment"),
        (2, "sent", "taken as number 1"),
    ]


async def test_a_server_that_is_away_is_tried_again_until_it_is_back(
    shop: Staffa,
    connection: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    impatient: None,
) -> None:
    async with serving(Mailbox()) as port:
        monkeypatch.setenv("MAIL_SERVER", f"127.0.0.1:{port}")
    waiting = await send_mail.enqueue("ada@example.com", "welcome")
    await shop.start(queues={"mail": 5})

    async def refused() -> bool:
        return len(await attempts(connection)) >= 2

    await eventually(refused, "two attempts in vain")
    returned = Mailbox()
    async with serving(returned, port):
        await in_state(shop, waiting, State.COMPLETED)
    assert len(returned.mails) == 1
    outcomes = [outcome for _, outcome, _ in await attempts(connection)]
    assert outcomes == ["try again"] * (len(outcomes) - 1) + ["sent"]


def test_each_retry_waits_twice_as_long_up_to_an_hour() -> None:
    jobs = [cast("Job", SimpleNamespace(attempt=attempt)) for attempt in (1, 2, 3, 11, 12)]
    waits = [patience(job) for job in jobs]
    assert waits == [5, 10, 20, 3600, 3600]


async def test_a_bad_address_is_discarded_with_the_reason(
    shop: Staffa, connection: asyncpg.Connection, mailbox: Mailbox
) -> None:
    refused = await send_mail.enqueue("nobody@example.com", "welcome")
    await shop.start(queues={"mail": 5})
    ended = await in_state(shop, refused, State.DISCARDED)
    assert ended.errors[0]["error"] == "Discard: nobody@example.com: 550 there is no such mailbox"
    assert await attempts(connection) == [(1, "refused", "550 there is no such mailbox")]
    assert mailbox.mails == []


async def test_a_mail_that_was_refused_may_be_asked_for_again(shop: Staffa) -> None:
    refused = await send_mail.enqueue("nobody@example.com", "welcome")
    await shop.start(queues={"mail": 5})
    await in_state(shop, refused, State.DISCARDED)
    assert not (await send_mail.enqueue("nobody@example.com", "welcome")).conflict


async def test_a_job_that_runs_again_does_not_send_again(shop: Staffa, mailbox: Mailbox) -> None:
    sent = await send_mail.enqueue("ada@example.com", "welcome")
    await shop.start(queues={"mail": 5})
    await in_state(shop, sent, State.COMPLETED)
    await shop.retry_job(sent)
    ended = await in_state(shop, sent, State.COMPLETED)
    assert ended.attempt == 2
    assert len(mailbox.mails) == 1


class Hanging(Mailbox):
    """Takes no mail to its end as long as it hangs."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.let_go = asyncio.Event()

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.asked.set()
        await self.let_go.wait()
        return await super().handle_DATA(server, session, envelope)


async def test_the_mail_of_a_worker_that_is_killed_is_sent_by_the_next(
    shop: Staffa,
    database: str,
    connection: asyncpg.Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hanging = Hanging()
    async with serving(hanging) as port:
        monkeypatch.setenv("MAIL_SERVER", f"127.0.0.1:{port}")
        settings: dict[str, Any] = {"heartbeat": 0.1, "dead_after": 0.5, "poll": 0.05}
        worker = WorkerProcess(
            database,
            "public",
            tmp_path / "log",
            module="bookshop.mail",
            folder=EXAMPLE,
            queues="mail:5",
            **settings,
        )
        try:
            await worker.running()
            killed = await send_mail.enqueue("ada@example.com", "welcome")
            await hanging.asked.wait()
            worker.send(signal.SIGKILL)
            await worker.ended()
        finally:
            worker.kill()
    returned = Mailbox()
    async with serving(returned, port):
        await shop.start(queues={"mail": 5})
        ended = await in_state(shop, killed, State.COMPLETED)
    assert ended.meta["rescued"] == 1
    assert ended.attempt == 1
    assert await attempts(connection) == [(1, None, None), (1, "sent", "taken as number 1")]
    assert len(returned.mails) == 1


async def test_the_program_places_orders_and_shows_attempts(
    database: str, mailbox: Mailbox, capsys: pytest.CaptureFixture[str]
) -> None:
    await bookshop(["tables"])
    await bookshop(["order", "ada@example.com", "a novel"])
    async with Staffa(queues={"mail": 5}, **QUICK):
        await eventually(lambda: len(mailbox.mails) == 2, "both mails")
    capsys.readouterr()
    await bookshop(["attempts"])
    assert "ada@example.com           order" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="python -m bookshop"):
        await bookshop(["nonsense"])


async def test_the_whole_example_runs_in_one_process(
    database: str, mailbox: Mailbox, impatient: None, capsys: pytest.CaptureFixture[str]
) -> None:
    await try_it.main(database)
    shown = capsys.readouterr().out
    assert shown.count(" sent: taken as number") == 4
    assert shown.count(" refused: 550 there is no such mailbox") == 2
    assert shown.count(" try again: 451 come back in a moment") == 1
