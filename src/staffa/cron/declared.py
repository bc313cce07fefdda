"""Which entries a process declares: those of its decorators, and those of its settings.

A decorator declares its entries when its module is imported. What a client stores of them is made
when its node starts, and after modules were imported late.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from staffa import registry
from staffa.cron.entries import Cron, parse_crons
from staffa.errors import ConfigError, InvalidJob, StaffaError, UnknownWorker
from staffa.jobs import Job
from staffa.telemetry import report

MakeJob = Callable[[Cron], Job]

_WORKER_CHARACTERS = 100  # of a derived name
_DIGEST_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it is stored.

    Args:
        name: Unique among those of an instance.
        expression: As it was written.
        timezone: Where it is read.
        dst: The policy for changes of the clocks.
        job: What is enqueued at each tick.
    """

    name: str
    expression: str
    timezone: str
    dst: str
    job: Job


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
    others = {name: entries for name, entries in _declared.items() if name != worker}
    merged = {**others, worker: tuple((cron, make) for cron in crons)}
    _refuse_doubles(
        (cron.name or _derive_name(cron, name, cron.timezone or ""), f"{cron!r} of {name}")
        for name, entries in merged.items()
        for cron, _ in entries
    )
    _declared[worker] = merged[worker]


def declared() -> tuple[Cron, ...]:
    """Return the entries of all decorators so far."""
    return tuple(cron for entries in _declared.values() for cron, _ in entries)


def collect(crons: Sequence[Cron], timezone: str, imports: Sequence[str]) -> list[Entry]:
    """Return the entries of the decorators and of the settings, each with its job.

    One whose job can't be made is reported and left out.

    Args:
        crons: Those of the settings.
        timezone: Where expressions are read that do not say it.
        imports: Packages under which unknown workers may be imported.

    Raises:
        ConfigError: If two entries have the same name.
    """
    found = [
        (cron, worker, make) for worker, entries in _declared.items() for cron, make in entries
    ]
    found += [(cron, str(cron.worker), _make_configured(imports)) for cron in crons]
    entries = []
    for cron, worker, make in found:
        zone = cron.timezone or timezone
        try:
            job = make(cron)
        except Exception as error:  # noqa: BLE001  # one bad entry must not stop the others
            report(f"{cron!r} of {worker} is left out", error)
            continue
        name = cron.name or _derive_name(cron, worker, zone)
        entries.append(Entry(name, cron.expression.text, zone, cron.dst, job))
    _refuse_doubles((entry.name, f"{entry.expression!r} of {entry.job.worker}") for entry in entries)
    return entries


def _make_configured(imports: Sequence[str]) -> MakeJob:
    """Return what makes the jobs of entries in the settings, whose workers may be unknown here."""

    def make(cron: Cron) -> Job:
        worker = str(cron.worker)
        try:
            definition = registry.resolve(worker, imports)
        except UnknownWorker as error:
            report(f"{cron!r} makes jobs all the same, for whoever knows the worker", error)
            return Job(worker=worker, args=cron.args, **cron.options)
        job = Job(worker=worker, args=cron.args, **{**definition.options, **cron.options})
        definition.prepare(job)
        return job

    return make


def _derive_name(cron: Cron, worker: str, timezone: str) -> str:
    """Return a name that is the same wherever the same entry is written."""
    parts = [worker, cron.expression.text, dict(cron.args), timezone]
    text = json.dumps(parts, sort_keys=True, default=repr)
    digest = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
    return f"{worker[:_WORKER_CHARACTERS]}-{digest[:_DIGEST_CHARACTERS]}"


def _refuse_doubles(entries: Iterable[tuple[str, str]]) -> None:
    """Refuse two entries of one name."""
    seen: dict[str, str] = {}
    for name, what in entries:
        if name in seen:
            raise ConfigError(
                f"two cron entries are named {name!r}: {seen[name]} and {what}; give one of them "
                "another name="
            )
        seen[name] = what
