"""What holds for every test, be it of the package or of an example."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from staffa import telemetry


@pytest.fixture(autouse=True)
def no_listener_is_left() -> Iterator[None]:
    """Fail the test that leaves a listener to events behind, not those that find it there."""
    before = telemetry.events._audience.listeners
    yield
    assert telemetry.events._audience.listeners == before
