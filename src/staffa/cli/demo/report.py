"""What the demo tells at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from staffa.cli.demo.brittleness import Counts
from staffa.cli.demo.catalogue import Efforts, Progress
from staffa.cli.output import Output


def tell(
    output: Output, progress: Progress, efforts: Efforts, counts: Counts, seconds: float
) -> None:
    """Print the figures of a crawl."""
    figures: Mapping[str, tuple[str, Any]] = {
        "pages": ("pages stored", progress.pages),
        "missing": ("keywords without a page", progress.missing),
        "megabytes": ("megabytes of pages", round(progress.bytes / 1e6, 1)),
        "jobs": ("jobs", efforts.jobs),
        "attempts": ("attempts", efforts.attempts),
        "snoozes": ("snoozes (the server said: later)", efforts.snoozes),
        "retries": ("retries (the server failed)", efforts.retries),
        "rescues": ("rescues (a process was killed)", efforts.rescues),
        "given_up": ("jobs ended without a page", efforts.given_up),
        "seconds": ("seconds, this run", round(seconds, 1)),
        "requests": ("requests to the server, this run", counts.requests),
        "refused": ("of them refused, despite the rate limit", counts.refused),
        "failed": ("of them failed at random", counts.failed),
        "slow": ("of them slow", counts.slow),
        "outages": ("outages of the server", counts.outages),
    }
    if output.as_json:
        output.data({key: value for key, (_, value) in figures.items()})
    else:
        output.table(("what", "how many"), list(figures.values()))
