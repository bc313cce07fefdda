"""The statements of signs of life, controls and entries of cron that take several."""

from __future__ import annotations

from collections.abc import Sequence

from staffa.engine import Control, Producer, Pulse, Statement, Statements
from staffa.engines.statements.area import count
from staffa.engines.statements.crons import CronStatements
from staffa.engines.statements.nodes import ProducerStatements, pulse
from staffa.engines.statements.queues import QueueStatements


class BeatStatements(ProducerStatements):
    """What is asked of the producers' rows."""

    def beat_together(self, producer: Producer, known: int | None) -> Statements[Pulse]:
        """Show that a producer lives, then read what has changed."""
        own = (producer.uuid, producer.name, producer.node)
        return Statements(
            [
                lambda: self.statement("beat", own, count),
                lambda: self.statement("pulse", (*own, known), pulse),
            ],
            lambda results: results[1],
            self._idiom.dialect,
        )


class ControlStatements(QueueStatements):
    """What is asked of the queues' rows."""

    def control_together(self, name: str, controls: Sequence[Control]) -> Statements[list[Control]]:
        """Count the changes, then set the options."""
        control = self.control(name, controls)
        return Statements(
            [
                lambda: self.spelled(self.text("version"), control.params, count),
                lambda: control,
            ],
            lambda results: results[1],
            self._idiom.dialect,
        )

    def count_changes(self, name: str, changes: int) -> Statement[int]:
        """Make versions for so many changes."""
        return self.spelled(self.text("version"), ([None] * changes, name), count)


class TendStatements(CronStatements):
    """What is asked of the rows of cron's entries."""

    def tend_together(
        self, instance: str, *, dead_after: float, forget_after: float
    ) -> Statements[list[str]]:
        """Note which entries are declared, then forget old ones."""
        return Statements(
            [
                lambda: self.statement("see", (instance, dead_after), count),
                lambda: self.tend(instance, dead_after=dead_after, forget_after=forget_after),
            ],
            lambda results: results[1],
            self._idiom.dialect,
        )
