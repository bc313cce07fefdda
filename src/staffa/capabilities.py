"""What engines can do: the rest of the code asks here, and never which database it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do; what it can't is refused, with the reason.

    Args:
        user_transactions: Whether jobs can be written in a transaction of the user's.
        schemas: Whether several sets of tables fit into one database, each under a prefix.
        listens: Whether the database carries notifications between processes.
        poolers: Whether connections can go through a pooler.
        rebuilds_indexes: Whether indexes can be rebuilt beside their use, by the tables' owner.
        holds_rows: Whether `update_job` holds the job's row meanwhile; else it calls the function
            again where the row has changed.
        writers: How many transactions may write outcomes of jobs of flows at the same time.
    """

    user_transactions: bool
    schemas: bool = True
    listens: bool = True
    poolers: bool = True
    rebuilds_indexes: bool = True
    holds_rows: bool = True
    writers: int = 1
