"""An SMTP server that shows its mails, and is difficult about some addresses.

`python mail_server.py` listens at 127.0.0.1:8025, or at the port given.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import Message

from aiosmtpd.smtp import SMTP, Envelope, Session


class Mailbox:
    """Takes mails. `nobody@...` is refused, `later@...` is put off the first time."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.put_off: set[str] = set()

    async def handle_RCPT(  # noqa: N802  # the name is aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Answer whether mail for an address is taken."""
        if address.startswith("nobody@"):
            return "550 there is no such mailbox"
        if address.startswith("later@") and address not in self.put_off:
            self.put_off.add(address)
            return "451 come back in a moment"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802  # likewise
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take a mail."""
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content)
        self.mails.append(mail)
        print(f"{mail['To']}: {mail['Subject']} {mail['Message-ID']}", flush=True)
        return f"250 taken as number {len(self.mails)}"


@asynccontextmanager
async def serving(mailbox: Mailbox, port: int = 0) -> AsyncIterator[int]:
    """Serve a mailbox for a while; the value is the port, any free one if none is given."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox), "127.0.0.1", port)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def main(port: int) -> None:
    """Serve until Ctrl-C."""
    async with serving(Mailbox(), port) as chosen:
        print(f"listening at 127.0.0.1:{chosen}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8025))
    except KeyboardInterrupt:
        print("stopped")
