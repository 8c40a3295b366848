"""Boundary conditions: what lies beyond the edge of the domain.

A kernel that reads beyond the edge reads *ghosts*, which a field's condition gives for each axis and side. Axes are
filled in order, each over the ghosts of those before it, as `numpy.pad` does, so that corners have values too.

In what follows the first point inside the domain is number 0, ghosts are 1, 2, ... steps outwards from it, and
inner points are -1, -2, ... For values at cell centres the edge of the domain lies between point 0 and ghost 1; for
values on faces across the axis it is point 0 itself.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from xpaccel.domain.location import axis_name
from xpaccel.errors import DomainError


@dataclass(frozen=True, slots=True)
class Edge:
    """One side of one axis of a field, for a condition to look at and to fill.

    Attributes
    ----------
    take
        Gives the layer of points of a number (see above), an array that may be written to.
    half
        Whether point 0 lies on the edge itself.
    spacing
        The step outwards along the axis: negative at the low side.
    coordinates
        Gives the coordinates of the layer of a number, one broadcastable array for each axis.
    time
        The grid's time.
    """

    take: Callable[[int], Any]
    half: bool
    spacing: float
    coordinates: Callable[[int], tuple[Any, ...]]
    time: float


class Condition(Protocol):
    """What lies beyond one side of an axis."""

    #: How many points inside the domain, or layers of them, it reads for so many ghosts.
    def reads(self, width: int, half: bool) -> int:
        """Return how many layers of points inside the domain it looks at to fill `width` ghosts."""

    def fill(self, edge: Edge, width: int) -> None:
        """Give values to `width` ghosts, and to the points on the edge if the condition says what they are."""


@dataclass(frozen=True, slots=True)
class Value:
    """Ghosts, and points on the edge itself, have a value.

    Parameters
    ----------
    value
        That value.
    """

    value: complex = 0.0

    def reads(self, width: int, half: bool) -> int:
        """None."""
        return 0

    def fill(self, edge: Edge, width: int) -> None:
        """Put the value there."""
        for layer in range(0 if edge.half else 1, width + 1):
            edge.take(layer)[...] = self.value


@dataclass(frozen=True, slots=True)
class Gradient:
    """The derivative along the axis is given: ghost k is ``u[0] + k * step * gradient``, `step` being outwards.

    Parameters
    ----------
    gradient
        The derivative, in the field's unit over the grid's.
    """

    gradient: float = 0.0

    def reads(self, width: int, half: bool) -> int:
        """Return that it looks at the first point (the second, where the first lies on the edge)."""
        return 2 if half else 1

    def fill(self, edge: Edge, width: int) -> None:
        """Go on with that slope. A point on the edge gets the value that the slope gives it, too."""
        first = -1 if edge.half else 0
        inner = edge.take(first)
        for layer in range(first + 1, width + 1):
            edge.take(layer)[...] = inner + (layer - first) * edge.spacing * self.gradient


@dataclass(frozen=True, slots=True)
class Reflect:
    """Ghosts mirror the inside, about the edge of the domain.

    Parameters
    ----------
    odd
        Whether with the opposite sign; points on the edge itself are then 0.
    """

    odd: bool = False

    def reads(self, width: int, half: bool) -> int:
        """Return that it looks at as many points as there are ghosts."""
        return width + half

    def fill(self, edge: Edge, width: int) -> None:
        """Mirror."""
        if self.odd and edge.half:
            edge.take(0)[...] = 0
        for layer in range(1, width + 1):
            inner = edge.take(-layer if edge.half else 1 - layer)
            edge.take(layer)[...] = -inner if self.odd else inner


@dataclass(frozen=True, slots=True)
class Extrapolate:
    """Ghosts lie on the polynomial through the outermost points.

    Parameters
    ----------
    order
        Of the polynomial: 0 repeats the outermost value, 1 goes on with the last slope.
    """

    order: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.order <= 3:
            raise DomainError(f"extrapolation of order {self.order} is not offered; take 0, 1, 2 or 3")

    def reads(self, width: int, half: bool) -> int:
        """Return that a polynomial of order n needs n + 1 points."""
        return self.order + 1

    def fill(self, edge: Edge, width: int) -> None:
        """Put the polynomial's values there (Lagrange's form, at whole numbers)."""
        points = range(self.order + 1)
        inner = [edge.take(-point).copy() for point in points]
        for layer in range(1, width + 1):
            total = 0
            for point in points:
                others = [other for other in points if other != point]
                over = math.prod(layer + other for other in others)
                total = total + inner[point] * (over // math.prod(other - point for other in others))
            edge.take(layer)[...] = total


@dataclass(frozen=True, slots=True)
class Function:
    """Ghosts, and points on the edge itself, have the values of a function of where they are and of the time.

    Parameters
    ----------
    function
        Called with the coordinates, broadcastable arrays by position (``x, y, ...``), and with the grid's time as
        ``t=`` if it has such a parameter.
    """

    function: Callable[..., Any]

    def reads(self, width: int, half: bool) -> int:
        """None."""
        return 0

    def fill(self, edge: Edge, width: int) -> None:
        """Call the function for each layer."""
        more = {"t": edge.time} if takes_time(self.function) else {}
        for layer in range(0 if edge.half else 1, width + 1):
            edge.take(layer)[...] = self.function(*edge.coordinates(layer), **more)


def takes_time(function: Callable[..., Any]) -> bool:
    """Whether a function has a parameter ``t`` that may be given by name."""
    parameter = inspect.signature(function).parameters.get("t")
    return parameter is not None and parameter.kind is not parameter.POSITIONAL_ONLY


_WORDS: dict[str, Condition] = {
    "reflect": Reflect(),
    "gradient": Gradient(),
    "extrapolate": Extrapolate(),
    "value": Value(),
}

#: The conditions of an axis at its low and its high side; None where there are none, as along a periodic axis.
Sides = tuple[Condition | None, Condition | None]


def condition(given: Any, where: str) -> Condition | None:
    """Return the condition that was meant: a condition, a number, a function, a word or None.

    Raises
    ------
    DomainError
        If it is none of these.
    """
    if given is None or (hasattr(given, "fill") and hasattr(given, "reads")):
        return given  # type: ignore[no-any-return]
    if isinstance(given, str):
        if given in _WORDS:
            return _WORDS[given]
        raise DomainError(
            f"there is no boundary condition {given!r} ({where}); there are: {', '.join(map(repr, _WORDS))}, a number, "
            "a function of the coordinates, and xpa.Value, Gradient, Reflect, Extrapolate. "
            "Periodic axes are the grid's: xpa.Grid(..., periodic=True)."
        )
    if isinstance(given, bool):
        raise DomainError(f"{given!r} is no boundary condition ({where})")
    if isinstance(given, int | float | complex):
        return Value(given)
    if callable(given):
        return Function(given)
    raise DomainError(f"{given!r} is no boundary condition ({where})")


def conditions(given: Any, periodic: Sequence[bool]) -> tuple[Sides, ...]:
    """Return the conditions of each axis and side.

    Parameters
    ----------
    given
        One condition for every edge that is not periodic; or a mapping from ``"x"``, ``"y"``, ``"z"`` to a condition,
        or to a pair of them, for the low and the high side.
    periodic
        Whether each axis wraps around; such an axis has no condition.

    Raises
    ------
    DomainError
        If what was given is no condition, or is one for a periodic axis or an axis that is not there.
    """
    names = [axis_name(axis) for axis in range(len(periodic))]
    if isinstance(given, Mapping):
        for name in given:
            if name not in names:
                raise DomainError(f"boundary: there is no axis {name!r}; there are: {', '.join(names)}")
            if periodic[names.index(name)]:
                raise DomainError(f"boundary: axis {name} is periodic and has no edge")
        by_axis = [given.get(name) for name in names]
    else:
        by_axis = [None if wraps else given for wraps in periodic]
    found: list[Sides] = []
    for name, sides in zip(names, by_axis, strict=True):
        if isinstance(sides, tuple | list):
            if len(sides) != 2:
                raise DomainError(f"boundary of axis {name}: give one condition, or two: (low side, high side)")
            low, high = sides
        else:
            low = high = sides
        found.append((condition(low, f"axis {name}, low side"), condition(high, f"axis {name}, high side")))
    return tuple(found)
