"""Functions that are jobs: what `@job` makes of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Generic, ParamSpec, TypeVar, Unpack

from staffa import instance, registry
from staffa.args.codec import ArgsCodec
from staffa.cron import Cron
from staffa.cron.declared import declare
from staffa.definitions import (
    WORKER_OPTIONS,
    JobMaker,
    define,
)
from staffa.errors import ConfigError
from staffa.jobs import Job
from staffa.options import JOB_OPTIONS, JobOptions, check_options, check_tags
from staffa.registry import WorkerDefinition
from staffa.relays import Relay, SyncRelay

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")


class JobFunction(Generic[P, R_co]):
    """A function that `job` decorated: callable as before, and a maker of jobs.

    Example:
        >>> from staffa import job
        >>> @job(queue="mail")
        ... def greet(name: str) -> str:
        ...     return f"hello {name}"
        >>> greet("ada")
        'hello ada'
        >>> greet.new("ada").args
        {'name': 'ada'}
        >>> greet.options(priority=3).new("ada").priority
        3
    """

    def __init__(self, function: Callable[P, R_co], options: Mapping[str, Any]) -> None:
        functools.update_wrapper(self, function)
        if "args" in options:
            raise ConfigError("args= is for worker classes: a function's parameters are its args")
        check_options(options, WORKER_OPTIONS, "job option")
        self._function = function
        chunked = "chunk" in options
        shape = _free_args(function) if chunked else function
        self._codec = ArgsCodec(shape, options.get("unknown", "ignore"))
        self._definition = define(
            function,
            options,
            function,
            self._prepare_alone if chunked else self._prepare,
            lambda: (function, None),  # type: ignore[arg-type,return-value]  # it takes jobs then
            parameters=self._codec.parameters,
        )
        self._plain: JobCall[P] = JobCall(self._definition, self._codec, {}, None)
        registry.register(self._definition)
        declare(self.worker_name, options.get("cron", ()), self._new_by_cron)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function itself, here and now."""
        return self._function(*args, **kwargs)

    @property
    def worker_name(self) -> str:
        """The name that its rows hold."""
        return self._definition.name

    @property
    def definition(self) -> WorkerDefinition:
        """What the executor knows of it."""
        return self._definition

    def new(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Return a job of this function, not enqueued yet.

        Raises:
            InvalidArgs: If the function can't be called so, or an argument is not what its
                annotation says, or no plain JSON.
        """
        return self._plain.new(*args, **kwargs)

    async def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Enqueue a job of this function.

        It goes through the client of this process, or the one that the option `instance` names.

        Raises:
            InvalidArgs: See `new`.
            InstanceError: If there is no such client, or several and none was chosen.
        """
        return await self._plain.enqueue(*args, **kwargs)

    def enqueue_sync(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Enqueue a job of this function from code without an event loop.

        Raises:
            LoopRunning: On a thread that runs an event loop.
            InvalidArgs: See `new`.
            InstanceError: If there is no client.

        Example:
            ```python
            job = send_mail.enqueue_sync("a@example.com")
            ```
        """
        return self._plain.enqueue_sync(*args, **kwargs)

    async def relay(self, *args: P.args, **kwargs: P.kwargs) -> Relay:
        """Enqueue a job of this function, and return what its result can be awaited with.

        Raises:
            InvalidArgs: See `new`.
            InstanceError: If there is no such client, or several and none was chosen.

        Example:
            ```python
            relay = await add.relay(1, 2)
            total = await relay.result(timeout=5)
            ```
        """
        return await self._plain.relay(*args, **kwargs)

    def relay_sync(self, *args: P.args, **kwargs: P.kwargs) -> SyncRelay:
        """Do the same from code without an event loop.

        Raises:
            LoopRunning: On a thread that runs an event loop; else see `relay`.
        """
        return self._plain.relay_sync(*args, **kwargs)

    def recording(self) -> JobCall[P]:
        """Return the same function, the results of whose jobs are kept; for workflows."""
        return self._plain.recording()

    def options(self, *, conn: Any = None, **options: Unpack[JobOptions]) -> JobCall[P]:
        """Return the same function with other options for the jobs made through it.

        Args:
            conn: Your own connection: the job is written in its transaction.
            **options: See `JobOptions`.

        Raises:
            UnknownOption: For an option that does not exist.
        """
        check_options(options, JOB_OPTIONS, "job option")
        if "tags" in options:  # maybe an iterator, and the call may be used again
            options["tags"] = check_tags(options["tags"])
        return JobCall(self._definition, self._codec, options, conn)

    def _new_by_cron(self, cron: Cron) -> Job:
        new: Callable[..., Job] = self.options(**cron.options).new
        return new(**cron.args)

    def _prepare(self, job: Job) -> Callable[[], Any]:
        positional, named = self._codec.decode(job.args, hide=job.encrypted)
        return functools.partial(self._function, *positional, **named)

    def _prepare_alone(self, job: Job) -> Callable[[], Any]:
        """Prepare a job of a chunk: its args are what was given, whatever that is."""
        self._codec.decode(job.args, hide=job.encrypted)
        return lambda: None  # it runs together with others, or in a list of one

    def __repr__(self) -> str:
        return f"<job {self.worker_name}>"


def _free_args(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the form of the args of a function that takes a list of jobs: any keywords.

    Raises:
        ConfigError: If it takes something else.
    """
    try:
        inspect.signature(function).bind([])
    except TypeError:
        raise ConfigError(
            f"{function.__qualname__}{inspect.signature(function)} has chunk=, so it is called "
            "with a list of jobs: define it as def f(jobs: list[Job])"
        ) from None

    def free(**args: Any) -> None: ...

    free.__qualname__ = function.__qualname__  # errors name it
    return free


class JobCall(Generic[P]):
    """A function with options and a connection, ready to make jobs; see `JobFunction.options`."""

    def __init__(
        self,
        definition: WorkerDefinition,
        codec: ArgsCodec,
        options: Mapping[str, Any],
        conn: Any,
    ) -> None:
        self._definition = definition
        self._codec = codec
        self._options = options
        self._maker = JobMaker(definition, options)
        self._conn = conn

    @property
    def definition(self) -> WorkerDefinition:
        """What the executor knows of the function."""
        return self._definition

    def new(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Return a job, not enqueued yet."""
        maker = self._maker
        return maker.new(self._codec.bind(args, kwargs, hide=maker.hides))

    def recording(self) -> JobCall[P]:
        """Return the same, with the results of its jobs kept; for workflows."""
        if self._options.get("recorded", self._definition.options.get("recorded")):
            return self
        options = {**self._options, "recorded": True}
        return JobCall(self._definition, self._codec, options, self._conn)

    def new_unfilled(self, values: Mapping[str, Any]) -> Job:
        """Return a job that lacks arguments: for workflows, which fill them in when it runs.

        Args:
            values: The arguments that it has, by their names.

        Raises:
            InvalidArgs: If one does not fit its annotation.
        """
        maker = self._maker
        return maker.new(self._codec.encode_some(values, hide=maker.hides))

    async def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Enqueue a job, in the transaction of `conn` if one was given."""
        job = self.new(*args, **kwargs)
        return await instance.get(job.instance).enqueue(job, conn=self._conn)

    def enqueue_sync(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Enqueue a job from code without an event loop; with `conn`, on this thread."""
        called = self._definition.source.rpartition(".")[2]
        instance.refuse_loop(f"{called}.enqueue_sync()", f"await {called}.enqueue(...)")
        job = self.new(*args, **kwargs)
        return instance.get(job.instance).sync.enqueue(job, conn=self._conn)

    async def relay(self, *args: P.args, **kwargs: P.kwargs) -> Relay:
        """Enqueue a job, and return what its result can be awaited with."""
        job = self.new(*args, **kwargs)
        return await instance.get(job.instance).relay(job, conn=self._conn)

    def relay_sync(self, *args: P.args, **kwargs: P.kwargs) -> SyncRelay:
        """Do the same from code without an event loop; with `conn`, on this thread."""
        called = self._definition.source.rpartition(".")[2]
        instance.refuse_loop(f"{called}.relay_sync()", f"await {called}.relay(...)")
        job = self.new(*args, **kwargs)
        return instance.get(job.instance).sync.relay(job, conn=self._conn)
