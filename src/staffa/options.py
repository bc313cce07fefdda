"""The options of a single job and of many at once, and what is refused of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypedDict

from staffa._internal.identifiers import MAX_NAME_LENGTH, is_storable_name
from staffa._internal.json import clean
from staffa._internal.shown import shown
from staffa.chains import Chain, ChainOptions
from staffa.deadlines import Deadline
from staffa.errors import ConfigError, InvalidJob, UnknownOption
from staffa.queue import check_queue_name
from staffa.results import Recorded
from staffa.types import Seconds, to_seconds
from staffa.unique import Replace, Unique, UniqueOptions

MAX_PRIORITY = 9
MAX_ATTEMPTS = 32_767
MAX_WEIGHT = 2**31 - 1
DEFAULT_MAX_ATTEMPTS = 20
DEFAULT_QUEUE = "default"
_MAX_TAGS = 100
_MAX_TAG_LENGTH = 255


class JobOptions(TypedDict, total=False):
    """The options of a single job."""

    queue: str
    """The queue, 1 to 127 characters."""
    priority: int
    """0 to 9, 0 is the most urgent."""
    max_attempts: int
    """How often it may run, 1 to 32767."""
    tags: Iterable[str]
    """Labels: trimmed, lower-cased, without repeats."""
    meta: Mapping[str, Any]
    """Data about the job, a JSON object."""
    scheduled_at: datetime
    """When it may run; with a time zone."""
    scheduled_in: Seconds
    """How long from now, on the database's clock."""
    timeout: Seconds
    """How long one attempt may take."""
    deadline: Seconds | Deadline
    """Until when it is worth running, counted from the moment at which it is due."""
    encrypted: bool
    """Whether the args are stored encrypted."""
    recorded: bool | Recorded
    """Whether what the function returns is kept."""
    unique: Unique | UniqueOptions | bool
    """Whether it is written only if there is no job like it."""
    replace: Replace
    """What is overwritten of the job that there is, by its state."""
    chain: Chain | ChainOptions | None
    """Whether it runs after the job that was written before it for the same key."""
    weight: int
    """How many tokens of its queue's rate limit it takes."""
    instance: str
    """The name of the client that `enqueue` goes through, and whose entries cron's are."""


@dataclass(frozen=True, slots=True)
class BulkProgress:
    """How far a bulk insert has come.

    Args:
        written: How many jobs were written.
        conflicts: How many unique jobs there were already.
    """

    written: int
    conflicts: int


Notify = Literal["after_commit", "in_transaction"]
"""When other nodes are told of jobs that are written in a transaction of the user's."""


class BulkOptions(TypedDict, total=False):
    """The options of `enqueue_many` but for `stream`."""

    conn: Any
    """Your own connection: the jobs are written in its transaction."""
    notify: Notify
    """With `conn`: whether your transaction carries the notification, as for `enqueue`."""
    on_conflict: Literal["return", "skip"]
    """Whether the result has the existing job for one that there is already, or leaves it out."""
    auto_space: Seconds
    """How much later than the chunk before it each chunk of jobs may run."""
    chunk_size: int
    """How many jobs a chunk has: what a stream commits at once, and what `auto_space` counts."""
    on_progress: Callable[[BulkProgress], None]
    """Called after each write: once, or after each chunk of a stream."""


JOB_OPTIONS = frozenset(JobOptions.__annotations__)


def check_options(options: Mapping[str, Any], known: frozenset[str], what: str) -> None:
    """Refuse options that do not exist.

    Raises:
        UnknownOption: For one of them; names the nearest one.
    """
    for key in options:
        if key not in known:
            raise UnknownOption(what, key, known)


def check_worker_name(name: object) -> str:
    """Return the name of a worker, or refuse it.

    Raises:
        InvalidJob: If it is empty, longer than 127 characters or no text.
    """
    if not is_storable_name(name):
        raise InvalidJob(
            f"worker {shown(name)} is no name: give 1 to {MAX_NAME_LENGTH} characters, or fix a "
            "shorter one with name="
        )
    return str(name)


def check_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags trimmed, lower-cased, without repeats, in the order given.

    Raises:
        InvalidJob: If one is no text, too long or empty, or if there are too many.
    """
    if isinstance(tags, str):
        raise InvalidJob(
            f"tags is the string {shown(tags)}: give a list such as [{shown(tags, 100)}]"
        )
    if not isinstance(tags, Iterable):
        raise InvalidJob(f"tags is {shown(tags)}: give a list of texts")
    found: dict[str, None] = {}
    for tag in tags:
        text = tag.strip().lower() if isinstance(tag, str) else ""
        if not 0 < len(text) <= _MAX_TAG_LENGTH or "\x00" in text or clean(text) != text:
            raise InvalidJob(
                f"tag {shown(tag)} can't be used: give text of 1 to {_MAX_TAG_LENGTH} characters"
            )
        found[text] = None
    if len(found) > _MAX_TAGS:
        raise InvalidJob(f"{len(found)} tags are given: at most {_MAX_TAGS}")
    return tuple(found)


def check_time(value: datetime, what: str = "scheduled_at") -> datetime:
    """Return a time in UTC.

    Raises:
        InvalidJob: If it has no time zone.
    """
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise InvalidJob(
            f"{what} {shown(value)} has no time zone: give an aware datetime, for example "
            "datetime.now(UTC) + timedelta(hours=1)"
        )
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise InvalidJob(
            f"{what} {shown(value)} is out of range in UTC: give an earlier one"
        ) from None


def check_instance(name: object) -> str:
    """Return the name of a client, or refuse it.

    Raises:
        InvalidJob: If it is no name that a client can have.
    """
    if not is_storable_name(name):
        raise InvalidJob(
            f"instance {shown(name)} is no name: give that of a client, as in "
            "Staffa(name='billing') and instance='billing'"
        )
    return str(name)


def check_queue(name: object) -> str:
    """Return the name of a queue, or refuse it.

    Raises:
        InvalidJob: If it is empty, longer than 127 characters or no text.
    """
    try:
        return check_queue_name(name)
    except ConfigError as error:
        raise InvalidJob(str(error)) from None


def check_length(value: Seconds, what: str) -> float:
    """Return a length of time in seconds.

    Raises:
        InvalidJob: If it is no such length.
    """
    try:
        return to_seconds(value, what)
    except ConfigError as error:
        raise InvalidJob(str(error)) from None


def check_whole_number(what: str, value: object, low: int, high: int) -> int:
    """Return a number within bounds.

    Raises:
        InvalidJob: If it is no whole number, or out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidJob(f"{what} {shown(value)} can't be used: give a whole number {low}..{high}")
    return value


def check_flag(what: str, value: object) -> bool:
    """Return a truth value, or refuse what is none.

    Raises:
        InvalidJob: If it is no bool.
    """
    if not isinstance(value, bool):
        raise InvalidJob(f"{what} is {shown(value, 100)}: give True or False")
    return value
