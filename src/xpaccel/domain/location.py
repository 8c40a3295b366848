"""Where in a cell the values of a field lie: at its centre, on a face, on an edge, at a corner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from xpaccel.errors import DomainError

NAMES = "xyz"


def axis_name(axis: int) -> str:
    """Return the name of an axis of a grid."""
    return NAMES[axis]


@dataclass(frozen=True)
class Location:
    """A place in the cell, the same in every cell.

    Parameters
    ----------
    half
        For each axis: whether the values lie on the lower faces of the cells instead of at their centres.
    """

    half: tuple[bool, ...]

    @cached_property
    def name(self) -> str:
        """What the location is called: ``"cell"``, ``"face x"``, ``"edge z"`` or ``"node"``."""
        normal = [axis_name(axis) for axis, half in enumerate(self.half) if half]
        if not normal:
            return "cell"
        if len(normal) == 1:
            return f"face {normal[0]}"
        if len(normal) == len(self.half):
            return "node"
        (along,) = (axis_name(axis) for axis, half in enumerate(self.half) if not half)
        return f"edge {along}"

    def points(self, axis: int, cells: int, periodic: bool) -> int:
        """Return how many values there are along an axis of `cells` cells: a closed axis has a face more than cells."""
        return cells + (self.half[axis] and not periodic)

    def __str__(self) -> str:
        return self.name


def location(at: str | Location, axes: int) -> Location:
    """Return the location of that name on a grid with so many axes.

    Parameters
    ----------
    at
        ``"cell"``; ``"face x"``: the faces across the x axis; ``"edge z"`` (in three dimensions): the edges along the
        z axis; ``"node"``: the corners.
    axes
        Of the grid.

    Raises
    ------
    DomainError
        If there is none of that name.
    """
    if isinstance(at, Location):
        if len(at.half) != axes:
            raise DomainError(f"a location of {len(at.half)} axes does not fit a grid of {axes}")
        return at
    known = {found.name: found for found in all_locations(axes)}
    if axes == 1:
        known["node"] = known["face x"]
    if at not in known:
        raise DomainError(f"there is no location {at!r} on a grid of {axes} axes; there are: {', '.join(known)}")
    return known[at]


def all_locations(axes: int) -> Sequence[Location]:
    """Return every location of a grid of so many axes."""
    return [Location(tuple(bool(bits >> axis & 1) for axis in range(axes))) for bits in range(2**axes)]
