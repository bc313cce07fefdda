"""What is answered to a request: a small part of HTTP/1.1, one request a connection.

Nothing of a request but its path and one number is looked at, and nothing of it is sent back.
"""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from staffa.services.health.verdicts import Question, Verdict
from staffa.telemetry import report

MAX_HEAD_BYTES = 8192
Judge = Callable[[Question], Awaitable[Verdict]]
"""Judges all that a port tells of."""

_METHODS = ("GET", "HEAD")
_MOST_FIELDS = 10


class _Refused(Exception):
    """A request that is not served."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


async def answer(head: bytes, judge: Judge) -> bytes:
    """Return the response to a request.

    Args:
        head: Its lines up to the empty one.
        judge: Judges what is asked for.
    """
    body: dict[str, Any]
    method = "GET"
    try:
        method, target = _parse(head)
        question = _read_question(target)
        verdict = await judge(question)
        status = HTTPStatus.SERVICE_UNAVAILABLE if verdict.reasons else HTTPStatus.OK
        told = {question.word: not verdict.reasons, "reasons": list(verdict.reasons)}
        body = {**told, **verdict.details}
    except _Refused as error:
        status, body = error.status, {"error": str(error)}
    except Exception as error:  # noqa: BLE001  # the port goes on whatever it meets
        report("the health of this process can't be told", error)
        status, body = HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "see the log"}
    return respond(status, body, with_body=method != "HEAD")


def respond(status: HTTPStatus, body: Mapping[str, Any], *, with_body: bool = True) -> bytes:
    """Return a response as it is sent."""
    content = json.dumps(body).encode() + b"\n"
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    ]
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        lines.append(f"Allow: {', '.join(_METHODS)}")
    return "\r\n".join([*lines, "", ""]).encode() + (content if with_body else b"")


def _parse(head: bytes) -> tuple[str, str]:
    parts = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise _Refused(HTTPStatus.BAD_REQUEST, "this is no request of HTTP/1.1")
    method, target, _ = parts
    if method not in _METHODS:
        raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD are served")
    return method, target


def _read_question(target: str) -> Question:
    try:
        parts = urlsplit(target)
        query = parse_qs(parts.query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise _Refused(HTTPStatus.BAD_REQUEST, "the path can't be read") from None
    if parts.path == "/healthz":
        return Question("alive", _read_longest(query))
    if parts.path == "/readyz":
        return Question("ready")
    raise _Refused(HTTPStatus.NOT_FOUND, "there are /healthz and /readyz")


def _read_longest(query: Mapping[str, list[str]]) -> float | None:
    given = query.get("blocked")
    if given is None:
        return None
    try:
        seconds = float(given[-1])
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise _Refused(HTTPStatus.BAD_REQUEST, "blocked takes seconds, for example ?blocked=3600")
    return seconds
