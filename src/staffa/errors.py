"""Every error that Staffa raises, in one tree.

```
StaffaError
├── ConfigError            a setting, option or argument that can't be used (also a ValueError)
│   ├── UnknownOption      a key that does not exist; names the nearest one
│   ├── InvalidWorkflow    a workflow whose steps don't fit together: nothing was written
│   └── NotYetAvailable    an option that is specified but not built yet
├── InvalidJob             a job that can't be stored as given (also a ValueError)
│   └── InvalidArgs        its args or meta are no plain JSON, or don't fit the annotations
├── UnknownFlow            no workflow, batch or chain of an id is stored
├── FlowExists             the id of a new one, or the name of a step, is taken: nothing was written
├── QueueFull              a queue has as many waiting jobs as it may have: nothing was written
├── UnknownWorker          a row names a worker that no code here defines
├── UnknownKey             a row is encrypted with a key that is not known here
├── InvalidTerm            no plain Erlang term, or nothing that can be one (also a ValueError)
├── ResultUnavailable      a job has no recorded result, or not yet
├── RelayError             a relay's job has ended without a result
│   ├── RelayTimeout       it has not ended in time, and goes on (also a TimeoutError)
│   ├── RelayCancelled     it was cancelled
│   ├── RelayDiscarded     it failed for good
│   └── RelayDeleted       its row is gone
├── InstanceError          no client, several, or one that is not in the right state
├── LoopRunning            a synchronous call on an event loop's thread (also a RuntimeError)
├── JobError               raised in or about a running job
│   ├── JobCancelled       the running job was cancelled
│   │   └── DeadlinePassed its deadline passed
│   ├── JobDiscarded       a job gave itself up; for reporters of errors
│   ├── JobTimeout         the attempt took longer than its timeout
│   ├── SignalTimeout      the signal that the job awaited has not come in time
│   ├── ProcessJobError    a job raised in a process of its own: carries what is known of the error
│   ├── ProcessDied        the process of a job was killed or ended before the job
│   └── ProcessUnavailable no process can be started for the job, or none any more
├── DatabaseError          the database refused or could not be reached
│   ├── SchemaMissing      Staffa's tables are not there: migrate
│   ├── DatabaseUnavailable    connection lost or refused: the outcome may be unknown, try again
│   ├── StatementConflict      serialisation failure or deadlock: nothing was written, try again
│   ├── DataRefused            the database refused the data of the statement
│   └── OperationInterrupted   an operation on many jobs ended early, after some: repeat it
├── MigrationError         the schema can't be brought to the version asked for
└── EmbeddedUnavailable    no embedded PostgreSQL can be run here
```
"""

from __future__ import annotations

from collections.abc import Iterable

from staffa._internal.nearest import nearest


class StaffaError(Exception):
    """Root of all errors of this package."""


class ConfigError(StaffaError, ValueError):
    """A setting, option or argument that can't be used."""


class UnknownOption(ConfigError):
    """A key that does not exist.

    Args:
        kind: What the key was meant to be, for example "job option".
        key: The unknown key.
        known: The keys that exist.

    Example:
        >>> raise UnknownOption("job option", "priorty", ["priority", "queue"])
        Traceback (most recent call last):
        staffa.errors.UnknownOption: unknown job option 'priorty': did you mean 'priority'?
    """

    def __init__(self, kind: str, key: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = nearest(str(key), names)
        listed = f"known are {', '.join(names)}" if names else "there are none"
        remedy = f"did you mean {near!r}?" if near else listed
        super().__init__(f"unknown {kind} {key!r}: {remedy}")
        self.key = key


class InvalidWorkflow(ConfigError):
    """A workflow whose steps don't fit together; nothing was written."""


class NotYetAvailable(ConfigError):
    """An option that is specified but not built yet."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not yet available in this version of Staffa")


class InvalidJob(StaffaError, ValueError):
    """A job that can't be stored as given."""


class InvalidArgs(InvalidJob):
    """Args or meta that are no plain JSON object, or don't fit what the code declares."""


class UnknownFlow(StaffaError):
    """No workflow, batch or chain of an id is stored, or none any more."""


class FlowExists(StaffaError):
    """The id of a new workflow or batch, or the name of a step, is taken; nothing was written."""


class QueueFull(StaffaError):
    """A queue has as many waiting jobs as it may have; nothing was written.

    Args:
        queue: The queue.
        depth: How many jobs wait in it, at least.
        limit: How many may.

    Example:
        >>> raise QueueFull("mail", 1000, 1000)
        Traceback (most recent call last):
        staffa.errors.QueueFull: queue 'mail' is full: 1000 jobs wait, max_depth is 1000; try later
    """

    def __init__(self, queue: str, depth: int, limit: int) -> None:
        super().__init__(
            f"queue {queue!r} is full: {depth} jobs wait, max_depth is {limit}; try later"
        )
        self.queue = queue
        self.depth = depth
        self.limit = limit


class UnknownWorker(StaffaError):
    """A row names a worker that no code of this process defines."""


class UnknownKey(StaffaError):
    """A row is encrypted with a key that this process does not hold, or can't use."""


class InvalidTerm(StaffaError, ValueError):
    """Bytes that are no plain Erlang term, or a value that can't become one."""


class ResultUnavailable(StaffaError):
    """A job has no recorded result, or not yet; the message says why."""


class RelayError(StaffaError):
    """A relay's job has no result to give.

    Attributes:
        job_id: The job.
    """

    def __init__(self, message: str, *, job_id: int | None = None) -> None:
        super().__init__(message)
        self.job_id = job_id


class RelayTimeout(RelayError, TimeoutError):
    """The job of a relay has not ended in time; it goes on."""


class RelayCancelled(RelayError):
    """The job of a relay was cancelled."""


class RelayDiscarded(RelayError):
    """The job of a relay failed for good."""


class RelayDeleted(RelayError):
    """The row of a relay's job was deleted, and what became of it is not known."""


class InstanceError(StaffaError):
    """No client, several of them, or one that is in the wrong state for the call."""


class LoopRunning(StaffaError, RuntimeError):
    """A synchronous call on a thread that runs an event loop, which the call would block."""


class JobError(StaffaError):
    """Raised in or about a running job."""


class JobCancelled(JobError):
    """The running job was cancelled."""


class DeadlinePassed(JobCancelled):
    """The job's deadline passed, before it began or while it ran."""


class JobDiscarded(JobError):
    """A job returned `Discard`; reporters of errors get this, nobody raises it."""


class JobTimeout(JobError):
    """The attempt took longer than its timeout."""


class SignalTimeout(JobError):
    """The signal that a job awaited has not come within `wait_for`."""


class ProcessJobError(JobError):
    """A job raised in a process of its own; the exception itself stays there.

    Args:
        message: What the exception says.
        type_name: Its class, as ``module.qualname``, or a builtin's plain name.
        original_type: Its class, if this process has imported it.
        known_types: Its class and the bases of that, as far as this process has imported them.
        traceback: Its traceback as text, from the first frame of the job's own code.

    Example:
        >>> error = ProcessJobError(
        ...     "no such page", type_name="KeyError", original_type=KeyError,
        ...     known_types=(KeyError, LookupError, Exception, BaseException), traceback="",
        ... )
        >>> str(error), error.matches(LookupError), error.matches(OSError, TypeError)
        ('KeyError: no such page', True, False)
    """

    def __init__(
        self,
        message: str,
        *,
        type_name: str,
        original_type: type[BaseException] | None,
        known_types: tuple[type[BaseException], ...],
        traceback: str,
    ) -> None:
        super().__init__(f"{type_name}: {message}" if message else type_name)
        self.message = message
        self.type_name = type_name
        self.original_type = original_type
        self.known_types = known_types
        self.traceback = traceback
        if traceback:  # whoever prints this error prints its notes
            self.add_note(traceback)

    def matches(self, *types: type[BaseException]) -> bool:
        """Tell whether the exception was of one of these classes, as ``except`` would."""
        return any(issubclass(known, types) for known in self.known_types)


class ProcessDied(JobError):
    """The process of a job was killed, or ended before the job; other jobs are not concerned.

    Attributes:
        signal_name: The signal that killed it, such as ``SIGKILL``.
        exit_code: The code with which it ended, where no signal killed it.
    """

    def __init__(
        self, message: str, *, signal_name: str | None = None, exit_code: int | None = None
    ) -> None:
        super().__init__(message)
        self.signal_name = signal_name
        self.exit_code = exit_code


class ProcessUnavailable(JobError):
    """No process can be started for a job, or the pool of processes has stopped."""


class DatabaseError(StaffaError):
    """The database refused a statement or could not be reached.

    Attributes:
        sqlstate: PostgreSQL's five-character code, where the server sent one.
    """

    def __init__(self, message: str, *, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class SchemaMissing(DatabaseError):
    """Staffa's tables are not where the configuration says."""


class DatabaseUnavailable(DatabaseError):
    """The connection was refused or lost; whether the statement took effect may be unknown."""


class StatementConflict(DatabaseError):
    """A serialisation failure or a deadlock: nothing was written, and a repetition may succeed."""


class DataRefused(DatabaseError):
    """The database refused the data of the statement (SQLSTATE classes 22, 23 and 54)."""


class OperationInterrupted(DatabaseError):
    """An operation on all jobs of a filter ended early: what was done is done, repeat it.

    Its cause is the error that ended it.

    Attributes:
        done: How many jobs had been changed for certain. The last portion may have been, too, if
            its reply was lost.
    """

    def __init__(self, done: int, cause: DatabaseError) -> None:
        super().__init__(
            f"interrupted after {done} jobs were changed: {cause}; repeat the call for the rest",
            sqlstate=cause.sqlstate,
        )
        self.done = done


class MigrationError(StaffaError):
    """The schema can't be brought to the version asked for."""


class EmbeddedUnavailable(StaffaError):
    """No embedded PostgreSQL can be run on this machine; the message says what to install."""
