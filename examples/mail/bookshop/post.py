"""Hands mails to the SMTP server, and tells apart what it answers."""

import os
from email.message import EmailMessage

import aiosmtplib


class TryAgain(Exception):
    """The server can't be reached, or says: not now."""


class BadAddress(Exception):
    """The server will never take mail for this address."""


async def deliver(letter: EmailMessage) -> str:
    """Send a mail to its one recipient, and return what the server answered.

    Raises:
        BadAddress: If the server refuses the address for good (5xx).
        TryAgain: If anything else goes wrong.
    """
    host, _, port = os.environ.get("MAIL_SERVER", "127.0.0.1:8025").rpartition(":")
    try:
        _, reply = await aiosmtplib.send(letter, hostname=host, port=int(port), timeout=30)
    except aiosmtplib.SMTPRecipientsRefused as error:
        refused = error.recipients[0]
        answer = f"{refused.code} {refused.message}"
        raise (BadAddress if refused.code >= 500 else TryAgain)(answer) from None
    except (aiosmtplib.SMTPException, OSError) as error:
        raise TryAgain(str(error)) from error
    return reply
