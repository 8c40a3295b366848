"""A Poisson equation, solved by conjugate gradients: the number of iterations does not depend on the ranks either.

python poisson_cg.py
xpaccel run -n 4 poisson_cg.py --cells 500
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import xpaccel as xpa


@xpa.kernel
def minus_laplacian(u, dx):
    """Return -(d2u/dx2 + d2u/dy2), second order; beyond the edge lies 0."""
    sides = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2]
    return (4 * u[1:-1, 1:-1] - sides) / dx**2


@xpa.kernel
def plus(x, y, factor):
    """Return ``x + factor * y``."""
    return x + factor * y


def solve(cells: int, tolerance: float) -> tuple[xpa.Field, int]:
    """Return the potential of two opposite charges on a grounded plate of 1 m, and how many iterations it took."""
    dx = 1 / cells
    grid = xpa.Grid((cells, cells), spacing=dx)

    def charge(x, y, x0, y0):
        return np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / 0.005)

    density = grid.field(init=lambda x, y: charge(x, y, 0.3, 0.4) - charge(x, y, 0.7, 0.6), boundary=0.0)
    u = grid.field(boundary=0.0, name="potential")
    residual = density.copy()
    direction = density.copy()
    square = residual.dot(residual)
    enough = tolerance**2 * square
    for iteration in range(10 * cells):
        if square <= enough:
            return u, iteration
        image = minus_laplacian(direction, dx)
        step = square / direction.dot(image)
        u = plus(u, direction, step)
        residual = plus(residual, image, -step)
        before, square = square, residual.dot(residual)
        direction = plus(residual, direction, square / before)
    raise RuntimeError(f"the residual is still {np.sqrt(square):.2e} after {10 * cells} iterations")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=100, help="along each side (100)")
    parser.add_argument("--tolerance", type=float, default=1e-8, help="of the residual, relative (1e-8)")
    parser.add_argument("--out", type=Path, default=Path("potential.npy"), help="where the result goes (potential.npy)")
    given = parser.parse_args()
    result, iterations = solve(given.cells, given.tolerance)
    whole = result.gather(root=0)
    if whole is not None:
        np.save(given.out, whole)
        print(f"{result.grid!r}: {iterations} iterations, {whole.min():.3e} to {whole.max():.3e}, in {given.out}")
