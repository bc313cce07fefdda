"""The engine's verb that reads what jobs of flows have come to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from staffa.engines.statements.results import ResultStatements
from staffa.engines.transacting import Transacting
from staffa.recorded import FlowResults
from staffa.telemetry import observed

T = TypeVar("T")


@observed("staffa.engine")
class ResultVerbs(Transacting):
    """The base of engines that have this method."""

    _flows: ResultStatements

    async def read_results(
        self, flows: Sequence[str], *, flow: str = "", names: Sequence[str] = ()
    ) -> FlowResults:
        """Read the results of whole flows, and of named jobs of another one."""
        return await self._read(self._flows.results(flows, flow, names))
