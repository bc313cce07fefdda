"""Chains: the jobs of a key run one after the other, in the order in which they were written.

The key of a job is made of the fields that the chain is by. Whoever enqueues a job takes the row of
its chain first, so that of many at once one comes after the other, and ties the new job to the last
one: it waits, suspended, until that has ended. Retries, snoozes and rescues are no end, so they
hold what comes after; whether a cancelled or discarded job does is told by the chain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from hashlib import blake2b
from typing import Any, Literal, TypedDict

from staffa._internal import json
from staffa._internal.identifiers import MAX_NAME_LENGTH
from staffa._internal.shown import shown
from staffa.errors import ConfigError, UnknownOption
from staffa.limits import Partition, is_field

CHAIN_KEY = "chain_id"
"""Where `meta` holds the chain that a job belongs to."""

Ended = Literal["ignore", "hold"]
"""What the next job does: go on, or wait until that one has completed after all, or is deleted."""

Digest = Callable[[bytes], bytes]

_ENDED = ("ignore", "hold")
_MOST_FIELDS = 5
_KEY_BYTES = 16
_DIGITS = 2 * _KEY_BYTES
_LONGEST_PREFIX = MAX_NAME_LENGTH - _DIGITS - 1
_HIDDEN = "encrypted"


class ChainOptions(TypedDict, total=False):
    """The options of `Chain` as a mapping."""

    by: str | Iterable[str]
    on_cancelled: Ended
    on_discarded: Ended


@dataclass(frozen=True, slots=True)
class Chain:
    """Has the jobs of a key run one after the other, in the order in which they were written.

    Jobs that have the same values in all fields are of one chain, whatever worker and queue they
    are of: put "worker" among the fields to keep workers apart. A key that a job lacks is null.

    Args:
        by: What the key is made of: "worker", "args.<key>" or "meta.<key>", one or several. A dot
            leads to the key of an inner object.
        on_cancelled: Whether the next job goes on after one that was cancelled, "ignore", or waits
            until that has completed after all, or is deleted, "hold".
        on_discarded: The same for one that was discarded.

    Raises:
        ConfigError: If a value can't be used.

    Example:
        >>> Chain(by=["args.account_id"]).by
        ('args.account_id',)
    """

    by: str | Iterable[str] = ("worker",)
    on_cancelled: Ended = "ignore"
    on_discarded: Ended = "hold"

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", _check_by(self.by))
        for name in ("on_cancelled", "on_discarded"):
            if getattr(self, name) not in _ENDED:
                raise ConfigError(
                    f"{name} of chain is {shown(getattr(self, name), 100)}: give 'ignore' or 'hold'"
                )

    @property
    def parts(self) -> frozenset[str]:
        """Which parts of a job its key is made of: worker, args, meta."""
        return frozenset(name.partition(".")[0] for name in self.by)

    def as_options(self) -> dict[str, Any]:
        """Return it as plain JSON, for `parse_chain` to read.

        Example:
            >>> parse_chain(Chain(by="worker").as_options()) == Chain(by="worker")
            True
        """
        return {
            "by": list(self.by),
            "on_cancelled": self.on_cancelled,
            "on_discarded": self.on_discarded,
        }


def parse_chain(value: Chain | ChainOptions | Mapping[str, Any] | None) -> Chain | None:
    """Return what users write as `chain=`: None, a mapping of options, or a `Chain`.

    Raises:
        ConfigError: If it is none of these, or has a value that can't be used.
        UnknownOption: For an option that does not exist.

    Example:
        >>> parse_chain({"by": "args.account_id"})
        Chain(by=('args.account_id',), on_cancelled='ignore', on_discarded='hold')
    """
    if value is None or isinstance(value, Chain):
        return value
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"chain is {shown(value)}: give Chain(by=['args.account_id']), or None for no chain"
        )
    known = {field.name for field in fields(Chain)}
    for key in value:
        if key not in known:
            raise UnknownOption("option of chain:", key, known)
    return Chain(**value)


def make_chain_id(
    chain: Chain,
    *,
    worker: str,
    args: Mapping[str, Any],
    meta: Mapping[str, Any],
    digest: Digest | None = None,
) -> str:
    """Return the id of a job's chain: readable at the beginning, at most 127 characters.

    Args:
        chain: What it is by.
        worker: The job's worker.
        args: Its args, before they are encrypted.
        meta: Its meta.
        digest: Makes the digest; a keyed one keeps values secret that are encrypted in the row,
            which are left out of what is readable then.

    Example:
        >>> by_account = Chain(by="args.account")
        >>> make_chain_id(by_account, worker="w", args={"account": 7}, meta={})[:15]
        'args.account=7:'
    """
    given = {"worker": worker, "args": args, "meta": meta}
    values = {name: _find(given, name) for name in chain.by}
    text = json.canonical([[name, value] for name, value in sorted(values.items())])
    if digest is not None:
        number = digest(text)[:_KEY_BYTES].hex()
        values = {
            name: _HIDDEN if name.startswith("args.") else value for name, value in values.items()
        }
    else:
        number = blake2b(text, digest_size=_KEY_BYTES).hexdigest()
    told = ",".join(f"{name}={_tell(value)}" for name, value in values.items())
    return f"{told[:_LONGEST_PREFIX]}:{number}"


def _tell(value: Any) -> str:
    text = value if isinstance(value, str) else json.canonical(value).decode()
    return "".join(character if character.isprintable() else "_" for character in text)


def _find(given: Mapping[str, Any], name: str) -> Any:
    found: Any = given
    for key in name.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _check_by(value: object) -> tuple[str, ...]:
    if isinstance(value, Partition):
        return value.fields
    if isinstance(value, str):
        value = (value,)
    if isinstance(value, Mapping) or not isinstance(value, Iterable):
        raise ConfigError(
            f"by of chain is {shown(value, 100)}: give a field such as 'args.account_id', or a "
            "list of them"
        )
    names = tuple(value)
    for name in names:
        if not is_field(name):
            raise ConfigError(
                f"by of chain has {shown(name, 100)}: give 'worker', or a key of args or meta "
                "such as 'args.account_id'"
            )
    if not 0 < len(names) <= _MOST_FIELDS or len(set(names)) < len(names):
        raise ConfigError(
            f"by of chain is {shown(list(names), 200)}: give 1 to {_MOST_FIELDS} different fields, "
            "such as 'args.account_id'"
        )
    return names
