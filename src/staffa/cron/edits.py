"""What somebody changes about a stored entry at run time: checked, then applied to the row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from staffa import registry
from staffa._internal.shown import shown
from staffa.args.encryption import KeyRing
from staffa.chains import Chain, ChainOptions
from staffa.cron.changes import Values, gather, spread
from staffa.cron.declared import make_entry, make_job, seal
from staffa.cron.entries import CRON_OPTIONS, Cron, check_flag, name_of_worker
from staffa.cron.expression import Expression
from staffa.cron.schedule import Dst, check_policy
from staffa.cron.stored import Entry, StoredCron
from staffa.cron.zones import load_zone
from staffa.deadlines import DEADLINE_KEY, Deadline, postpone
from staffa.errors import ConfigError, StatementConflict, UnknownWorker
from staffa.hooks import prepare_new
from staffa.jobs import TIMEOUT_KEY, Job
from staffa.limits import WEIGHT_KEY
from staffa.options import check_options
from staffa.registry import WorkerDefinition
from staffa.results import Recorded
from staffa.types import Seconds
from staffa.unique import Replace, Unique, UniqueOptions


class CronChanges(TypedDict, total=False):
    """What can be changed of an entry at run time: itself, and the options of its jobs.

    Unlike in `JobOptions`, None takes away what an entry had.
    """

    expression: str
    """When: five fields, or a nickname such as ``@daily``."""
    timezone: str
    """Where the expression is read."""
    dst: Dst
    """What happens where clocks are put forward or back."""
    guaranteed: bool
    """Whether the latest of the ticks that nobody took is made up for."""
    worker: Any
    """Whose jobs: a decorated function or class, or a worker's name."""
    args: Mapping[str, Any]
    """The args of the jobs, by name: all of them."""
    queue: str
    """The queue."""
    priority: int
    """0 to 9, 0 is the most urgent."""
    max_attempts: int
    """How often each job may run."""
    tags: Iterable[str]
    """Labels: all of them."""
    meta: Mapping[str, Any] | None
    """Data about the jobs: all of it."""
    scheduled_in: Seconds | None
    """How long after the tick."""
    timeout: Seconds | None
    """How long one attempt may take."""
    deadline: Seconds | Deadline | None
    """Until when a job is worth running, counted from the moment at which it is due."""
    encrypted: bool
    """Whether the args are stored encrypted; with `args`."""
    recorded: bool | Recorded
    """Whether what the function returns is kept."""
    unique: Unique | UniqueOptions | bool | None
    """Whether a job is written only if there is none like it."""
    replace: Replace | None
    """What is overwritten of the job that there is, by its state."""
    chain: Chain | ChainOptions | None
    """Whether a job runs after the one that was written before it for the same key."""
    weight: int | None
    """How many tokens of its queue's rate limit a job takes."""


_OWN = frozenset({"expression", "worker", "args", "timezone", "dst", "guaranteed"})
_ALL = frozenset(CronChanges.__annotations__)
_KEPT_IN_META = {
    "timeout": (TIMEOUT_KEY,),
    "deadline": (DEADLINE_KEY,),
    "recorded": ("recorded", "staffa_record_limit"),
    "encrypted": ("encrypted",),
    "weight": (WEIGHT_KEY,),
}
_NOT_THE_USERS = frozenset(key for keys in _KEPT_IN_META.values() for key in keys)


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of an entry, checked as far as it stands alone.

    Args:
        seen: The entry that it was made for.
        values: What is set.
        cleared: The names of what is set, or else is not there any more.
        all_meta: Whether it sets all of the user's meta.
    """

    seen: StoredCron
    values: Values
    cleared: frozenset[str]
    all_meta: bool

    def apply(self, entry: StoredCron) -> Values:
        """Return what it makes of an entry as it is now.

        Raises:
            InvalidJob: If no job can be made of that.
            ConfigError: Likewise.
            StatementConflict: If what it was checked against is something else now.
        """
        alike = (self.seen.worker, _is_encrypted(self.seen)) == (entry.worker, _is_encrypted(entry))
        if not alike and not self.values.keys().isdisjoint({"args", "worker"}):
            raise StatementConflict(
                f"cron entry {entry.name!r} was changed by somebody else meanwhile: nothing was "
                "written, try again"
            )
        gone = set(self.cleared)
        values = spread(entry.as_row())
        if self.all_meta:
            gone |= {key for key in values if _is_users(key)}
        values = {key: value for key, value in values.items() if key not in gone} | self.values
        _check(replace(entry, **gather(values)))
        return values


def make_edit(
    entry: StoredCron, given: Mapping[str, Any], imports: Sequence[str], keys: KeyRing
) -> Edit:
    """Return a change of an entry.

    Args:
        entry: The entry as it was read.
        given: What is to be changed, see `CronChanges`; None takes a time-out and the like away.
        imports: Packages under which an unknown worker may be imported.
        keys: What encrypted args are stored with.

    Raises:
        ConfigError: For a bad value, or if nothing is given.
        UnknownOption: For an option that does not exist.
        InvalidJob: If no job can be made of it.
    """
    what = f"cron entry {entry.name!r}"
    if "instance" in given:
        raise ConfigError(f"{what} can't change its instance: insert it there, and delete it here")
    check_options(given, _ALL, f"option of {what}:")
    if not given:
        raise ConfigError(f"nothing to change of {what}: give some of {', '.join(sorted(_ALL))}")
    values = _check_own(given, what)
    worker, args = values.get("worker", entry.worker), given.get("args")
    options = {key: given[key] for key in given if key not in _OWN}
    encrypted = options.get("encrypted", _is_encrypted(entry))
    definition = _find(worker, imports)
    if args is None:
        _check_secrets(entry, worker, encrypted, what)
        options.pop("encrypted", None)
    else:
        if definition is not None:
            args, options = _call_hooks(definition, args, options)
        options = {"encrypted": encrypted, **options}
    job = Job(
        worker=worker,
        args=entry.args if args is None else args,
        **{"scheduled_in": entry.options.get("scheduled_in"), **options},
    )
    fresh = args is not None or (worker != entry.worker and not encrypted)
    if definition is not None and fresh:
        definition.prepare(copy(job))  # raises where the args lack what the function needs
    made = spread(Entry(entry.name, "", "", "", seal(job, keys)).as_row())
    named = frozenset(key for option in options for key in _keys_of(option))
    values |= {key: value for key, value in made.items() if key in named}
    if args is not None:
        values["args"] = made["args"]
    if "meta" in options:
        values |= {key: value for key, value in made.items() if _is_users(key)}
    if "scheduled_in" in options and "deadline" not in options:
        values |= _move_deadline(entry, job)
    return Edit(entry, values, named, "meta" in options)


def _check_secrets(entry: StoredCron, worker: str, encrypted: bool, what: str) -> None:
    """Refuse to make something else of args that nobody can read here."""
    if encrypted != _is_encrypted(entry) or (encrypted and worker != entry.worker):
        raise ConfigError(
            f"{what} has encrypted args, or is to have: give args= as well, all of them, as those "
            "that are stored can't be read here"
        )


def _call_hooks(
    definition: WorkerDefinition, args: Mapping[str, Any], options: Mapping[str, Any]
) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Return new args, and the options given with them, as the worker's hooks want them."""
    args, options = prepare_new(args, options, definition.hooks)
    check_options(options, CRON_OPTIONS, "job option")
    return args, dict(options)


def new_entry(
    cron: Cron, instance: str, timezone: str, imports: Sequence[str], keys: KeyRing
) -> Entry:
    """Return what is stored of an entry that is made at run time.

    Args:
        cron: The entry; it names its worker.
        instance: The name of the client that makes it.
        timezone: Where its expression is read if it does not say it.
        imports: Packages under which an unknown worker may be imported.
        keys: What encrypted args are stored with.

    Raises:
        ConfigError: If it names no worker, or another client.
        InvalidJob: If no job can be made of it.
    """
    if not isinstance(cron, Cron):
        raise ConfigError(f"{shown(cron)} is no entry: give a Cron, with its worker")
    if cron.worker is None:
        raise ConfigError(f"{cron!r} names no worker: add worker='myapp.jobs.tidy_up'")
    if cron.options.get("instance", instance) != instance:
        raise ConfigError(
            f"{cron!r} has instance={cron.options.get('instance')!r}: insert it with that client, "
            f"not with {instance!r}"
        )
    job = make_job(cron, _find(cron.worker, imports))
    zone = cron.timezone or timezone
    return make_entry(cron, cron.worker, zone, job, seal(job, keys), keys)


def _check_own(given: Mapping[str, Any], what: str) -> Values:
    values: Values = {}
    if "expression" in given:
        values["expression"] = Expression.parse(given["expression"]).text
    if "worker" in given:
        values["worker"] = name_of_worker(given["worker"], what)
    if "timezone" in given:
        load_zone(given["timezone"])
        values["timezone"] = given["timezone"]
    if "dst" in given:
        values["dst"] = check_policy(given["dst"])
    if "guaranteed" in given:
        values["guaranteed"] = check_flag("guaranteed", given["guaranteed"], what)
    if "args" in given and not isinstance(given["args"], Mapping):
        raise ConfigError(f"{what} has args {given['args']!r:.100}: give them by name")
    return values


def _check(entry: StoredCron) -> None:
    """Refuse an entry that could make no job."""
    job = entry.new_job()
    if job.encrypted and job.unique is not None:
        raise ConfigError(f"cron entry {entry.name!r} can't be unique and have encrypted args")
    if job.encrypted and job.chain is not None and "args" in job.chain.parts:
        raise ConfigError(
            f"cron entry {entry.name!r} can't be chained by args that are encrypted: have the "
            "chain by 'worker' or a key of meta"
        )


def _find(worker: str, imports: Sequence[str]) -> WorkerDefinition | None:
    """Return the definition of a worker; one that is not known here may be known elsewhere."""
    try:
        return registry.resolve(worker, imports)
    except UnknownWorker:
        return None


def _is_encrypted(entry: StoredCron) -> bool:
    meta = entry.options.get("meta")
    return isinstance(meta, dict) and meta.get("encrypted") is True


def _is_users(key: str) -> bool:
    """Tell whether a value is one of the user's meta."""
    return key.startswith("meta.") and key.removeprefix("meta.") not in _NOT_THE_USERS


def _keys_of(option: str) -> tuple[str, ...]:
    """Return the names of the values that an option of a job is kept in."""
    if option in _KEPT_IN_META:
        return tuple(f"meta.{key}" for key in _KEPT_IN_META[option])
    return () if option == "meta" else (f"options.{option}",)


def _move_deadline(entry: StoredCron, job: Job) -> Values:
    """Return a deadline that counts from the tick, where the jobs are due at another time now."""
    noted = entry.as_row()["options"].get("meta", {}).get(DEADLINE_KEY)
    if not isinstance(noted, Mapping) or not isinstance(noted.get("after"), int | float):
        return {}
    later = (job.scheduled_in or 0.0) - (entry.options.get("scheduled_in") or 0.0)
    return {f"meta.{DEADLINE_KEY}": postpone(noted, later)}
