"""What users write: an expression, the job that it makes, and how they come as text and tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Unpack

from staffa._internal.identifiers import MAX_NAME_LENGTH, is_storable_name
from staffa._internal.shown import shown
from staffa.args.plain import dump_object
from staffa.cron.expression import Expression
from staffa.cron.schedule import Dst, check_policy
from staffa.cron.zones import load_zone
from staffa.errors import ConfigError, InvalidJob, UnknownOption
from staffa.options import JOB_OPTIONS, JobOptions, check_options, check_worker_name

CRON_OPTIONS = JOB_OPTIONS - {"scheduled_at"}
"""The options of jobs that an entry may have."""


_OWN_KEYS = frozenset(
    {"expression", "worker", "args", "timezone", "dst", "guaranteed", "paused", "name"}
)
_TABLE_KEYS = CRON_OPTIONS | _OWN_KEYS


class Cron:
    """A job that is made again and again.

    Args:
        expression: Five fields such as ``30 3 * * MON-FRI``, or a nickname such as ``@daily``.
        worker: Whose jobs, where it is not said by the decorator: a decorated function or class, or
            a worker's name.
        args: The args of the jobs, by name.
        timezone: Where the expression is read, such as ``Europe/Berlin``; the setting `timezone` if
            not given.
        dst: What happens where clocks are put forward or back: see `staffa.cron.schedule`.
        guaranteed: Whether the latest of the ticks that nobody took is made up for, however late:
            no process led, or the database was away.
        paused: Whether it is paused until it is resumed at run time.
        name: The entry's name, unique among those of an instance; if not given, one is derived from
            the worker, the expression, the args and the time zone.
        **options: The options of the jobs, all but `scheduled_at`: see `JobOptions`.

    Raises:
        ConfigError: If the expression, the time zone, the policy or the name can't be used.
        UnknownOption: For an option that does not exist.

    Example:
        >>> Cron("0 3 * * *", timezone="Europe/Berlin", queue="reports", args={"month": "last"})
        <Cron '0 3 * * *' in Europe/Berlin>
    """

    __slots__ = (
        "args", "dst", "expression", "guaranteed", "name", "options", "paused", "timezone",
        "worker",
    )  # fmt: skip

    def __init__(
        self,
        expression: str,
        *,
        worker: Any = None,
        args: Mapping[str, Any] | None = None,
        timezone: str | None = None,
        dst: Dst = "cron",
        guaranteed: bool = False,
        paused: bool = False,
        name: str | None = None,
        **options: Unpack[JobOptions],
    ) -> None:
        self.expression = Expression.parse(expression)
        what = f"cron entry {self.expression.text!r}"
        self.worker = None if worker is None else name_of_worker(worker, what)
        self.args = {} if args is None else args
        if not isinstance(self.args, Mapping):
            raise ConfigError(f"{what} has args {args!r:.100}: give them by name, as a mapping")
        if timezone is not None:
            load_zone(timezone)
        self.timezone = timezone
        self.dst = check_policy(dst)
        self.guaranteed = check_flag("guaranteed", guaranteed, what)
        self.paused = check_flag("paused", paused, what)
        if name is not None and not is_storable_name(name):
            raise ConfigError(
                f"{what} has the name {name!r:.200}: give 1 to {MAX_NAME_LENGTH} characters"
            )
        self.name = name
        if "scheduled_at" in options:
            raise ConfigError(
                f"{what} has scheduled_at: the expression says when; scheduled_in adds to it"
            )
        check_options(options, CRON_OPTIONS, f"option of {what}:")
        self.options: JobOptions = options
        if "tags" in options:  # maybe an iterator, and jobs are made more than once
            options["tags"] = tuple(options["tags"])

    def __repr__(self) -> str:
        name = "" if self.name is None else f" {self.name!r}"
        worker = "" if self.worker is None else f" of {self.worker}"
        zone = "" if self.timezone is None else f" in {self.timezone}"
        return f"<Cron{name} {self.expression.text!r}{worker}{zone}>"


def parse_crons(given: Any) -> tuple[Cron, ...]:
    """Return entries from what users write: one or several texts, `Cron` objects or tables.

    A table of tables names its entries by their keys.

    Raises:
        ConfigError: For a bad value or an unknown key.

    Example:
        >>> parse_crons("@daily")
        (<Cron '@daily'>,)
        >>> parse_crons({"nightly": {"expression": "0 3 * * *", "worker": "shop.tidy_up"}})
        (<Cron 'nightly' '0 3 * * *' of shop.tidy_up>,)
    """
    if isinstance(given, str | Cron):
        return (_parse(given),)
    if isinstance(given, Mapping):
        named = "expression" in given and not isinstance(given["expression"], Mapping)
        if named or _is_short(given):
            return (_parse(given),)
        return tuple(_parse_named(name, table) for name, table in given.items())
    if isinstance(given, Iterable):
        return tuple(_parse(entry) for entry in given)
    raise ConfigError(f"cron is {given!r:.200}: give an expression, a Cron, or a list of them")


def parse_setting(given: Any) -> tuple[Cron, ...] | None:
    """Return the entries of the setting `cron`; None if it is off.

    Raises:
        ConfigError: For a bad value, an unknown key, or an entry that names no worker.

    Example:
        >>> parse_setting([{"expression": "0 3 * * *", "worker": "shop.tidy_up"}])
        (<Cron '0 3 * * *' of shop.tidy_up>,)
    """
    if given is None or given is False:
        return None
    crons = parse_crons(() if given is True else given)
    for cron in crons:
        if cron.worker is None:
            raise ConfigError(f"{cron!r} names no worker: add worker='myapp.jobs.tidy_up'")
        try:
            dump_object(cron.args, f"args of {cron!r}", hide=bool(cron.options.get("encrypted")))
        except InvalidJob as error:
            raise ConfigError(str(error)) from None
    return crons


def _parse_named(name: str, table: Any) -> Cron:
    if not isinstance(table, Mapping):
        raise ConfigError(
            f"cron entry {name!r:.100} is {table!r:.100}: give a table with expression and worker"
        )
    return _parse({"name": name, **table})


def _parse(given: Any) -> Cron:
    if isinstance(given, Cron):
        return given
    if isinstance(given, str):
        return Cron(given)
    if not isinstance(given, Mapping):
        raise ConfigError(f"cron entry {given!r:.200}: give an expression, a Cron or a table")
    if _is_short(given):
        given = {"expression": given["expr"], **{k: v for k, v in given.items() if k != "expr"}}
    for key in given:
        if key not in _TABLE_KEYS:
            raise UnknownOption("key of a cron entry", key, _TABLE_KEYS)
    if "expression" not in given:
        raise ConfigError(f"cron entry {dict(given)!r:.200} lacks its expression: add '0 3 * * *'")
    return Cron(**given)


def _is_short(given: Mapping[str, Any]) -> bool:
    """Tell whether a table calls its expression "expr", as the package `oban` does."""
    return isinstance(given.get("expr"), str) and "expression" not in given


def check_flag(option: str, value: object, what: str) -> bool:
    """Return a truth value, or refuse what is none.

    Raises:
        ConfigError: Naming the option and the entry.
    """
    if not isinstance(value, bool):
        raise ConfigError(f"{what} has {option} {shown(value, 100)}: give True or False")
    return value


def name_of_worker(worker: Any, what: str) -> str:
    """Return the name of a worker that is given by its name, or as what was decorated.

    Raises:
        ConfigError: If it is neither.
    """
    definition = getattr(worker, "_definition", None)
    name = worker if definition is None else definition.name
    if not isinstance(name, str):
        raise ConfigError(
            f"{what} has the worker {worker!r:.100}: give a decorated function or class, or a name"
        )
    try:
        return check_worker_name(name)
    except InvalidJob as error:
        raise ConfigError(f"{what}: {error}") from None
