"""The statements of the signs of life: producers and leaders."""

from __future__ import annotations

from uuid import UUID

from staffa.engine import Producer, Pulse, Statement
from staffa.engines.statements.area import Area, Rows, any_row, count
from staffa.engines.statements.queues import control_of


class ProducerStatements(Area):
    """What is asked of the producers' rows."""

    folder = "producers"

    def beat(self, producer: Producer, known: int | None) -> Statement[Pulse]:
        """Show that a producer lives."""
        return self.statement("beat", (producer.uuid, producer.name, producer.node, known), pulse)

    def remove(self, producer: Producer) -> Statement[bool]:
        """Forget a producer that has stopped."""
        return self.statement("remove", (producer.uuid,), any_row)

    def reap(self, *, age: float) -> Statement[int]:
        """Forget producers that died long ago."""
        return self.statement("reap", (age,), count)


class LeaderStatements(Area):
    """What is asked of the leaders' rows."""

    folder = "leaders"

    def elect(self, producer: Producer, *, lease: float) -> Statement[bool]:
        """Become or stay the leader."""
        return self.statement(
            "elect", (producer.name, producer.node, producer.uuid, lease), any_row
        )

    def resign(self, producer: Producer) -> Statement[bool]:
        """Give up leadership."""
        return self.statement("resign", (producer.name, producer.uuid), any_row)


def pulse(rows: Rows) -> Pulse:
    """Return what three kinds of rows say: other producers, changes, and their last version."""
    return Pulse(
        {UUID(str(row["uuid"])): row["beats"] for row in rows if row["uuid"] is not None},
        [control_of(row) for row in rows if row["queue"] is not None],
        max((row["version"] for row in rows if row["version"] is not None), default=0),
    )
