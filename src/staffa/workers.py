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
from staffa.args.codec import ArgsCodec
from staffa.args.model import ModelCodec, declared_model
from staffa.cron import Cron
from staffa.cron.declared import declare
from staffa.definitions import (
    CLASS_OPTIONS,
    WORKER_OPTIONS,
    ClassOptions,
    JobMaker,
    WorkerOptions,
    define,
    prepare_class,
)
from staffa.errors import ConfigError
from staffa.jobs import Job
from staffa.options import JOB_OPTIONS, JobOptions, check_options, check_tags
from staffa.payload import A
from staffa.registry import WorkerDefinition

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")
W = TypeVar("W", bound=type)

_DEFINITION = "_definition"
_MAKER = "_maker"
_MODEL = "_args_model"


class JobFunction(Generic[P, R_co]):
    """A function that `job` decorated: callable as before, and a maker of jobs.

    Example:
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
        self._codec = ArgsCodec(function, options.get("unknown", "ignore"))
        self._definition = define(
            function, options, function, self._prepare, self._codec.parameters
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

    def __repr__(self) -> str:
        return f"<job {self.worker_name}>"


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


@overload
def job(function: Callable[P, T], /) -> JobFunction[P, T]: ...
@overload
def job(**options: Unpack[WorkerOptions]) -> Callable[[Callable[P, T]], JobFunction[P, T]]: ...
def job(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a function a job: it stays callable, and gains `new`, `enqueue` and `options`.

    An ``async def`` runs on the event loop, a ``def`` in a thread. Whatever it returns completes
    the job, but for `Cancel`, `Discard` and `Snooze`; an exception is a failed attempt.

    Args:
        function: The function, when used without parentheses.
        **options: See `WorkerOptions`.

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

    A new object of the class is made for each job. Methods `backoff(self, job)` and
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
        definition = define(decorated, options, process, prepare_class(decorated, model))
        registry.register(definition)
        setattr(decorated, _DEFINITION, definition)
        setattr(decorated, _MAKER, JobMaker(definition, {}))
        setattr(decorated, _MODEL, model)
        for name in ("new", "enqueue", "enqueue_sync"):
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
