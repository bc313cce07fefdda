"""What ffmpeg does with clips: it is called as a program, as one would on a server."""

import asyncio
import re
from pathlib import Path

import imageio_ffmpeg  # type: ignore[import-untyped]  # it has no types

SUBTITLES = """1
00:00:00,000 --> 00:00:02,000
Welcome to the harbour. The harbour is calm today.

2
00:00:02,000 --> 00:00:04,000
A wonderful red ship leaves the harbour.

3
00:00:04,000 --> 00:00:06,000
The storm is terrible, but the ship comes home.
"""
"""What is said in the clip that the example makes."""

SCENES = ("blue", "red", "yellow")
"""The colours of its scenes, two seconds each."""


class ClipError(Exception):
    """ffmpeg refused a clip; the message is its last line."""


async def make_clip(path: Path) -> None:
    """Make a clip: coloured scenes, a tone, subtitles."""
    subtitles = path.with_suffix(".srt")
    subtitles.write_text(SUBTITLES)
    sources = [f"color={colour}:s=320x180:d=2:r=10[{colour}]" for colour in SCENES]
    joined = "".join(f"[{colour}]" for colour in SCENES)
    await _run(
        *("-f", "lavfi", "-i", "sine=frequency=330:duration=6", "-i", str(subtitles)),
        *("-filter_complex", ";".join([*sources, f"{joined}concat=n={len(SCENES)}[video]"])),
        *("-map", "[video]", "-map", "0:a", "-map", "1:s"),
        *("-c:v", "mpeg4", "-c:a", "aac", "-c:s", "mov_text", str(path)),
    )


async def transcode(source: Path, target: Path, width: int) -> None:
    """Make a smaller copy of a clip."""
    await _run(
        *("-i", str(source), "-map", "0", "-vf", f"scale={width}:-2"),
        *("-c:v", "mpeg4", "-c:a", "aac", "-c:s", "copy", str(target)),
    )


async def read_subtitles(source: Path) -> str:
    """Return what is said in a clip."""
    text = (await _run("-i", str(source), "-map", "0:s:0", "-f", "srt", "-")).decode()
    return " ".join(
        line for line in text.splitlines() if line and not re.match(r"[\d:,> -]+$", line)
    )


async def find_scenes(source: Path) -> list[float]:
    """Return the seconds at which scenes begin."""
    log = await _run(
        *("-i", str(source), "-vf", "select='gt(scene,0.1)',metadata=print:file=-"),
        *("-an", "-sn", "-f", "null", "-"),
    )
    return [0.0, *(float(time) for time in re.findall(r"pts_time:([\d.]+)", log.decode()))]


async def read_colours(source: Path, every_seconds: float) -> list[tuple[int, int, int]]:
    """Return the mean colour of pictures so many seconds apart."""
    found = await _run(
        *("-i", str(source), "-vf", f"fps={1 / every_seconds},scale=1:1"),
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-"),
    )
    return [(found[start], found[start + 1], found[start + 2]) for start in range(0, len(found), 3)]


async def _run(*options: str) -> bytes:
    """Run ffmpeg, and return what it writes to its output."""
    process = await asyncio.create_subprocess_exec(
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *options),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await process.communicate()
    except asyncio.CancelledError:  # the job was cancelled, or took too long
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        raise ClipError(errors.decode(errors="replace").strip().rpartition("\n")[2])
    return output
