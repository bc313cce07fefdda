"""Every notification of the transcript is read, and harms nobody who hears it."""

from __future__ import annotations

import asyncio
from typing import Any

from staffa import job
from staffa.notifier import decode_payload
from tests.conftest import MakeClient
from tests.peers.transcript import read_transcript
from tests.support.events import Recorder, eventually
from tests.support.rows import Rows

MESSAGES = read_transcript()
SLOW: dict[str, Any] = {
    "poll": 3600, "heartbeat": 900, "dead_after": 3600, "shutdown_grace": 0, "metrics": True,
    "name": "Oban", "node": "node-a", "queues": {"alpha": 2, "beta": 3},
}  # fmt: skip


def test_every_recorded_notification_is_read() -> None:
    assert len(MESSAGES) == 122
    assert [decode_payload(one.raw) for one in MESSAGES] == [one.decoded for one in MESSAGES]


async def test_a_node_takes_the_whole_transcript_and_goes_on(
    make_client: MakeClient, rows: Rows, events: Recorder
) -> None:
    trouble: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: trouble.append(context))

    @job(queue="alpha", name="Ref.OkWorker")
    async def ok() -> None: ...

    async with make_client(**SLOW) as app:
        for one in MESSAGES:
            await rows.notify(one.channel, one.raw)
        await rows.notify("signal", '{"action":"resume","ident":"any","queue":"*"}')
        number = await rows.insert(worker="Ref.OkWorker", queue="alpha")
        await rows.notify("insert", '{"queue":"alpha"}')
        await rows.until(number, "completed")
        # The transcript stops beta, delta and zeta; it pauses alpha, which is resumed above.
        left = {"alpha": (7, False), "epsilon": (4, False)}
        await eventually(
            lambda: (
                left
                == {found.queue: (found.limit, found.paused) for found in app.check_all_queues()}
            ),
            "the queues as the transcript leaves them",
        )
    assert trouble == []
    assert events.of("staffa.error") == []
