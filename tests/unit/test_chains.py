"""What makes the key of a chain, and which options are refused."""

from __future__ import annotations

import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffa import Chain, Job, Partition, job
from staffa._internal.identifiers import is_storable_name
from staffa.chains import make_chain_id, parse_chain
from staffa.errors import ConfigError, UnknownOption


@job(chain=Chain(by=["args.account_id"]), name="tests.pay")
def pay(account_id: int, amount: int = 0) -> None: ...


def chain_id(chain: Chain, digest: Any = None, **fields: Any) -> str:
    """Return the id of a job's chain."""
    given: dict[str, Any] = {"worker": "w", "args": {}, "meta": {}, **fields}
    return make_chain_id(chain, digest=digest, **given)


def test_jobs_that_agree_in_all_fields_are_of_one_chain() -> None:
    by_account = Chain(by="args.account_id")
    one = chain_id(by_account, args={"account_id": 1, "amount": 5})
    assert chain_id(by_account, args={"amount": 6, "account_id": 1.0}) == one
    assert chain_id(by_account, args={"account_id": 2}) != one
    assert chain_id(by_account, args={"account_id": "1"}) != one
    assert chain_id(by_account, worker="other", args={"account_id": 1}) == one


def test_a_worker_among_the_fields_keeps_workers_apart() -> None:
    both = Chain(by=["worker", "args.a"])
    assert chain_id(both, args={"a": 1}) != chain_id(both, worker="other", args={"a": 1})
    assert chain_id(Chain()) != chain_id(Chain(), worker="other")


def test_the_order_of_the_fields_makes_no_other_chain_and_their_names_do() -> None:
    fields = {"args": {"a": 1, "b": 1}}
    keys = {chain_id(Chain(by=by), **fields)[-32:] for by in (["args.a", "args.b"], "args.a")}
    assert len(keys) == 2
    turned = chain_id(Chain(by=["args.b", "args.a"]), **fields)
    assert turned[-32:] == chain_id(Chain(by=["args.a", "args.b"]), **fields)[-32:]


def test_a_dot_leads_into_objects_and_what_is_not_there_is_null() -> None:
    inner = Chain(by="meta.order.id")
    one = chain_id(inner, meta={"order": {"id": 5}})
    assert one.startswith("meta.order.id=5:")
    missing = chain_id(inner, meta={})
    assert missing == chain_id(inner, meta={"order": {"id": None}}) != one
    assert missing == chain_id(inner, meta={"order": 7})


@given(st.text() | st.integers() | st.lists(st.text(max_size=200), max_size=9))
def test_an_id_fits_into_its_column_whatever_it_is_made_of(value: object) -> None:
    assert is_storable_name(chain_id(Chain(by="args.x"), args={"x": value}))


def test_a_keyed_digest_shows_no_args() -> None:
    def digest(text: bytes) -> bytes:
        return hmac.digest(b"secret", text, "sha256")

    both = Chain(by=["meta.tenant", "args.ssn"])
    found = chain_id(both, digest, args={"ssn": "078"}, meta={"tenant": 3})
    assert found.startswith("meta.tenant=3,args.ssn=encrypted:")
    assert found != chain_id(both, args={"ssn": "078"}, meta={"tenant": 3})
    assert found == chain_id(both, digest, args={"ssn": "078"}, meta={"tenant": 3})


def test_a_job_gets_its_chain_by_its_decorator_or_its_call() -> None:
    made = pay.new(7, amount=3)
    assert made.chain == Chain(by="args.account_id")
    assert made.chain_id is None
    placed = made.on_chain()
    assert placed.chain_id is not None
    assert placed.chain_id.startswith("args.account_id=7:")
    assert placed.on_chain() is placed
    assert pay.options(chain=None).new(7).chain is None
    assert pay.options(chain={"by": "worker"}).new(7).chain == Chain()
    assert Job(worker="w").on_chain().meta == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "account_id"}, r"by of chain has 'account_id': give 'worker', or a key of args"),
        ({"by": []}, r"give 1 to 5 different fields"),
        ({"by": ["worker", "worker"]}, r"give 1 to 5 different fields"),
        ({"by": 7}, r"by of chain is 7"),
        ({"by": {"args": "x"}}, r"by of chain is \{'args'"),
        ({"on_cancelled": "go"}, r"on_cancelled of chain is 'go': give 'ignore' or 'hold'"),
        ({"on_discarded": None}, r"on_discarded of chain is None"),
        ({"on_discarded": []}, r"on_discarded of chain is \[\]"),
    ],
    ids=str,
)
def test_what_can_not_be_used_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_chain(options)
    with pytest.raises(ConfigError, match=message):
        Job(worker="w", chain=options)  # type: ignore[arg-type]  # wrong on purpose


def test_a_chain_is_told_as_an_object_a_mapping_or_none() -> None:
    assert parse_chain(None) is None
    assert parse_chain({"by": Partition("worker", "args.a")}) == Chain(by=["worker", "args.a"])
    with pytest.raises(ConfigError, match=r"chain is True: give Chain\(by="):
        parse_chain(True)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(UnknownOption, match="did you mean 'on_discarded'"):
        parse_chain({"on_discard": "hold"})


def test_a_worker_refuses_a_wrong_chain_where_it_is_written() -> None:
    with pytest.raises(ConfigError, match="by of chain"):
        job(chain=Chain(by="tenant"))


def test_a_replace_may_not_take_a_job_out_of_its_chain() -> None:
    with pytest.raises(ConfigError, match="replace while scheduled has meta"):
        Job(worker="w", chain=Chain(), unique=True, replace={"scheduled": ["meta"]})
    kept = Job(worker="w", chain=Chain(), unique=True, replace={"scheduled": ["priority"]})
    assert kept.chain == Chain()
