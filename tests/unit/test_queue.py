"""Queues as users write them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from staffa import Queue
from staffa.errors import ConfigError, UnknownOption
from staffa.queue import check_queue_name, parse_queues
from staffa.settings import parse_queue_list


def test_a_queue_is_given_as_a_limit_a_table_or_an_object() -> None:
    queues = parse_queues({"a": 1, "b": {"limit": 2}, "c": Queue(limit=3), "d": {}})
    assert {name: queue.limit for name, queue in queues.items()} == {
        "a": 1,
        "b": 2,
        "c": 3,
        "d": 10,
    }


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "10", None])
def test_a_limit_is_a_positive_whole_number(limit: Any) -> None:
    with pytest.raises(ConfigError, match="limit"):
        parse_queues({"mail": limit})
    with pytest.raises(ConfigError, match="limit"):
        parse_queues({"mail": {"limit": limit}})


def test_a_queue_may_start_paused() -> None:
    assert parse_queues({"a": {"limit": 2, "paused": True}})["a"].paused is True
    assert Queue(limit=2).paused is False
    with pytest.raises(ConfigError, match="True or False"):
        parse_queues({"a": {"paused": 1}})


def test_an_unknown_option_names_the_nearest() -> None:
    with pytest.raises(UnknownOption, match=r"queue 'mail'.* did you mean 'limit'"):
        parse_queues({"mail": {"limmit": 5}})


def test_an_option_that_is_no_text_is_an_unknown_option() -> None:
    with pytest.raises(UnknownOption):
        parse_queues({"mail": {1: 2}})


@pytest.mark.parametrize("queues", ["mail", ["mail"], 5, None])
def test_queues_are_a_mapping(queues: Any) -> None:
    with pytest.raises(ConfigError, match="mapping"):
        parse_queues(queues)


@pytest.mark.parametrize("name", ["", "a" * 128, 1, None, "a\x00b"])
def test_a_bad_name_of_a_queue_is_refused_briefly(name: Any) -> None:
    with pytest.raises(ConfigError, match="127 characters") as caught:
        check_queue_name(name)
    assert len(str(caught.value)) < 300
    with pytest.raises(ConfigError):
        parse_queues({name: 1})


@pytest.mark.parametrize(
    ("text", "queues"),
    [
        ("default:10", {"default": 10}),
        (" default : 10 , mail:5, ", {"default": 10, "mail": 5}),
        ("a:b:3", {"a:b": 3}),
        ("", {}),
    ],
)
def test_a_list_of_queues_is_read_from_text(text: str, queues: dict[str, int]) -> None:
    assert parse_queue_list(text) == queues


@pytest.mark.parametrize("text", ["default", "default:", "default:ten", "default:-1", "default=10"])
def test_a_list_without_limits_is_refused_and_shows_how_it_is_written(text: str) -> None:
    with pytest.raises(ConfigError, match=r"default:10$"):
        parse_queue_list(text)


def test_a_limit_in_digits_that_int_does_not_read_is_refused_as_well() -> None:
    with pytest.raises(ConfigError):
        parse_queue_list("default:²")


def test_a_cooldown_is_a_length_of_time() -> None:
    queues = parse_queues({"mail": {"dispatch_cooldown": 0.5}, "slow": Queue(limit=2)})
    assert [queue.dispatch_cooldown for queue in queues.values()] == [0.5, 0.0]
    assert Queue(dispatch_cooldown=timedelta(seconds=2)).dispatch_cooldown == 2.0
    for wrong in (-1, "1 s", True, None):
        with pytest.raises(ConfigError, match="dispatch_cooldown"):
            Queue(dispatch_cooldown=wrong)  # type: ignore[arg-type]  # as users may write it
