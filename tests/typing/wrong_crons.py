"""Uses of cron that type checkers refuse: each is marked, and an unused mark is an error."""

from __future__ import annotations

from staffa import Cron, Staffa, job


@job(cron=5)  # wrong: no expression
def never() -> None: ...


def wrong_entries() -> None:
    Cron()  # wrong: the expression is missing
    Cron(5)  # wrong: the wrong type
    Cron("@daily", dst="perhaps")  # wrong: no such policy
    Cron("@daily", priorty=1)  # wrong, unseen by ty: misspelt
    Cron("@daily", queue=5)  # wrong: the wrong type
    Cron("@daily", timezone=5)  # wrong: the wrong type
    Staffa(cron=5)  # wrong: no entries
    Staffa(cron_sync="always")  # wrong: no such mode


async def wrong_changes(app: Staffa) -> None:
    await app.insert_cron("@daily")  # wrong: no entry
    await app.update_cron("x", expression=5)  # wrong: the wrong type
    await app.update_cron("x", expresion="@daily")  # wrong, unseen by ty: misspelt
