"""A moving map: GIF through Pillow, MP4 through ffmpeg."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from xpaccel.demo.picture import Labels, Map
from xpaccel.demo.terrain import Floats, Terrain
from xpaccel.errors import UserError

SUFFIXES = (".gif", ".mp4")
WIDTH = 900
FRAMES_A_SECOND = 8
LAST_FRAME = 2.0
"""How long the last frame of a GIF stands [s], before it starts again."""

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def check(path: Path) -> None:
    """Make sure, before the work, that what writes such a file is installed.

    Raises
    ------
    xpaccel.UserError
        If it is not.
    """
    if path.suffix.lower() == ".mp4" and shutil.which("ffmpeg") is None:
        raise UserError(f"--animate {path} needs ffmpeg, which is not on PATH: install it, or name a .gif file")
    if path.suffix.lower() == ".gif" and find_spec("PIL") is None:
        raise UserError(f'--animate {path} needs pillow: pip install "xpaccel[demo]"')


def write(
    path: Path,
    terrain: Terrain,
    frames: Sequence[tuple[float, Floats]],
    labels: Labels,
    advance: Callable[[], None],
) -> None:
    """Draw the frames and write the animation.

    Parameters
    ----------
    path
        A ``.gif`` or ``.mp4`` file.
    terrain
        What is flooded, as coarse as the frames are.
    frames
        Times [s] and depths [m].
    labels
        Title and subtitle.
    advance
        Called after each frame.
    """
    picture = Map(terrain, max(float(h.max()) for _, h in frames), labels, WIDTH)

    def drawn() -> Iterator[Pixels]:
        for seconds, h in frames:
            picture.show(h, seconds)
            yield picture.pixels()
            advance()

    (_gif if path.suffix.lower() == ".gif" else _mp4)(path, drawn())


def _gif(path: Path, frames: Iterator[Pixels]) -> None:
    from PIL import Image

    images = [Image.fromarray(frame) for frame in frames]
    # One palette for all, that of the last frame: it has every colour, and nothing flickers.
    palette = images[-1].quantize(colors=255, method=Image.Quantize.MEDIANCUT)
    reduced = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    still = round(1000 / FRAMES_A_SECOND)
    durations = [still] * (len(reduced) - 1) + [round(1000 * LAST_FRAME)]
    reduced[0].save(
        path, format="GIF", save_all=True, append_images=reduced[1:], duration=durations, loop=0, optimize=False
    )


def _mp4(path: Path, frames: Iterator[Pixels]) -> None:
    """Pipe raw pixels into ffmpeg. The common decoders want even sizes and yuv420p."""
    first = next(frames)
    height, width = first.shape[:2]
    given = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(FRAMES_A_SECOND), "-i", "-")
    wanted = ("-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p", "-movflags", "+faststart", "-f", "mp4")
    with subprocess.Popen(
        ["ffmpeg", "-loglevel", "error", "-y", *given, *wanted, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            process.stdin.write(first.tobytes())
            for frame in frames:
                process.stdin.write(frame.tobytes())
            process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended, and says why
        except BaseException:
            process.kill()
            raise
        said = process.stderr.read().decode(errors="replace").strip().splitlines()
    if process.returncode:
        raise UserError(f"ffmpeg could not write {path.name}: {said[-1] if said else process.returncode}")
