"""Uses of cron that type checkers refuse: each is marked, and an unused mark is an error."""

from __future__ import annotations

from staffa import Cron, Staffa, job


@job(cron=5)  # type: ignore[call-overload]  # no expression
def never() -> None: ...


def wrong_entries() -> None:
    Cron()  # type: ignore[call-arg]  # the expression is missing
    Cron(5)  # type: ignore[arg-type]  # the wrong type
    Cron("@daily", dst="perhaps")  # type: ignore[arg-type]  # no such policy
    Cron("@daily", priorty=1)  # type: ignore[call-arg]  # misspelt
    Cron("@daily", queue=5)  # type: ignore[arg-type]  # the wrong type
    Cron("@daily", timezone=5)  # type: ignore[arg-type]  # the wrong type
    Staffa(cron=5)  # type: ignore[arg-type]  # no entries
