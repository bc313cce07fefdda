"""The names of all kill points; `boundary` marks where they lie.

A boundary is a function after which something is different: in the database, in memory, or in both.
Each has some of three phases:

- ``before``: nothing of it has happened;
- ``sent``: its last statement is on its way to PostgreSQL, and nobody will read the reply: it
  commits when it does, maybe long after the death;
- ``after``: it has happened, and whoever called it does not know yet.

Another boundary is a line here and a mark at its function; the test that dies at every point asks
for its scenario.
"""

from __future__ import annotations

from typing import Literal

Phase = Literal["before", "sent", "after"]

_AROUND: tuple[Phase, ...] = ("before", "after")
_STATEMENT: tuple[Phase, ...] = ("before", "sent", "after")
_BEFORE: tuple[Phase, ...] = ("before",)
_AFTER: tuple[Phase, ...] = ("after",)

BOUNDARIES: dict[str, tuple[Phase, ...]] = {
    # methods of engines, found by their names
    "enqueue_jobs": _STATEMENT,
    "enqueue_tick": _STATEMENT,
    "register_crons": _STATEMENT,
    "stage_jobs": _STATEMENT,
    "claim_jobs": _STATEMENT,
    "claim_limited_jobs": _STATEMENT,
    "claim_chunks": _AROUND,
    "checkpoint_jobs": _STATEMENT,
    "find_signals": _AROUND,
    "ack_jobs": _STATEMENT,
    "insert_graph": _STATEMENT,
    "ack_linked_jobs": _AROUND,
    "cancel_jobs": _AROUND,
    "retry_jobs": _AROUND,
    "delete_jobs": _AROUND,
    "cancel_flow": _AROUND,
    "retry_flow": _AROUND,
    "release_step": _AROUND,
    "forget_flows": _AROUND,
    "repair_links": _AROUND,
    "release_jobs": _STATEMENT,
    "rescue_jobs": _STATEMENT,
    "rescue_foreign_jobs": _AROUND,
    "discard_exhausted_jobs": _AROUND,
    "prune_jobs": _STATEMENT,
    "prune_unique_keys": _AROUND,
    "elect_leader": _STATEMENT,
    "resign_leader": _AROUND,
    "beat": _STATEMENT,
    "remove_producer": _AROUND,
    # statements of what follows from the end of a job; what comes before one is undone with it
    "lock_flows": _BEFORE,
    "lock_of_jobs": _BEFORE,
    "close_jobs": _BEFORE,
    "close_flows": _BEFORE,
    "release_steps": _BEFORE,
    "cancel_steps": _BEFORE,
    "count_flows": _BEFORE,
    "fire_callbacks": _BEFORE,
    "forget_steps": _BEFORE,
    # those of an insert
    "create_flows": _BEFORE,
    "insert_steps": _BEFORE,
    "add_steps": _BEFORE,
    "add_edges": _BEFORE,
    # the end of a transaction of several statements; PostgreSQL's alone
    "commit": _BEFORE,
    # what a process has in memory alone
    "perform_job": _AROUND,
    "graft_jobs": _AROUND,
    "submit_outcome": _AFTER,
    "complete_job": _AROUND,
    "hand_over": _AFTER,
    "stop_claiming": _AFTER,
    "stop_jobs": _AFTER,
}

POINTS: tuple[str, ...] = tuple(
    f"{name}.{phase}" for name, phases in BOUNDARIES.items() for phase in phases
)
