"""Heat steps in two and three dimensions: how many times faster the loops are than NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

import xpaccel as xpa

from .measure import ratio


@xpa.kernel
def heat2d(u: Any, c: float) -> Any:
    return u[1:-1, 1:-1] + c * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1])


@xpa.kernel
def heat3d(u: Any, c: float) -> Any:
    centre = u[1:-1, 1:-1, 1:-1]
    across = u[2:, 1:-1, 1:-1] + u[:-2, 1:-1, 1:-1] + u[1:-1, 2:, 1:-1] + u[1:-1, :-2, 1:-1]
    return centre + c * (across + u[1:-1, 1:-1, 2:] + u[1:-1, 1:-1, :-2] - 6 * centre)


class Heat:
    """In-cache and out-of-cache sizes that take well under a second a round."""

    unit = "times NumPy's speed"
    timeout = 300
    params = (("heat2d", "heat3d"), ("small", "large"), ("float32", "float64"))
    param_names = ("kernel", "size", "dtype")
    shapes = {  # noqa: RUF012
        ("heat2d", "small"): (256, 256),
        ("heat2d", "large"): (2048, 2048),
        ("heat3d", "small"): (40, 40, 40),
        ("heat3d", "large"): (160, 160, 160),
    }

    def track_speed(self, name: str, size: str, dtype: str) -> float:
        kernel = {"heat2d": heat2d, "heat3d": heat3d}[name]
        u = np.random.default_rng(0).random(self.shapes[name, size]).astype(dtype)

        def compiled() -> None:
            with xpa.backend("numba"):
                kernel(u, 0.1)

        return ratio(lambda: kernel.python(u, 0.1), compiled, calls=20 if size == "small" else 1)
