"""`staffa jobs retry`, `cancel` and `delete`: change jobs by their ids, or all of a filter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import click

from staffa.cli.audit import audited
from staffa.cli.filters import describe_filter, filter_options
from staffa.cli.loading import import_modules, import_option
from staffa.cli.numbers import WholeNumber
from staffa.cli.options import EXIT_REFUSED, command, open_client
from staffa.cli.output import Output, count_of
from staffa.cli.progress import progress_bar
from staffa.client import Staffa
from staffa.client.operations import CANCELLABLE, DELETABLE, RETRYABLE
from staffa.config import Config
from staffa.filters import JobFilter
from staffa.types import State

Found = dict[tuple[str, State], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """Something that is done to jobs.

    Args:
        name: As the command is called.
        doing: While it is done.
        done: What the jobs are afterwards.
        states: Those of the jobs that it changes.
        reason: Why it leaves others alone.
        change: Does it.
        final: Whether it can't be taken back, so that it asks also where ids are given.
    """

    name: str
    doing: str
    done: str
    states: Collection[State]
    reason: str
    change: Callable[..., Awaitable[Any]]
    final: bool = False


_RETRY = Verb(
    name="retry",
    doing="retrying",
    done="available",
    states=RETRYABLE,
    reason="they are available, running, suspended or not there",
    change=Staffa.retry_many_jobs,
)
_CANCEL = Verb(
    name="cancel",
    doing="cancelling",
    done="cancelled",
    states=CANCELLABLE,
    reason="they have ended or are not there",
    change=Staffa.cancel_many_jobs,
)
_DELETE = Verb(
    name="delete",
    doing="deleting",
    done="deleted",
    states=DELETABLE,
    reason="they are running or not there",
    change=Staffa.delete_many_jobs,
    final=True,
)
_OPTIONS = (
    click.argument("ids", type=WholeNumber(min=1), nargs=-1, metavar="[ID]..."),
    filter_options,
    click.option("--all", "everything", is_flag=True, help="All jobs that there are."),
    click.option(
        "--limit", type=WholeNumber(min=1), metavar="N", help="At most so many, the oldest."
    ),
    click.option("--dry-run", is_flag=True, help="Change nothing; show which jobs would be."),
    click.option("--yes", is_flag=True, help="Don't ask."),
    import_option,
    command,
)


def _change_options(function: Any) -> Any:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command()
@_change_options
async def retry(config: Config, output: Output, **options: Any) -> None:
    """Make jobs available at once.

    Give ids, or options that choose jobs. The latter are counted, and you are asked; without a
    terminal --yes is needed. Exits with 1 if none was changed.

    Example: staffa jobs retry --state discarded --finished-after 2h
    """
    await _run(_RETRY, config, output, **options)


@click.command()
@_change_options
async def cancel(config: Config, output: Output, **options: Any) -> None:
    """Cancel jobs, also running ones.

    Give ids, or options that choose jobs. The latter are counted, and you are asked; without a
    terminal --yes is needed. Hooks on_cancelled are called where --import loads them. Exits with 1
    if none was changed.

    Example: staffa jobs cancel --queue mail --arg campaign=7 --dry-run
    """
    await _run(_CANCEL, config, output, **options)


@click.command()
@_change_options
async def delete(config: Config, output: Output, **options: Any) -> None:
    """Delete jobs that don't run.

    Give ids, or options that choose jobs. They are counted, and you are asked; without a terminal
    --yes is needed. Exits with 1 if none was deleted.

    Example: staffa jobs delete --state discarded --finished-before 30d --yes
    """
    await _run(_DELETE, config, output, **options)


async def _run(
    verb: Verb,
    config: Config,
    output: Output,
    *,
    ids: Sequence[int],
    wanted: JobFilter,
    everything: bool,
    limit: int | None,
    dry_run: bool,
    yes: bool,
    modules: Sequence[str],
) -> None:
    wanted = _choose(ids, wanted, everything, limit)
    import_modules(modules)
    async with open_client(config) as client:
        total = None
        if dry_run or not ids or verb.final:
            found = await client.count_jobs(wanted.within(verb.states))
            total = min(sum(found.values()), limit or sum(found.values()))
            if dry_run or not total or not (yes or _confirm(output, verb, found, total)):
                _show(output, verb, found, total, dry_run=dry_run)
        with audited(
            config, f"jobs.{verb.name}", **describe_filter(wanted), everything=everything or None
        ) as action:
            if ids:
                changed = await verb.change(client, ids)
                action.count = len(changed)
            else:
                with progress_bar(verb.doing, total or 0) as tell:
                    action.count = await verb.change(
                        client, wanted, everything=everything, on_progress=tell
                    )
    if ids:
        _tell(output, verb, ids, changed)
    else:
        output.say(f"{verb.done}: {count_of(action.count, 'job')}", count=action.count)


def _choose(
    ids: Sequence[int], wanted: JobFilter, everything: bool, limit: int | None
) -> JobFilter:
    """Return the one filter for what the arguments choose, or refuse what is no choice."""
    ways = [bool(ids), wanted.restricts, everything]
    if sum(ways) != 1:
        how = "ids, options that choose jobs, or --all"
        raise click.UsageError(
            f"give only one of {how}" if any(ways) else f"no jobs are chosen: give {how}"
        )
    if ids and limit is not None:
        raise click.UsageError("--limit goes with options that choose jobs, not with ids")
    return JobFilter(ids=ids) if ids else replace(wanted, limit=limit)


def _confirm(output: Output, verb: Verb, found: Found, total: int) -> bool:
    """Ask whoever sits at the terminal, if somebody does."""
    if not output.interactive:
        return False
    output.table(("queue", "state", "jobs"), _rows(found))
    question = f"{verb.name.capitalize()} {count_of(total, 'job')}?"
    click.confirm(question, abort=True, err=True)
    return True


def _show(output: Output, verb: Verb, found: Found, total: int, *, dry_run: bool) -> None:
    """Show what would be done, and end; nothing to do, or nobody who says yes, is a refusal."""
    if output.as_json:
        rows = [dict(zip(("queue", "state", "jobs"), row, strict=True)) for row in _rows(found)]
        output.data({f"would_{verb.name}": total, "found": rows})
    elif not total:
        click.echo(f"there are no jobs to {verb.name}")
    else:
        output.table(("queue", "state", "jobs"), _rows(found))
        remedy = "" if dry_run else ": give --yes to do so"
        click.echo(f"would {verb.name} {count_of(total, 'job')}{remedy}")
    raise SystemExit(0 if dry_run and total else EXIT_REFUSED)


def _rows(found: Found) -> list[tuple[str, str, int]]:
    return [(queue, state.value, count) for (queue, state), count in sorted(found.items())]


def _tell(output: Output, verb: Verb, ids: Sequence[int], changed: Sequence[int]) -> None:
    left = [number for number in ids if number not in set(changed)]
    sentence = f"{verb.done}: {', '.join(map(str, changed)) or 'none'}"
    if left:
        sentence += f"; left alone: {', '.join(map(str, left))} ({verb.reason})"
    output.say(sentence, **{verb.done: list(changed), "left_alone": left})
    if not changed:
        raise SystemExit(EXIT_REFUSED)
