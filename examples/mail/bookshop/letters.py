"""What the mails say. They are written when they are sent, from what the database says then."""

from email.message import EmailMessage

import asyncpg

SENDER = "The bookshop <bookshop@example.com>"


async def write_letter(
    connection: asyncpg.Connection, recipient: str, template: str, about: int | None
) -> EmailMessage:
    """Return a mail that is ready to be sent."""
    letter = EmailMessage()
    letter["From"] = SENDER
    letter["To"] = recipient
    match template:
        case "welcome":
            letter["Subject"] = "Welcome"
            letter.set_content("It is good to have you here.\n")
        case "order":
            item = await connection.fetchval("SELECT item FROM orders WHERE id = $1", about)
            letter["Subject"] = f"Your order {about}"
            letter.set_content(f"You ordered: {item}. It is on its way.\n")
        case _:
            raise LookupError(f"there is no template {template!r}")
    return letter
