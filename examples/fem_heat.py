"""Heat in a plate by finite elements: triangles in no order, nodes that know nothing of each other.

    python examples/fem_heat.py                         as written, with NumPy
    XP_BACKEND=numba python examples/fem_heat.py        the same file, fused
    XP_BACKEND=cupy python examples/fem_heat.py         on a GPU

A step reads the temperatures of each triangle's corners (a gather), computes what flows to them, and adds that up
at the nodes (a scatter: a node is a corner of about six triangles). `np.add.at` counts each of them, with the same bits
each time on every backend; ``@xpa.kernel(reproducible=False)`` lets a GPU add in whatever order its threads come.
On two cores, with 980,000 triangles, `numba` was 4.9 to 5.6 times as fast as NumPy, and 4.8 to 4.9 times in `np.add.at`
alone, which runs on one thread to keep its order (asv_bench/benchmarks/assembly.py).

Nothing flows through the edge of the unit square, so cos(pi x) cos(pi y) keeps its shape and decays as exp(-2 pi^2 t).
"""

from __future__ import annotations

import math
import sys

import numpy as np

import xpaccel as xpa
from xpaccel import xp


@xpa.kernel
def step(u, corners, bx, by, rate, flow):
    """One explicit step of linear triangles: temperatures `u` and `flow` at n nodes, `corners` (m, 3) of triangles.

    `bx` and `by` (m, 3) are the gradients of the shape functions times the root of the triangle's area, `rate` (n)
    the time step over the area that belongs to a node.
    """
    heat = u[corners]
    gx, gy = xp.sum(heat * bx, axis=1), xp.sum(heat * by, axis=1)
    flow[...] = 0.0
    np.add.at(flow, corners, -(gx[:, None] * bx + gy[:, None] * by))
    u += rate * flow


def mesh(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return x, y (of (n+1)^2 nodes) and corners: squares cut in two, their nodes moved, everything in random order."""
    i, j = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    moved = rng.uniform(-0.25, 0.25, (2, n + 1, n + 1)) * ((i % n > 0) & (j % n > 0))
    x, y = (np.stack([i, j]) + moved).reshape(2, -1) / n
    node = i * (n + 1) + j
    a, b, c, d = (node[p, q].ravel() for p in (np.s_[:-1], np.s_[1:]) for q in (np.s_[:-1], np.s_[1:]))
    corners = np.concatenate([np.stack([a, c, d], axis=1), np.stack([a, d, b], axis=1)])
    order = rng.permutation(x.size)
    return x[np.argsort(order)], y[np.argsort(order)], order[rng.permutation(corners)]


def main(n: int = 48, end: float = 0.02) -> float:
    """Conduct heat until `end`, show the error, and return it: the greatest at a node, as a share of what is left."""
    x, y, corners = mesh(n, np.random.default_rng(0))
    dx, dy = (np.roll(p[corners], -2, axis=1) - np.roll(p[corners], -1, axis=1) for p in (x, y))  # opposite sides
    area = 0.5 * np.abs(dx[:, 0] * dy[:, 1] - dx[:, 1] * dy[:, 0])
    bx, by = -dy / (2 * np.sqrt(area[:, None])), dx / (2 * np.sqrt(area[:, None]))
    mass = np.zeros_like(x)
    np.add.at(mass, corners, np.repeat(area[:, None] / 3, 3, axis=1))
    stiffness = np.zeros_like(x)
    np.add.at(stiffness, corners, bx * bx + by * by)
    steps = math.ceil(end / (0.9 * (mass / stiffness).min()))
    first = np.cos(np.pi * x) * np.cos(np.pi * y)
    u = xp.asarray(first.copy())
    given = [xp.asarray(array) for array in (corners, bx, by, end / steps / mass, np.empty_like(x))]
    for _ in range(steps):
        step(u, *given)
    left = math.exp(-2 * math.pi**2 * end)
    error = float(np.abs(xpa.asnumpy(u) - left * first).max()) / left
    print(f"{x.size} nodes, {corners.shape[0]} triangles, {steps} steps on {xpa.get_backend()}: error {error:.2%}")
    return error


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
