"""Limits of queues as users write them."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from typing import Any

import pytest

from staffa import Config, GlobalLimit, Partition, Queue, RateLimit
from staffa.errors import ConfigError, UnknownOption
from staffa.limits import Limits
from staffa.queue import parse_queues


def test_limits_are_given_as_objects_or_tables() -> None:
    given = tomllib.loads(
        """
        [queues.exports]
        limit = 100
        [queues.exports.global_limit]
        allowed = 5
        partition = "args.tenant_id"
        burst = true
        [queues.exports.rate_limit]
        allowed = 60
        period = 60
        partition = ["args.tenant_id"]
        """
    )
    exports = Config(**given).queues["exports"]
    assert exports == Queue(
        limit=100,
        global_limit=GlobalLimit(5, partition="args.tenant_id", burst=True),
        rate_limit=RateLimit(
            60, period=timedelta(minutes=1), partition=Partition("args.tenant_id")
        ),
    )
    assert parse_queues({"a": {"global_limit": 3}})["a"].global_limit == GlobalLimit(3)


def test_a_queue_without_limits_has_none() -> None:
    assert not Queue().limits.any
    assert Queue(rate_limit=RateLimit(1, period=1)).limits.any


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"global_limit": 0}, "allowed of global_limit is 0"),
        ({"global_limit": True}, "allowed of global_limit is True"),
        ({"global_limit": {}}, "global_limit has no allowed"),
        ({"global_limit": {"allowed": 5, "burst": True}}, "burst .* without a partition"),
        ({"global_limit": {"allowed": 5, "per_node": 1}}, "per_node of global_limit is 1"),
        ({"global_limit": {"allowed": 5, "partition": "args"}}, "partition has 'args'"),
        ({"global_limit": {"allowed": 5, "partition": "queue"}}, "partition has 'queue'"),
        ({"global_limit": {"allowed": 5, "partition": "args..x"}}, r"partition has 'args\.\.x'"),
        ({"global_limit": {"allowed": 5, "partition": "meta.partition_key"}}, "itself is kept"),
        ({"global_limit": {"allowed": 5, "partition": []}}, "give 1 to 5 different fields"),
        ({"global_limit": {"allowed": 5, "partition": ["worker"] * 2}}, "different fields"),
        ({"global_limit": {"allowed": 5, "partition": {"args": "x"}}}, "partition is {'args'"),
        ({"global_limit": {"allowed": 5, "partition": 7}}, "partition is 7"),
        ({"rate_limit": 60}, "give RateLimit"),
        ({"rate_limit": {"allowed": 60}}, "rate_limit has no period"),
        ({"rate_limit": {"allowed": 60, "period": 0}}, "period of rate_limit is 0 s"),
        ({"rate_limit": {"allowed": 60, "period": -1}}, "period of rate_limit is below 0"),
        ({"rate_limit": {"allowed": 6, "period": 1, "weight": 7}}, "no job could ever start"),
        ({"rate_limit": {"allowed": 6, "period": 1, "weight": 0}}, "weight of rate_limit is 0"),
        ({"rate_limit": {"allowed": 6, "period": 1, "algorithm": "leaky"}}, "algorithm .* 'leaky'"),
    ],
)
def test_what_can_not_be_used_is_named_with_the_remedy(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"queue 'mail': .*{message}"):
        parse_queues({"mail": table})


@pytest.mark.parametrize("limit", ["global_limit", "rate_limit"])
def test_an_unknown_option_of_a_limit_names_the_nearest(limit: str) -> None:
    with pytest.raises(UnknownOption, match=f"option of {limit}: 'alowed': did you mean 'allowed'"):
        parse_queues({"mail": {limit: {"alowed": 5}}})


def test_a_queue_has_one_partition() -> None:
    with pytest.raises(ConfigError, match="a queue has one partition"):
        Queue(
            global_limit=GlobalLimit(1, partition="worker"),
            rate_limit=RateLimit(1, period=1, partition="args.id"),
        )
    one = Limits(global_limit=GlobalLimit(1), rate_limit=RateLimit(1, period=1, partition="worker"))
    assert one.fields == ("worker",)


def test_keys_of_different_partitions_begin_differently() -> None:
    prefixes = {
        Partition(*names).prefix for names in (["worker"], ["args.a"], ["args.a", "args.b"])
    }
    assert len(prefixes) == 3


def test_limits_survive_being_stored_and_what_is_unknown_is_left_out() -> None:
    limits = Limits(
        global_limit=GlobalLimit(5, partition=["worker", "meta.a.b"], burst=True, per_node=True),
        rate_limit=RateLimit(9, period=2.5, algorithm="token_bucket", weight=3),
    )
    options = limits.as_options()
    options["global_limit"]["colour"] = "blue"
    options["other_limit"] = {}
    assert Limits.from_options(options) == limits
    assert Limits.from_options({}) == Limits()
