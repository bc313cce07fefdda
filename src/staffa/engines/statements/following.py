"""The statements of what follows from the end of jobs; each verb is a file in ``sql/flows/``."""

from __future__ import annotations

from staffa.engines.statements.area import Area


class FollowStatements(Area):
    """What is asked of flows, steps and edges when jobs have changed their states."""

    folder = "flows"
