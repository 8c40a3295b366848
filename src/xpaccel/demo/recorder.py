"""Keeps what is seen on the way: depths at equal intervals, for the archive and the animation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from xpaccel import active
from xpaccel.demo.terrain import Axis, Floats, Terrain

LARGEST = 700
"""Rows or columns of an animation's frame: a screen shows no more, and all frames are kept in memory."""

Keep = Callable[[float, Floats], None]


@dataclass
class Recorder:
    """Hands on the first depth at or after each of a number of equally spaced times, and always the last.

    Attributes
    ----------
    seconds
        How long the simulation takes.
    frames
        How many intervals there are.
    keep
        Who is handed what; they must copy the depth if they keep it.
    """

    seconds: float
    frames: int
    keep: tuple[Keep, ...]
    _next: int = field(default=1, init=False)

    def start(self, h: Floats) -> None:
        """Hand on how it was before the rain."""
        self._hand_on(0.0, h)

    def see(self, time: float, h: Floats) -> None:
        """Look at the depth [m] after a step that ended at `time` [s]."""
        due = self.seconds * self._next / self.frames if self._next < self.frames else self.seconds
        if time >= due:
            self._hand_on(time, h)
            self._next = math.floor(time / self.seconds * self.frames) + 1

    def _hand_on(self, time: float, h: Floats) -> None:
        depth = active.asnumpy(h)
        for keep in self.keep:
            keep(time, depth)


def coarse(terrain: Terrain) -> tuple[Terrain, Callable[[Floats], Floats]]:
    """Give the terrain with at most `LARGEST` rows and columns, and what makes its depths: the deepest of a block.

    The deepest and not the mean, so that a stream one cell wide stays on the map.
    """
    step = math.ceil(max(terrain.z.shape) / LARGEST)
    n, m = (size // step for size in terrain.z.shape)
    if step == 1 or min(n, m) < 2:
        return terrain, lambda h: h.astype(np.float64)

    def blocks(values: Floats) -> Floats:
        return values[: n * step, : m * step].reshape(n, step, m, step)

    def middle(axis: Axis, count: int) -> Axis:
        return Axis(axis.values[: count * step].reshape(count, step).mean(axis=1), axis.geographic)

    smaller = Terrain(
        blocks(terrain.z).mean(axis=(1, 3)),
        terrain.dx * step,
        terrain.dy * step,
        middle(terrain.x, m),
        middle(terrain.y, n),
        terrain.name,
    )
    return smaller, lambda h: blocks(h).max(axis=(1, 3))
