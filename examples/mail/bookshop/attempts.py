"""Each attempt to send a mail leaves a row, also one whose process dies in the middle."""

import asyncpg

from staffa import Job


async def was_sent(connection: asyncpg.Connection, job: Job) -> bool:
    """Return whether an earlier run of the job has sent its mail."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM mail_attempts WHERE job_id = $1 AND outcome = 'sent')", job.id
    )
    return found


async def begin(connection: asyncpg.Connection, job: Job, recipient: str, template: str) -> int:
    """Note that an attempt begins, and return the number of its row."""
    row: int = await connection.fetchval(
        "INSERT INTO mail_attempts (job_id, attempt, recipient, template) "
        "VALUES ($1, $2, $3, $4) RETURNING id",
        job.id,
        job.attempt,
        recipient,
        template,
    )
    return row


async def end(connection: asyncpg.Connection, row: int, outcome: str, reply: str) -> None:
    """Note how an attempt has ended."""
    await connection.execute(
        "UPDATE mail_attempts SET outcome = $2, reply = $3 WHERE id = $1", row, outcome, reply
    )
