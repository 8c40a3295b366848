"""What a call costs when the array is too small to matter."""

from __future__ import annotations

from typing import Any

import numpy as np

import xpaccel as xpa

from .heat import heat2d


class Overhead:
    """A heat step on an 8 x 8 array."""

    params = ("plain function", "numpy", "numba")
    param_names = ("runs on",)

    def setup(self, runs_on: str) -> None:
        self.u = np.ones((8, 8))
        self.step: Any = heat2d.python if runs_on == "plain function" else heat2d
        xpa.set_backend("numpy" if runs_on == "plain function" else runs_on)
        self.step(self.u, 0.1)

    def teardown(self, runs_on: str) -> None:
        xpa.set_backend("numpy")

    def time_call(self, runs_on: str) -> None:
        self.step(self.u, 0.1)
