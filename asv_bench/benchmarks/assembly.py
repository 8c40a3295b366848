"""Finite elements: how many times faster the loops are than NumPy where nodes are gathered and scattered."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import xpaccel as xpa

from .measure import ratio


@xpa.kernel
def assemble(f, corners, forces):
    """Add the forces of each element's corners to those of the nodes."""
    np.add.at(f, corners, forces)


class Assembly:
    """``np.add.at`` alone, and the step of examples/fem_heat.py, on meshes in and out of cache."""

    unit = "times NumPy's speed"
    timeout = 300
    params = (100, 700)
    param_names = ("squares",)

    def setup(self, squares: int) -> None:
        sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
        import fem_heat

        rng = np.random.default_rng(0)
        self.step = fem_heat.step
        self.x, _, self.corners = fem_heat.mesh(squares, rng)
        self.bx, self.by = rng.random((2, *self.corners.shape))
        self.rate, self.flow = np.zeros_like(self.x), np.zeros_like(self.x)

    def track_add_at(self, squares: int) -> float:
        return ratio(*(self._on(name, assemble, self.flow, self.corners, self.bx) for name in ("numpy", "numba")))

    def track_step(self, squares: int) -> float:
        given = self.x, self.corners, self.bx, self.by, self.rate, self.flow
        return ratio(*(self._on(name, self.step, *given) for name in ("numpy", "numba")))

    @staticmethod
    def _on(name: str, kernel: xpa.Kernel, *arguments: np.ndarray):
        def call() -> None:
            with xpa.backend(name):
                kernel(*arguments)

        return call
