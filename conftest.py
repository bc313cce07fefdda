"""What holds for every test, be it of the package or of an example."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from staffa import telemetry

# How long an example takes, or the first one with all that is made for it, is no property of ours.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def no_listener_is_left() -> Iterator[None]:
    """Fail the test that leaves a listener to events behind, not those that find it there."""
    before = telemetry.events._audience.listeners
    yield
    assert telemetry.events._audience.listeners == before
