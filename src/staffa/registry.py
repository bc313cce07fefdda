"""Which code runs the jobs of which worker name.

A name that a row holds is data: it is looked up here, and imported only under the packages that
the configuration names.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from staffa.args.codec import Parameters
from staffa.chunks import Chunk
from staffa.errors import ConfigError, UnknownWorker
from staffa.jobs import Job
from staffa.options import check_worker_name
from staffa.policies import ErrorPolicy

ExecutorKind = Literal["async", "thread", "process"]

Together = Callable[[], tuple[Callable[[list[Job]], Any], Callable[[Job], Any] | None]]
"""Returns the function to call for a chunk, and what is called for each of its jobs before."""


@dataclass(frozen=True, slots=True)
class WorkerDefinition:
    """What the executor needs to know of a worker.

    Args:
        name: The name in the rows.
        executor: Where it runs.
        prepare: Decodes a job's args and returns the call to make; raises InvalidArgs.
        timeout: Returns how long the attempt may take in seconds, or None.
        backoff: Returns the seconds until the next attempt, or None for the default.
        policy: Which errors end a job at once, or have a backoff of their own.
        hooks: Its own hooks.
        aliases: Names of rows that it runs as well.
        options: The job options that its jobs have unless a call overrides them.
        source: Where it was defined, as ``module.qualname``.
        encode_result: Makes what it returns plain data, to be recorded.
        chunk: How many of its jobs run together, if they do.
        together: Makes the calls for a chunk of jobs that are prepared.
        parameters: Of a function: what it takes.
        direct: Whether a job without a time-out and deadline of its own is one call that is
            awaited: on the event loop, with neither hooks of the worker's own nor a time-out.
    """

    name: str
    executor: ExecutorKind
    prepare: Callable[[Job], Callable[[], Any]]
    timeout: Callable[[Job], float | None]
    backoff: Callable[[Job, BaseException | None], float | None]
    source: str
    options: Mapping[str, Any] = field(default_factory=dict)
    policy: ErrorPolicy = field(default_factory=lambda: ErrorPolicy({}, {}))
    hooks: tuple[object, ...] = ()
    aliases: tuple[str, ...] = ()
    encode_result: Callable[[Any], Any] | None = None
    chunk: Chunk | None = None
    together: Together | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of rows that it runs."""
        return (self.name, *self.aliases)

    parameters: Parameters | None = None
    direct: bool = False


_definitions: dict[str, WorkerDefinition] = {}
_chunked: tuple[WorkerDefinition, ...] = ()


def register(definition: WorkerDefinition) -> None:
    """Make a worker known. The same code may be registered again (a reload), other code not.

    Raises:
        ConfigError: If other code has the name already.
    """
    global _chunked  # noqa: PLW0603
    taken = definition.names
    for name in taken:
        known = _definitions.get(name)
        if known is not None and known.source != definition.source:
            raise ConfigError(
                f"worker name {name!r} is used by {known.source} and {definition.source}: "
                "give one of them another name= or alias"
            )
    before = _definitions.get(definition.name)
    for alias in () if before is None else before.aliases:
        if _definitions.get(alias) is before:  # a reload has dropped it
            del _definitions[alias]
    _definitions.update(dict.fromkeys(taken, definition))
    if definition.chunk is not None or any(known.name == definition.name for known in _chunked):
        others = (known for known in _chunked if known.name != definition.name)
        _chunked = (*others, definition) if definition.chunk is not None else tuple(others)


def chunked() -> tuple[WorkerDefinition, ...]:
    """Return the workers whose jobs run together: another tuple once these have changed."""
    return _chunked


def names() -> list[str]:
    """Return the names of all workers that are known here, aliases included."""
    return sorted(_definitions)


def find(name: str) -> WorkerDefinition | None:
    """Return the worker of a name, or None if none is known; nothing is imported."""
    return _definitions.get(name)


def resolve(name: str, imports: Sequence[str] = ()) -> WorkerDefinition:
    """Return the worker of a name.

    Args:
        name: The name in a row.
        imports: Packages under which an unknown name may be imported.

    Raises:
        UnknownWorker: If no code here has that name.
    """
    definition = _definitions.get(name)
    if definition is None and _may_import(name, imports):
        import_source(name)
        definition = _definitions.get(name)
    if definition is None:
        raise UnknownWorker(
            f"no worker {name!r} is known here: import its module at the start (--import), or name "
            "its package in the setting 'imports'"
        )
    return definition


def name_of(function: Callable[..., Any] | type) -> str:
    """Return the name under which a function or class is stored: ``module.qualname``.

    Raises:
        ConfigError: For a lambda.
        InvalidJob: For a name that is too long.
    """
    qualname = function.__qualname__
    if "<lambda>" in qualname:
        raise ConfigError("a lambda can't be a worker: rows need a name to find it by; use def")
    name = f"{module_name(function)}.{qualname}"
    return check_worker_name(name)


def module_name(function: Callable[..., Any] | type) -> str:
    """Return the importable name of a function's module, for ``__main__`` that of its file."""
    if function.__module__ != "__main__":
        return function.__module__
    main = sys.modules["__main__"]
    if main.__spec__ is not None:  # python -m package.module
        return main.__spec__.name
    try:
        path = Path(inspect.getfile(main)).resolve()
    except TypeError:  # an interactive session has no file
        return "__main__"
    for entry in sys.path:
        root = Path(entry or os.curdir).resolve()
        if path.is_relative_to(root):
            return ".".join(path.relative_to(root).with_suffix("").parts)
    return path.stem


def _may_import(name: str, imports: Sequence[str]) -> bool:
    return any(name.startswith(f"{package}.") for package in imports)


def import_source(name: str) -> None:
    """Import the longest module path of ``module.qualname``, if there is any."""
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:end])
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is not None and f"{module}.".startswith(f"{error.name}."):
                continue
            raise
        return
