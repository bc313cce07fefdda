"""All of the example in one process: pictures, a database, a mail server, a worker."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session
from PIL import Image

from pictures import plan_thumbnails
from staffa import Staffa
from staffa.client.backend import make_migrator
from staffa.embedded import EmbeddedPostgres

HERE = Path(__file__).parent
COLOURS = ["tomato", "gold", "seagreen", "steelblue", "orchid"]


class Mailbox:
    """Takes mails, and prints them."""

    def __init__(self) -> None:
        self.mails: asyncio.Queue[str] = asyncio.Queue()

    async def handle_DATA(  # noqa: N802  # the name is aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take a mail."""
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content)
        text = str(mail.get_payload()).strip()
        self.mails.put_nowait(f"mail: {mail['Subject']}: {', '.join(text.splitlines())}")
        return "250 taken"


@asynccontextmanager
async def serving(mailbox: Mailbox) -> AsyncIterator[str]:
    """Serve a mailbox; the value is its address."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox), "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}"


def paint(folder: Path) -> Path:
    """Fill a folder with pictures."""
    folder.mkdir()
    for number, colour in enumerate(COLOURS, start=1):
        Image.new("RGB", (640, 480), colour).save(folder / f"picture-{number}.png")
    return folder


async def main(dsn: str, folder: Path) -> None:
    """Make thumbnails of two folders, one of which has a file that is no picture."""
    await make_migrator(dsn, "public").up()
    good, bad = paint(folder / "good"), paint(folder / "bad")
    (bad / "picture-3.png").write_bytes(b"no picture at all")
    mailbox = Mailbox()
    async with serving(mailbox) as address, Staffa(queues={"pictures": 4, "post": 2}) as app:
        os.environ["MAIL_SERVER"] = address
        for each in (good, bad):
            batch = await app.enqueue(plan_thumbnails(each, "owner@example.com"))
            await batch.wait(timeout=120)
            status = await batch.status()
            print(f"{each.name}: {status.counts['completed']} of {status.total} pictures")
        for _ in (good, bad):
            print(await mailbox.mails.get())
    for each in (good, bad):
        made = "an archive" if (each / "thumbnails.zip").exists() else "no archive"
        print(f"{each.name}: {made}")


if __name__ == "__main__":
    with EmbeddedPostgres(HERE) as dsn, tempfile.TemporaryDirectory() as place:
        os.environ["STAFFA_DSN"] = dsn
        sys.exit(asyncio.run(main(dsn, Path(place))))
