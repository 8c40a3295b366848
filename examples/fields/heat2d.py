"""Heat on a plate, on any number of ranks: two warm edges, two insulated ones.

python heat2d.py                          # one process
xpaccel run -n 4 heat2d.py --cells 2000   # four ranks: the same numbers, bit for bit
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import xpaccel as xpa


@xpa.kernel
def diffuse(u, kappa, dt, dx):
    """u: temperature [K] -> temperature one step later. The arrays are a cell wider on each side than the result."""
    lap = (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]) / dx**2
    return u[1:-1, 1:-1] + dt * kappa * lap


def simulate(cells: int, steps: int) -> xpa.Field:
    """Return the temperature [K] after some steps, from a warm spot in the middle of a plate of 1 m."""
    dx = 1 / cells
    grid = xpa.Grid((cells, cells), spacing=dx)
    u = grid.field(
        init=lambda x, y: 300 + 50 * np.exp(-((x - 0.5) ** 2 + (y - 0.5) ** 2) / 0.02),
        boundary={"x": (320.0, 300.0), "y": "gradient"},
        name="temperature",
        units="K",
    )
    for _ in range(steps):
        u = diffuse(u, 1.0, 0.2 * dx**2, dx)
    return u


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=200, help="along each side (200)")
    parser.add_argument("--steps", type=int, default=200, help="time steps (200)")
    parser.add_argument("--out", type=Path, default=Path("heat2d.npy"), help="where the result goes (heat2d.npy)")
    given = parser.parse_args()
    result = simulate(given.cells, given.steps)
    whole = result.gather(root=0)
    if whole is not None:
        np.save(given.out, whole)
        print(f"{result.grid!r}: {whole.min():.3f} to {whole.max():.3f} K, in {given.out}")
