"""Reads what is stored of a workflow that gets more steps."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from staffa.errors import UnknownFlow
from staffa.flows.builder import Builder
from staffa.flows.graphs import Surroundings
from staffa.flows.inner import AROUND_OPTION, CONTEXT_OPTION, IGNORE_OPTION
from staffa.flows.parts import Ignoring
from staffa.flows.results import merge_contexts
from staffa.linking import FlowKind, FlowRow, Linking, Need, NeedsFlow, NeedsJob


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
    flows = {
        row.place: row.id for row in rows.values() if row.parent == flow and row.place is not None
    }
    names = {dep for part in builder.parts.values() for dep in part.deps}
    wanted = sorted(names - builder.parts.keys() - flows.keys())
    jobs = await engine.find_steps(flow, wanted) if wanted else {}
    if len(jobs) < len(wanted):  # one is unknown: the error names the nearest of all
        jobs = await engine.find_steps(flow)
    needs: dict[str, list[Need]] = {name: [NeedsJob(number)] for name, number in jobs.items()}
    needs |= {name: [NeedsFlow(number)] for name, number in flows.items()}
    batch = await _batch_around(stored, rows, engine)
    return _around(stored, contexts, rows, batch, needs, flows)


def _stored(flow: str, rows: Mapping[str, FlowRow]) -> FlowRow:
    row = rows.get(flow)
    if row is None or row.kind is not FlowKind.WORKFLOW:
        raise UnknownFlow(f"there is no workflow {flow!r}: it may have been deleted with its jobs")
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
    ignored = stored.options.get(IGNORE_OPTION)
    ignored = ignored if isinstance(ignored, list) else []
    known = merge_contexts({k: r.options.get(CONTEXT_OPTION) for k, r in rows.items()}, contexts)
    return Surroundings(
        flow=stored.id,
        root=stored.root,
        batch=batch,
        contexts=tuple(contexts),
        known=known.keys(),
        ignoring=Ignoring(
            *(True if name in ignored else None for name in ("cancelled", "discarded", "deleted"))
        ),
        steps=steps or {},
        flows=flows or {},
    )
