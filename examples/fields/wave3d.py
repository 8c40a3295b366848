"""Sound in a box, 8th order in space: 25 points are read, and sponge layers swallow what reaches the walls.

python wave3d.py
xpaccel run -n 4 wave3d.py --cells 160 --steps 200
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import xpaccel as xpa

#: Coefficients of the second derivative, 8th order (Fornberg 1988, table 1).
C = (-205 / 72, 8 / 5, -1 / 5, 8 / 315, -1 / 560)


@xpa.kernel
def advance(old, now, damping, courant2):
    """Put the pressure of the next step into `old`. `courant2` is (c dt / dx)**2."""
    inner = (slice(4, -4),) * 3
    lap = 3 * C[0] * now[inner]
    for axis in range(3):
        for far, factor in enumerate(C[1:], 1):
            high = tuple(slice(4 + far, far - 4 or None) if k == axis else slice(4, -4) for k in range(3))
            low = tuple(slice(4 - far, -4 - far) if k == axis else slice(4, -4) for k in range(3))
            lap = lap + factor * (now[high] + now[low])
    sponge = damping[inner]
    old[inner] = (2 - sponge) * now[inner] - (1 - sponge) * old[inner] + courant2 * lap


def layers(x, y, z):
    """Return how strongly each place damps: nothing inside, more and more towards the walls."""
    depth = np.maximum(np.maximum(abs(x - 0.5), abs(y - 0.5)), abs(z - 0.5))
    return 0.2 * np.maximum(depth - 0.35, 0) ** 2 / 0.15**2


def simulate(cells: int, steps: int) -> xpa.Field:
    """Return the pressure after some steps, from a pulse off the middle of a box of 1 m."""
    grid = xpa.Grid((cells, cells, cells), spacing=1 / cells)
    pulse = {
        "init": lambda x, y, z: np.exp(-((x - 0.4) ** 2 + (y - 0.5) ** 2 + (z - 0.5) ** 2) / 0.003),
        "boundary": 0.0,
    }
    old, now = grid.field(np.float32, **pulse), grid.field(np.float32, **pulse)
    damping = grid.field(np.float32, init=layers)
    for _ in range(steps):
        advance(old, now, damping, 0.15)
        old, now = now, old
    return now


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=64, help="along each side (64)")
    parser.add_argument("--steps", type=int, default=60, help="time steps (60)")
    parser.add_argument("--out", type=Path, default=Path("wave3d.npy"), help="where the result goes (wave3d.npy)")
    given = parser.parse_args()
    result = simulate(given.cells, given.steps)
    whole = result.gather(root=0)
    if whole is not None:
        np.save(given.out, whole)
        print(f"{result.grid!r}: pressure {whole.min():.4f} to {whole.max():.4f}, in {given.out}")
