"""Rules of where queues run."""

from __future__ import annotations

from typing import Any

import pytest

from staffa import Only, Queue
from staffa.errors import ConfigError, UnknownOption
from staffa.queue import parse_queues


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        ({"node": "web.1"}, True),
        ({"node": "web"}, False),
        ({"not_node": "web.1"}, False),
        ({"not_node": "web.2"}, True),
        ({"node_matches": r"^web\."}, True),
        ({"node_matches": r"b\.1$"}, True),
        ({"node_matches": r"^b"}, False),
        ({"env": "ROLE", "value": "mail"}, True),
        ({"env": "ROLE", "value": "mai"}, False),
        ({"env": "EMPTY", "value": ""}, True),
        ({"env": "MISSING", "value": ""}, False),
        ({"node": "web.1", "env": "ROLE", "value": "mail"}, True),
        ({"node": "web.2", "env": "ROLE", "value": "mail"}, False),
        ({"node_matches": "web", "not_node": "web.1"}, False),
    ],
)
def test_a_rule_fits_where_all_that_it_says_is_true(rule: dict[str, str], fits: bool) -> None:
    assert Only(**rule).fits("web.1", {"ROLE": "mail", "EMPTY": ""}) is fits


def test_of_another_process_only_its_name_is_known() -> None:
    rule = Only(node_matches="^web", env="ROLE", value="mail")
    assert rule.fits_node("mail.1") is False
    assert rule.fits_node("web.1") is None
    assert Only(not_node="web.1").fits_node("web.2") is True


def test_a_rule_is_told_in_words() -> None:
    assert str(Only(not_node="a", env="ROLE", value="b")) == "node is not a and ROLE is b"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({}, "names no nodes"),
        ({"node": ""}, "empty node"),
        ({"node": 5}, "only has node 5"),
        ({"node": "a\x00"}, "only has node"),
        ({"node_matches": "x" * 501}, "at most 500"),
        ({"node_matches": "("}, "no regular expression"),
        ({"env": "ROLE"}, "one of env and value"),
        ({"value": "mail"}, "one of env and value"),
    ],
)
def test_what_is_no_rule_is_refused(rule: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Only(**rule)


def test_a_queue_takes_a_rule_or_a_table_of_its_fields() -> None:
    rule = Only(node="web.1")
    assert Queue(only=rule) == Queue(only={"node": "web.1"})  # type: ignore[arg-type]
    assert parse_queues({"q": {"only": {"node": "web.1"}}})["q"].only == rule
    with pytest.raises(UnknownOption, match="node_matches"):
        parse_queues({"q": {"only": {"node_match": "web"}}})
    with pytest.raises(ConfigError, match=r"only is 'web\.1'"):
        parse_queues({"q": {"only": "web.1"}})
