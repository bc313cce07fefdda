"""What a job carries: its args and meta, JSON text until somebody asks for them.

The args are in one of three forms: plain, as they were given or read; sealed, which is how
encrypted ones are stored; and, while the job of a class with a declared model runs, that model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, Generic, Self

from staffa._internal import json
from staffa.args.encryption import ENVELOPE, KeyRing, is_sealed
from staffa.args.plain import dump_object
from staffa.errors import InvalidArgs

if TYPE_CHECKING:
    from typing_extensions import TypeVar  # part of the type checkers themselves

    A = TypeVar("A", default=dict[str, Any])
else:
    from typing import TypeVar

    A = TypeVar("A")


LINK_KEYS = frozenset({"workflow_id", "batch_id", "chain_id"})
"""Where `meta` holds the flows that a job belongs to."""
_MEMBER_KEYS = LINK_KEYS | {"callback"}
_STEP_KEYS = _MEMBER_KEYS | {"name", "deps", "cascade", "graft", "grafted"}


def flow_keys(meta: Mapping[str, Any]) -> frozenset[str]:
    """Return the keys of `meta` that tell, or would tell, what a job is in its flows.

    Example:
        >>> sorted(flow_keys({"batch_id": "b"}) - LINK_KEYS), sorted(flow_keys({"n": 1}))
        (['callback'], [])
    """
    if "workflow_id" in meta:
        return _STEP_KEYS
    return frozenset() if LINK_KEYS.isdisjoint(meta) else _MEMBER_KEYS


class Payload(Generic[A]):
    """The base of `Job` that holds its args and meta; ``A`` is the type of the args."""

    __slots__ = ("_args", "_encrypt", "_meta", "_model")

    worker: str
    _args: str | dict[str, Any]
    _encrypt: bool
    _meta: str | dict[str, Any]
    _model: Any

    @property
    def args_json(self) -> str:
        """The arguments as JSON text."""
        return self._args if isinstance(self._args, str) else dump_object(self._args, "args")

    @property
    def plain_args_json(self) -> str:
        """The same, whatever runs with them, and without the checks of what is to be stored."""
        return self._args if isinstance(self._args, str) else json.dumps(self._args)

    @property
    def meta_json(self) -> str:
        """The data about the job as JSON text."""
        return self._meta if isinstance(self._meta, str) else dump_object(self._meta, "meta")

    @property
    def args(self) -> A:
        """The arguments: a dict, or the declared model while the job of a class worker runs.

        Those of an encrypted job are readable while it runs, and before it is enqueued.

        Raises:
            ValueError: If the row holds JSON that can't be decoded here.
        """
        return self._plain_args() if self._model is None else self._model  # type: ignore[return-value]  # see `read_args`

    @property
    def workflow_id(self) -> str | None:
        """The id of the workflow that it is a step of, or of its group or graft in that."""
        found = self.meta.get("workflow_id")
        return found if isinstance(found, str) else None

    @property
    def encrypted(self) -> bool:
        """Whether the arguments are stored encrypted: keep them out of logs."""
        if self._encrypt or not self._meta or self._meta == "{}":  # it need not be decoded
            return self._encrypt
        return self.meta.get("encrypted") is True

    @property
    def linked(self) -> bool:
        """Whether the job may belong to flows: cheap to tell of a job that was claimed."""
        meta = self._meta
        if isinstance(meta, str):
            return meta != "{}" and any(f'"{key}"' in meta for key in LINK_KEYS)
        return bool(meta) and not LINK_KEYS.isdisjoint(meta)

    @property
    def meta(self) -> dict[str, Any]:
        """Data about the job.

        Raises:
            ValueError: If the row holds JSON that can't be decoded here.
        """
        meta = self._meta
        if isinstance(meta, str):  # only once: it is asked for often
            found = {} if meta == "{}" else json.loads(meta)
            meta = found if isinstance(found, dict) else {}  # it does not keep it from running
            self._meta = meta
        return meta

    def sealed(self, keys: KeyRing) -> Self:
        """Return this job as it is to be written: args encrypted if asked; for the client alone.

        Raises:
            ConfigError: If there is no key.
        """
        if not self._encrypt:
            return self
        job = copy(self)
        job._args = keys.seal(self.args_json, self.worker)
        job._encrypt = False
        return job

    def unseal(self, keys: KeyRing) -> None:
        """Decrypt the args of a claimed job, if they are encrypted; for the executor alone.

        Raises:
            UnknownKey: If the key is not known here.
            InvalidArgs: If the args were changed.
        """
        args = self._plain_args()
        if ENVELOPE not in args:
            return
        if is_sealed(args):
            self._args = keys.open(args, self.worker)
            self._encrypt = True  # whatever became of its mark in meta
        else:
            raise InvalidArgs("the args were changed after they had been encrypted")

    def fill_args(self, args: dict[str, Any]) -> None:
        """Give a claimed job the args that its row lacks; for the executor alone."""
        self._args = args

    def read_args(self, decode: Callable[[Mapping[str, Any]], A]) -> None:
        """Let `args` be the model of a class worker; for the executor alone."""
        self._model = decode(self._plain_args())

    def _plain_args(self) -> dict[str, Any]:
        if isinstance(self._args, str):
            found = json.loads(self._args)
            if not isinstance(found, dict):
                raise ValueError(f"args are no JSON object: {self._args:.100}")  # noqa: TRY004
            self._args = found
        return self._args
