"""Encrypted args: AES-256-GCM under a ring of keys.

A row holds the id of its key, so keys rotate: new rows are written with the first key of the ring,
rows that exist are read with theirs. The id and the worker's name are authenticated with the text,
so args can move between jobs of one worker at most. The nonce is random, 96 bits: change the key
before it has written four thousand million rows.

A key that is not known here may be known elsewhere, or here in a minute: `UnknownKey` puts the job
back. A text that its key does not open is lost: `InvalidArgs` discards the job.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Self, cast

from staffa._internal import json
from staffa._internal.lazy import load
from staffa.errors import ConfigError, InvalidArgs, UnknownKey

Keys = Mapping[str, str | bytes]
"""Keys by id, the newest first: 32 bytes each, or their base64."""

EncryptionKeys = Keys | Callable[[], Keys]
"""Keys, or what returns them."""

ENVELOPE = "staffa_encrypted"
DIGEST_KEY = "digest"

_KEY_BYTES = 32
_NONCE_BYTES = 12
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CONTEXT = b"staffa args 1"
_MISSING = "encrypted args need the package cryptography: pip install 'staffa[encryption]'"


class KeyRing:
    """The keys of a client.

    Args:
        given: Keys by id, the newest first, or a function that returns them. It is called for each
            job that is written or read, so it had better keep what it once fetched. A key named
            ``digest`` encrypts nothing: see `keyed_digest`.

    Raises:
        ConfigError: If a key or its id can't be used.

    Example:
        >>> ring = KeyRing({"2026": bytes(32)})
        >>> sealed = ring.seal('{"ssn":"078-05-1120"}', "payroll.pay")
        >>> ring.open(sealed, "payroll.pay")
        {'ssn': '078-05-1120'}
        >>> ring
        <KeyRing 2026>
    """

    def __init__(self, given: EncryptionKeys | None = None) -> None:
        self._given: EncryptionKeys = {} if given is None else given
        self._last: tuple[Keys, dict[str, bytes]] = ({}, {})
        if not callable(self._given):
            self._last = (self._given, _check_keys(self._given))

    @classmethod
    def of(cls, given: object) -> Self:
        """Return the ring of a setting, which may be one already.

        Raises:
            ConfigError: See above.
        """
        return given if isinstance(given, cls) else cls(cast("EncryptionKeys", given))

    def seal(self, text: str, worker: str) -> dict[str, Any]:
        """Return the args that are stored in place of others.

        Args:
            text: The args as JSON text.
            worker: The stored name of the worker.

        Raises:
            ConfigError: If there is no key, or the package cryptography is missing.
        """
        usable = ((key_id, key) for key_id, key in self._keys().items() if key_id != DIGEST_KEY)
        key_id, key = next(usable, ("", b""))
        if not key:
            raise ConfigError(
                f"{worker} has encrypted args but there is no key: set encryption_keys, for "
                "example STAFFA_ENCRYPTION_KEYS=2026:$(openssl rand -base64 32)"
            )
        try:
            cipher = _cipher(key)
        except ImportError as error:
            raise ConfigError(_MISSING) from error
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + cipher.encrypt(nonce, text.encode(), _bound_to(key_id, worker))
        return {ENVELOPE: {"key": key_id, "data": base64.b64encode(sealed).decode()}}

    def open(self, args: Mapping[str, Any], worker: str) -> dict[str, Any]:
        """Return the args that `seal` was given.

        Args:
            args: As they are stored.
            worker: The stored name of the worker.

        Raises:
            UnknownKey: If their key is not known here.
            InvalidArgs: If they were changed, or were sealed for another worker.
        """
        key_id, data = args[ENVELOPE]["key"], args[ENVELOPE]["data"]
        key = self._find(key_id)
        try:
            cipher = _cipher(key)
        except ImportError as error:
            raise UnknownKey(_MISSING) from error
        try:
            sealed = base64.b64decode(data, validate=True)
            nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
            found = json.loads(cipher.decrypt(nonce, text, _bound_to(key_id, worker)).decode())
        except Exception:  # noqa: BLE001  # no part of what was read may show in an error
            raise InvalidArgs(
                f"the encrypted args can't be opened with the key {key_id!r}: they were changed, "
                "or sealed for another worker than this one, or with another key of that id"
            ) from None
        if not isinstance(found, dict):
            raise InvalidArgs("the encrypted args are no JSON object")
        return found

    def keyed_digest(self, value: bytes) -> bytes:
        """Return a digest that only holders of the keys can make: equal values, equal digests.

        Its key is derived from the one named ``digest``, or from the last of the ring, which is the
        oldest: adding a key in front changes nothing, and all nodes agree while a new key is rolled
        out. Once the last one is dropped, digests differ from those before.

        Raises:
            ConfigError: If there is no key.
        """
        keys = self._keys()
        if not keys:
            raise ConfigError("a keyed digest needs a key: set encryption_keys")
        key = keys.get(DIGEST_KEY) or list(keys.values())[-1]
        derived = hmac.digest(key, _CONTEXT + b" digest", hashlib.sha256)
        return hmac.digest(derived, value, hashlib.sha256)

    def _find(self, key_id: str) -> bytes:
        try:
            key = self._keys().get(key_id)
        except Exception as error:
            raise UnknownKey(f"the encryption keys can't be had: {type(error).__name__}") from error
        if key is None or key_id == DIGEST_KEY:
            raise UnknownKey(
                f"the args are encrypted with the key {key_id!r:.100}, which is not known here: "
                "add it to encryption_keys"
            )
        return key

    def _keys(self) -> dict[str, bytes]:
        if not callable(self._given):
            return self._last[1]
        given = self._given()
        if given != self._last[0]:
            self._last = (dict(given), _check_keys(given))
        return self._last[1]

    def __repr__(self) -> str:
        return f"<KeyRing {' '.join(self._last[1]) or 'without keys'}>"


def is_sealed(args: Mapping[str, Any]) -> bool:
    """Tell whether args are what `KeyRing.seal` made, by their form."""
    envelope = args.get(ENVELOPE)
    return (
        len(args) == 1
        and isinstance(envelope, dict)
        and isinstance(envelope.get("key"), str)
        and isinstance(envelope.get("data"), str)
    )


def parse_key_list(text: str) -> dict[str, str]:
    """Return keys from ``2026:<base64>,2025:<base64>``.

    Raises:
        ConfigError: If it is not written so; the message holds nothing of it.

    Example:
        >>> list(parse_key_list("2026:AAAA,2025:BBBB"))
        ['2026', '2025']
    """
    keys: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key_id, separator, key = part.partition(":")
        if not separator:
            raise ConfigError("encryption keys are written as id:base64,id2:base64")
        if key_id in keys:
            raise ConfigError(f"the encryption key {key_id!r:.70} is given twice")
        keys[key_id] = key
    return keys


def _check_keys(given: object) -> dict[str, bytes]:
    if not isinstance(given, Mapping):
        raise ConfigError(
            f"encryption_keys is of type {type(given).__name__}: give keys by id, the newest first"
        )
    return {_check_id(key_id): _check_key(key_id, key) for key_id, key in given.items()}


def _check_id(key_id: object) -> str:
    if not isinstance(key_id, str) or not _ID.fullmatch(key_id):
        raise ConfigError(
            "an encryption key has an id that can't be used: give 1 to 64 letters, digits or ._-"
        )
    return key_id


def _check_key(key_id: str, key: object) -> bytes:
    raw = key
    if isinstance(key, str):
        try:
            raw = base64.b64decode(key.strip(), validate=True)
        except (binascii.Error, ValueError):
            raw = None
    if not isinstance(raw, bytes) or len(raw) != _KEY_BYTES:
        raise ConfigError(
            f"the encryption key {key_id!r} is not {_KEY_BYTES} bytes, nor their base64: make one "
            "with openssl rand -base64 32"
        )
    return raw


def _bound_to(key_id: str, worker: str) -> bytes:
    return b"\0".join((_CONTEXT, key_id.encode(), worker.encode("utf-8", "surrogatepass")))


def _cipher(key: bytes) -> Any:
    return load("cryptography.hazmat.primitives.ciphers.aead:AESGCM")(key)


NO_KEYS = KeyRing()
"""The ring of a client that was given no keys."""
