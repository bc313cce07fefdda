"""Which entries a process declares: those of its decorators, and those of its settings.

A decorator declares its entries when its module is imported. What a client stores of them is made
when its node starts, and after modules were imported late.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from json import dumps
from typing import Any

from staffa import registry
from staffa._internal import json
from staffa.args.encryption import ENVELOPE, NO_KEYS, KeyRing
from staffa.cron.entries import Cron, parse_crons
from staffa.cron.stored import Entry
from staffa.definitions import new_job
from staffa.errors import ConfigError, InvalidJob, UnknownWorker
from staffa.jobs import Job
from staffa.registry import WorkerDefinition
from staffa.telemetry import report

MakeJob = Callable[[Cron], Job]

_WORKER_CHARACTERS = 100  # of a derived name
_DIGEST_CHARACTERS = 12


_declared: dict[str, tuple[tuple[Cron, MakeJob], ...]] = {}


def declare(worker: str, given: Any, make: MakeJob) -> None:
    """Declare the entries of a decorator; a worker that is decorated anew declares anew.

    Args:
        worker: The worker's name.
        given: What the option `cron` holds.
        make: Makes a job of an entry.

    Raises:
        ConfigError: If an entry or its args can't be used, or if two have the same name.
    """
    crons = parse_crons(given)
    if not crons and worker not in _declared:
        return
    for cron in crons:
        if cron.worker is not None:
            raise ConfigError(f"{cron!r} names a worker: leave it out, {worker} is decorated")
        try:
            make(cron)
        except InvalidJob as error:
            raise ConfigError(
                f"{cron!r} makes no job of {worker}: {error}; give args with "
                f"cron=Cron({cron.expression.text!r}, args={{...}})"
            ) from None
        except Exception:  # noqa: BLE001, S110  # a hook may need what is not there yet
            pass
    merged = {**_declared, worker: tuple((cron, make) for cron in crons)}
    _refuse_doubles(
        (
            cron.name or _derive_name(cron, name, cron.timezone or ""),
            _instance_of(cron, name),
            f"{cron!r} of {name}",
        )
        for name, entries in merged.items()
        for cron, _ in entries
    )
    _declared[worker] = merged[worker]


def declared() -> tuple[Cron, ...]:
    """Return the entries of all decorators so far."""
    return tuple(cron for entries in _declared.values() for cron, _ in entries)


class Collector:
    """Makes what is stored of the entries of this process.

    Args:
        crons: The entries of the settings.
        instance: The client's name: of the entries of decorators, those that name another one are
            left out.
        timezone: Where expressions are read that do not say it.
        imports: Packages under which unknown workers may be imported.
        keys: What encrypted args are stored with.

    Raises:
        ConfigError: If an entry of the settings names another client.
    """

    def __init__(
        self,
        crons: Sequence[Cron],
        instance: str,
        timezone: str,
        imports: Sequence[str],
        keys: KeyRing = NO_KEYS,
    ) -> None:
        for cron in crons:
            if cron.options.get("instance", instance) != instance:
                raise ConfigError(
                    f"{cron!r} in the settings of {instance!r} has instance="
                    f"{cron.options.get('instance')!r}: leave it out, or give the entry to that one"
                )
        self._instance = instance
        self._configured = [(cron, str(cron.worker), _make_configured(imports)) for cron in crons]
        self._timezone = timezone
        self._keys = keys
        self._seen: tuple[Cron, ...] | None = None
        self._entries: list[Entry] = []
        self.left_out = 0
        """How many entries of this client's could not be used when they were collected last."""

    def collect(self) -> list[Entry]:
        """Return the entries, the same ones while no decorator declares others.

        One whose job can't be made is reported and left out.

        Raises:
            ConfigError: If two entries have the same name; the next call returns what was before.
        """
        seen = declared()
        if seen != self._seen:
            self._seen = seen
            self._entries = self._make()
        return self._entries

    def _make(self) -> list[Entry]:
        found = [
            (cron, name, make)
            for name, declared_here in _declared.items()
            for cron, make in declared_here
            if _instance_of(cron, name) in (None, self._instance)
        ]
        entries: list[Entry] = []
        wanted = [*found, *self._configured]
        for cron, worker, make in wanted:
            zone = cron.timezone or self._timezone
            try:
                job = make(cron)
                sealed = seal(job, self._keys)
            except Exception as error:  # noqa: BLE001  # one bad entry must not stop the others
                report(f"{cron!r} of {worker} is left out", error)
                continue
            entries.append(make_entry(cron, worker, zone, job, sealed, self._keys))
        self.left_out = len(wanted) - len(entries)
        _refuse_doubles(
            (entry.name, None, f"{entry.expression!r} of {entry.job.worker}") for entry in entries
        )
        return entries


def make_entry(
    cron: Cron, worker: str, timezone: str, job: Job, sealed: Job, keys: KeyRing
) -> Entry:
    """Return an entry as it is stored.

    Args:
        cron: As it was written.
        worker: Its worker's name.
        timezone: Where the expression is read.
        job: What it makes.
        sealed: The same as it is stored.
        keys: What its args were sealed with.
    """
    return Entry(
        cron.name or _derive_name(cron, worker, timezone, hide=job.encrypted),
        cron.expression.text,
        timezone,
        cron.dst,
        sealed,
        guaranteed=cron.guaranteed,
        paused=cron.paused,
        args_mark=_mark(job, sealed, keys) if job.encrypted else None,
    )


def _mark(job: Job, sealed: Job, keys: KeyRing) -> str:
    """Return what changes whenever encrypted args have to be stored anew, and tells nothing else.

    That is where they, their worker or the key in front have changed.
    """
    digest = keys.keyed_digest(json.canonical([job.worker, json.loads(job.args_json)]))
    return f"{json.loads(sealed.args_json)[ENVELOPE]['key']}:{digest.hex()}"


def seal(job: Job, keys: KeyRing) -> Job:
    """Return a job as it is stored.

    Raises:
        ConfigError: If it is unique or chained by args that differ each time they are encrypted.
    """
    if job.encrypted and job.unique is not None:
        raise ConfigError("an entry of cron can't be unique and have encrypted args: leave one out")
    if job.encrypted and job.chain is not None and "args" in job.chain.parts:
        raise ConfigError(
            "an entry of cron can't be chained by args that are encrypted: have the chain by "
            "'worker' or a key of meta"
        )
    return job.sealed(keys)


def _make_configured(imports: Sequence[str]) -> MakeJob:
    """Return what makes the jobs of entries in the settings, whose workers may be unknown here."""

    def make(cron: Cron) -> Job:
        try:
            definition = registry.resolve(str(cron.worker), imports)
        except UnknownWorker as error:
            report(f"{cron!r} makes jobs all the same, for whoever knows the worker", error)
            return make_job(cron, None)
        return make_job(cron, definition)

    return make


def make_job(cron: Cron, definition: WorkerDefinition | None) -> Job:
    """Return the job of an entry that names its worker, which may be unknown here.

    Raises:
        InvalidJob: If no such job can be made, or the worker can't take its args.
    """
    if definition is None:
        return Job(worker=str(cron.worker), args=cron.args, **cron.options)
    job = new_job(definition, cron.args, cron.options)
    definition.prepare(copy(job))  # raises where the args lack what the function needs
    return job


def _derive_name(cron: Cron, worker: str, timezone: str, *, hide: bool = False) -> str:
    """Return a name that is the same wherever the same entry is written.

    It tells nothing of args that are to be encrypted, as they may be easy to guess.
    """
    parts = [worker, cron.expression.text, {} if hide else dict(cron.args), timezone]
    text = dumps(parts, sort_keys=True, default=repr)
    digest = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
    return f"{worker[:_WORKER_CHARACTERS]}-{digest[:_DIGEST_CHARACTERS]}"


def _instance_of(cron: Cron, worker: str) -> str | None:
    """Return the client that an entry of a decorator belongs to; None if it is everybody's."""
    definition = registry.find(worker)
    options = {} if definition is None else definition.options
    found: str | None = cron.options.get("instance", options.get("instance"))
    return found


def _refuse_doubles(entries: Iterable[tuple[str, str | None, str]]) -> None:
    """Refuse two entries of one name, if there is a client that would have both."""
    seen: dict[str, list[tuple[str | None, str]]] = {}
    for name, instance, what in entries:
        for other, same in seen.setdefault(name, []):
            if instance is None or other is None or instance == other:
                raise ConfigError(
                    f"two cron entries are named {name!r}: {same} and {what}; give one of them "
                    "another name="
                )
        seen[name].append((instance, what))
