"""What the executor knows of a worker, made of its code and its options, all of them checked."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from staffa import registry
from staffa.args.codec import Parameters, Unknown
from staffa.args.model import ModelCodec
from staffa.args.returns import ReturnCodec
from staffa.chains import parse_chain
from staffa.chunks import Chunk, check_chunk
from staffa.cron import Cron
from staffa.errors import ConfigError, NotYetAvailable
from staffa.hooks import OwnHooks, check_ending, check_hooks, find, prepare_new
from staffa.jobs import Job
from staffa.options import (
    JOB_OPTIONS,
    JobOptions,
    check_options,
    check_tags,
    check_worker_name,
)
from staffa.policies import Backoff, ErrorPolicy, ErrorTypes, backoff_of, has_timeout, timeout_of
from staffa.registry import ExecutorKind, Together, WorkerDefinition
from staffa.types import Seconds, to_seconds
from staffa.unique import parse_unique


class WorkerOptions(JobOptions, total=False):
    """The options of a worker: those of its jobs, and how it runs them."""

    name: str
    """The stored name; ``module.qualname`` if not given."""
    backoff: Backoff | Seconds
    """How long to wait after a failed attempt; 15 + 2^attempt seconds if not given."""
    executor: ExecutorKind
    """"async" for ``async def``, "thread" for ``def`` if not given; "process" for either."""
    discard_on: ErrorTypes
    """Errors that discard the job at once: no retry would help."""
    cancel_on: ErrorTypes
    """Errors that cancel the job."""
    retry_on: Mapping[type[BaseException], Backoff | Seconds]
    """The backoff for errors of a class, which also go before the two above."""
    hooks: Iterable[object]
    """Objects with hooks, see `staffa.hooks`."""
    aliases: Iterable[str]
    """Names of older rows that this code runs as well."""
    unknown: Unknown
    """Whether keys of a row that the code does not know are ignored or an error."""
    cron: str | Cron | Mapping[str, Any] | Sequence[str | Cron]
    """When its jobs are made by themselves: one or several expressions, or `Cron` objects."""


class ClassOptions(WorkerOptions, total=False):
    """The options of a worker class: those of a worker, what its args are, and `chunk`."""

    args: type
    """A dataclass, typed dict, named tuple, or a model of pydantic, msgspec or attrs."""
    chunk: Chunk
    """How many of its jobs run together: then `process` is given a list of them."""


WORKER_OPTIONS = JOB_OPTIONS | WorkerOptions.__annotations__.keys() | {"chunk"}
CLASS_OPTIONS = JOB_OPTIONS | ClassOptions.__annotations__.keys()
_EXECUTORS_LATER = frozenset({"dask", "ray"})
_HOW = ClassOptions.__annotations__.keys() - JobOptions.__annotations__.keys()


def define(
    code: Any,
    options: Mapping[str, Any],
    process: Callable[..., Any],
    prepare: Callable[[Job], Callable[[], Any]],
    together: Together | None = None,
    parameters: Parameters | None = None,
) -> WorkerDefinition:
    """Return the definition of a worker: its options checked, its hooks found."""
    source = f"{registry.module_name(code)}.{code.__qualname__}"
    how = {key: options[key] for key in _HOW if key in options}
    timeout = options.get("timeout")
    seconds = None if timeout is None else to_seconds(timeout, "timeout")
    job_options = {
        key: value for key, value in options.items() if key not in how and key != "timeout"
    }
    if "tags" in job_options:
        job_options["tags"] = check_tags(job_options["tags"])
    if "unique" in job_options:
        job_options["unique"] = parse_unique(job_options["unique"]) or False
    chunk = _chunk_of(source, how, job_options)
    if "chain" in job_options:
        job_options["chain"] = parse_chain(job_options["chain"])
    executor = _choose_executor(source, process, how.get("executor"))
    own_hooks = _hooks_of(code, how.get("hooks", ()))
    definition = WorkerDefinition(
        name=how.get("name") or registry.name_of(code),
        executor=executor,
        prepare=prepare,
        timeout=timeout_of(code, seconds),
        backoff=backoff_of(code, how.get("backoff")),
        policy=ErrorPolicy.of(how),
        hooks=own_hooks,
        aliases=_check_aliases(how.get("aliases", ())),
        options=job_options,
        source=source,
        encode_result=ReturnCodec(process).encode,
        chunk=chunk,
        together=None if chunk is None else together,
        parameters=parameters,
        direct=executor == "async" and not own_hooks and not has_timeout(code, seconds),
    )
    Job(worker=definition.name, **job_options)  # refuses bad values where they are written
    return definition


def _chunk_of(source: str, how: Mapping[str, Any], job_options: Mapping[str, Any]) -> Chunk | None:
    """Return how many jobs of a worker run together, if they do.

    Raises:
        ConfigError: If another option can't be had beside it.
    """
    if "chunk" not in how:
        return None
    chunk = check_chunk(how["chunk"])
    if how.get("executor") == "process":
        raise ConfigError(
            f"{source} has chunk and executor='process': the jobs of a chunk run in one call, on "
            "the event loop or in a thread; leave out one of the two"
        )
    if job_options.get("recorded"):
        raise ConfigError(
            f"{source} has chunk and recorded: a chunk has one result for all of its jobs, which "
            "is not kept; leave out recorded"
        )
    check_readable(source, chunk, encrypted=bool(job_options.get("encrypted")))
    return chunk


def check_readable(source: str, chunk: Chunk | None, *, encrypted: bool) -> None:
    """Refuse a chunk by args that the database can't read.

    Raises:
        ConfigError: If the args are encrypted.
    """
    if chunk is not None and encrypted and chunk.reads_args:
        raise ConfigError(
            f"{source} has encrypted args and a chunk by {', '.join(chunk.fields)}, which the "
            "database can't read then: put the value into meta, as in by='meta.account_id'"
        )


def _choose_executor(
    source: str, process: Callable[..., Any], wanted: ExecutorKind | None
) -> ExecutorKind:
    waits = inspect.iscoroutinefunction(inspect.unwrap(process))
    natural: ExecutorKind = "async" if waits else "thread"
    if wanted in _EXECUTORS_LATER:
        raise NotYetAvailable(f"executor {wanted!r}")
    if wanted == "process":
        if "<locals>" in source:
            raise ConfigError(
                f"{source} is defined inside of a function, where no other process can find it: "
                "define it at the top of its module, or leave out executor='process'"
            )
        return wanted
    if wanted is not None and wanted != natural:
        kind = "async def" if natural == "async" else "def"
        raise ConfigError(
            f"executor {wanted!r} can't run {source}: it is {kind}, which runs in {natural!r}"
        )
    return natural


def _hooks_of(code: Any, given: object) -> tuple[object, ...]:
    """Return the hooks of a worker: those given, then the methods of its class."""
    own = (OwnHooks(code),) if isinstance(code, type) else ()
    return (*check_hooks(given), *own)


def _check_aliases(aliases: object) -> tuple[str, ...]:
    if isinstance(aliases, str) or not isinstance(aliases, Iterable):
        raise ConfigError(f"aliases is {aliases!r:.200}: give a list of names, ['old.path']")
    return tuple(check_worker_name(alias) for alias in aliases)


async def _process(worker: Any, job: Job) -> Any:
    """Run a job on a new object of its class, after the hook of that object."""
    made = worker()
    ended = check_ending(made.before_process, await made.before_process(job))
    return await made.process(job) if ended is None else ended


def _process_plainly(worker: Any, job: Job) -> Any:
    """Do the same where nothing waits."""
    made = worker()
    ended = check_ending(made.before_process, made.before_process(job))
    return made.process(job) if ended is None else ended


def prepare_class(
    worker: Any, model: ModelCodec | None = None
) -> Callable[[Job], Callable[[], Any]]:
    """Return what prepares the call for a job of a class: first of all its args, if declared.

    Raises:
        ConfigError: If only one of `process` and `before_process` is a coroutine function.
    """
    prepare = _prepare_call(worker)
    if model is None:
        return prepare

    def prepare_with_model(job: Job) -> Callable[[], Any]:
        job.read_args(functools.partial(model.decode, hide=job.encrypted))
        return prepare(job)

    return prepare_with_model


def _prepare_call(worker: Any) -> Callable[[Job], Callable[[], Any]]:
    before = getattr(worker, "before_process", None)
    if not callable(before):
        return lambda job: lambda: worker().process(job)
    waits = [inspect.iscoroutinefunction(inspect.unwrap(m)) for m in (worker.process, before)]
    if waits[0] != waits[1]:
        raise ConfigError(
            f"{worker.__qualname__}.process and before_process must both be def, or async def"
        )
    call = _process if waits[0] else _process_plainly
    return lambda job: functools.partial(call, worker, job)


def join_class(worker: Any) -> Together:
    """Return what makes the calls for the jobs of a chunk of a class, on one object of it."""

    def join() -> tuple[Callable[[list[Job]], Any], Callable[[Job], Any] | None]:
        made = functools.cache(worker)  # where it is called first: maybe in a thread

        def process(jobs: list[Job]) -> Any:
            return made().process(jobs)

        if not callable(getattr(worker, "before_process", None)):
            return process, None

        @functools.wraps(worker.before_process)  # so that it is seen whether it waits
        def before_process(job: Job) -> Any:
            return made().before_process(job)

        return process, before_process

    return join


class JobMaker:
    """Makes jobs of a worker that have the same options, which are checked once.

    Args:
        definition: The worker.
        options: The options of the jobs.
    """

    def __init__(self, definition: WorkerDefinition, options: Mapping[str, Any]) -> None:
        self._definition = definition
        self._options = options
        self._pattern: Job | None = None
        self.hides = is_encrypted(definition, options)
        check_readable(definition.name, definition.chunk, encrypted=self.hides)

    def new(self, args: Mapping[str, Any]) -> Job:
        """Return a job with these args.

        Raises:
            InvalidArgs: If they are no plain JSON object.
            InvalidJob: If an option can't be used.
        """
        if find("before_new", self._definition.hooks):  # they may change the options of each
            return new_job(self._definition, args, self._options)
        if self._pattern is None:
            self._pattern = new_job(self._definition, {}, self._options)
        return self._pattern.with_args(args)


def is_encrypted(definition: WorkerDefinition, options: Mapping[str, Any]) -> bool:
    """Tell whether the args of a job are to be encrypted, by the call's options or the worker's."""
    return bool(options.get("encrypted", definition.options.get("encrypted", False)))


def new_job(
    definition: WorkerDefinition, args: Mapping[str, Any], options: Mapping[str, Any]
) -> Job:
    """Return a job of a worker, after the hooks that may change what it is made of.

    Raises:
        UnknownOption: For an option that does not exist.
    """
    args, options = prepare_new(args, options, definition.hooks)
    check_options(options, JOB_OPTIONS, "job option")  # hooks may have added some
    chosen = {**definition.options, **options}
    if "scheduled_at" in options:
        chosen.pop("scheduled_in", None)
    if "scheduled_in" in options:
        chosen.pop("scheduled_at", None)
    return Job(worker=definition.name, args=args, **chosen)
