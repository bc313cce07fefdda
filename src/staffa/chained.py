"""What a job knows of the chain and the batch that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any, Self

from staffa._internal import json
from staffa.args.plain import dump_object
from staffa.chains import CHAIN_KEY, Chain, ChainOptions, Digest, make_chain_id, parse_chain
from staffa.conflicts import Conflicting
from staffa.errors import ConfigError
from staffa.payload import A

_BATCH_KEY = "batch_id"


class Chained(Conflicting[A]):
    """The part of a job that is about what it is one of many in."""

    __slots__ = ("chain",)

    chain: Chain | None
    """What its chain is by; None for a job that was read: its `chain_id` tells."""

    worker: str

    def _set_chain(self, chain: Chain | ChainOptions | Mapping[str, Any] | None) -> None:
        """Take the option of a job that is made."""
        self.chain = parse_chain(chain)
        for state, chosen in (self.replace or {}).items():
            if self.chain is not None and "meta" in chosen:
                raise ConfigError(
                    f"replace while {state} has meta, where the chain of a job is kept: leave out "
                    "meta, or chain="
                )

    @property
    def chain_id(self) -> str | None:
        """The chain that it belongs to; known once it is written."""
        found = self.meta.get(CHAIN_KEY)
        return found if isinstance(found, str) else None

    @property
    def batch_id(self) -> str | None:
        """The batch that it belongs to, or whose callback it is."""
        found = self.meta.get(_BATCH_KEY)
        return found if isinstance(found, str) else None

    def on_chain(self, digest: Digest | None = None) -> Self:
        """Return this job with the id of its chain in its meta; for the client alone.

        Args:
            digest: Makes the digest, with a secret that who reads the table lacks: for args that
                are to be encrypted.
        """
        if self.chain is None or CHAIN_KEY in self.meta:
            return self
        parts = self.chain.parts
        keyed = digest is not None and "args" in parts
        found = make_chain_id(
            self.chain,
            worker=self.worker,
            args=json.loads(self.args_json) if "args" in parts else {},
            meta=self.meta if "meta" in parts else {},
            digest=digest if keyed else None,
        )
        job = copy(self)
        job._meta = dump_object({**self.meta, CHAIN_KEY: found}, "meta")
        return job
