"""Flows inside of others end outwards, and release what needs them as a whole."""

from __future__ import annotations

import pytest

from staffa.engine import Engine
from staffa.linking import Graph, NeedsFlow, NewStep, Policies, Policy
from staffa.types import State
from tests.conformance.graphs import Flows
from tests.conformance.work import new_job


async def test_nested_flows_end_outwards_and_release_what_needs_them(flows: Flows) -> None:
    await flows.add("outer")
    await flows.add("middle", parent="outer", root="outer")
    await flows.add("inner", parent="middle", root="outer")
    first = await flows.job("inner")
    last = await flows.job("outer", "middle")
    done = await flows.end(first)
    assert done.followed.ended == ("inner", "middle")
    assert await flows.states(last) == ["available"]
    await flows.check_counts("outer", "middle", "inner")
    assert (await flows.end(last)).followed.ended == ("outer",)
    await flows.check_counts("outer", "middle", "inner")


async def test_a_flow_has_ended_as_badly_as_any_job_inside_of_it(flows: Flows) -> None:
    await flows.add("outer")
    await flows.add("middle", parent="outer", root="outer")
    await flows.add("inner", parent="middle", root="outer")
    first = await flows.job("inner")
    goes = await flows.job("outer", "middle", policies={"discarded": "ignore"})
    last = await flows.job("outer", "middle")
    await flows.end(first, state=State.DISCARDED)
    assert await flows.states(goes, last) == ["available", "cancelled"]


async def test_a_retried_job_opens_its_flows_again_outwards(flows: Flows, engine: Engine) -> None:
    await flows.add("outer")
    await flows.add("inner", parent="outer")
    first = await flows.job("inner")
    await engine.cancel_jobs([first])
    assert not await flows.is_open("outer")
    await flows.check_counts("outer", "inner")
    await engine.retry_jobs([first])
    assert await flows.is_open("outer")
    assert await flows.is_open("inner")
    await flows.check_counts("outer", "inner")
    await flows.end(first)
    await flows.check_counts("outer", "inner")
    assert not await flows.is_open("outer")


MIXED = [
    (["deleted"], ["deleted"], "available"),
    (["deleted"], ["cancelled"], "cancelled"),
    (["cancelled", "discarded"], ["discarded"], "cancelled"),
    (["cancelled", "discarded"], ["cancelled"], "cancelled"),
    (["cancelled", "discarded"], ["cancelled", "discarded"], "available"),
    (["deleted", "discarded", "completed"], ["discarded"], "cancelled"),
]
"""How jobs of a group end, what a step that needs it ignores of that, and what it becomes."""


@pytest.mark.parametrize("later", [False, True], ids=["waiting", "added later"])
@pytest.mark.parametrize(("ends", "ignored", "expected"), MIXED, ids=str)
async def test_a_step_goes_on_after_a_group_if_it_ignores_all_ways_in_which_that_has_ended(
    flows: Flows, engine: Engine, ends: list[str], ignored: list[str], expected: str, later: bool
) -> None:
    await flows.add("w")
    await flows.add("group", parent="w")
    members = [await flows.job("group") for _ in ends]
    policies = dict.fromkeys(ignored, "ignore")
    step = 0 if later else await flows.job("w", "group", policies=policies)
    for member, end in zip(members, ends, strict=True):
        if end == "deleted":
            await engine.delete_jobs([member])
        else:
            await flows.end(member, state=State(end))
    if later:
        given = Policies(**dict.fromkeys(ignored, Policy.IGNORE))
        job = new_job(meta={"workflow_id": "w"})
        more = Graph([], [NewStep(job, [NeedsFlow("group")], given)], roots=["w"])
        (step,) = (await engine.insert_graph(more)).ids
    assert await flows.states(step) == [expected]
