"""The flood as an animated map: GIF by Pillow, MP4 by ffmpeg."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xpaccel.demo import picture
from xpaccel.demo.terrain import Terrain
from xpaccel.errors import UserError

SUFFIXES = (".gif", ".mp4")
FRAMES_PER_SECOND = 12
LINGER = 2.0  # seconds on the last frame
PIXELS = 640  # of the longer side of a depth that is kept for a frame
HEIGHT, DPI = 5.8, 100


def check(path: Path) -> None:
    """See to it that an animation of that kind can be made here.

    Raises
    ------
    UserError
        Where ffmpeg is missing.
    """
    if path.suffix.lower() == ".mp4" and shutil.which("ffmpeg") is None:
        raise UserError(f"--animate {path}: MP4 needs ffmpeg, which is not on the PATH; install it or ask for .gif")


class Film:
    """Snapshots kept for the end, when it is known how deep the water becomes."""

    def __init__(self) -> None:
        self._frames: list[tuple[float, npt.NDArray[np.float32]]] = []

    def add(self, depth: npt.NDArray[Any], seconds: float) -> None:
        """Keep depths in metres, shape (n, m), as fine as the film shows them."""
        self._frames.append((seconds, coarsen(depth, -(-max(depth.shape) // PIXELS))))

    def write(
        self, path: Path, terrain: Terrain, deepest: float, rain: float, *, done: Callable[[int, int], None]
    ) -> None:
        """Draw the frames and write them.

        Parameters
        ----------
        path : Path
            A ``.gif`` or ``.mp4``.
        terrain : Terrain
            What the depths lie on.
        deepest : float
            Depth in metres of the darkest blue.
        rain : float
            mm/h, for the title.
        done : callable
            Told how many frames of how many are drawn.

        Raises
        ------
        OSError
            Where it cannot be written, or ffmpeg fails.
        """
        sheet = picture.Map(terrain, deepest, rain, height=HEIGHT, dpi=DPI)
        frames = self._draw(sheet, done)
        if path.suffix.lower() == ".mp4":
            _write_mp4(path, frames)
        else:
            _write_gif(path, frames)

    def _draw(self, sheet: picture.Map, done: Callable[[int, int], None]) -> Iterator[npt.NDArray[np.uint8]]:
        for k, (seconds, depth) in enumerate(self._frames):
            sheet.show(depth, seconds)
            yield sheet.pixels()
            done(k + 1, len(self._frames))


def coarsen(depth: npt.NDArray[Any], factor: int) -> npt.NDArray[np.float32]:
    """Give means over blocks of ``factor * factor`` cells; rows and columns that fill no block repeat the last."""
    if factor == 1:
        return depth.astype(np.float32)
    n, m = depth.shape
    padded = np.pad(depth, ((0, -n % factor), (0, -m % factor)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // factor, factor, padded.shape[1] // factor, factor)
    means: npt.NDArray[np.float32] = blocks.mean(axis=(1, 3), dtype=np.float32)
    return means


def _write_gif(path: Path, frames: Iterator[npt.NDArray[np.uint8]]) -> None:
    from PIL import Image

    pictures = [Image.fromarray(frame) for frame in frames]
    # One palette for all, from the first and the last frame: with one for each, still parts would flicker.
    both = Image.fromarray(np.concatenate([np.asarray(pictures[0]), np.asarray(pictures[-1])]))
    palette = both.quantize(256, dither=Image.Dither.NONE)
    indexed = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    each = round(1000 / FRAMES_PER_SECOND)
    lasting = [each] * (len(indexed) - 1) + [round(1000 * LINGER)]
    indexed[0].save(path, save_all=True, append_images=indexed[1:], duration=lasting, loop=0, optimize=False)


def _write_mp4(path: Path, frames: Iterator[npt.NDArray[np.uint8]]) -> None:
    first = next(frames)
    rows, columns, _ = first.shape
    command = [
        *("ffmpeg", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{columns}x{rows}"),
        *("-r", str(FRAMES_PER_SECOND), "-i", "-", "-vf", f"tpad=stop_mode=clone:stop_duration={LINGER:g}"),
        *("-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "18", "-movflags", "+faststart", str(path)),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as ffmpeg:
        assert ffmpeg.stdin is not None
        assert ffmpeg.stderr is not None
        try:
            for frame in (first, *frames):
                ffmpeg.stdin.write(frame.tobytes())
            ffmpeg.stdin.close()
        except BrokenPipeError:
            pass  # it says why below
        except BaseException:
            ffmpeg.kill()
            raise
        said = ffmpeg.stderr.read().decode(errors="replace")
    if ffmpeg.returncode:
        raise OSError(f"ffmpeg failed: {' '.join(said.split()) or ffmpeg.returncode}")
