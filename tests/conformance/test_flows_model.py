"""Random graphs whose jobs end at random are in the states that a plain model of them is in."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from staffa.engine import Engine, Producer
from staffa.types import State
from tests.conformance.graphs import Flows
from tests.conformance.stores import Store

SEEDS = range(12)
FINAL = {"completed", "cancelled", "discarded"}
POLICIES = ("cancel", "ignore", "hold")


@dataclass
class Node:
    """A job of the model."""

    flow: str
    state: str
    needs: dict[int | str, str | None]
    policies: dict[str, str]
    held: bool
    ended: str = ""


@dataclass
class Model:
    """What flows and jobs should be, by the rules and nothing else."""

    nodes: dict[int, Node] = field(default_factory=dict)
    parents: dict[str, str | None] = field(default_factory=dict)
    open: dict[str, bool] = field(default_factory=dict)

    def end(self, number: int, state: str) -> None:
        """End a job, or delete it."""
        was = self.nodes[number].state
        self.nodes[number].state = state
        if state in FINAL or was not in FINAL:
            self._close(number, {state})
        self.settle()

    def go(self, number: int) -> None:
        """Delete a job that has ended: it stays counted, and whoever held on to it lets go."""
        node = self.nodes[number]
        node.state, node.ended = "gone", node.state
        self._close(number, {"deleted"})
        self.settle()

    def retry(self, number: int) -> None:
        """Have a job go on, which waits for what it has not waited for to the end."""
        node = self.nodes[number]
        waits = node.held or not all(node.needs.values())
        node.state = "suspended" if waits else "available"
        self.settle()

    def settle(self) -> None:
        """Let flows end, and go on again, until nothing changes."""
        changed = True
        while changed:
            changed = False
            for flow in self.parents:
                goes_on = self._goes_on(flow)
                if goes_on != self.open[flow]:
                    self.open[flow] = goes_on
                    changed = True
                    if not goes_on:
                        self._close(flow, self._ways(flow))

    def _goes_on(self, flow: str) -> bool:
        own = any(
            node.state not in FINAL | {"deleted", "gone"}
            for node in self.nodes.values()
            if node.flow == flow
        )
        return own or any(self.open[one] for one, up in self.parents.items() if up == flow)

    def _ways(self, flow: str) -> set[str]:
        inside = {flow}
        for one, up in self.parents.items():  # inner ones come after outer ones
            if up in inside:
                inside.add(one)
        return {node.ended or node.state for node in self.nodes.values() if node.flow in inside}

    def _close(self, need: int | str, ways: set[str]) -> None:
        for number, node in self.nodes.items():
            if need not in node.needs or node.needs[need] is not None:
                continue
            policies = {node.policies.get(way, "cancel") for way in ways - {"completed"}}
            policy = min(policies, default="ignore")  # by their names
            if policy == "hold":
                continue
            node.needs[need] = "ended"
            if node.state != "suspended":
                continue
            if policy == "cancel":
                node.state = "cancelled"
                self._close(number, {"cancelled"})
            elif not node.held and all(node.needs.values()):
                node.state = "available"


async def build(chance: random.Random, flows: Flows, model: Model) -> None:
    """Write a graph of some nested flows, in the database and in the model."""
    for place, name in enumerate("abcd"):
        parent = chance.choice([None, *"abcd"[:place]]) if place else None
        root = "a" if parent is None and place == 0 else None
        if parent is not None:
            root = (await flows.flow(parent))["root"]
        await flows.add(name, parent=parent, root=root)
        model.parents[name], model.open[name] = parent, True
    for flow in ["abcd"[place] if place < 4 else chance.choice("abcd") for place in range(12)]:
        jobs = list(model.nodes)
        needs: list[int | str] = list(chance.sample(jobs, min(len(jobs), chance.randint(0, 2))))
        inner = [one for one, up in model.parents.items() if up == flow]
        if inner and chance.random() < 0.3:
            needs.append(chance.choice(inner))
        policies = {how: chance.choice(POLICIES) for how in ("cancelled", "discarded", "deleted")}
        held = chance.random() < 0.1
        number = await flows.job(flow, *needs, held=held, policies=policies)
        waits = bool(needs) or held
        model.nodes[number] = Node(
            flow, "suspended" if waits else "available", dict.fromkeys(needs), policies, held
        )


async def act(chance: random.Random, flows: Flows, engine: Engine, model: Model) -> None:
    """Change a job at random."""
    there = [
        number for number, node in model.nodes.items() if node.state not in {"deleted", "gone"}
    ]
    if not there:
        return
    number = chance.choice(there)
    state = model.nodes[number].state
    kind = chance.choice(["complete", "complete", "discard", "cancel", "delete", "retry"])
    if kind in {"complete", "discard"} and state == "available":
        end = State.COMPLETED if kind == "complete" else State.DISCARDED
        await flows.end(number, state=end)
        model.end(number, end.value)
    elif kind == "cancel" and state not in FINAL:
        await engine.cancel_jobs([number])
        model.end(number, "cancelled")
    elif kind == "delete" and chance.random() < 0.4 and number not in flows.claimed:
        await engine.delete_jobs([number])
        if state in FINAL:
            model.go(number)
        else:
            model.end(number, "deleted")
    elif kind == "retry" and state in FINAL:
        await engine.retry_jobs([number])
        model.retry(number)


@pytest.mark.parametrize("seed", SEEDS)
async def test_jobs_and_flows_are_as_the_model_has_them(
    store: Store, engine: Engine, producer: Producer, seed: int
) -> None:
    chance, model = random.Random(seed), Model()  # to be repeated
    flows = Flows(store, engine, producer)
    await build(chance, flows, model)
    for turn in range(25):
        await act(chance, flows, engine, model)
        rows = {row["id"]: row["state"] for row in await store.rows()}
        found = {
            number: "available" if state == "executing" else state for number, state in rows.items()
        }
        wanted = {
            number: node.state
            for number, node in model.nodes.items()
            if node.state not in {"deleted", "gone"}
        }
        assert found == wanted, turn
        for name in model.parents:
            assert await flows.is_open(name) == model.open[name], (turn, name)
        if not any(node.state == "gone" for node in model.nodes.values()):
            await flows.check_counts(*model.parents)
