"""Starts a Python that can import what this one can.

The environment and the working directory are inherited, `sys.path` is handed over as it is at the
moment. Output is inherited as well, so that prints go where the parent's go; input is empty. A
child leads a session of its own: Ctrl-C does not reach it nor what its jobs start, and all of them
can be killed together.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys

from staffa.errors import ProcessUnavailable

_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from staffa.queues.pools.process.child.program import main; main(int(sys.argv[1]))"
)


async def launch(connection: socket.socket) -> asyncio.subprocess.Process:
    """Start a child that has this end of a socket.

    Raises:
        OSError: If the system can't.
        ProcessUnavailable: If it is not known which Python runs here.
    """
    if not sys.executable:
        raise ProcessUnavailable(
            "sys.executable is empty, so no process can be started: run Staffa with a Python "
            "interpreter, not embedded in another program"
        )
    path = json.dumps([entry for entry in sys.path if isinstance(entry, str)])
    options = [f"-W{option}" for option in sys.warnoptions]
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *options,
        "-P",  # the working directory is on the path only where it is on the parent's
        "-c",
        _PROGRAM,
        str(connection.fileno()),
        path,
        stdin=asyncio.subprocess.DEVNULL,
        pass_fds=(connection.fileno(),),
        start_new_session=True,
    )
