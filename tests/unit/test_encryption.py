"""The key ring: sealed args open for their worker and key alone, and nothing of them shows."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffa import Config, Job, job
from staffa.args.encryption import ENVELOPE, KeyRing, is_sealed, parse_key_list
from staffa.errors import ConfigError, InvalidArgs, UnknownKey
from tests.unit.rows import claimed
from tests.unit.test_json import TEXTS, VALUES

OLD, NEW = bytes(range(32)), bytes(32)
RING = KeyRing({"2026": NEW, "2025": OLD})
SECRET = "078-05-1120"


@given(st.dictionaries(TEXTS, VALUES), TEXTS)
def test_args_open_as_they_were_sealed(args: dict[str, Any], worker: str) -> None:
    made = Job(worker="w", args=args)
    sealed = RING.seal(made.args_json, worker)
    assert is_sealed(sealed)
    assert RING.open(sealed, worker) == made.args


def test_new_rows_have_the_first_key_and_old_ones_open_with_theirs() -> None:
    sealed = KeyRing({"2025": OLD}).seal('{"a":1}', "w")
    assert RING.seal("{}", "w")[ENVELOPE]["key"] == "2026"
    assert RING.open(sealed, "w") == {"a": 1}


def test_two_rows_of_the_same_args_differ() -> None:
    assert RING.seal("{}", "w") != RING.seal("{}", "w")


def test_an_unknown_key_is_told_apart_from_one_that_does_not_open() -> None:
    sealed = RING.seal("{}", "w")
    with pytest.raises(UnknownKey, match="'2026', which is not known here"):
        KeyRing({"2025": OLD}).open(sealed, "w")
    with pytest.raises(InvalidArgs, match="can't be opened with the key '2026'"):
        KeyRing({"2026": OLD}).open(sealed, "w")


@pytest.mark.parametrize("change", ["data", "key", "worker", "short", "no base64"])
def test_what_was_changed_does_not_open(change: str) -> None:
    sealed = RING.seal('{"a":1}', "w")
    envelope = sealed[ENVELOPE]
    data = bytearray(base64.b64decode(envelope["data"]))
    match change:
        case "data":
            data[-1] ^= 1
            envelope["data"] = base64.b64encode(data).decode()
        case "key":
            envelope["key"] = "2025"
        case "short":
            envelope["data"] = "AAAA"
        case "no base64":
            envelope["data"] = "ž"
    with pytest.raises(InvalidArgs, match="can't be opened") as caught:
        RING.open(sealed, "other" if change == "worker" else "w")
    assert caught.value.__cause__ is None


def test_a_function_may_give_the_keys_and_change_them() -> None:
    keys = {"2025": OLD}
    ring = KeyRing(lambda: keys)
    sealed = ring.seal("{}", "w")
    keys = {"2026": NEW, "2025": OLD}
    assert ring.seal("{}", "w")[ENVELOPE]["key"] == "2026"
    assert ring.open(sealed, "w") == {}


def test_a_function_that_fails_leaves_the_job_for_later() -> None:
    def unreachable() -> dict[str, bytes]:
        raise ConnectionError(SECRET)

    with pytest.raises(UnknownKey, match="can't be had: ConnectionError") as caught:
        KeyRing(unreachable).open(RING.seal("{}", "w"), "w")
    assert SECRET not in str(caught.value)


def test_a_digest_stays_the_same_while_keys_are_added_in_front() -> None:
    digest = KeyRing({"2025": OLD}).keyed_digest(b"x")
    assert len(digest) == 32
    assert RING.keyed_digest(b"x") == digest
    assert RING.keyed_digest(b"y") != digest
    assert KeyRing({"2026": NEW}).keyed_digest(b"x") != digest


def test_a_digest_may_have_a_key_of_its_own_which_encrypts_nothing() -> None:
    ring = KeyRing({"digest": OLD, "2026": NEW})
    assert ring.seal("{}", "w")[ENVELOPE]["key"] == "2026"
    later = KeyRing({"2027": bytes([7]) * 32, "digest": OLD})
    assert later.keyed_digest(b"x") == ring.keyed_digest(b"x")
    with pytest.raises(ConfigError, match="there is no key"):
        KeyRing({"digest": OLD}).seal("{}", "w")


def test_without_keys_it_says_what_to_set() -> None:
    with pytest.raises(ConfigError, match="encryption_keys"):
        KeyRing().seal("{}", "w")
    with pytest.raises(ConfigError, match="encryption_keys"):
        KeyRing().keyed_digest(b"x")


@pytest.mark.parametrize(
    "given",
    [
        {"a": SECRET}, {"a": b"short"}, {"a": base64.b64encode(bytes(31)).decode()}, {"a": 5},
        {"": bytes(32)}, {"a:b": bytes(32)}, {"a" * 65: bytes(32)}, {5: bytes(32)}, [bytes(32)],
        "a:b", 5,
    ],
    ids=repr,
)  # fmt: skip
def test_a_key_that_can_not_be_used_is_refused_without_showing_it(given: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        KeyRing(given)
    assert SECRET not in str(caught.value)


def test_keys_show_nowhere() -> None:
    text = base64.b64encode(OLD).decode()
    config = Config(encryption_keys={"2025": text})  # type: ignore[arg-type]  # made a ring of
    assert repr(config.encryption_keys) == "<KeyRing 2025>"
    assert text not in repr(config)
    assert "KeyRing" not in repr(config)


def test_a_setting_takes_keys_in_every_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = base64.b64encode(OLD).decode(), base64.b64encode(NEW).decode()
    monkeypatch.setenv("STAFFA_ENCRYPTION_KEYS", f"2026:{new},2025:{old}")
    ring = Config.load(folder=tmp_path).encryption_keys
    assert ring.open(RING.seal("{}", "w"), "w") == {}
    monkeypatch.delenv("STAFFA_ENCRYPTION_KEYS")
    (tmp_path / "staffa.toml").write_text(f'[encryption_keys]\n2026 = "{new}"\n2025 = "{old}"\n')
    config = Config.load(folder=tmp_path)
    assert config.encryption_keys.open(RING.seal("{}", "w"), "w") == {}
    assert config.with_queues({}).encryption_keys is config.encryption_keys


@pytest.mark.parametrize("text", [SECRET, f"2026:{SECRET}", f"2026:{SECRET},2026:{SECRET}"])
def test_a_variable_that_can_not_be_used_is_not_shown(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAFFA_ENCRYPTION_KEYS", text)
    with pytest.raises(ConfigError) as caught:
        Config.load(folder=tmp_path)
    assert SECRET not in str(caught.value)


def test_a_list_of_keys_keeps_its_order() -> None:
    assert list(parse_key_list("b:x, a:y,")) == ["b", "a"]


def test_a_missing_package_is_named_and_burns_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = RING.seal("{}", "w")
    with monkeypatch.context() as patched:
        for name in [name for name in sys.modules if name.split(".")[0] == "cryptography"]:
            patched.setitem(sys.modules, name, None)  # importing it fails as if it were not there
        with pytest.raises(ConfigError, match=r"pip install 'staffa\[encryption\]'"):
            RING.seal("{}", "w")
        with pytest.raises(UnknownKey, match=r"pip install 'staffa\[encryption\]'"):
            RING.open(sealed, "w")
    assert RING.open(sealed, "w") == {}


def test_a_job_is_sealed_when_it_is_enqueued_and_not_before() -> None:
    @job(encrypted=True)
    def pay(ssn: str) -> None: ...

    made = pay.new(SECRET)
    assert made.args == {"ssn": SECRET}
    assert (made.encrypted, made.meta) == (True, {"encrypted": True})
    sealed = made.sealed(RING)
    assert SECRET not in sealed.args_json + sealed.meta_json + repr(sealed)
    assert sealed.encrypted
    assert sealed.sealed(RING) is sealed
    assert made.args == {"ssn": SECRET}
    run = claimed(args=sealed.args_json, meta=sealed.meta_json, worker=made.worker)
    run.unseal(RING)
    assert run.args == {"ssn": SECRET}
    assert SECRET not in repr(run)


def test_a_call_may_choose_whether_its_args_are_encrypted() -> None:
    @job
    def open_one(a: int) -> None: ...

    @job(encrypted=True)
    def sealed_one(a: int) -> None: ...

    assert open_one.options(encrypted=True).new(1).encrypted
    assert not sealed_one.options(encrypted=False).new(1).encrypted


@pytest.mark.parametrize(
    "args",
    [
        {ENVELOPE: {"key": "2026", "data": "AAAA"}},
        {ENVELOPE: "x"},
        {ENVELOPE: {"key": "2026", "data": "AAAA"}, "b": 1},
    ],
)
@pytest.mark.parametrize("meta", [{}, {"encrypted": True}])
def test_what_is_left_of_encrypted_args_is_never_run(args: Any, meta: Any) -> None:
    run = claimed(args=args, meta=meta)
    with pytest.raises(InvalidArgs, match="changed"):
        run.unseal(RING)


def test_plain_args_of_a_job_that_is_marked_as_encrypted_are_read_as_they_are() -> None:
    run = claimed(args={"ssn": SECRET}, meta={"encrypted": True})
    run.unseal(RING)
    assert run.args == {"ssn": SECRET}


def test_encrypted_args_are_opened_whatever_became_of_the_mark() -> None:
    sealed = RING.seal('{"ssn":"078"}', claimed().worker)
    run = claimed(args=sealed, meta={})
    run.unseal(RING)
    assert run.args == {"ssn": "078"}
    assert run.encrypted


def test_an_error_about_args_that_are_to_be_encrypted_shows_none_of_them() -> None:
    @job(encrypted=True)
    def pay(person: dict[str, int], note: str = "", other: Any = None) -> None: ...

    wrong: list[dict[str, Any]] = [
        {"person": {SECRET: SECRET}},
        {"person": {}, "note": f"\x00{SECRET}"},
        {"person": {}, "other": {SECRET: object()}},
    ]
    for arguments in wrong:
        with pytest.raises(InvalidArgs) as caught:
            pay.new(**arguments)
        assert SECRET not in str(caught.value)
        assert caught.value.__suppress_context__
    with pytest.raises(InvalidArgs) as caught:
        Job(worker="w", args={SECRET: object()}, encrypted=True)
    assert SECRET not in str(caught.value)
