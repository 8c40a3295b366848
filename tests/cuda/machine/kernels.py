"""The kernels that the figures are about, as a user writes them, with the least that each must move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import xpaccel as xpa
from xpaccel import xp
from xpaccel.demo import example

INNER = slice(1, -1)
RIM = slice(4, -4)
#: Weights of the second derivative, eighth order, for offsets 0 to 4.
WEIGHTS = (-205 / 72, 8 / 5, -1 / 5, 8 / 315, -1 / 560)
RATE, SIGMA = 0.02, 0.3
SOFTENING = 1e-3

DTYPES = ("float32", "float64")


@xpa.kernel
def heat2d(u, out, c):
    m = u[INNER, INNER]
    out[INNER, INNER] = m + c * (u[:-2, INNER] + u[2:, INNER] + u[INNER, :-2] + u[INNER, 2:] - 4.0 * m)


@xpa.kernel
def heat3d(u, k, out, c):
    s = INNER
    m = u[s, s, s]
    around = u[:-2, s, s] + u[2:, s, s] + u[s, :-2, s] + u[s, 2:, s] + u[s, s, :-2] + u[s, s, 2:]
    out[s, s, s] = m + c * k[s, s, s] * (around - 6.0 * m)


@xpa.kernel
def wave3d(u, before, v, out):
    def moved(axis, r):
        return u[tuple(slice(4 + r * (a == axis), u.shape[a] - 4 + r * (a == axis)) for a in range(3))]

    m = u[RIM, RIM, RIM]
    lap = 3 * WEIGHTS[0] * m
    for r in range(1, 5):
        for axis in range(3):
            lap = lap + WEIGHTS[r] * (moved(axis, r) + moved(axis, -r))
    out[RIM, RIM, RIM] = 2.0 * m - before[RIM, RIM, RIM] + v[RIM, RIM, RIM] * lap


@xpa.kernel
def hdiff(f, c):
    ni, nj, _ = c.shape
    lap = 4.0 * f[1 : ni + 3, 1 : nj + 3] - (
        f[2 : ni + 4, 1 : nj + 3] + f[: ni + 2, 1 : nj + 3] + f[1 : ni + 3, 2 : nj + 4] + f[1 : ni + 3, : nj + 2]
    )
    r = lap[1:, 1 : nj + 1] - lap[:-1, 1 : nj + 1]
    fx = xp.where(r * (f[2 : ni + 3, 2 : nj + 2] - f[1 : ni + 2, 2 : nj + 2]) > 0, 0, r)
    r = lap[1 : ni + 1, 1:] - lap[1 : ni + 1, :-1]
    fy = xp.where(r * (f[2 : ni + 2, 2 : nj + 3] - f[2 : ni + 2, 1 : nj + 2]) > 0, 0, r)
    return f[2 : ni + 2, 2 : nj + 2] - c * (fx[1:] - fx[:-1] + fy[:, 1:] - fy[:, :-1])


@xpa.kernel
def black_scholes(s, k, t):
    """Call and put; the normal distribution function by tanh, as the array API standard has no erf."""

    def normal(x):
        return 0.5 + 0.5 * xp.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))

    q = SIGMA * xp.sqrt(t)
    d = (xp.log(s / k) + (RATE + 0.5 * SIGMA * SIGMA) * t) / q
    e = k * xp.exp(-RATE * t)
    call = s * normal(d) - e * normal(d - q)
    return call, call - s + e


@xpa.kernel
def softmax(x):
    e = xp.exp(x - xp.max(x, axis=1, keepdims=True))
    return e / xp.sum(e, axis=1, keepdims=True)


@xpa.kernel
def norm(a, b):
    return xp.sqrt(xp.sum((a - b) * (a - b)))


@xpa.kernel
def nbody(r, m):
    d = r[None] - r[:, None]
    r2 = xp.sum(d * d, axis=-1) + SOFTENING
    return xp.sum((m / (r2 * xp.sqrt(r2)))[..., None] * d, axis=1)


@dataclass(frozen=True, slots=True)
class Sizes:
    """The shapes that kernels are called with.

    Attributes
    ----------
    flat, solid, wave
        Of the fields of heat2d, heat3d and wave3d.
    sheets
        The points of hdiff.
    options, pair
        Elements of Black-Scholes and of norm.
    matrix
        Of softmax.
    bodies
        Of N-body.
    cells
        Of the flood.
    """

    flat: tuple[int, int]
    solid: tuple[int, int, int]
    wave: tuple[int, int, int]
    sheets: tuple[int, int, int]
    options: int
    pair: int
    matrix: tuple[int, int]
    bodies: int
    cells: tuple[int, int]


#: Where traffic is counted, on the host: as small as a few thousand blocks of threads may be.
COUNTED = Sizes(
    flat=(514, 1026),
    solid=(34, 66, 514),
    wave=(40, 72, 520),
    sheets=(64, 32, 160),
    options=2**18,
    pair=2**18,
    matrix=(64, 4096),
    bodies=512,
    cells=(256, 512),
)


@dataclass(frozen=True, slots=True)
class Case:
    """A kernel with the sizes that it is called with.

    Attributes
    ----------
    name, kernel
        What is called.
    make
        From a random generator and a dtype to the arguments.
    points
        What figures are given for one of: elements of the result, or what `unit` says.
    reads, writes
        The least: elements of arguments that the result depends on, and elements that a call must write.
    unit
        What a point is.
    """

    name: str
    kernel: xpa.Kernel
    make: Callable[[np.random.Generator, str], tuple[Any, ...]]
    points: int
    reads: int
    writes: int
    unit: str = "point"

    def arguments(self, dtype: str) -> tuple[Any, ...]:
        """Return arguments of a dtype, the same ones each time."""
        return self.make(np.random.default_rng(0), dtype)


def _cross(shape: tuple[int, ...], rim: int) -> tuple[int, int]:
    """Return the points inside of a rim, and the elements that a star-shaped stencil reads for them."""
    inner = [size - 2 * rim for size in shape]
    points = int(np.prod(inner))
    return points, points + sum(2 * rim * points // size for size in inner)


def _stencils(sizes: Sizes) -> list[Case]:
    points2, read2 = _cross(sizes.flat, 1)
    points3, read3 = _cross(sizes.solid, 1)
    points8, read8 = _cross(sizes.wave, 4)
    ni, nj, nk = sizes.sheets

    def fields(shape, count, *numbers):
        return lambda rng, dtype: (*(rng.random(shape).astype(dtype) for _ in range(count)), *numbers)

    def sheets(rng, dtype):
        return rng.random((ni + 4, nj + 4, nk)).astype(dtype), rng.random((ni, nj, nk)).astype(dtype)

    return [
        Case("heat2d", heat2d, fields(sizes.flat, 2, 0.1), points2, read2, points2),
        Case("heat3d", heat3d, fields(sizes.solid, 3, 0.1), points3, read3 + points3, points3),
        Case("wave3d", wave3d, fields(sizes.wave, 4), points8, read8 + 2 * points8, points8),
        # the stencil is a rhombus: three columns at each corner of f are not read
        Case("hdiff", hdiff, sheets, ni * nj * nk, ((ni + 4) * (nj + 4) - 12 + ni * nj) * nk, ni * nj * nk),
    ]


def _rows(sizes: Sizes) -> list[Case]:
    n, bodies = sizes.options, sizes.bodies
    elements = sizes.matrix[0] * sizes.matrix[1]

    def options(rng, dtype):
        return tuple(rng.uniform(low, high, n).astype(dtype) for low, high in ((5, 30), (1, 100), (0.25, 10)))

    def pair(rng, dtype):
        return rng.random(sizes.pair).astype(dtype), rng.random(sizes.pair).astype(dtype)

    def matrix(rng, dtype):
        return (rng.standard_normal(sizes.matrix).astype(dtype),)

    def stars(rng, dtype):
        return rng.random((bodies, 3)).astype(dtype), rng.random(bodies).astype(dtype)

    return [
        Case("Black-Scholes", black_scholes, options, n, 3 * n, 2 * n),
        Case("softmax", softmax, matrix, elements, elements, elements),
        Case("norm", norm, pair, sizes.pair, 2 * sizes.pair, 1),
        Case("N-body", nbody, stars, bodies**2, 4 * bodies, 3 * bodies, "pair"),
    ]


def _flood(sizes: Sizes) -> list[Case]:
    flood = example.flood()
    n, m = sizes.cells
    cells, faces = n * m, n * (m + 1) + (n + 1) * m
    edge = 2 * (n + m)

    def state(rng, dtype):
        shapes = ((n, m + 1), (n + 1, m), (n, m), (n, m))
        return [rng.random(shape).astype(dtype) for shape in shapes]

    def flow(rng, dtype):
        x, y, h, z = state(rng, dtype)
        return x.copy(), y.copy(), x, y, h, z, 0.01, 10.0, 10.0, 0.03

    def store(rng, dtype):
        x, y, h, _ = state(rng, dtype)
        return h, x, y, 1e-5, 0.01, 10.0, 10.0

    return [
        Case("flood: flow", flood.flow, flow, cells, faces + 2 * cells, faces - edge, "cell"),
        Case("flood: store", flood.store, store, cells, faces + cells, cells + 1, "cell"),
        # discharge of the edges, depth and elevation of two cells at each: the corners' are 16 cells of both
        Case("flood: spill", flood.spill, flow, edge, edge + 2 * (2 * edge - 16), edge + 1, "edge face"),
    ]


def cases(sizes: Sizes) -> tuple[Case, ...]:
    """Return all kernels at some sizes."""
    return (*_stencils(sizes), *_rows(sizes), *_flood(sizes))


CASES = cases(COUNTED)
