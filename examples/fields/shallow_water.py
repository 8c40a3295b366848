"""Waves in a basin: shallow water on a staggered grid (Arakawa C), depth at centres, flow through faces.

python shallow_water.py
xpaccel run -n 4 shallow_water.py --cells 800
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import xpaccel as xpa

GRAVITY = 9.81  # m/s2


@xpa.kernel
def accelerate(u, v, eta, dt, dx):
    """Change the flow [m/s] through the faces by the slope of the surface. Outermost faces are walls."""
    u[1:-1, :] -= GRAVITY * dt / dx * (eta[1:, :] - eta[:-1, :])
    v[:, 1:-1] -= GRAVITY * dt / dx * (eta[:, 1:] - eta[:, :-1])


@xpa.kernel
def fill(eta, u, v, depth, dt, dx):
    """Return the surface [m] after what flowed in and out through the faces."""
    return eta - dt / dx * depth * (u[1:, :] - u[:-1, :] + v[:, 1:] - v[:, :-1])


def simulate(cells: int, steps: int) -> xpa.Field:
    """Return the height of the surface [m], from a hump in a corner of a basin of 10 km and 50 m depth."""
    dx = 10_000 / cells
    dt, depth = 0.3 * dx / np.sqrt(GRAVITY * 50), 50.0
    grid = xpa.Grid((cells, cells), spacing=dx)
    eta = grid.field(init=lambda x, y: np.exp(-((x - 3000) ** 2 + (y - 3000) ** 2) / 1e6), name="surface", units="m")
    u = grid.field(at="face x", boundary={"x": 0.0}, name="flow x", units="m/s")
    v = grid.field(at="face y", boundary={"y": 0.0}, name="flow y", units="m/s")
    for _ in range(steps):
        accelerate(u, v, eta, dt, dx)
        eta = fill(eta, u, v, depth, dt, dx)
    return eta


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=200, help="along each side (200)")
    parser.add_argument("--steps", type=int, default=300, help="time steps (300)")
    parser.add_argument("--out", type=Path, default=Path("surface.npy"), help="where the result goes (surface.npy)")
    given = parser.parse_args()
    result = simulate(given.cells, given.steps)
    whole = result.gather(root=0)
    if whole is not None:
        np.save(given.out, whole)
        print(f"{result.grid!r}: surface {whole.min():.4f} to {whole.max():.4f} m, in {given.out}")
