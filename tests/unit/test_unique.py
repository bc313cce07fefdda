"""What makes two jobs the same, and which options are refused."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import timedelta
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffa import Job, State, Unique, job
from staffa._internal.json import canonical
from staffa.errors import ConfigError, UnknownOption
from staffa.unique import (
    GROUPS,
    KEY_BYTES,
    LIVE_STATES,
    UniqueField,
    make_key,
    parse_replace,
    parse_unique,
)

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(-1e20, 1e20) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def key(unique: Unique | None = None, **fields: Any) -> bytes:
    """Return the key of a job."""
    defaults: dict[str, Any] = {"worker": "w", "queue": "q", "args": {}, "meta": {}}
    return make_key(unique or Unique(), **{**defaults, **fields})


def test_true_looks_at_what_has_not_ended_and_a_period_at_what_has_succeeded() -> None:
    assert Unique().watched == GROUPS["incomplete"] == frozenset(LIVE_STATES)
    assert Unique(period=60).watched == GROUPS["successful"] == {*LIVE_STATES, State.COMPLETED}
    assert parse_unique(True) == Unique()
    assert parse_unique(False) is parse_unique(None) is None


def test_the_groups_are_those_of_the_peers() -> None:
    assert GROUPS["all"] == frozenset(State)
    assert GROUPS["scheduled"] == {State.SCHEDULED}
    assert GROUPS["successful"] == frozenset(State) - {State.CANCELLED, State.DISCARDED}


def test_a_mapping_has_the_names_of_the_peers_too() -> None:
    found = parse_unique({"period": timedelta(minutes=2), "keys": ["id"], "group": "all"})
    assert found == Unique(period=120, keys=["id"], states="all")
    with pytest.raises(ConfigError, match="states and group"):
        parse_unique({"states": "all", "group": "all"})
    with pytest.raises(UnknownOption, match="did you mean 'period'"):
        parse_unique({"perod": 5})


@pytest.mark.parametrize("length", range(1, 6))
def test_a_list_of_states_from_the_beginning_of_a_life_is_taken(length: int) -> None:
    states = LIVE_STATES[:length]
    assert Unique(states=list(states)).watched == frozenset(states)


def test_a_list_of_all_live_states_may_have_any_ends() -> None:
    for end in ("completed", "cancelled", "discarded"):
        assert Unique(states=[*LIVE_STATES, end]).watched == {*LIVE_STATES, end}
    assert Unique(states=["scheduled"]).watched == GROUPS["scheduled"]


@pytest.mark.parametrize(
    ("states", "missing"),
    [
        (["executing"], "'suspended', 'scheduled', 'available'"),
        (["suspended", "scheduled", "available", "retryable"], "'executing'"),
        (["available"], "'suspended', 'scheduled'"),
        ([state for state in LIVE_STATES if state != "retryable"] + ["completed"], "'retryable'"),
        (["completed"], "'suspended', 'scheduled', 'available', 'executing', 'retryable'"),
        (["scheduled", "available", "executing", "retryable"], "'suspended'"),
    ],
)
def test_a_list_that_overlooks_an_earlier_state_is_refused_with_what_is_missing(
    states: list[str], missing: str
) -> None:
    with pytest.raises(ConfigError, match=f"but not {missing}: .* 'incomplete'"):
        Unique(states=states)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"period": 0}, "period of unique is 0"),
        ({"period": -1}, "below 0"),
        ({"period": "60"}, "period of unique is '60'"),
        ({"fields": []}, "fields of unique is empty"),
        ({"fields": "args"}, "give a list"),
        ({"fields": 5}, "give a list"),
        ({"fields": ["arg"]}, "'arg': known are"),
        ({"fields": [["args"]]}, "known are"),
        ({"keys": "id"}, r"\['id'\]"),
        ({"keys": [1]}, "names of args"),
        ({"keys": 5}, "give a list"),
        ({"keys": ["id"], "fields": ["worker"]}, "neither 'args' nor 'meta'"),
        ({"states": "done"}, "'done': give 'all', 'incomplete'"),
        ({"states": []}, "states of unique is empty"),
        ({"states": ["done"]}, "'done': states are"),
        ({"states": [["available"]]}, "states are"),
        ({"states": 5}, "or a list"),
        ({"timestamp": "attempted_at"}, "'inserted_at', 'scheduled_at'"),
    ],
)
def test_a_bad_option_is_refused_with_the_value_and_the_remedy(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        Unique(**options)
    with pytest.raises(ConfigError, match=words):
        Job(worker="w", unique=options)  # type: ignore[arg-type]  # any options


@pytest.mark.parametrize("value", ["yes", 5, ["args"], object()])
def test_what_is_no_unique_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match="give True"):
        Job(worker="w", unique=value)


@pytest.mark.parametrize(
    ("replace", "words"),
    [
        (["args"], "fields by state"),
        ({"done": ["args"]}, "'done': states are"),
        ({"scheduled": "args"}, "give a list"),
        ({"scheduled": ["state"]}, "'state': known are"),
        ({"scheduled": 5}, "give a list"),
    ],
)
def test_a_bad_replace_is_refused(replace: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Job(worker="w", unique=True, replace=replace)


def test_replace_takes_states_as_text_or_as_such_and_needs_unique() -> None:
    assert parse_replace({State.SCHEDULED: ["args", "args"]}) == {"scheduled": ("args",)}
    assert Job(worker="w", unique=False, replace={"scheduled": ["args"]}).unique is None
    with pytest.raises(ConfigError, match="add unique=True"):
        Job(worker="w", replace={"scheduled": ["args"]})


def test_options_of_a_decorator_are_inherited_and_overridden() -> None:
    @job(unique={"period": 60}, replace={"scheduled": ["args"]}, name="tests.inherited")
    def inherited(number: int) -> None: ...

    assert inherited.new(1).unique == Unique(period=60)
    assert inherited.new(1).replace == {"scheduled": ("args",)}
    assert inherited.options(unique=False).new(1).unique is None
    assert inherited.options(unique=Unique(keys=["number"])).new(1).unique == Unique(
        keys=["number"]
    )
    with pytest.raises(ConfigError, match="perhaps"):
        job(unique={"fields": ["perhaps"]})(inherited)  # type: ignore[call-overload]


def test_a_key_has_sixteen_bytes_that_stay_the_same_between_versions() -> None:
    found = key(args={"b": [1, "ž", None], "a": {"x": True}})
    assert len(found) == KEY_BYTES
    assert found.hex() == "eb096984e4898caf9b0d25a5a400cc96"


@pytest.mark.parametrize(
    "other",
    [
        {"worker": "x"},
        {"queue": "r"},
        {"args": {"a": 1}},
        {"args": {"a": None}},
        {"unique": Unique(fields=["worker", "queue"])},
        {"unique": Unique(fields=["worker", "queue", "args", "meta"])},
        {"unique": Unique(keys=["a"])},
    ],
    ids=str,
)
def test_different_jobs_and_different_sets_of_fields_never_share_a_key(
    other: dict[str, Any],
) -> None:
    assert key(**other) != key()


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": 0}, {"a": -0.0}),
        ({"a": [{"x": 1, "y": 2}]}, {"a": [{"y": 2, "x": 1.0}]}),
        ({"a": 10**20}, {"a": 1e20}),
    ],
)
def test_what_the_database_takes_for_equal_has_one_key(one: Any, two: Any) -> None:
    assert key(args=one) == key(args=two)


@pytest.mark.parametrize(
    ("one", "two"),
    [({"a": 1}, {"a": True}), ({"a": 1}, {"a": "1"}), ({"a": 2**53}, {"a": 2**53 + 1}),
     ({"a": [1]}, {"a": [1, 1]}), ({"a": None}, {}), ({"a": 0.1}, {"a": 0.1000001})],
)  # fmt: skip
def test_what_differs_in_the_database_has_two_keys(one: Any, two: Any) -> None:
    assert key(args=one) != key(args=two)


@given(args=st.dictionaries(st.text(), PLAIN, max_size=4), seed=st.randoms())
def test_the_order_of_names_does_not_matter(args: dict[str, Any], seed: Any) -> None:
    items = list(args.items())
    seed.shuffle(items)
    assert key(args=dict(items)) == key(args=args)


@pytest.mark.parametrize("fields", [["args"], ["worker", "args"], ["worker", "queue", "args"]])
@given(args=st.dictionaries(st.text(), PLAIN, max_size=4), names=st.tuples(st.text(), st.text()))
def test_keys_of_whole_args_are_digests_of_the_text_of_all_that_is_compared(
    fields: list[UniqueField], args: dict[str, Any], names: tuple[str, str]
) -> None:
    worker, queue = names
    given = {"worker": worker, "queue": queue, "args": args}
    compared = {name: given[name] for name in fields}
    text = canonical([compared, []])
    found = make_key(Unique(fields=fields), worker=worker, queue=queue, args=args, meta={})
    assert found == blake2b(text, digest_size=KEY_BYTES).digest()


def test_fields_and_keys_are_compared_whatever_their_order() -> None:
    one, two = Unique(fields=["args", "worker"]), Unique(fields=["worker", "args"])
    assert key(one) == key(two)
    one, two = Unique(keys=["a", "b"]), Unique(keys=["b", "a"])
    assert key(one, args={"a": 1, "b": 2}) == key(two, args={"b": 2, "a": 1})


def test_what_staffa_keeps_in_meta_is_not_compared() -> None:
    unique = Unique(fields=["meta"])
    one = Job(worker="w", meta={"a": 1}, timeout=5, unique=unique)
    two = Job(worker="w", meta={"a": 1}, timeout=6, unique=unique)
    assert one.unique_key == two.unique_key


def test_a_key_that_was_fixed_before_the_args_are_hidden_stays() -> None:
    made = Job(worker="w", args={"secret": 1}, unique=True)

    def keyed(text: bytes) -> bytes:
        return hmac.digest(b"a secret", text, "sha256")

    open_key = made.unique_key
    made.fix_unique_key(keyed)
    assert made.unique_key is not None
    assert len(made.unique_key) == KEY_BYTES
    assert made.unique_key != open_key
    other = Job(worker="w", args={"secret": 1}, unique=True)
    other.fix_unique_key(keyed)
    assert other.unique_key == made.unique_key


@pytest.mark.parametrize(
    ("name", "value"),
    [("worker", "v"), ("queue", "other"), ("unique", Unique(fields=["args"])), ("meta", {"a": 1})],
)
@pytest.mark.parametrize("fields", [["worker", "queue", "args"], ["worker", "queue", "meta"]])
def test_a_key_that_was_made_ahead_is_that_of_the_job_as_it_is_written(
    name: str, value: Any, fields: Sequence[UniqueField]
) -> None:
    made = Job(worker="w", args={"n": 1}, unique=Unique(fields=fields))
    made.prepare_unique_key()
    if name == "meta":
        made.meta["a"] = 1
    else:
        setattr(made, name, value)
    options: dict[str, Any] = {"worker": "w", "args": {"n": 1}, "unique": made.unique, name: value}
    written = Job(**options)
    assert made.unique_key == written.unique_key
    made.args["n"] = 2
    assert ("args" in fields or name == "unique") == (made.unique_key != written.unique_key)


def test_a_job_that_is_not_unique_has_no_key() -> None:
    made = Job(worker="w")
    made.fix_unique_key()
    assert made.unique_key is None
    assert made.conflict is False
