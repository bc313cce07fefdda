"""A workflow that is being built, and what is to be added to one that is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from staffa._internal import json
from staffa._internal.identifiers import make_time_ordered_id
from staffa.args.plain import dump_object
from staffa.errors import InvalidWorkflow
from staffa.flows.builder import Builder
from staffa.flows.given import check_text, ignoring_of


class Workflow(Builder):
    """Jobs that wait for each other.

    Args:
        name: What people call it.
        ignore_cancelled: Whether its steps also run where something that they wait for was
            cancelled; else they are cancelled themselves. Inside of another workflow, as that says
            if not given.
        ignore_discarded: The same for what was discarded.
        ignore_deleted: The same for what was deleted.
        unique: Whether it is written only if there is none with this name that has not ended; or a
            text that stands for the name.
        id: Its id, 1 to 127 characters, which no other has; one is made if not given.
        meta: Data about it, plain JSON.

    Raises:
        InvalidWorkflow: If something can't be used.
        InvalidArgs: If `meta` is no plain JSON object.

    Example:
        >>> from staffa import Job, Workflow
        >>> order = Workflow("order")
        >>> order.add("charge", Job(worker="shop.charge", args={"order": 7}))
        <Workflow 'order' of 1 step>
        >>> order.add("ship", Job(worker="shop.ship", args={"order": 7}), deps="charge")
        <Workflow 'order' of 2 steps>
    """

    nests: ClassVar[bool] = True

    def __init__(
        self,
        name: str | None = None,
        *,
        ignore_cancelled: bool | None = None,
        ignore_discarded: bool | None = None,
        ignore_deleted: bool | None = None,
        unique: bool | str = False,
        id: str | None = None,  # noqa: A002  # what it is called everywhere
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.name = None if name is None else check_text(name, "name")
        self.id = make_time_ordered_id() if id is None else check_text(id, "id")
        self.ignoring = ignoring_of(ignore_cancelled, ignore_discarded, ignore_deleted)
        self.unique_key = self._key_of(unique)
        self.meta = {} if meta is None else json.loads(dump_object(meta, "meta"))
        self.context: dict[str, Any] = {}

    @property
    def title(self) -> str:
        """How errors name it."""
        return "the workflow" if self.name is None else f"the workflow {self.name!r}"

    def put_context(self, context: Mapping[str, Any]) -> Self:
        """Keep values with the workflow, which cascades and grafts get as arguments.

        Workflows inside of it inherit them, and may have others under the same names.

        Args:
            context: Plain JSON; merged into what was put before.

        Raises:
            InvalidArgs: If it is no plain JSON object.

        Example:
            >>> from staffa import Workflow
            >>> Workflow("order").put_context({"customer": 7}).context
            {'customer': 7}
        """
        self.context.update(json.loads(dump_object(context, "the context")))
        return self

    def _key_of(self, unique: object) -> str | None:
        if unique is False:
            return None
        if unique is True:
            if self.name is None:
                raise InvalidWorkflow("a workflow without a name can't be unique by it: give one")
            return self.name
        return check_text(unique, "unique")

    def __repr__(self) -> str:
        name = "" if self.name is None else f" {self.name!r}"
        count = len(self.parts)
        return f"<Workflow{name} of {count} step{'' if count == 1 else 's'}>"


class Addition(Builder):
    """What is to be added to a stored workflow; see `WorkflowHandle.append`.

    Its steps may depend on each other, and on those that are stored, ended ones too.

    Args:
        workflow_id: The workflow.

    Example:
        ```python
        more = app.workflow(workflow_id).append()
        more.add("thank", thank.new(7), deps="ship")
        await app.enqueue(more)
        ```
    """

    def __init__(self, workflow_id: str) -> None:
        super().__init__()
        self.workflow_id = check_text(workflow_id, "id")

    @property
    def title(self) -> str:
        """How errors name it."""
        return f"the workflow {self.workflow_id!r}"

    def __repr__(self) -> str:
        return f"<Addition of {len(self.parts)} to {self.workflow_id}>"
