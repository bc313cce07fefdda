"""All scenarios of a chaos run; a feature adds its own here."""

from __future__ import annotations

from collections.abc import Sequence

from tests.chaos.flow import FlowsScenario
from tests.chaos.general import GeneralScenario
from tests.chaos.limited import LimitsScenario
from tests.chaos.scenario import Scenario

SCENARIOS: Sequence[Scenario] = (GeneralScenario(), LimitsScenario(), FlowsScenario())
