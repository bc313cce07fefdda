"""`staffa jobs signal`, and what `staffa jobs show` tells of signals."""

from __future__ import annotations

from staffa import Job
from tests.conftest import MakeClient
from tests.support.program import Program


async def test_a_signal_is_sent_once_and_shown(program: Program, make_client: MakeClient) -> None:
    app = make_client()
    stored = await app.enqueue(Job(worker="w", scheduled_in=600))
    number = str(stored.id)
    sent = await program.run("jobs", "signal", number, "999", "--payload", '{"approved": true}')
    assert sent.code == 0
    why = "they have ended, are not there, or had it before"
    assert sent.out == f"signalled: {number}; left alone: 999 ({why})\n"
    row = await app.get_job(stored)
    assert row is not None
    assert row.meta["staffa_signals"]["signal"]["payload"] == {"approved": True}
    again = await program.run("jobs", "signal", number, "--json")
    assert (again.code, again.json) == (1, {"signalled": [], "left_alone": [stored.id]})
    shown = await program.run("jobs", "show", number)
    assert "signal: received at " in shown.out
    assert '{"approved":true}' in shown.out


async def test_what_is_awaited_is_shown(program: Program, make_client: MakeClient) -> None:
    awaits = {
        "first": {"since": "2026-01-01T00:00:00+00:00", "until": None},
        "second": {"until": "2026-01-02T00:00:00+00:00"},
        "third": {"until": "2026-01-03T00:00:00+00:00", "timed_out": True},
        "odd\x1b": 5,
    }
    stored = await make_client().enqueue(Job(worker="w", meta={"staffa_awaits": awaits}))
    shown = await program.run("jobs", "show", str(stored.id))
    for line in (
        "first: awaited until it comes",
        "second: awaited until 2026-01-02T00:00:00+00:00",
        "third: not received until 2026-01-03T00:00:00+00:00",
        r"odd\x1b: awaited until it comes",
    ):
        assert line in shown.out


async def test_a_payload_that_is_no_json_is_refused(program: Program) -> None:
    refused = await program.run("jobs", "signal", "1", "--payload", "yes")
    assert refused.code == 2
    assert "--payload is no JSON" in refused.err
