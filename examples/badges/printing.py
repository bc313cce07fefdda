"""The job that an Elixir program asks for, and its answer."""

import asyncio

import asyncpg

from drawing import draw_badge
from staffa import Config, Job, Staffa, current_job, job


@job(name="badges.print", queue="badges", max_attempts=5)
async def print_badge(attendee: int, name: str, company: str) -> None:
    """Store the PDF of a badge, and tell the Elixir program of it, both or neither."""
    pdf = await asyncio.to_thread(draw_badge, name, company)
    answer = Job(
        worker="Conference.BadgePrinted",
        queue="conference",
        args={"attendee": attendee, "bytes": len(pdf)},
    )
    connection = await asyncpg.connect(Config.load().dsn)
    try:
        async with connection.transaction():
            await connection.execute(
                "INSERT INTO badges (attendee, pdf) VALUES ($1, $2)"
                " ON CONFLICT (attendee) DO UPDATE SET pdf = excluded.pdf",
                attendee,
                pdf,
            )
            await Staffa.get_instance().enqueue(answer, conn=connection)
            await current_job().complete_in(connection)
    finally:
        await connection.close()
