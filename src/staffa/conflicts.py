"""What a job knows of others like it: how it is unique, and whether one stands for it."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any, Self

from staffa._internal import json
from staffa.errors import ConfigError
from staffa.payload import A, Payload
from staffa.results import RELAY_KEY
from staffa.types import State
from staffa.unique import (
    Digest,
    Replace,
    Unique,
    UniqueOptions,
    make_key,
    parse_replace,
    parse_unique,
)


class Conflicting(Payload[A]):
    """The part of a job that is about other jobs like it."""

    __slots__ = ("_made_key", "_released", "_unique_key", "conflict", "replace", "unique")

    unique: Unique | None
    replace: Mapping[str, tuple[str, ...]] | None
    conflict: bool
    """Whether this is the job that there was when one like it was enqueued."""
    _released: bool
    _unique_key: bytes | None
    _made_key: tuple[Unique, str, str, str, bytes] | None
    """The key that was made last, and of what."""

    queue: str
    state: State

    def _set_unique(
        self, unique: Unique | UniqueOptions | bool | None, replace: Replace | None
    ) -> None:
        """Take the options of a job that is made."""
        if replace is not None and unique is None:
            raise ConfigError("replace is given without unique: add unique=True")
        self._set_written()
        self.unique = parse_unique(unique)
        self.replace = parse_replace(replace)

    def _set_written(self) -> None:
        """Have none: the job is read from its row."""
        self.unique = None
        self.replace = None
        self.conflict = False
        self._released = False
        self._unique_key = None
        self._made_key = None

    def as_conflict(self, *, released: bool = False) -> Self:
        """Return this stored job for another one that is like it.

        Args:
            released: Whether that one's `replace` has made it available.
        """
        job = copy(self)
        job.conflict = True
        job._released = released
        return job

    @property
    def wakes_its_queue(self) -> bool:
        """Whether enqueueing it has made a job available."""
        return self.state is State.AVAILABLE and (self._released or not self.conflict)

    @property
    def unique_key(self) -> bytes | None:
        """The key under which it is unique, if it is; see `staffa.unique`."""
        if self.unique is None or self._unique_key is not None:
            return self._unique_key
        if not isinstance(self._args, str) or "meta" in self.unique.fields:
            return self._make_key(self.unique, None)
        made = self._made_key
        if made is not None:
            unique, worker, queue, args, key = made
            if (
                unique is self.unique
                and worker == self.worker
                and queue == self.queue
                and args is self._args
            ):
                return key
        key = self._make_key(self.unique, None)
        self._made_key = self.unique, self.worker, self.queue, self._args, key
        return key

    def prepare_unique_key(self) -> None:
        """Make the key ahead of the write; it is made anew if the job is changed by then."""
        _ = self.unique_key

    def fix_unique_key(self, digest: Digest | None = None) -> None:
        """Keep the key of its args as they are now, before they are encrypted.

        Args:
            digest: Makes the digest, with a secret that who reads the table lacks.
        """
        self._unique_key = None if self.unique is None else self._make_key(self.unique, digest)

    def keep_unique_key(self, key: bytes) -> None:
        """Keep the key that was made when the job was given, if it is written only later."""
        self._unique_key = key

    def refuse_strange_args(self) -> None:
        """Refuse a `replace` that could put args encrypted for one worker into another one's row.

        Raises:
            ConfigError: Naming the remedy.
        """
        if self.unique is None or "worker" in self.unique.fields:
            return
        for state, chosen in (self.replace or {}).items():
            if ("args" in chosen) != ("worker" in chosen):
                raise ConfigError(
                    f"replace while {state} has args or worker alone, and encrypted args belong to "
                    "one worker: replace both, or have 'worker' among the fields of unique"
                )

    def _make_key(self, unique: Unique, digest: Digest | None) -> bytes:
        # From the texts: what is decoded once is kept decoded, and dumped and checked again later.
        compared = unique.fields
        return make_key(
            unique,
            worker=self.worker,
            queue=self.queue,
            args=json.loads(self.args_json) if "args" in compared else {},
            meta=_own_meta(json.loads(self.meta_json)) if "meta" in compared else {},
            digest=digest,
        )


def _own_meta(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a job's meta makes it one of a kind: the mark of a relay does not."""
    return {key: value for key, value in meta.items() if key != RELAY_KEY}
