"""One simulation on each backend: timed step by step, with its water counted."""

from __future__ import annotations

import functools
import itertools
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from xpaccel import active
from xpaccel.demo import example
from xpaccel.demo.terrain import Floats, Terrain

WARM_STEPS = 2

Watch = Callable[[float, Floats], None]
"""Called after each step, outside the timing, with the time [s] and the depth [m]; it must not keep the array."""


@dataclass(frozen=True)
class Storm:
    """What happens to the terrain.

    Attributes
    ----------
    rain
        Intensity [m/s].
    seconds
        For how long.
    manning
        Roughness of the ground [s/m^(1/3)].
    open_edges
        Whether water leaves over the edges of the grid.
    """

    rain: float
    seconds: float
    manning: float
    open_edges: bool


@dataclass(frozen=True)
class Balance:
    """Where the rain has gone, in volumes [m3]."""

    rained: float
    left: float
    stored: float

    @property
    def error(self) -> float:
        """The part of the rain that is unaccounted for; 0 where it did not rain and nothing appeared."""
        lost = math.fsum((self.rained, -self.left, -self.stored))
        return lost / self.rained if self.rained else lost


@dataclass(frozen=True)
class Run:
    """What a backend made of it.

    Attributes
    ----------
    backend
        Its name.
    h : (n, m) array of float64
        Depth at the end [m].
    steps, step
        How many time steps, and the median time of one [s], compilation apart.
    balance
        Where the rain has gone.
    """

    backend: str
    h: Floats
    steps: int
    step: float
    balance: Balance


def run(backend: str, terrain: Terrain, storm: Storm, watch: Watch) -> Run:
    """Simulate on one backend. What has to be compiled is compiled before the clock starts."""
    simulate = functools.partial(
        example.flood().simulate,
        terrain.z,
        terrain.dx,
        terrain.dy,
        rain=storm.rain,
        seconds=storm.seconds,
        manning=storm.manning,
        open_edges=storm.open_edges,
    )
    times: list[float] = []
    with active.backend(backend):
        for _ in itertools.islice(simulate(), WARM_STEPS):
            pass
        start = time.perf_counter()
        for flood in simulate():
            times.append(time.perf_counter() - start)
            watch(flood.time, flood.h)
            start = time.perf_counter()
    h: Floats = active.asnumpy(flood.h)
    stored = math.fsum(h.ravel()) * terrain.dx * terrain.dy
    return Run(backend, h, flood.steps, statistics.median(times), Balance(flood.rained, flood.left, stored))
