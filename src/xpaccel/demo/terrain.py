"""Terrain as the demo needs it: elevations, distances in metres, coordinates for maps and files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpaccel.errors import UserError

Floats = NDArray[np.float64]

LOWEST, HIGHEST = -11_500.0, 9_000.0
"""Elevations on Earth [m]. What lies outside is mostly a mark for missing data, such as -32768."""

MARK = -9999.0
"""The mark for missing data that could be an elevation, in the deepest trenches to the very metre."""

NARROWEST, WIDEST = 0.01, 100_000.0
"""Distances between cells [m] on which the scheme makes sense."""

STRETCH = 0.05
"""By how much a degree of longitude may change within a grid that is treated as one of equal cells."""


@dataclass(frozen=True)
class Axis:
    """Coordinates of cell centres along one axis, evenly spaced, in either direction.

    Attributes
    ----------
    values
        In degrees, or in metres.
    geographic
        Whether they are degrees of longitude or latitude.
    """

    values: Floats
    geographic: bool

    @property
    def step(self) -> float:
        """The signed distance from one cell to the next."""
        return float(self.values[-1] - self.values[0]) / (len(self.values) - 1)


@dataclass(frozen=True)
class Terrain:
    """Elevations on a grid of equal cells.

    Attributes
    ----------
    z : (n, m) array of float64
        Elevation [m].
    dx, dy : float
        Distance [m] between columns, and between rows.
    x, y : Axis
        Coordinates of columns and of rows. Rows may run to the north or to the south.
    name : str
        What it is, for people.
    """

    z: Floats
    dx: float
    dy: float
    x: Axis
    y: Axis
    name: str

    @property
    def geographic(self) -> bool:
        """Whether the coordinates are longitude and latitude."""
        return self.x.geographic


def make(z: NDArray[Any], x: Axis | None, y: Axis | None, name: str, spacing: float | None) -> Terrain:
    """Check elevations and coordinates, and make metres of degrees.

    Parameters
    ----------
    z
        Elevations as a file has them [m], NaN or masked where missing.
    x, y
        Coordinates; None where the file has none.
    name
        What messages and maps call it.
    spacing
        Distance between cells [m]; it goes before what the file says.

    Raises
    ------
    xpaccel.UserError
        If the elevations are no grid that water can run on, or the distance between cells is not known.
    """
    z = _checked(z, name)
    n, m = z.shape
    if spacing is not None:
        return Terrain(z, spacing, spacing, _metres(m, spacing), _metres(n, -spacing), name)
    if x is None or y is None:
        raise UserError(f"{name} does not say how far apart its cells are: give --spacing METRES")
    for axis, size, what in ((x, m, "columns"), (y, n, "rows")):
        _check_axis(axis, size, what, name)
    if x.geographic != y.geographic:
        raise UserError(f"{name} has degrees along one axis and metres along the other: give --spacing METRES")
    dx, dy = abs(x.step), abs(y.step)
    if x.geographic:
        east, north = _metres_of_a_degree(y, name)
        dx, dy = dx * east, dy * north
    for distance in (dx, dy):
        if not NARROWEST <= distance <= WIDEST:
            raise UserError(f"the cells of {name} are {distance:.3g} m apart: give --spacing METRES if that is wrong")
    return Terrain(z, dx, dy, x, y, name)


def refine(terrain: Terrain, factor: int) -> Terrain:
    """Cut every cell into `factor` x `factor`, with bilinear elevations; outer cells go on with their slope."""
    if factor == 1:
        return terrain
    z = _refine_rows(_refine_rows(terrain.z, factor).T, factor).T
    axes = (replace(axis, values=_refine_rows(axis.values, factor)) for axis in (terrain.x, terrain.y))
    x, y = axes
    return replace(terrain, z=np.ascontiguousarray(z), dx=terrain.dx / factor, dy=terrain.dy / factor, x=x, y=y)


def regular(first: float, step: float, count: int, *, geographic: bool) -> Axis:
    """Make evenly spaced coordinates."""
    return Axis(first + step * np.arange(count, dtype=np.float64), geographic)


def _metres(count: int, step: float) -> Axis:
    return regular(0.5 * step if step > 0 else -step * (count - 0.5), step, count, geographic=False)


def _refine_rows(values: Floats, factor: int) -> Floats:
    places = (np.arange(len(values) * factor) + 0.5) / factor - 0.5
    below = np.clip(np.floor(places).astype(np.intp), 0, len(values) - 2)
    weight = (places - below).reshape(-1, *[1] * (values.ndim - 1))
    refined: Floats = values[below] + weight * (values[below + 1] - values[below])
    return refined


def _checked(z: NDArray[Any], name: str) -> Floats:
    shape = " x ".join(map(str, z.shape))
    if z.ndim != 2:
        raise UserError(f"{name} holds {shape or 'a single'} elevations: a grid of rows and columns is needed")
    if min(z.shape) < 2:
        raise UserError(f"{name} has {shape} cells: at least 2 x 2 are needed, water must have somewhere to go")
    if z.dtype.kind not in "iuf":
        raise UserError(f"{name} holds {z.dtype}, not elevations in metres")
    masked = np.ma.getmaskarray(z)
    plain: Floats = np.array(np.ma.getdata(z), dtype=np.float64, order="C")
    missing = masked | ~np.isfinite(plain) | (plain == MARK)
    if missing.any():
        count = int(missing.sum())
        raise UserError(
            f"{name} has no elevation (NaN, infinite, masked or {MARK:g}) at {count} of {plain.size} cells: "
            "fill them or crop the grid"
        )
    low, high = float(plain.min()), float(plain.max())
    if low < LOWEST or high > HIGHEST:
        raise UserError(
            f"{name} has elevations from {low:g} to {high:g} m, which are not on Earth: "
            "convert them to metres, and fill or crop what marks missing data"
        )
    return plain


def _check_axis(axis: Axis, size: int, what: str, name: str) -> None:
    if axis.values.shape != (size,):
        raise UserError(f"{name} has {size} {what} and {axis.values.size} coordinates for them")
    steps = np.diff(axis.values)
    if not np.isfinite(steps).all() or axis.step == 0 or np.abs(steps - axis.step).max() > 0.01 * abs(axis.step):
        raise UserError(f"the {what} of {name} are not evenly spaced: resample it, or give --spacing METRES")


def _metres_of_a_degree(latitude: Axis, name: str) -> tuple[float, float]:
    """Give the metres in a degree of longitude and of latitude in the middle of a grid (WGS 84)."""
    south, north = float(latitude.values.min()), float(latitude.values.max())
    if south <= -90 or north >= 90:
        raise UserError(f"{name} has latitudes from {south:g} to {north:g} degrees: they must lie between the poles")
    widths = [math.cos(math.radians(value)) for value in _with_equator(south, north)]
    if max(widths) > (1 + STRETCH) * min(widths):
        raise UserError(
            f"{name} reaches from latitude {south:g} to {north:g}, so its cells differ in width by more than "
            f"{STRETCH:.0%}: crop it, or project it to metres"
        )
    phi = math.radians(0.5 * (south + north))
    east = 111_412.84 * math.cos(phi) - 93.5 * math.cos(3 * phi) + 0.118 * math.cos(5 * phi)
    return east, 111_132.92 - 559.82 * math.cos(2 * phi) + 1.175 * math.cos(4 * phi)


def _with_equator(south: float, north: float) -> Iterator[float]:
    yield from (south, north)
    if south < 0 < north:
        yield 0.0
