"""The statements that read flows and change them; each verb is a file in ``sql/flows/``."""

from __future__ import annotations

from collections.abc import Sequence

from staffa._internal import json
from staffa.engine import Statement
from staffa.engines.statements.area import Row, Rows
from staffa.engines.statements.results import ResultStatements
from staffa.jobs import Job
from staffa.linking import FlowKind, FlowRow


class FlowStatements(ResultStatements):
    """What clients ask of flows that are stored."""

    def read(self, ids: Sequence[str], *, inner: bool = False) -> Statement[list[FlowRow]]:
        """Read flows, outer ones before inner ones."""
        return self.statement("read", (list(ids), inner), _flows)

    def newest(self, kind: FlowKind, *, limit: int, before: str | None) -> Statement[list[FlowRow]]:
        """Read outermost flows, the newest first."""
        return self.statement("list", (kind.value, before, limit), _flows)

    def steps(self, flow: str, names: Sequence[str] | None) -> Statement[dict[str, int]]:
        """Read the ids of named jobs."""
        return self.statement(
            "steps",
            (flow, None if names is None else list(names)),
            lambda rows: {row["name"]: row["id"] for row in rows},
        )

    def jobs(self, flow: str, *, after: int, limit: int, callbacks: bool) -> Statement[list[Job]]:
        """Read jobs of a flow."""
        return self.statement(
            "jobs",
            (flow, after, limit, callbacks),
            lambda rows: [Job.from_row(row) for row in rows],
        )


def _flows(rows: Rows) -> list[FlowRow]:
    return [_flow(row) for row in rows]


def _flow(row: Row) -> FlowRow:
    return FlowRow(
        id=row["id"],
        kind=FlowKind(row["kind"]),
        root=row["root"],
        parent=row["parent"],
        name=row["name"],
        place=row["place"],
        options=json.loads(row["options"]),
        needs=tuple(row["needed"]),
        total=row["total"],
        suspended=row["suspended"],
        completed=row["completed"],
        cancelled=row["cancelled"],
        discarded=row["discarded"],
        deleted=row["deleted"],
        attempted=row["attempted"],
        inner=row["inner_open"],
        fired=tuple(row["fired"]),
        inserted_at=row["inserted_at"],
        finished_at=row["finished_at"],
    )
