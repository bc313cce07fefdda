"""Finding workflows and batches that are stored."""

from __future__ import annotations

from staffa._internal.identifiers import is_storable_name
from staffa._internal.shown import shown
from staffa.client.batch_handles import BatchHandle, check_batch_id
from staffa.client.relays import Relaying
from staffa.client.workflow_handles import WorkflowHandle
from staffa.errors import ConfigError
from staffa.flows.batch_status import BatchStatus
from staffa.flows.given import check_text
from staffa.flows.status import WorkflowStatus
from staffa.options import check_whole_number

_MOST_AT_ONCE = 10_000


class Handles(Relaying):
    """Workflows and batches."""

    def workflow(self, id: str) -> WorkflowHandle:  # noqa: A002  # what it is called everywhere
        """Return a handle of a stored workflow; whether there is one is seen when it is used.

        Args:
            id: Its id: that of its builder, `Job.workflow_id` inside of one of its jobs.

        Raises:
            InvalidWorkflow: If that is no id.

        Example:
            ```python
            status = await app.workflow(workflow_id).status()
            ```
        """
        return WorkflowHandle(check_text(id, "id"), self._flows)

    async def workflows(
        self, *, limit: int = 100, before: str | None = None
    ) -> list[WorkflowStatus]:
        """Return how workflows stand, the newest first; what is inside of them is counted, too.

        Args:
            limit: How many, 1 to 10000.
            before: The id of the last one of the page before.

        Raises:
            ConfigError: If an argument can't be used.

        Example:
            ```python
            for status in await app.workflows(limit=10):
                print(status.id, status.name, status.state)
            ```
        """
        return await self._flows.list_statuses(_check_limit(limit), _check_before(before))

    def batch(self, id: str | None) -> BatchHandle:  # noqa: A002  # what it is called everywhere
        """Return a handle of a stored batch; whether there is one is seen when it is used.

        Args:
            id: Its id: that of the `Batch`, `Job.batch_id` inside of one of its jobs.

        Raises:
            ConfigError: If that is no id.

        Example:
            ```python
            status = await app.batch(batch_id).status()
            ```
        """
        return BatchHandle(check_batch_id(id), self._batches)

    async def batches(self, *, limit: int = 100, before: str | None = None) -> list[BatchStatus]:
        """Return how batches stand, the newest first.

        Args:
            limit: How many, 1 to 10000.
            before: The id of the last one of the page before.

        Raises:
            ConfigError: If an argument can't be used.

        Example:
            ```python
            for status in await app.batches(limit=10):
                print(status.id, status.name, status.state)
            ```
        """
        return await self._batches.list_statuses(_check_limit(limit), _check_before(before))


def _check_limit(limit: int) -> int:
    try:
        return check_whole_number("limit", limit, 1, _MOST_AT_ONCE)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _check_before(before: str | None) -> str | None:
    if before is None or is_storable_name(before):
        return before
    raise ConfigError(f"before is {shown(before)}: give the id of the last one of the page before")
