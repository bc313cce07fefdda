"""The workflow: transcode, then look and listen, then judge what was said, then tell."""

import re
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Any

import clips
from staffa import Workflow, job

_GOOD = frozenset({"calm", "wonderful", "welcome", "home"})
_BAD = frozenset({"terrible", "lost", "broken"})
_DULL = frozenset({"the", "a", "is", "to", "but", "today"})
_COLOURS = {"red": (255, 0, 0), "yellow": (255, 255, 0), "blue": (0, 0, 255)}


@job(queue="video", timeout=60, max_attempts=3, discard_on=clips.ClipError)
async def transcode(clip: str, width: int) -> str:
    """Make the copy that all others work on, and return where it is."""
    source = Path(clip)
    target = source.with_name(f"{source.stem}-{width}.mp4")
    await clips.transcode(source, target, width)
    return str(target)


@job(queue="video", timeout=60)
async def transcribe(copy: str) -> str:
    """Return what is said."""
    return await clips.read_subtitles(Path(copy))


@job(queue="video", timeout=60)
async def index(copy: str) -> list[float]:
    """Return the seconds at which scenes begin."""
    return await clips.find_scenes(Path(copy))


@job(queue="video", timeout=60)
async def recognise(copy: str) -> list[str]:
    """Return the colours that are seen, in their order."""
    seen = [_nearest(colour) for colour in await clips.read_colours(Path(copy), every_seconds=1)]
    return [colour for colour, _ in groupby(seen)]


@job(queue="text")
def sentiment(transcript: str) -> str:
    """Return how it sounds."""
    words = _words(transcript)
    score = sum((word in _GOOD) - (word in _BAD) for word in words)
    return "good" if score > 0 else "bad" if score < 0 else "neither"


@job(queue="text")
def topics(transcript: str) -> list[str]:
    """Return the words that are said most."""
    counts = Counter(word for word in _words(transcript) if word not in _DULL)
    return [word for word, _ in counts.most_common(2)]


@job(queue="text")
def notify(
    clip: str, scenes: list[float], colours: list[str], sentiment: str, topics: list[str]
) -> dict[str, Any]:
    """Tell what was found out."""
    return {
        "clip": Path(clip).name,
        "scenes": [f"{second:g} s" for second in scenes],
        "colours": colours,
        "sentiment": sentiment,
        "topics": topics,
    }


def plan_ingestion(clip: Path) -> Workflow:
    """Return the workflow for a clip."""
    workflow = Workflow("video")
    workflow.put_context({"clip": str(clip), "width": 160})
    workflow.add_cascade("copy", transcode)
    workflow.add_cascade("transcript", transcribe, deps="copy")
    workflow.add_cascade("scenes", index, deps="copy")
    workflow.add_cascade("colours", recognise, deps="copy")
    workflow.add_cascade("sentiment", sentiment, deps="transcript")
    workflow.add_cascade("topics", topics, deps="transcript")
    workflow.add_cascade("notice", notify, deps=["scenes", "colours", "sentiment", "topics"])
    return workflow


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def _nearest(colour: tuple[int, int, int]) -> str:
    def distance(name: str) -> int:
        return sum((a - b) ** 2 for a, b in zip(colour, _COLOURS[name], strict=True))

    return min(_COLOURS, key=distance)
