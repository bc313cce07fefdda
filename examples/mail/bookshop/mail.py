"""The job that sends one mail."""

from datetime import timedelta

from bookshop import attempts
from bookshop.database import connected
from bookshop.letters import write_letter
from bookshop.post import BadAddress, TryAgain, deliver
from staffa import Discard, Job, Unique, current_job, job

FIRST_DELAY_SECONDS = 5.0
ONCE = Unique(keys=["recipient", "template", "about"], period=timedelta(hours=12))


def patience(job: Job) -> float:
    """Wait 5 s, 10 s, 20 s and so on, up to an hour."""
    return min(3600.0, FIRST_DELAY_SECONDS * 2.0 ** (job.attempt - 1))


@job(queue="mail", max_attempts=12, timeout=60, unique=ONCE, backoff=patience)
async def send_mail(recipient: str, template: str, about: int | None = None) -> Discard | None:
    """Send a mail, once to each recipient of a template, and once for each order."""
    running = current_job()
    async with connected() as connection:
        if await attempts.was_sent(connection, running):
            return None
        letter = await write_letter(connection, recipient, template, about)
        letter["Message-ID"] = f"<job-{running.id}@bookshop.example.com>"
        row = await attempts.begin(connection, running, recipient, template)
        try:
            reply = await deliver(letter)
        except BadAddress as error:
            await attempts.end(connection, row, "refused", str(error))
            return Discard(f"{recipient}: {error}")
        except TryAgain as error:
            await attempts.end(connection, row, "try again", str(error))
            raise
        await attempts.end(connection, row, "sent", reply)
    return None
