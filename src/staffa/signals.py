"""Waiting for a signal within a job, and what a row says of signals.

``meta.staffa_signals`` has the signals that a job has got: ``{name: {"payload": ..., "at": ...}}``.
Whoever signals writes it, under the row's lock, and the first signal of a name stays. So a function
that runs again from its top gets the same payloads again.
``meta.staffa_awaits`` has what the job has waited for: ``{name: {"since": ..., "until": ...}}``.
The run alone writes it. Once it has ``"timed_out": true`` for a name, that signal is refused: each
run of the job sees the same.
``meta.staffa_parked`` has the names of the signals until which the job was parked last.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from staffa._internal import json
from staffa._internal.identifiers import MAX_NAME_LENGTH, is_storable_name
from staffa._internal.shown import shown
from staffa.args.plain import dump_object
from staffa.errors import ConfigError, InvalidArgs
from staffa.jobs import current_job
from staffa.types import Seconds, SignalWanted, to_seconds

SIGNALS_KEY = "staffa_signals"
AWAITS_KEY = "staffa_awaits"
PARKED_KEY = "staffa_parked"
DEFAULT_NAME = "signal"
LIVE_SECONDS = 5.0
MAX_PAYLOAD_BYTES = 64 * 1024


class Parked(BaseException):
    """Ends a run until a signal comes; no `except Exception` of a job is to catch it."""


async def await_signal(
    *, wait_for: Seconds | None = None, live: Seconds = LIVE_SECONDS, name: str = DEFAULT_NAME
) -> Any:
    """Wait for a signal within a job, and return its payload.

    The job keeps its slot while it waits live. Then it is parked: its run ends here, without using
    up the attempt, and **the function runs again from its top** when the signal comes or the time
    is up. It then gets the signals that it had got before again, at once.

    Args:
        wait_for: How long the signal is waited for, counted from the first wait for it, on the
            database's clock; for ever if not given.
        live: For how long of that the job keeps its slot.
        name: Which signal; a job gets one of each name.

    Returns:
        What was given to `Staffa.signal` as payload.

    Raises:
        SignalTimeout: If it has not come in time.
        InvalidJob: If no job is running here.
        ConfigError: If an argument can't be used.

    Example:
        ```python
        @job
        async def refund(order: int) -> None:
            answer = await await_signal(wait_for=86_400)
            if answer["approved"]:
                await pay_back(order)
        ```
    """
    return await current_job().receive_signal(_wanted(name, wait_for, live))


def await_signal_sync(
    *, wait_for: Seconds | None = None, live: Seconds = LIVE_SECONDS, name: str = DEFAULT_NAME
) -> Any:
    """Do the same within a job that is a plain function, which runs in a thread or a process.

    Args:
        wait_for: How long the signal is waited for; see `await_signal`.
        live: For how long of that the job keeps its slot.
        name: Which signal.

    Raises:
        SignalTimeout: If it has not come in time.
        InvalidJob: If no job is running here.
        ConfigError: If an argument can't be used.

    Example:
        ```python
        @job
        def refund(order: int) -> None:
            answer = await_signal_sync(wait_for=86_400)
        ```
    """
    return current_job().receive_signal_sync(_wanted(name, wait_for, live))


def _wanted(name: object, wait_for: Seconds | None, live: Seconds) -> SignalWanted:
    seconds = None if wait_for is None else to_seconds(wait_for, "wait_for")
    return SignalWanted(check_signal_name(name), seconds, to_seconds(live, "live"))


def check_signal_name(name: object) -> str:
    """Return the name of a signal, or refuse it.

    Raises:
        ConfigError: If it is empty, longer than 127 characters or no text.

    Example:
        >>> check_signal_name("approval")
        'approval'
    """
    if not is_storable_name(name) or "\x00" in str(name):
        raise ConfigError(
            f"signal name {shown(name)} can't be used: give text of 1 to {MAX_NAME_LENGTH} "
            "characters"
        )
    return str(name)


def dump_payload(payload: object) -> str:
    """Return the JSON text of a signal's payload.

    Raises:
        InvalidArgs: If it is no plain JSON, or has more than 64 KiB.

    Example:
        >>> dump_payload({"approved": True})
        '{"approved":true}'
    """
    text = dump_object({"payload": payload}, "signal")[len('{"payload":') : -1]
    if len(text.encode()) > MAX_PAYLOAD_BYTES:
        raise InvalidArgs(
            f"the payload of a signal has {len(text.encode())} bytes of JSON, more than "
            f"{MAX_PAYLOAD_BYTES}: store it elsewhere and send a reference"
        )
    return text


def given_signals(payloads: Mapping[str, object], at: datetime) -> dict[str, Any]:
    """Return what the meta of a job has that got signals.

    Raises:
        ConfigError: If a name can't be used.
        InvalidArgs: If a payload can't be stored.
    """
    return {
        SIGNALS_KEY: {
            check_signal_name(name): {
                "payload": json.loads(dump_payload(payload)),
                "at": at.isoformat(),
            }
            for name, payload in payloads.items()
        }
    }


def find_object(found: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return an object within another; any client may have written something else there."""
    inner = found.get(key)
    return inner if isinstance(inner, dict) else {}


def find_signal(meta: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """Return a signal that a job has got, if it has.

    Example:
        >>> find_signal({"staffa_signals": {"go": {"payload": 1}}}, "go")
        {'payload': 1}
    """
    found = find_object(meta, SIGNALS_KEY).get(name)
    return found if isinstance(found, dict) else None


def find_wait(meta: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """Return what is noted of a job's wait for a signal, if it can be read."""
    found = find_object(find_object(meta, AWAITS_KEY), name)
    try:
        read_until(found)
    except ValueError:
        return None
    return found or None


def begin_wait(now: datetime, wait_for: float | None) -> dict[str, Any]:
    """Return what is noted of a wait that begins now."""
    until = None if wait_for is None else (now + timedelta(seconds=wait_for)).isoformat()
    return {"since": now.isoformat(), "until": until}


def read_until(noted: Mapping[str, Any]) -> datetime | None:
    """Return until when a signal is awaited; None if for ever.

    Raises:
        ValueError: If what is noted is no such time.
    """
    until = noted.get("until")
    if until is None:
        return None
    found = datetime.fromisoformat(until) if isinstance(until, str) else None
    if found is None or found.tzinfo is None:
        raise ValueError(until)
    return found
