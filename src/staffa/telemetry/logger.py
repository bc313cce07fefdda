"""The default logger under the name that programs for the package `oban` call it by."""

from staffa.telemetry.logs import attach_default_logger as attach
from staffa.telemetry.logs import detach_default_logger as detach

__all__ = ["attach", "detach"]
