"""Reads what is stored of a workflow that gets more steps."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from staffa.errors import UnknownFlow
from staffa.flows.builder import Builder
from staffa.flows.graphs import Surroundings
from staffa.flows.inner import AROUND_OPTION, CONTEXT_OPTION, ENTRY_OPTION, IGNORE_OPTION
from staffa.flows.parts import Ignoring
from staffa.flows.results import merge_contexts
from staffa.linking import FlowKind, FlowRow, Linking, Need, NeedsFlow, NeedsJob
from staffa.memberships import GRAFTED_KEY


async def surroundings_of(flow: str, contexts: Collection[str], engine: Linking) -> Surroundings:
    """Return what new steps of a flow are put into, none of which depends on stored ones.

    Raises:
        UnknownFlow: If there is no such flow.
    """
    rows = {row.id: row for row in await engine.read_flows([*dict.fromkeys([*contexts, flow])])}
    stored = _stored(flow, rows)
    batch = await _batch_around(stored, rows, engine)
    return _around(stored, list(contexts), rows, batch)


async def surroundings_for(builder: Builder, flow: str, engine: Linking) -> Surroundings:
    """Return the same for steps that may depend on stored ones, which are looked up.

    Raises:
        UnknownFlow: If there is no such flow.
    """
    rows = {row.id: row for row in await engine.read_flows([flow], inner=True)}
    stored = _stored(flow, rows)
    around = stored.options.get(AROUND_OPTION)
    contexts = [one for one in around if isinstance(one, str)] if isinstance(around, list) else []
    outer = [one for one in contexts if one not in rows]
    if outer:
        rows |= {row.id: row for row in await engine.read_flows(outer)}
    stored_steps = _StoredSteps(rows, engine)
    names = {dep for part in builder.parts.values() for dep in part.deps} - builder.parts.keys()
    needs = await stored_steps.find(stored, names)
    if len(needs) < len(names):  # one is unknown: the error names the nearest of all
        jobs = await engine.find_steps(flow)
        needs |= {name: [NeedsJob(number)] for name, number in jobs.items()}
    flows = stored_steps.flows(flow)
    for name, inner in flows.items():
        needs.setdefault(name, [NeedsFlow(inner)])
    batch = await _batch_around(stored, rows, engine)
    place = _around(stored, contexts, rows, batch, needs, flows)
    entry, told = await stored_steps.entry(stored)
    return replace(place, entry=entry, entry_policies=_ignoring(told, ENTRY_OPTION).policies)


class _StoredSteps:
    """What stored steps are waited for by.

    Args:
        rows: The flow that gets more steps, and all inside of it; more are read.
        engine: Where from.
    """

    def __init__(self, rows: Mapping[str, FlowRow], engine: Linking) -> None:
        self._rows = dict(rows)
        self._engine = engine

    def flows(self, flow: str) -> dict[str, str]:
        """Return the ids of the flows inside of a flow by their places."""
        return {
            row.place: row.id
            for row in self._rows.values()
            if row.parent == flow and row.place is not None
        }

    async def find(self, stored: FlowRow, names: Collection[str]) -> dict[str, list[Need]]:
        """Return what named steps of a flow are waited for by, those that there are.

        A flow without jobs is waited for by what it waits for itself, too.
        """
        flows = self.flows(stored.id)
        jobs = await self._jobs(stored.id, sorted(set(names) - flows.keys()))
        found: dict[str, list[Need]] = {name: [NeedsJob(number)] for name, number in jobs.items()}
        for name in names & flows.keys():
            row = self._rows[flows[name]]
            before = [] if self._has_jobs(row.id) else await self._needs_of(row, stored)
            found[name] = [*before, NeedsFlow(row.id)]
        return found

    async def entry(self, stored: FlowRow) -> tuple[list[Need], FlowRow]:
        """Return what a flow as a whole waits for, and which one, it or one around it, says so."""
        row = stored
        while not row.needs and row.parent is not None:
            (row,) = await self._engine.read_flows([row.parent])
        if row.parent is None:
            return [], row
        around = await self._engine.read_flows([row.parent], inner=True)
        self._rows |= {one.id: one for one in around}
        return await self._needs_of(row, around[0]), row

    async def _needs_of(self, row: FlowRow, parent: FlowRow) -> list[Need]:
        """Return what a flow inside of another one waits for; what is gone is not waited for."""
        found = await self.find(parent, set(row.needs))
        return list(dict.fromkeys(need for needs in found.values() for need in needs))

    def _has_jobs(self, flow: str) -> bool:
        waiting = [flow]
        while waiting:
            around = waiting.pop()
            if self._rows[around].total:
                return True
            waiting += self.flows(around).values()
        return False

    async def _jobs(self, flow: str, names: list[str]) -> Mapping[str, int]:
        return await self._engine.find_steps(flow, names) if names else {}


def _stored(flow: str, rows: Mapping[str, FlowRow]) -> FlowRow:
    row = rows.get(flow)
    if row is None or row.kind is not FlowKind.WORKFLOW:
        raise UnknownFlow(
            f"there is no workflow {flow!r}: it may have been deleted with its jobs, or be written "
            "by a transaction that is not committed; give its conn= then"
        )
    return row


async def _batch_around(
    stored: FlowRow, rows: Mapping[str, FlowRow], engine: Linking
) -> str | None:
    """Return the batch that a workflow was enqueued in: it is the root of it then."""
    if stored.root in rows:
        return None
    found = await engine.read_flows([stored.root])
    return stored.root if found and found[0].kind is FlowKind.BATCH else None


def _around(
    stored: FlowRow,
    contexts: list[str],
    rows: Mapping[str, FlowRow],
    batch: str | None,
    steps: Mapping[str, list[Need]] | None = None,
    flows: Mapping[str, str] | None = None,
) -> Surroundings:
    known = merge_contexts({k: r.options.get(CONTEXT_OPTION) for k, r in rows.items()}, contexts)
    return Surroundings(
        flow=stored.id,
        root=stored.root,
        batch=batch,
        contexts=tuple(contexts),
        known=known.keys(),
        ignoring=_ignoring(stored, IGNORE_OPTION),
        steps=steps or {},
        flows=flows or {},
        grafted=stored.options.get(GRAFTED_KEY),
    )


def _ignoring(row: FlowRow, option: str) -> Ignoring:
    noted = row.options.get(option)
    ignored = noted if isinstance(noted, list) else []
    return Ignoring(
        *(True if name in ignored else None for name in ("cancelled", "discarded", "deleted"))
    )
