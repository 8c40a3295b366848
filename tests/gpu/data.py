"""Arguments of kernels on the device, as large as figures need, without as much memory of the host."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from cuda.machine.kernels import Sizes

#: Many times the largest L2 cache (126 MB, B200): 1 GB for an array of float64, up to 6 GB for those of a kernel.
MEASURED = Sizes(
    flat=(8194, 16386),
    solid=(258, 514, 1026),
    wave=(264, 520, 1032),
    sheets=(512, 512, 512),
    options=2**27,
    pair=2**27,
    matrix=(2**15, 4096),
    bodies=2**15,
    cells=(8192, 16384),
)
#: For a device, or an instance of one, with less memory than that.
SMALLER = replace(
    MEASURED,
    flat=(2050, 8194),
    solid=(66, 258, 1026),
    wave=(72, 264, 1032),
    sheets=(256, 256, 256),
    options=2**24,
    pair=2**24,
    matrix=(2**12, 4096),
    cells=(2048, 8192),
)
#: For trying out the session.
TRIAL = Sizes(
    flat=(34, 66),
    solid=(10, 18, 66),
    wave=(16, 24, 72),
    sheets=(8, 8, 32),
    options=2**10,
    pair=2**12,
    matrix=(8, 512),
    bodies=64,
    cells=(16, 32),
)
ENOUGH = 24 * 2**30


def sizes() -> Sizes:
    """Return the sizes for the memory that is free on the current device."""
    import cupy

    free, _ = cupy.cuda.Device().mem_info
    return MEASURED if free >= ENOUGH else SMALLER


class Random:
    """NumPy's generator, as far as cases use it, with arrays on the device: a short sequence again and again."""

    LENGTH = 2**20 - 3

    def __init__(self, seed: int = 0) -> None:
        self._host = np.random.default_rng(seed)

    def random(self, shape: Any) -> Any:
        """Return numbers between 0 and 1."""
        return self._spread(self._host.random(self.LENGTH), shape)

    def standard_normal(self, shape: Any) -> Any:
        """Return normally distributed numbers."""
        return self._spread(self._host.standard_normal(self.LENGTH), shape)

    def uniform(self, low: float, high: float, shape: Any) -> Any:
        """Return numbers between two others."""
        return self._spread(self._host.uniform(low, high, self.LENGTH), shape)

    def _spread(self, values: np.ndarray, shape: Any) -> Any:
        import cupy

        return cupy.resize(cupy.asarray(values), shape)
