"""Frames between a parent and its child: whatever the socket does to them."""

from __future__ import annotations

import pytest

from staffa.queues.pools.process import frames
from staffa.queues.pools.process.frames import FrameDecoder, FrameError, encode_frame


def test_frames_come_back_however_their_bytes_are_cut() -> None:
    sent = [{"kind": "run", "text": "ä\x00\n" * n, "number": -n} for n in range(5)]
    data = b"".join(encode_frame(**frame) for frame in sent)  # type: ignore[arg-type]  # its kind is a text
    for size in (1, 2, 7, 8, 9, 50, len(data)):
        decoder = FrameDecoder()
        found = [
            frame
            for start in range(0, len(data), size)
            for frame in decoder.feed(data[start : start + size])
        ]
        assert found == sent
        assert decoder.is_between_frames


def test_a_frame_that_is_not_whole_is_told_from_the_end_of_one() -> None:
    decoder = FrameDecoder()
    data = encode_frame("run")
    for end in range(1, len(data)):
        decoder = FrameDecoder()
        assert decoder.feed(data[:end]) == []
        assert not decoder.is_between_frames


@pytest.mark.parametrize(
    "data",
    [
        b"print: hello\n",
        b"SFR1\xff\xff\xff\xff",
        b"SFR1\x00\x00\x00\x04oops",
        b"SFR1\x00\x00\x00\x02[]",
        b"SFR1\x00\x00\x00\x02{}",
        b'SFR1\x00\x00\x00\x0a{"kind":1}',
        b'SFR1\x00\x00\x00\x0c{"kind":"\xff"}',
    ],
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(FrameError):
        FrameDecoder().feed(data)


@pytest.mark.parametrize("value", [object(), 2**70, "\udfff", {1: 2}, b"x"])
def test_what_json_can_not_hold_is_refused_where_it_is_sent(value: object) -> None:
    with pytest.raises(FrameError, match="'run' can't be encoded"):
        encode_frame("run", value=value)


def test_a_frame_over_the_bound_is_refused_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode_frame("run", text="x" * 100)
    monkeypatch.setattr(frames, "MAX_FRAME_BYTES", 100)
    with pytest.raises(FrameError, match="more than 100"):
        encode_frame("run", text="x" * 100)
    with pytest.raises(FrameError, match="more than 100"):
        FrameDecoder().feed(data)
