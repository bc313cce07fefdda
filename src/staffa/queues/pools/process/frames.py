"""What travels between a parent and its child: JSON objects, each behind a head with its length.

The head begins with a mark, so that bytes that somebody else wrote into the socket are noticed at
once, before their first four are taken for a length. What users' code makes (args, results,
messages) travels as JSON text inside of the JSON: the frame itself holds only short numbers and
texts of ours, which orjson reads without loss.
"""

from __future__ import annotations

import struct
from typing import Any

import orjson

MAX_FRAME_BYTES = 256 * 1024 * 1024
"""Args and meta of the longest kind fit in, also where every character takes more than one byte."""

Frame = dict[str, Any]

_MARK = b"SFR1"
_HEAD = struct.Struct("!4sI")


class FrameError(ValueError):
    """Something that can't be sent, or was not sent by us."""


def encode_frame(kind: str, **fields: Any) -> bytes:
    """Return the bytes of a frame.

    Args:
        kind: What it is.
        **fields: What it holds: short plain data, and texts.

    Raises:
        FrameError: If that is no JSON, or too long.

    Example:
        >>> FrameDecoder().feed(encode_frame("run", number=1))
        [{'kind': 'run', 'number': 1}]
    """
    try:
        body = orjson.dumps({"kind": kind, **fields})
    except TypeError as error:
        raise FrameError(f"a frame of kind {kind!r} can't be encoded: {error}") from None
    if len(body) > MAX_FRAME_BYTES:
        raise FrameError(
            f"a frame of kind {kind!r} has {len(body)} bytes, more than {MAX_FRAME_BYTES}: store "
            "the data elsewhere and send a reference"
        )
    return _HEAD.pack(_MARK, len(body)) + body


class FrameDecoder:
    """Makes frames of the bytes of one direction of a socket, however they are cut."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def is_between_frames(self) -> bool:
        """Whether the bytes so far end where a frame ends."""
        return not self._buffer

    def feed(self, data: bytes) -> list[Frame]:
        """Add bytes, and return the frames that are whole now.

        Raises:
            FrameError: If the bytes are none of ours; nothing that follows can be read.
        """
        self._buffer += data
        frames = []
        while (frame := self._next()) is not None:
            frames.append(frame)
        return frames

    def _next(self) -> Frame | None:
        if len(self._buffer) < _HEAD.size:
            return None
        mark, length = _HEAD.unpack_from(self._buffer)
        if mark != _MARK:
            raise FrameError(f"bytes that are no frame: {bytes(self._buffer[:20])!r}")
        if length > MAX_FRAME_BYTES:
            raise FrameError(f"a frame of {length} bytes, more than {MAX_FRAME_BYTES}")
        end = _HEAD.size + length
        if len(self._buffer) < end:
            return None
        with memoryview(self._buffer) as view, view[_HEAD.size : end] as body:
            frame = _decode(body)
        del self._buffer[:end]
        return frame


def _decode(body: memoryview) -> Frame:
    try:
        frame = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise FrameError(f"a frame that is no JSON: {error}") from None
    if not isinstance(frame, dict) or not isinstance(frame.get("kind"), str):
        raise FrameError(f"a frame without a kind: {frame!r:.100}")
    return frame
