"""Uses of workflows that type checkers refuse: each is marked."""

from __future__ import annotations

from staffa import Job, Staffa, Workflow, job


@job
def price(article: str) -> int:
    return len(article)


def plain(article: str) -> int:
    return len(article)


def wrong_steps() -> None:
    Workflow().add("a", 7)  # wrong: no job
    Workflow().add("a", price)  # wrong: no job
    Workflow().add("a", price.new("x"), deps=7)  # wrong: no name
    Workflow().add("a", price.new("x"), held=True)  # wrong: misspelt
    Workflow().add_cascade("a", plain)  # wrong: no job
    Workflow().add_cascade("a", (7, price))  # wrong: not iterable
    Workflow().add_workflow("a", price.new("x"))  # wrong: no workflow
    Workflow(uniq=True)  # wrong: misspelt


async def wrong_calls(app: Staffa, one: Job) -> None:
    await app.enqueue([one])  # wrong: several
    await app.enqueue_many(Workflow(), stream=True)  # wrong: not as a stream
    (await app.enqueue(one)).status()  # wrong: a job has none
    await app.workflow(7).status()  # wrong: no id
