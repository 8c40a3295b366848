"""The demo's kernels: how many times faster the loops are than NumPy on the flood's real terrain."""

from __future__ import annotations

import numpy as np

import xpaccel as xpa
from xpaccel.demo import example

from .measure import ratio


class Flood:
    """Steps of the simulation on the terrain as it is, and refined so that it leaves the caches."""

    unit = "times NumPy's speed"
    timeout = 300
    params = (1, 3)
    param_names = ("refined",)

    def track_speed(self, refined: int) -> float:
        from matplotlib.cbook import get_sample_data

        z = np.asarray(get_sample_data("jacksboro_fault_dem.npz")["elevation"], dtype=np.float64)
        z = np.repeat(np.repeat(z, refined, axis=0), refined, axis=1)
        flood = example.flood()
        spacing = 90.0 / refined

        def steps(backend: str):
            with xpa.backend(backend):
                running = flood.simulate(z, spacing, spacing, rain=0.02 / 3600, seconds=1e9)
                next(running)

            def step() -> None:
                with xpa.backend(backend):
                    next(running)

            return step

        return ratio(steps("numpy"), steps("numba"), calls=5 if refined == 1 else 1)
