"""A worker on a file tells of its health as any other; it polls, which is no defect there."""

from __future__ import annotations

from tests.conftest import MakeClient
from tests.support.events import eventually
from tests.support.http import ask


async def test_a_worker_on_a_file_is_alive_and_ready(make_client: MakeClient) -> None:
    async with make_client(queues={"default": 1}, health_port=0) as app:

        async def ready() -> bool:
            return (await ask(app.health_url, "/readyz")).status == 200

        await eventually(ready)
        reply = await ask(app.health_url, "/healthz")
        assert reply.status == 200
        assert reply.body["clients"][app.config.name]["notifications"] == "polling"
