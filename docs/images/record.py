"""Records the pictures of the documentation: `make images`.

The demo runs on a terminal of its own, on an embedded PostgreSQL in a folder that is thrown away,
or on the database that STAFFA_DSN names, in a schema of its own. While it crawls, `staffa top` is
drawn once.
"""

from __future__ import annotations

import asyncio
import fcntl
import io
import os
import pty
import re
import struct
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console, RenderableType
from rich.text import Text

from staffa.cli.top.frame import draw
from staffa.cli.top.snapshot import Snapshot, take_snapshot
from staffa.client.backend import Backend, make_backend
from staffa.config import Config
from staffa.embedded import EmbeddedPostgres
from staffa.errors import DatabaseError

_FOLDER = Path(__file__).parent
_SCHEMA = "staffa_demo"
_LINES, _COLUMNS = 24, 104
_SHOWN = 8  # running jobs, about
_PATIENCE_SECONDS = 300
_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # of another host: the reader's own will do
_AGAIN = "\x1b[1A"  # before each frame of a bar


async def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = None if "STAFFA_DSN" in os.environ else EmbeddedPostgres(folder)
        dsn = os.environ["STAFFA_DSN"] if server is None else server.start()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await _record(folder, dsn)
        finally:
            if server is not None:
                server.stop()
                server.remove()


async def _record(folder: Path, dsn: str) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, _COLUMNS, 0, 0))
    demo = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "staffa", "demo", "--once", "--fresh",
        cwd=folder,
        env={**os.environ, "STAFFA_DSN": dsn, "STAFFA_PREFIX": _SCHEMA, "TERM": "xterm-256color"},
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = asyncio.create_task(asyncio.to_thread(_read_all, ours))
    config = Config(dsn=dsn, prefix=_SCHEMA, name="demo")
    backend = make_backend(config, dsn, lambda: None)
    try:
        snapshot = await _busiest(backend, config, demo)
    finally:
        await backend.engine.close()
    _save("top", draw(snapshot, name="demo", height=_LINES + 6))
    _save("demo", Text.from_ansi((await shown).rpartition(_AGAIN)[2]))
    if await demo.wait():
        raise SystemExit("the demo has failed")


async def _busiest(backend: Backend, config: Config, demo: asyncio.subprocess.Process) -> Snapshot:
    """Return a look at the crawl that shows most: pages that are parsed, and errors."""
    best: tuple[int, Snapshot] | None = None
    while demo.returncode is None:
        try:
            now = (await backend.engine.survey.check_server()).now
            seen = await take_snapshot(
                backend.engine.survey, now, config.name, dead_after=config.dead_after, interval=5
            )
        except DatabaseError:  # the demo has not made its tables yet
            await asyncio.sleep(0.5)
            continue
        told = sum(line.progress is not None for line in seen.running[:_SHOWN])
        worth = min(told, 3) * 10 + len(seen.errors) + bool(seen.running) + len(seen.queues)
        if best is None or worth > best[0]:
            best = (worth, seen)
        await asyncio.sleep(0.5)
    if best is None:
        raise SystemExit("the demo has ended before it could be looked at")
    return best[1]


def _save(name: str, picture: RenderableType) -> None:
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(picture)
    svg = console.export_svg(title=f"staffa {name}", unique_id=f"staffa-{name}")
    (_FOLDER / f"{name}.svg").write_text(_FONT.sub("", svg), "utf-8")
    sys.stdout.write(f"wrote {name}.svg\n")


def _read_all(number: int) -> str:
    parts: list[bytes] = []
    while True:
        try:
            part = os.read(number, 65536)
        except OSError:  # nobody has the other end open any more
            part = b""
        if not part:
            os.close(number)
            return b"".join(parts).decode("utf-8", "replace").replace("\r", "")
        parts.append(part)


if __name__ == "__main__":
    asyncio.run(main())
