"""The same with a job that overwrites one of the call: it takes a transaction of statements."""

from __future__ import annotations

import asyncio

from tests.chaos.kill_jobs import note_unique
from tests.chaos.kill_script import main

asyncio.run(main(note_unique.options(replace={"available": ["priority"]}).new("one")))
