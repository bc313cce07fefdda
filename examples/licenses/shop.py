"""The workflow of a license that was bought: record it, make a key, make room, send it."""

import hashlib
import os
from typing import Any

import asyncpg

from staffa import Workflow, job

TABLES = """
CREATE TABLE IF NOT EXISTS licenses (
    purchase text PRIMARY KEY,
    customer text NOT NULL,
    seats    integer NOT NULL,
    key      text,
    mails    integer NOT NULL DEFAULT 0
);
"""


@job(queue="licenses")
async def record(purchase: str, customer: str, seats: int) -> None:
    """Write the license, unless it is written."""
    await _execute(
        "INSERT INTO licenses (purchase, customer, seats) VALUES ($1, $2, $3)"
        " ON CONFLICT (purchase) DO NOTHING",
        purchase, customer, seats,
    )  # fmt: skip


@job(queue="licenses")
async def make_key(purchase: str) -> str:
    """Make the key: the same for the same purchase, however often this runs."""
    key = hashlib.sha256(f"secret {purchase}".encode()).hexdigest()[:16]
    await _execute("UPDATE licenses SET key = $2 WHERE purchase = $1", purchase, key)
    return key


@job(queue="licenses")
async def make_room(purchase: str, seats: int) -> list[str]:
    """Return a name for each seat."""
    return [f"{purchase}-seat-{number}" for number in range(1, seats + 1)]


@job(queue="licenses")
async def send_license(purchase: str, customer: str, key: str, room: list[str]) -> str:
    """Send the license, and return what is in the mail."""
    await _execute("UPDATE licenses SET mails = mails + 1 WHERE purchase = $1", purchase)
    return f"{customer}: key {key} for {len(room)} seats"


def plan_license(event: dict[str, Any]) -> Workflow:
    """Return the workflow for a webhook; the event's id is its own, so that it is there once."""
    workflow = Workflow("license", id=f"license-{event['id']}")
    workflow.put_context({name: event[name] for name in ("purchase", "customer", "seats")})
    workflow.add_cascade("record", record)
    workflow.add_cascade("key", make_key, deps="record")
    workflow.add_cascade("room", make_room, deps="record")
    workflow.add_cascade("mail", send_license, deps=["key", "room"])
    return workflow


async def _execute(query: str, *values: object) -> None:
    connection = await asyncpg.connect(os.environ["STAFFA_DSN"])
    try:
        await connection.execute(query, *values)
    finally:
        await connection.close()
