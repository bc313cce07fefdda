"""The statements that insert flows, where jobs are told one by one."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from staffa.engines.statements import graphs as shared
from staffa.engines.statements.jobs import describe_job
from staffa.jobs import Job


class GraphStatements(shared.GraphStatements):
    """What is asked of the tables while flows are inserted."""

    def describe(self, jobs: Sequence[Job], waits: Sequence[bool]) -> str:
        """Return new jobs as the statement reads them."""
        pairs = zip(jobs, waits, strict=True)
        rows = [{**describe_job(job), "waits": waiting} for job, waiting in pairs]
        return orjson.dumps(rows).decode()
