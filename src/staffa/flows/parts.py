"""What a workflow is put together of: each part has a name, and depends on others by theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from staffa._internal.identifiers import is_storable_name, make_time_ordered_id
from staffa._internal.shown import shown
from staffa.errors import InvalidJob, InvalidWorkflow
from staffa.functions import JobCall
from staffa.jobs import Job
from staffa.linking import Policies, Policy

if TYPE_CHECKING:
    from staffa.flows.workflow import Workflow

CONTEXT_PARAMETER = "context"
"""The parameter of a cascade that gets everything there is."""


@dataclass(frozen=True, slots=True)
class Ignoring:
    """Which ends of what it depends on a step ignores; None where something else decides."""

    cancelled: bool | None = None
    discarded: bool | None = None
    deleted: bool | None = None

    def over(self, default: Ignoring) -> Ignoring:
        """Return this, with what it leaves open as the default says."""
        return Ignoring(
            default.cancelled if self.cancelled is None else self.cancelled,
            default.discarded if self.discarded is None else self.discarded,
            default.deleted if self.deleted is None else self.deleted,
        )

    @property
    def names(self) -> list[str]:
        """Which are ignored."""
        given = {
            "cancelled": self.cancelled,
            "discarded": self.discarded,
            "deleted": self.deleted,
        }
        return [name for name, ignored in given.items() if ignored]

    @property
    def policies(self) -> Policies:
        """The same as a step is told."""
        return Policies(
            *(
                Policy.IGNORE if ignored else Policy.CANCEL
                for ignored in (self.cancelled, self.discarded, self.deleted)
            )
        )


UNSAID = Ignoring()
"""Where nothing is said of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a workflow.

    Args:
        name: Its name, which no other part has.
        deps: The names of those that it waits for.
        ignoring: What it does where one of them does not complete.
    """

    kind: ClassVar[str]

    name: str
    deps: tuple[str, ...] = ()
    ignoring: Ignoring = UNSAID


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPart(Part):
    """A job; held if it also waits for somebody to release it."""

    kind: ClassVar[str] = "job"

    job: Job
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPart(Part):
    """A workflow inside of another one."""

    kind: ClassVar[str] = "workflow"

    workflow: Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadePart(Part):
    """A job whose arguments are filled when it runs."""

    kind: ClassVar[str] = "cascade"

    call: JobCall[...]
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GraftPart(CascadePart):
    """Such a job, which returns what takes its place."""

    kind: ClassVar[str] = "graft"

    flow: str = field(default_factory=make_time_ordered_id)


class Elements:
    """What a group is made of, read once: a mapping by its keys, anything else by its numbers.

    Args:
        source: An iterable, or a mapping.
        what: How errors name it.

    Raises:
        InvalidWorkflow: If it is neither.
    """

    def __init__(self, source: object, what: str) -> None:
        if isinstance(source, str | bytes) or not isinstance(source, Iterable):
            raise InvalidWorkflow(
                f"{what} is {shown(source)}: give a list, another iterable, or a mapping"
            )
        self.keyed = isinstance(source, Mapping)
        self._source: Iterable[Any] | Mapping[Any, Any] = source
        self._what = what
        self._read = False
        self._again = not isinstance(source, Iterator)

    @property
    def count(self) -> int | None:
        """How many there are, where that can be told without reading them."""
        try:
            return len(self._source)  # type: ignore[arg-type]  # what has no length raises
        except TypeError:
            return None

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        if self._read and not self._again:
            raise InvalidWorkflow(
                f"{self._what} was read already, and can't be read again: give a list"
            )
        self._read = True
        if isinstance(self._source, Mapping):
            for key, value in self._source.items():
                name = check_name(key, f"key of {self._what}")
                if name != key and name in self._source:
                    raise InvalidWorkflow(
                        f"{self._what} have the keys {key!r} and {name!r}, which are the same as "
                        "names: leave out one"
                    )
                yield name, value
        else:
            for number, value in enumerate(self._source):
                yield str(number), value


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPart(Part):
    """Many jobs under one name: given, or made of elements by a call whose arguments are filled."""

    kind: ClassVar[str] = "group"

    elements: Elements
    call: JobCall[...] | None = None
    flow: str = field(default_factory=make_time_ordered_id)


def check_name(name: object, what: str) -> str:
    """Return the name of a step, or refuse it.

    Raises:
        InvalidWorkflow: If it is no text, empty or too long.
    """
    from_number = isinstance(name, int) and not isinstance(name, bool)
    text = str(name) if from_number else name
    if not is_storable_name(text):
        raise InvalidWorkflow(f"{what} {shown(name)} can't be used: give 1 to 127 characters")
    return str(text)


def check_step_job(job: object, step: str) -> Job:
    """Return a job that can be a step, or refuse it.

    Raises:
        InvalidWorkflow: If it is no job.
        InvalidJob: If it was enqueued before, or is unique.
    """
    if not isinstance(job, Job):
        raise InvalidWorkflow(
            f"step {step!r} is {shown(job)}, which is no job: make one with f.new(...), "
            "Worker.new(...) or Job(worker=...)"
        )
    if job.id is not None:
        raise InvalidJob(
            f"step {step!r} is job {job.id}, which was enqueued before: make a new one"
        )
    if job.unique is not None:
        raise InvalidJob(
            f"step {step!r} is a unique job, which might be another workflow's: make the whole "
            "workflow unique, with Workflow(name, unique=True)"
        )
    return job
