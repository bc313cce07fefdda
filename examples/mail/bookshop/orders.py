"""Orders, which are stored together with the mails about them or not at all."""

import asyncpg

from bookshop.mail import send_mail


async def place_order(connection: asyncpg.Connection, customer: str, item: str) -> int:
    """Store an order and its mails in one transaction, and return the order's number."""
    async with connection.transaction():
        order: int = await connection.fetchval(
            "INSERT INTO orders (customer, item) VALUES ($1, $2) RETURNING id", customer, item
        )
        mail = send_mail.options(conn=connection)
        await mail.enqueue(customer, "welcome")
        await mail.enqueue(customer, "order", about=order)
    return order
