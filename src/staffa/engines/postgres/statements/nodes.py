"""The statements of the signs of life: producers and leaders."""

from __future__ import annotations

from uuid import UUID

from staffa.engine import Producer, Statement
from staffa.engines.postgres.statements.area import Area, any_row, count


class ProducerStatements(Area):
    """What is asked of the producers' rows."""

    folder = "producers"

    def beat(self, producer: Producer) -> Statement[dict[UUID, int]]:
        """Show that a producer lives."""
        return Statement(
            self.text("beat"),
            (producer.uuid, producer.name, producer.node),
            lambda rows: {UUID(str(row["uuid"])): row["beats"] for row in rows},
        )

    def remove(self, producer: Producer) -> Statement[bool]:
        """Forget a producer that has stopped."""
        return Statement(self.text("remove"), (producer.uuid,), any_row)

    def reap(self, *, age: float) -> Statement[int]:
        """Forget producers that died long ago."""
        return Statement(self.text("reap"), (age,), count)


class LeaderStatements(Area):
    """What is asked of the leaders' rows."""

    folder = "leaders"

    def elect(self, producer: Producer, *, lease: float) -> Statement[bool]:
        """Become or stay the leader."""
        return Statement(
            self.text("elect"), (producer.name, producer.node, producer.uuid, lease), any_row
        )

    def resign(self, producer: Producer) -> Statement[bool]:
        """Give up leadership."""
        return Statement(self.text("resign"), (producer.name, producer.uuid), any_row)
