"""Payloads of notifications: the three spellings of the peers, and what strangers may send."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffa.notifier import MAX_PAYLOAD_BYTES, decode_payload, encode_payload, is_for

DATA = Path(__file__).parent / "data" / "elixir_notifications.jsonl"
CAPTURED = [json.loads(line) for line in DATA.read_text("utf-8").splitlines()]
"""Captured from a real Elixir Oban: one of each channel, action and spelling."""

OBJECTS = st.dictionaries(st.text(), st.text() | st.integers() | st.none() | st.lists(st.text()))


def packed(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("message", CAPTURED, ids=lambda message: message["raw"][:40])
def test_what_elixir_sends_is_read(message: dict[str, Any]) -> None:
    assert decode_payload(message["raw"]) == message["decoded"]


@pytest.mark.parametrize("message", CAPTURED, ids=lambda message: message["raw"][:40])
def test_the_spelling_without_the_mark_is_read_as_well(message: dict[str, Any]) -> None:
    text = json.dumps(message["decoded"]).encode()
    assert decode_payload(packed(gzip.compress(text))) == message["decoded"]
    assert decode_payload(message["raw"].removeprefix("Z:")) == message["decoded"]


def test_the_captures_hold_both_of_elixirs_spellings() -> None:
    assert {message["raw"][:2] for message in CAPTURED} == {'{"', "Z:"}


@given(OBJECTS)
def test_what_is_sent_is_read_back(payload: dict[str, Any]) -> None:
    plain = {key.encode("utf-8", "replace").decode(): value for key, value in payload.items()}
    text = json.dumps(plain)
    assert decode_payload(encode_payload(json.loads(text))) == json.loads(text)


def test_up_to_512_bytes_are_sent_as_they_are_and_more_packed_without_a_mark() -> None:
    room = 512 - len('{"a":""}')
    assert encode_payload({"a": "x" * room}).startswith("{")
    assert encode_payload({"a": "x" * (room + 1)}).startswith("H4sI")
    assert encode_payload({"a": "é" * (room // 2 + 1)}).startswith("H4sI")


def test_a_payload_that_no_notification_can_carry_is_refused() -> None:
    digits = [zlib.crc32(bytes([n % 256, n // 256])) for n in range(4000)]
    with pytest.raises(ValueError, match="split it"):
        encode_payload({"running": digits})
    assert len(encode_payload({"running": digits[:800]})) <= MAX_PAYLOAD_BYTES


@pytest.mark.parametrize(
    "raw",
    [
        "", "Z:", "null", "[]", "5", '"text"', "{", '{"a"', "Z:{}", "Z:Z:H4sI", "H4sI", "é",
        "not base64!", packed(b"no gzip"), packed(gzip.compress(b"")), packed(gzip.compress(b"[]")),
        packed(gzip.compress(b"\xff\xfe")), packed(gzip.compress(b"{}")[:-4]),
        packed(zlib.compress(b"{}")), "{" * 7999, '{"a":' * 1500,
        '{"n":1234567890123456789012,"a":' + "[" * 7000, '{"n":' + "9" * 7000 + "}",
        packed(gzip.compress(b'{"a":' * 200_000)), "Z:" + packed(gzip.compress(b"[" * 900_000)),
    ],
    ids=range(25),
)  # fmt: skip
def test_a_payload_that_can_not_be_read_is_a_value_error(raw: str) -> None:
    with pytest.raises(ValueError):
        decode_payload(raw)


@given(st.text() | st.binary().map(packed) | st.binary().map(lambda data: "Z:" + packed(data)))
def test_whatever_is_sent_is_read_or_a_value_error(raw: str) -> None:
    with suppress(ValueError):
        assert isinstance(decode_payload(raw), dict)


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = gzip.compress(b'{"a":"' + b" " * 5_000_000 + b'"}')
    assert len(packed(bomb)) <= MAX_PAYLOAD_BYTES
    with pytest.raises(ValueError, match="too large"):
        decode_payload(packed(bomb))


@pytest.mark.parametrize(
    ("ident", "meant"),
    [
        ("any", True), ("Oban.web.1", True), ("Oban.web.2", False), ("Other.web.1", False),
        ("", False), (None, False), (5, False), ([], False), ({"a": 1}, False), (["any"], False),
    ],
)  # fmt: skip
def test_a_payload_is_for_all_or_for_the_one_it_names(ident: object, meant: bool) -> None:
    assert is_for({"ident": ident}, "Oban", "web.1") is meant


def test_a_payload_without_an_address_is_for_all() -> None:
    assert is_for({"queue": "mail"}, "Oban", "web.1")
