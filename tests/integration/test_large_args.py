"""Args of a megabyte."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import MakeClient
from tests.support.large_jobs import SIZE, measure_async, measure_process, measure_thread
from tests.support.rows import Rows


async def test_args_of_a_megabyte_arrive_in_every_executor(
    make_client: MakeClient, rows: Rows, tmp_path: Path
) -> None:
    text = "ä" * (SIZE // 2)  # two bytes each
    async with make_client(queues={"default": 3}) as app:
        stored = [
            await app.enqueue(measure.new(str(tmp_path), text))
            for measure in (measure_async, measure_thread, measure_process)
        ]
        for entry in stored:
            row = await rows.until(entry.id, "completed")
            assert row["args"]["text"] == text
    assert measured(tmp_path) == {name: str(SIZE) for name in ("async", "thread", "process")}


def measured(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}
