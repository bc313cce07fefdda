"""The statements of signals; each verb is the file of that name in ``sql/jobs/``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from staffa._internal import json
from staffa.engine import Lease, Producer, Statement
from staffa.engines.statements.area import Area, Rows
from staffa.signalling import Signalled, SignalsSeen
from staffa.types import State


class SignalStatements(Area):
    """What clients and running jobs ask about signals."""

    folder = "jobs"

    def signal(self, ids: Sequence[int], name: str, payload: str) -> Statement[list[Signalled]]:
        """Give jobs a signal."""
        return self.statement(
            "signal",
            (list(ids), name, payload),
            lambda rows: [Signalled(row["id"], row["queue"], State(row["state"])) for row in rows],
        )

    def find(
        self, leases: Sequence[Lease], producer: Producer
    ) -> Statement[dict[Lease, SignalsSeen]]:
        """Read the signals of running jobs."""

        def decode(rows: Rows) -> dict[Lease, SignalsSeen]:
            return {
                leases[row["place"] - 1]: SignalsSeen(_signals(row["signals"]), row["read_at"])
                for row in rows
            }

        return self.statement(
            "find_signals",
            (
                [lease.id for lease in leases],
                [lease.attempt for lease in leases],
                [lease.attempted_at for lease in leases],
                str(producer.uuid),
            ),
            decode,
        )


def _signals(text: str | None) -> dict[str, Any]:
    found = None if text is None else json.loads(text)
    return found if isinstance(found, dict) else {}
