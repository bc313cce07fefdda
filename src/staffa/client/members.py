"""Refuses jobs that pass themselves off as members of a flow, which has not counted them."""

from __future__ import annotations

from collections.abc import Sequence

from staffa.errors import InvalidJob
from staffa.jobs import Job
from staffa.linking import FlowKind, Linking
from staffa.memberships import memberships

_REMEDIES = {
    FlowKind.WORKFLOW: "add it with app.workflow(...).append()",
    FlowKind.BATCH: "add it with app.batch(...).append()",
    FlowKind.CHAIN: "give it chain=",
}


async def refuse_members(jobs: Sequence[Job], engine: Linking) -> None:
    """Refuse jobs that name a stored flow in their meta, as one does that was copied from a member.

    Their ends would be counted there, so that it would be over too early. Names of flows that there
    are not are the user's own.

    Raises:
        InvalidJob: If there is one.
        DatabaseError: If the database can't be reached.
    """
    named = {flow: job for job in jobs if job.linked for flow in memberships(job.meta_json)}
    if not named:
        return
    for flow in await engine.read_flows(sorted(named)):
        raise InvalidJob(
            f"{named[flow.id]!r} names the {flow.kind} {flow.id!r} in its meta, and is no member "
            f"of it: leave that out of meta, or {_REMEDIES[flow.kind]}"
        )
