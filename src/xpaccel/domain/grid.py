"""The grid: a box of cells, shared out among ranks, with coordinates."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from xpaccel.domain.communicator import communicator
from xpaccel.domain.decomposition import Decomposition, choose_dims, largest
from xpaccel.domain.exchange import Counters
from xpaccel.domain.location import Location, axis_name, location
from xpaccel.domain.part import Ranges
from xpaccel.errors import DomainError

if TYPE_CHECKING:
    from xpaccel.domain.checkpoint import Checkpoints
    from xpaccel.domain.field import Field
    from xpaccel.domain.random import Random


class Grid:
    """A box of equal cells in one, two or three dimensions, shared out among the ranks of a program.

    Collective: every rank makes the same grids in the same order.

    Parameters
    ----------
    shape
        Cells along each axis: a number, or one for each of up to three axes (x, y, z).
    spacing
        The width of a cell along each axis, in units of length; one number stands for all axes.
    origin
        The coordinates of the lower corner of the domain; one number stands for all axes.
    periodic
        Whether each axis wraps around; one truth value stands for all.
    comm
        A communicator of mpi4py's. Without one: all processes that a launcher (``mpiexec``, `xpaccel run`) started
        together; this process alone where none did.
    dims
        Into how many parts each axis is cut, one part a rank; 0 leaves the choice of that axis to xpaccel, which
        sends the least.

    Attributes
    ----------
    shape, spacing, origin, periodic
        As given, one entry for each axis.
    dims
        Into how many parts each axis is cut.
    rank, size
        The number of this rank, and how many there are.
    counters
        What has been exchanged: messages and bytes that this rank sent.
    time
        What boundary conditions that are functions of time are given as ``t``. Set it in a time loop.

    Raises
    ------
    DomainError
        If the numbers fit no grid, or no way of cutting it gives every rank a cell.

    Examples
    --------
    >>> import xpaccel as xpa
    >>> grid = xpa.Grid((4, 6), spacing=0.5, periodic=(False, True))
    >>> u = grid.field(init=lambda x, y: x + y, boundary="reflect")
    >>> float(u.max())
    4.5
    """

    def __init__(
        self,
        shape: int | Sequence[int],
        *,
        spacing: float | Sequence[float] = 1.0,
        origin: float | Sequence[float] = 0.0,
        periodic: bool | Sequence[bool] = False,
        comm: Any = None,
        dims: Sequence[int] | None = None,
    ) -> None:
        self.shape = _cells(shape)
        axes = len(self.shape)
        self.spacing = tuple(float(step) for step in _each(spacing, axes, "spacing"))
        self.origin = tuple(float(at) for at in _each(origin, axes, "origin"))
        self.periodic = tuple(bool(wraps) for wraps in _each(periodic, axes, "periodic"))
        if not all(step > 0 and math.isfinite(step) for step in self.spacing):
            raise DomainError(f"spacing is {spacing!r}; the width of a cell must be a positive number")
        self.time = 0.0
        self.comm = communicator(comm)
        self.rank, self.size = self.comm.rank, self.comm.size
        self.dims = self._dims(dims)
        self.decomposition = Decomposition(self.shape, self.dims, self.periodic)
        self.counters = Counters()
        #: How wide ghosts new fields get: as wide as any kernel has asked for yet, on each axis and side.
        self.ghosts = [[0, 0] for _ in range(axes)]

    def _dims(self, given: Sequence[int] | None) -> tuple[int, ...]:
        if given is None:
            return choose_dims(self.shape, self.size, self.periodic)
        dims = tuple(int(parts) for parts in given)
        if len(dims) != len(self.shape) or any(parts < 0 for parts in dims):
            raise DomainError(f"dims is {given!r}; give a number of parts for each of the {len(self.shape)} axes")
        fixed = math.prod(parts for parts in dims if parts)
        free = [axis for axis, parts in enumerate(dims) if not parts]
        if self.size % fixed or (not free and fixed != self.size):
            raise DomainError(f"dims is {given!r}: its parts do not make up the {self.size} ranks of this program")
        if free:
            chosen = iter(
                choose_dims(
                    [self.shape[axis] for axis in free], self.size // fixed, [self.periodic[axis] for axis in free]
                )
            )
            dims = tuple(parts or next(chosen) for parts in dims)
        for axis, (parts, cells) in enumerate(zip(dims, self.shape, strict=True)):
            if parts > cells:
                raise DomainError(
                    f"axis {axis_name(axis)} has {cells} cells and cannot be cut into {parts} parts.\n    Use at most "
                    f"{largest(self.shape, self.size)} ranks, or other dims."
                )
        return dims

    def __repr__(self) -> str:
        cells = " x ".join(map(str, self.shape))
        cut = " x ".join(map(str, self.dims))
        return f"<xpaccel grid of {cells} cells on {self.size} rank{'s' if self.size > 1 else ''} ({cut})>"

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @cached_property
    def cells(self) -> Ranges:
        """The first cell of this rank along each axis, and the one after its last."""
        return self.decomposition.cells(self.rank)

    @cached_property
    def edges(self) -> tuple[tuple[bool, bool], ...]:
        """For each axis, whether this rank's block ends at the low and at the high edge of the domain."""
        place = self.decomposition.position(self.rank)
        return tuple(
            (not wraps and part == 0, not wraps and part == parts - 1)
            for part, parts, wraps in zip(place, self.dims, self.periodic, strict=True)
        )

    def points(self, at: Location) -> tuple[int, ...]:
        """Return how many points the domain has along each axis at a location."""
        return tuple(
            at.points(axis, cells, wraps)
            for axis, (cells, wraps) in enumerate(zip(self.shape, self.periodic, strict=True))
        )

    def owned(self, at: Location, rank: int | None = None) -> Ranges:
        """Return the points of a rank, this one if none is named, at a location: ``(first, one after the last)``.

        A face between two ranks belongs to the one above it; the last face of a closed axis to the last rank.
        """
        cells = self.cells if rank is None else self.decomposition.cells(rank)
        return tuple(
            (low, high + (at.half[axis] and not self.periodic[axis] and high == self.shape[axis]))
            for axis, (low, high) in enumerate(cells)
        )

    def coordinates(self, at: str | Location = "cell") -> tuple[np.ndarray[Any, Any], ...]:
        """Return the coordinates of this rank's points, an array for each axis that broadcasts against the others.

        Parameters
        ----------
        at
            Where in the cells; see `field`.
        """
        where = location(at, self.ndim)
        return tuple(
            self.coordinate(where, axis, np.arange(low, high)).reshape(
                [-1 if other == axis else 1 for other in range(self.ndim)]
            )
            for axis, (low, high) in enumerate(self.owned(where))
        )

    def coordinate(self, at: Location, axis: int, points: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the coordinates along an axis of points by number. Along a periodic axis they wrap around."""
        if self.periodic[axis]:
            points = points % self.shape[axis]
        shift = 0.0 if at.half[axis] else 0.5
        return self.origin[axis] + (points + shift) * self.spacing[axis]

    def field(
        self,
        dtype: Any = np.float64,
        *,
        at: str | Location = "cell",
        boundary: Any = None,
        init: Any = None,
        name: str = "",
        units: str = "",
    ) -> Field:
        """Return a new field: a value for every point of the grid, of which each rank holds its own.

        Collective.

        Parameters
        ----------
        dtype
            Of its values.
        at
            Where in the cells they lie: ``"cell"`` (at the centre), ``"face x"`` (on the faces across the x axis, one
            more than cells unless the axis is periodic), ``"edge z"``, ``"node"``.
        boundary
            What lies beyond the edge of the domain, where kernels read there: a condition for all edges that are not
            periodic, or a mapping ``{"x": condition, "y": (low, high)}``. A condition is a number (a `Value`),
            ``"reflect"``, ``"gradient"``, ``"extrapolate"``, a function of the coordinates (and of ``t``), or
            `Value`, `Gradient`, `Reflect`, `Extrapolate` with parameters. Without one, a kernel that reads
            beyond the edge is refused.
        init
            Its first values: a number, a function of the coordinates (broadcastable arrays), an array of the whole
            domain (NumPy's, or anything that can be sliced into one, such as a Zarr array, of which each rank reads
            its own part). 0 without it.
        name, units
            For plots and files.
        """
        from xpaccel.domain.boundary import conditions
        from xpaccel.domain.field import Field, initial

        where = location(at, self.ndim)
        found = Field(self, np.dtype(dtype), where, conditions(boundary, self.periodic), name=name, units=units)
        initial(found, init)
        return found

    def checkpoints(
        self, folder: str | os.PathLike[str], *, every: int = 0, keep: int = 2, deadline: float | None = None
    ) -> Checkpoints:
        """Return what writes checkpoints of a time loop into a folder, and restores them.

        Parameters
        ----------
        folder
            Where they are; made where it is not there.
        every
            How many steps lie between two; 0 for none but when the program is stopped.
        keep
            How many are kept, the latest.
        deadline
            When the program must have stopped, in seconds since 1970 (`time.time`); ``XP_DEADLINE`` without it.

        Examples
        --------
        >>> saved = grid.checkpoints("run", every=100)  # doctest: +SKIP
        >>> for step in range(saved.restore(u=u), 1000):  # doctest: +SKIP
        ...     u = diffuse(u, 1.0, 0.1, 1.0)
        ...     saved.after(step + 1, u=u)
        """
        from xpaccel.domain.checkpoint import Checkpoints

        return Checkpoints(self, folder, every, keep, deadline)

    def random(self, seed: int) -> Random:
        """Return what draws random fields: the same on any number of ranks and on any target.

        Parameters
        ----------
        seed
            From 0 to 2**64 - 1. Two generators of one seed draw the same fields in the same order.
        """
        from xpaccel.domain.random import Random

        return Random(self, seed)


def _cells(shape: int | Sequence[int]) -> tuple[int, ...]:
    sizes = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    if not 1 <= len(sizes) <= 3:
        raise DomainError(f"shape is {shape!r}; a grid has one, two or three axes")
    for size in sizes:
        if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 1:
            raise DomainError(f"shape is {shape!r}; an axis has a whole number of cells, at least one")
    return tuple(int(size) for size in sizes)


def _each(given: Any, axes: int, name: str) -> Sequence[Any]:
    if isinstance(given, str):
        raise DomainError(f"{name} is {given!r}; give a number, or one for each axis")
    try:
        found = tuple(given)
    except TypeError:
        return (given,) * axes
    if len(found) != axes:
        raise DomainError(f"{name} is {given!r}; give one entry for each of the {axes} axes")
    return found
