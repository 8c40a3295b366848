"""Filling ghosts beyond the edge of the domain by a field's boundary conditions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from xpaccel.domain.boundary import Edge
from xpaccel.domain.location import axis_name
from xpaccel.errors import DomainError

if TYPE_CHECKING:
    from xpaccel.domain.field import Field


def check(field: Field, widths: Sequence[tuple[int, int]], name: str) -> None:
    """Raise unless a field can be continued so far beyond each edge. The same on every rank.

    Parameters
    ----------
    field
        The field.
    widths
        For each axis, how many ghosts are read beyond the low and the high edge of the domain.
    name
        What messages call it.

    Raises
    ------
    DomainError
        If it has no boundary condition there, or too few points for the one that it has.
    """
    for axis, sides in enumerate(widths):
        for side, width in enumerate(sides):
            if field.grid.periodic[axis] or not width:
                continue
            where = f"{('low', 'high')[side]} edge of axis {axis_name(axis)}"
            condition = field.boundary[axis][side]
            if condition is None:
                raise DomainError(
                    f"{name} is read {width} beyond the {where}, and it has no boundary condition there.\n    Give it "
                    "one where the field is made: grid.field(..., boundary='reflect'), or a number, 'gradient', "
                    "'extrapolate', a function of the coordinates, or a mapping of these by axis."
                )
            reads = condition.reads(width, field.at.half[axis])
            fewest = field.grid.decomposition.narrowest(axis)
            if reads > fewest:
                raise DomainError(
                    f"{name}: the boundary condition at the {where} looks at {reads} points, and some rank has only "
                    f"{fewest} along that axis.\n    Use fewer ranks along it (dims=...)."
                )


def fill(field: Field, widths: Sequence[tuple[int, int]]) -> None:
    """Fill ghosts beyond the edges of the domain that this rank's block ends at, axis by axis.

    Points on the edge itself are given values too, where a condition says what they are. With widths of 0 nothing
    else is done.
    """
    with np.errstate(all="ignore"):  # corners that nothing reads may hold anything
        for axis, sides in enumerate(widths):
            for side, width in enumerate(sides):
                if field.grid.edges[axis][side] and (width or field.at.half[axis]):
                    condition = field.boundary[axis][side]
                    if condition is not None:
                        condition.fill(_edge(field, axis, side), width)


def _edge(field: Field, axis: int, side: int) -> Edge:
    grid = field.grid
    low, high = field.owned[axis]
    shift = field.ghosts[axis][0] - low

    def point(layer: int) -> int:
        return high - 1 + layer if side else low - layer

    def take(layer: int) -> Any:
        return field.array[(*(slice(None),) * axis, point(layer) + shift, ...)]  # the dots keep a point an array

    return Edge(
        take,
        field.at.half[axis],
        grid.spacing[axis] if side else -grid.spacing[axis],
        _coordinates(field, axis, point),
        grid.time,
    )


def _coordinates(field: Field, axis: int, point: Callable[[int], int]) -> Callable[[int], tuple[Any, ...]]:
    grid, at = field.grid, field.at

    def coordinates(layer: int) -> tuple[Any, ...]:
        found: list[Any] = []
        others = [other for other in range(grid.ndim) if other != axis]
        for other in range(grid.ndim):
            if other == axis:
                found.append(grid.coordinate(at, axis, np.asarray(point(layer)))[()])
                continue
            (low, high), (before, after) = field.owned[other], field.ghosts[other]
            line = grid.coordinate(at, other, np.arange(low - before, high + after))
            found.append(line.reshape([-1 if other == one else 1 for one in others]))
        return tuple(found)

    return coordinates
