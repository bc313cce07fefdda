"""`@job` for functions and `@worker` for classes: code that runs jobs.

Both register what they decorate under a name and add ways to make and enqueue its jobs. A function
takes its own arguments there and nothing else, so that type checkers see wrong ones; options go
through `options`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, overload

from staffa import instance, registry
from staffa.args.model import ModelCodec, declared_model
from staffa.chunks import Chunk
from staffa.cron.declared import declare
from staffa.definitions import (
    CLASS_OPTIONS,
    ClassOptions,
    JobMaker,
    WorkerOptions,
    define,
    join_class,
    prepare_class,
)
from staffa.errors import ConfigError
from staffa.functions import JobFunction
from staffa.jobs import Job
from staffa.options import JOB_OPTIONS, JobOptions, check_options
from staffa.payload import A
from staffa.registry import WorkerDefinition
from staffa.relays import Relay, SyncRelay

P = ParamSpec("P")
T = TypeVar("T")
W = TypeVar("W", bound=type)

_DEFINITION = "_definition"
_MAKER = "_maker"
_MODEL = "_args_model"


class Worker(Generic[A]):
    """Optional base of classes that `worker` decorates: tells type checkers what it adds.

    ``Worker[Order]`` is the base of those with ``args=Order``.

    Example:
        >>> @worker(queue="badges", max_attempts=5)
        ... class GenerateBadge(Worker):
        ...     async def process(self, job: Job) -> None: ...
        >>> GenerateBadge.new({"id": 1}).max_attempts
        5
    """

    _definition: WorkerDefinition

    @classmethod
    def new(cls, args: A | Mapping[str, Any] | None = None, **options: Unpack[JobOptions]) -> Job:
        """Return a job of this worker, not enqueued yet.

        Args:
            args: A mapping; or, where the worker declares a model, one of that.
            **options: See `JobOptions`.

        Raises:
            InvalidArgs: If the args are no plain JSON, or make no such model.
            UnknownOption: For an option that does not exist.
        """
        check_options(options, JOB_OPTIONS, "job option")
        given: Any = {} if args is None else args
        maker: JobMaker = JobMaker(cls._definition, options) if options else getattr(cls, _MAKER)
        model: ModelCodec | None = getattr(cls, _MODEL)
        if model is not None:
            given = model.encode(given, hide=maker.hides)
        return maker.new(given)

    @classmethod
    async def enqueue(
        cls,
        args: A | Mapping[str, Any] | None = None,
        *,
        conn: Any = None,
        **options: Unpack[JobOptions],
    ) -> Job:
        """Enqueue a job of this worker.

        It goes through the client of this process, or the one that the option `instance` names.

        Args:
            args: See `new`.
            conn: Your own connection: the job is written in its transaction.
            **options: See `JobOptions`.
        """
        job = cls.new(args, **options)
        return await instance.get(job.instance).enqueue(job, conn=conn)

    @classmethod
    def enqueue_sync(
        cls,
        args: A | Mapping[str, Any] | None = None,
        *,
        conn: Any = None,
        **options: Unpack[JobOptions],
    ) -> Job:
        """Enqueue a job of this worker from code without an event loop.

        Args:
            args: See `new`.
            conn: Your own connection: the job is written in its transaction, on this thread.
            **options: See `JobOptions`.

        Raises:
            LoopRunning: On a thread that runs an event loop.
        """
        called = cls.__name__
        instance.refuse_loop(f"{called}.enqueue_sync()", f"await {called}.enqueue(...)")
        job = cls.new(args, **options)
        return instance.get(job.instance).sync.enqueue(job, conn=conn)

    @classmethod
    async def relay(
        cls,
        args: A | Mapping[str, Any] | None = None,
        *,
        conn: Any = None,
        **options: Unpack[JobOptions],
    ) -> Relay:
        """Enqueue a job of this worker, and return what its result can be awaited with.

        Args:
            args: See `new`.
            conn: Your own connection: the job is written in its transaction.
            **options: See `JobOptions`.
        """
        job = cls.new(args, **options)
        return await instance.get(job.instance).relay(job, conn=conn)

    @classmethod
    def relay_sync(
        cls,
        args: A | Mapping[str, Any] | None = None,
        *,
        conn: Any = None,
        **options: Unpack[JobOptions],
    ) -> SyncRelay:
        """Do the same from code without an event loop; with `conn`, on this thread.

        Raises:
            LoopRunning: On a thread that runs an event loop.
        """
        called = cls.__name__
        instance.refuse_loop(f"{called}.relay_sync()", f"await {called}.relay(...)")
        job = cls.new(args, **options)
        return instance.get(job.instance).sync.relay(job, conn=conn)


@overload
def job(function: Callable[P, T], /) -> JobFunction[P, T]: ...
@overload
def job(
    *, chunk: Chunk, **options: Unpack[WorkerOptions]
) -> Callable[[Callable[[list[Job]], T]], JobFunction[..., T]]: ...
@overload
def job(**options: Unpack[WorkerOptions]) -> Callable[[Callable[P, T]], JobFunction[P, T]]: ...
def job(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a function a job: it stays callable, and gains `new`, `enqueue` and `options`.

    An ``async def`` runs on the event loop, a ``def`` in a thread. Whatever it returns completes
    the job, but for `Cancel`, `Discard` and `Snooze`; an exception is a failed attempt.

    Args:
        function: The function, when used without parentheses.
        **options: See `WorkerOptions`. With `chunk`, the function is given a list of jobs, and the
            args of a job are any keywords: plain JSON.

    Raises:
        UnknownOption: For an option that does not exist.
        NotYetAvailable: For one that is not built yet.
        ConfigError: If the function can't be found by a name, or in the executor asked for.
        InvalidJob: If a value can't be used.

    Example:
        >>> @job(queue="mail", max_attempts=5)
        ... async def send(to: str) -> None: ...
        >>> send.new("a@example.com").queue
        'mail'
    """
    if function is not None:
        return JobFunction(function, options)
    return lambda decorated: JobFunction(decorated, options)


def worker(**options: Unpack[ClassOptions]) -> Callable[[W], W]:
    """Make a class with a method `process(self, job)` a worker.

    A new object of the class is made for each job; with `chunk`, for each chunk, and `process` is
    given a list of jobs. Methods `backoff(self, job)` and
    `timeout(self, job)` (in seconds), where there are any, go before the options; hooks are
    methods as well, see `staffa.hooks`.

    Args:
        **options: See `ClassOptions`.

    Raises:
        UnknownOption: For an option that does not exist.
        NotYetAvailable: For one that is not built yet.
        ConfigError: If the class has no `process`, or `args` is no class with fields.

    Example:
        >>> @worker(max_attempts=5, queue="badges")
        ... class GenerateBadge:
        ...     async def process(self, job: Job) -> None: ...
    """
    check_options(options, CLASS_OPTIONS, "worker option")

    def decorate(decorated: W) -> W:
        process = getattr(decorated, "process", None)
        if not callable(process):
            raise ConfigError(f"{decorated.__qualname__} has no method process(self, job): add one")
        model = declared_model(decorated, options)
        prepare = prepare_class(decorated, model)
        definition = define(decorated, options, process, prepare, join_class(decorated))
        registry.register(definition)
        setattr(decorated, _DEFINITION, definition)
        setattr(decorated, _MAKER, JobMaker(definition, {}))
        setattr(decorated, _MODEL, model)
        for name in ("new", "enqueue", "enqueue_sync", "relay", "relay_sync"):
            if not hasattr(decorated, name):
                setattr(decorated, name, classmethod(getattr(Worker, name).__func__))
        new: Callable[..., Job] = functools.partial(Worker.new.__func__, decorated)  # type: ignore[attr-defined]  # of a class method
        declare(
            definition.name,
            options.get("cron", ()),
            lambda cron: new(cron.args, **cron.options),
        )
        return decorated

    return decorate
