"""The contract of notifiers, and the form of what they carry.

A notification is a hint from a channel that anybody may write to: it hurries what rows decide, and
it may get lost. Payloads are JSON objects in one of three spellings (see `decode_payload`).
"""

from __future__ import annotations

import base64
import binascii
import gzip
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from staffa._internal import json

MAX_PLAIN_BYTES = 512
MAX_PAYLOAD_BYTES = 7999
_MAX_INFLATED_BYTES = 1024 * 1024

Handler = Callable[[str, dict[str, Any]], None]
"""Called with a channel ("insert", "signal", "leader") and a decoded payload."""


class Notifier(Protocol):
    """Carries notifications between the nodes that share a schema."""

    async def listen(self, channels: Sequence[str], handler: Handler) -> None:
        """Listen to channels from now on; reconnects by itself until stopped."""

    async def stop(self) -> None:
        """Stop listening."""

    async def notify(
        self, messages: Iterable[tuple[str, Mapping[str, Any]]], *, conn: Any = None
    ) -> None:
        """Send payloads to channels, in the transaction of a user's connection if one is given.

        Raises:
            DatabaseError: If they could not be sent.
        """

    def notify_on(self, messages: Iterable[tuple[str, Mapping[str, Any]]], conn: Any) -> None:
        """Send payloads in the transaction of a connection of synchronous code.

        Raises:
            ConfigError: If the connection is one whose calls are awaited.
            DatabaseError: If they could not be sent.
        """

    @property
    def connected(self) -> bool:
        """Whether notifications can arrive at the moment."""


def channel_name(prefix: str, channel: str) -> str:
    """Return what PostgreSQL calls a channel of a schema.

    Example:
        >>> channel_name("public", "insert")
        'public.oban_insert'
    """
    return f"{prefix}.oban_{channel}"


def encode_payload(payload: Mapping[str, Any]) -> str:
    """Return a payload as all peers read it: plain up to 512 bytes, else base64 of gzip.

    Raises:
        ValueError: If it is too long even so; split what it lists.

    Example:
        >>> encode_payload({"queue": "mail"})
        '{"queue":"mail"}'
    """
    text = json.dumps(dict(payload))
    if len(text.encode()) <= MAX_PLAIN_BYTES:
        return text
    packed = base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
    if len(packed) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"a payload of {len(packed)} bytes can't be sent: split it")
    return packed


def decode_payload(raw: str) -> dict[str, Any]:
    """Return the object of a payload in any of the three spellings.

    Plain JSON; ``Z:`` and base64 of gzip (current Elixir); base64 of gzip (older ones, Python).

    Raises:
        ValueError: If it is none of them, no object, or inflates beyond a megabyte.

    Example:
        >>> decode_payload('{"queue":"mail"}')
        {'queue': 'mail'}
    """
    text = raw if raw.startswith("{") else _inflate(raw.removeprefix("Z:"))
    payload = json.loads(text)
    if not isinstance(payload, dict):
        raise ValueError("the payload is no JSON object")  # noqa: TRY004  # data, not a type
    return payload


def _inflate(packed: str) -> str:
    try:
        data = base64.b64decode(packed, validate=True)
        inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        text = inflater.decompress(data, _MAX_INFLATED_BYTES)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"the payload is neither JSON nor base64 of gzip: {error}") from None
    if not inflater.eof:
        raise ValueError("the payload is cut off, or too large")
    return text.decode()


def is_for(payload: Mapping[str, Any], name: str, node: str) -> bool:
    """Tell whether a payload is meant for an instance: no ident, any, or its own.

    Example:
        >>> is_for({"ident": "any"}, "Oban", "web.1")
        True
        >>> is_for({"ident": "Oban.web.2"}, "Oban", "web.1")
        False
    """
    return payload.get("ident", "any") in ("any", f"{name}.{node}")
