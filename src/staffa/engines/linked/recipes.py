"""A completion in a transaction of the user's, as JSON: a child process makes its dialogue anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from staffa._internal.lazy import load
from staffa.dialogues import Conversation
from staffa.engine import Ack, Dialect, Lease, Producer
from staffa.engines.linked.ending import complete
from staffa.engines.statements.following import FollowStatements
from staffa.engines.statements.jobs import JobStatements
from staffa.types import State

_SQLITE = "staffa.engines.sqlite"


def write_recipe(
    dialect: Dialect, prefix: str, acks: Sequence[Ack], producer: Producer
) -> dict[str, Any]:
    """Return what is completed, and where, as plain JSON."""
    return {
        "dialect": dialect,
        "prefix": prefix,
        "producer": [str(producer.uuid), producer.name, producer.node],
        "acks": [
            {
                "lease": [ack.lease.id, ack.lease.attempt, ack.lease.attempted_at.isoformat()],
                "state": ack.state.value,
                "error": ack.error,
                "meta": None if ack.meta is None else dict(ack.meta),
            }
            for ack in acks
        ],
    }


def read_recipe(recipe: Mapping[str, Any]) -> Conversation[dict[int, State]]:
    """Return the dialogue that it describes."""
    uuid, name, node = recipe["producer"]
    acks = [_ack(fields) for fields in recipe["acks"]]
    dialect, prefix = recipe["dialect"], recipe["prefix"]
    following, jobs, prepare = FollowStatements(prefix), JobStatements(prefix), None
    if dialect == "sqlite":
        idiom = load(f"{_SQLITE}.statements.idiom:SQLITE")
        following = load(f"{_SQLITE}.statements.following:FollowStatements")(prefix, idiom)
        jobs = load(f"{_SQLITE}.statements.jobs:JobStatements")(prefix, idiom)
        install: Callable[[Any], None] = load(f"{_SQLITE}.functions:install")
        prepare = install
    begin = partial(complete, following, jobs, acks, Producer(UUID(uuid), name, node))
    return Conversation.held(begin, dialect, prepare)


def _ack(fields: Mapping[str, Any]) -> Ack:
    number, attempt, moment = fields["lease"]
    return Ack(
        lease=Lease(number, attempt, datetime.fromisoformat(moment)),
        state=State(fields["state"]),
        error=fields["error"],
        meta=fields["meta"],
    )
