"""The statements of operations that have to tell what was before: they read it first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from staffa._internal import json
from staffa.engine import Changed, Statement, Statements
from staffa.engines.statements.area import Rows
from staffa.engines.statements.conditions import Wanted
from staffa.engines.statements.operations import CANCELLED, OperationStatements
from staffa.jobs import Job
from staffa.types import State


@dataclass(frozen=True, slots=True)
class Seen:
    """A job, and what shows later whether its row has changed."""

    job: Job
    version: str


class ChangeStatements(OperationStatements):
    """What clients ask of jobs that were stored before."""

    def cancelling(self, wanted: Wanted, *, wait: bool = True) -> Statements[list[Changed]]:
        """Cancel unfinished jobs."""
        return self._after_look("cancel", wanted, (CANCELLED,))

    def retrying(self, wanted: Wanted, *, wait: bool = True) -> Statements[list[Changed]]:
        """Make jobs available at once."""
        return self._after_look("retry", wanted, ())

    def change_together(
        self, wanted: Wanted, changes: Mapping[str, Any]
    ) -> Statements[list[Changed]]:
        """Change columns."""
        return self._after_look("update", wanted, (json.dumps(dict(changes)), False))

    def see(self, number: int) -> Statement[Seen | None]:
        """Read a job, to be changed later if it is still the same."""

        def decode(rows: Rows) -> Seen | None:
            return Seen(Job.from_row(rows[0]), rows[0]["version"]) if rows else None

        return self.statement("seen", (number,), decode)

    def _after_look(
        self, verb: str, wanted: Wanted, params: tuple[Any, ...]
    ) -> Statements[list[Changed]]:
        def previous(rows: Rows) -> dict[int, str]:
            return {row["id"]: row["previous_state"] for row in rows}

        def combine(results: list[Any]) -> list[Changed]:
            before, rows = results
            return [
                Changed(
                    row["id"],
                    row["queue"],
                    row["worker"],
                    State(before[row["id"]]),
                    row["attempt"],
                )
                for row in rows
            ]

        return Statements(
            [
                lambda: self._filtered("previous", wanted, (), previous),
                lambda: self._filtered(verb, wanted, params, lambda rows: rows),
            ],
            combine,
            self._idiom.dialect,
        )
