"""A field: a value for every point of a grid, of which each rank holds its own and a rim of ghosts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xpaccel import active
from xpaccel.backends.base import Memory
from xpaccel.domain import edges, reduce
from xpaccel.domain.boundary import Sides
from xpaccel.domain.grid import Grid
from xpaccel.domain.location import Location, axis_name
from xpaccel.domain.part import Ranges
from xpaccel.errors import DomainError

Ghosts = tuple[tuple[int, int], ...]


class Field:
    """A value for every point of a grid.

    Made by `Grid.field`, and by calling kernels on fields. The arithmetic operators and NumPy's ufuncs work point by
    point on fields of one grid and location, with numbers among them.

    Attributes
    ----------
    grid
        The grid.
    at
        Where in the cells the values lie.
    dtype
        Of the values.
    boundary
        For each axis, the conditions at the low and the high edge.
    name, units
        For plots and files.
    """

    __slots__ = ("array", "at", "boundary", "dtype", "ghosts", "grid", "memory", "name", "owned", "units")
    __hash__ = object.__hash__

    def __init__(
        self,
        grid: Grid,
        dtype: np.dtype[Any],
        at: Location,
        boundary: tuple[Sides, ...],
        *,
        memory: Memory | None = None,
        array: Any = None,
        name: str = "",
        units: str = "",
    ) -> None:
        """Make a field in the active backend's memory, or another, of undefined values or those of an `array`.

        The array has ghosts as wide as the grid's are now.
        """
        if dtype.kind not in "biufc":
            raise DomainError(f"a field cannot have dtype {dtype}: its values are numbers or truth values")
        self.grid, self.dtype, self.at, self.boundary, self.name, self.units = grid, dtype, at, boundary, name, units
        self.memory: Memory = active.current().memory if memory is None else memory
        self.owned: Ranges = grid.owned(at)
        self.ghosts: Ghosts = tuple((low, high) for low, high in grid.ghosts)
        self.array = self.memory.empty(self.extent(self.ghosts), dtype) if array is None else array

    def __repr__(self) -> str:
        points = " x ".join(map(str, self.shape))
        name = f" {self.name!r}" if self.name else ""
        return f"<xpaccel field{name} of {points} {self.dtype} at {self.at}, rank {self.grid.rank} of {self.grid.size}>"

    # -- what a rank holds ------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The points of the whole domain along each axis."""
        return self.grid.points(self.at)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.owned)

    @property
    def local(self) -> Any:
        """The values of this rank's own points, without ghosts: a view that may be written to."""
        return self.part(self.owned)

    @property
    def coordinates(self) -> tuple[np.ndarray[Any, Any], ...]:
        """The coordinates of this rank's own points; see `Grid.coordinates`."""
        return self.grid.coordinates(self.at)

    def extent(self, ghosts: Ghosts) -> tuple[int, ...]:
        """Return the shape of an array that holds this rank's points with such ghosts."""
        return tuple(
            high - low + before + after for (low, high), (before, after) in zip(self.owned, ghosts, strict=True)
        )

    def part(self, ranges: Ranges) -> Any:
        """Return the values at ranges of points (ghosts included) that this rank holds: a view."""
        return self.array[
            tuple(
                slice(low - first + before, high - first + before)
                for (low, high), (first, _), (before, _) in zip(ranges, self.owned, self.ghosts, strict=True)
            )
        ]

    def widen(self, ghosts: Sequence[Sequence[int]]) -> None:
        """Hold ghosts at least so wide."""
        if all(have[0] >= want[0] and have[1] >= want[1] for have, want in zip(self.ghosts, ghosts, strict=True)):
            return
        wider = tuple(
            (max(have[0], want[0]), max(have[1], want[1])) for have, want in zip(self.ghosts, ghosts, strict=True)
        )
        own = self.local
        self.array, self.ghosts = self.memory.empty(self.extent(wider), self.dtype), wider
        self.local[...] = own

    def gather(self, root: int | None = None) -> np.ndarray[Any, Any] | None:
        """Return the whole field as a NumPy array. Collective.

        Parameters
        ----------
        root
            The rank that gets it, None on the others; every rank gets it where this is left out.

        Returns
        -------
        numpy.ndarray or None
            Of shape `shape`.
        """
        parts = self.grid.comm.gather(np.ascontiguousarray(active.asnumpy(self.local)))
        if root is not None and self.grid.rank != root:
            return None
        whole = np.empty(self.shape, self.dtype)
        for rank, values in enumerate(parts):
            whole[tuple(slice(low, high) for low, high in self.grid.owned(self.at, rank))] = values
        return whole

    def copy(self) -> Field:
        """Return a field with the same values in memory of its own."""
        found = self._made(self.local)
        found.name, found.units = self.name, self.units
        return found

    # -- reductions -------------------------------------------------------------------------------

    def sum(self, *, reproducible: bool = True) -> Any:
        """Return the sum of all values. Collective.

        Parameters
        ----------
        reproducible
            The same bits for any number of ranks and threads and any decomposition; False is faster.
        """
        return reduce.total(self.grid.comm, self.local, reproducible=reproducible)

    def mean(self, *, reproducible: bool = True) -> Any:
        """Return the mean of all values. Collective; see `sum`."""
        return reduce.mean(self.grid.comm, self.local, math.prod(self.shape), reproducible=reproducible)

    def dot(self, other: Field, *, reproducible: bool = True) -> Any:
        """Return the sum of the products with another field's values, this one conjugated. Collective; see `sum`."""
        self._must_match(other)
        return reduce.dot(self, other, reproducible=reproducible)

    def norm(self, *, reproducible: bool = True) -> Any:
        """Return the root of the sum of squared magnitudes. Collective; see `sum`."""
        return reduce.norm(self, reproducible=reproducible)

    def max(self) -> Any:
        """Return the largest value, NaN if there is one. Collective."""
        return reduce.extreme(self.grid.comm, self.local, "max")

    def min(self) -> Any:
        """Return the smallest value, NaN if there is one. Collective."""
        return reduce.extreme(self.grid.comm, self.local, "min")

    def any(self) -> bool:
        """Return whether any value is not 0. Collective."""
        return reduce.truth(self.grid.comm, self.local, "any")

    def all(self) -> bool:
        """Return whether no value is 0. Collective."""
        return reduce.truth(self.grid.comm, self.local, "all")

    # -- pictures and files -----------------------------------------------------------------------

    def to_xarray(self, root: int | None = None) -> Any:
        """Return the whole field as an `xarray.DataArray` with coordinates. Collective.

        Parameters
        ----------
        root
            The rank that gets it, None on the others; every rank gets it where this is left out.
        """
        import xarray as xr

        whole = self.gather(root)
        if whole is None:
            return None
        dims = [axis_name(axis) for axis in range(self.ndim)]
        coordinates = {
            name: self.grid.coordinate(self.at, axis, np.arange(size))
            for axis, (name, size) in enumerate(zip(dims, self.shape, strict=True))
        }
        attributes = {"at": self.at.name} | ({"units": self.units} if self.units else {})
        return xr.DataArray(whole, coordinates, dims, self.name or None, attributes)

    def plot(self, path: Any = None, **options: Any) -> Any:
        """Draw the field: a line, a map, or the middle slice of three dimensions. Collective; rank 0 draws.

        Parameters
        ----------
        path
            Where the picture is written; without one, the matplotlib axes are returned (on rank 0).
        **options
            For `xarray.DataArray.plot`: ``cmap``, ``vmin``, ...
        """
        found = self.to_xarray(root=0)
        if found is None:
            return None
        from matplotlib import pyplot as plt

        if self.ndim == 3:
            found = found.isel(z=found.sizes["z"] // 2)
        if self.ndim > 1:
            options = {"x": "x", "y": "y"} | options
        figure, axes = plt.subplots(layout="constrained")
        found.plot(ax=axes, **options)
        if path is None:
            return axes
        figure.savefig(path)
        plt.close(figure)
        return None

    # -- kernels ----------------------------------------------------------------------------------

    def __xpaccel_kernel__(self, dispatcher: Any, leaves: list[Any], tree: Any) -> Any:
        """Run a kernel that is called on fields."""
        from xpaccel.domain.driver import run

        return run(dispatcher, leaves, tree)

    # -- point by point ---------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Apply a ufunc of NumPy's to each rank's own points."""
        if method != "__call__" or kwargs.keys() - {"dtype", "casting"}:
            return NotImplemented
        values = []
        for item in inputs:
            if isinstance(item, Field):
                self._must_match(item)
                values.append(item.local)
            elif isinstance(item, int | float | complex | np.generic) or getattr(item, "ndim", None) == 0:
                values.append(item)
            else:
                return NotImplemented
        results = ufunc(*values, **kwargs)
        return tuple(map(self._made, results)) if isinstance(results, tuple) else self._made(results)

    def _must_match(self, other: Field) -> None:
        if other.grid is not self.grid or other.at != self.at:
            raise DomainError(
                f"{self!r} and {other!r} do not belong to the same points: fields that are combined point by point "
                "need one grid and one location."
            )

    def _made(self, values: Any) -> Field:
        found = Field(self.grid, values.dtype, self.at, self.boundary, memory=self.memory)
        found.local[...] = values
        return found

    def _update(self, ufunc: Any, other: Any) -> Field:
        """Apply a ufunc in place."""
        if isinstance(other, Field):
            self._must_match(other)
            other = other.local
        elif not isinstance(other, int | float | complex | np.generic):
            return NotImplemented  # type: ignore[no-any-return]
        ufunc(self.local, other, out=self.local)
        return self

    def astype(self, dtype: Any) -> Field:
        """Return a field of these values cast to another dtype."""
        return self._made(self.local.astype(dtype))

    def __bool__(self) -> bool:
        raise DomainError("a field has no truth value; say what you mean: field.any(), field.all()")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise DomainError(
            "a field is not turned into an array silently, as each rank holds a part only.\n    field.gather() is the "
            "whole as a NumPy array; field.local is this rank's part; call a kernel (@xpa.kernel) on the field itself."
        )


def _operator(ufunc: np.ufunc, swapped: bool = False) -> Callable[[Field, Any], Any]:
    def apply(self: Field, other: Any) -> Any:
        return self.__array_ufunc__(ufunc, "__call__", *((other, self) if swapped else (self, other)))

    return apply


def _in_place(ufunc: np.ufunc) -> Callable[[Field, Any], Field]:
    return lambda self, other: self._update(ufunc, other)


_BINARY = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "truediv": np.true_divide,
    "floordiv": np.floor_divide,
    "mod": np.remainder,
    "pow": np.power,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}
for _name, _ufunc in _BINARY.items():
    setattr(Field, f"__{_name}__", _operator(_ufunc))
    setattr(Field, f"__r{_name}__", _operator(_ufunc, swapped=True))
    setattr(Field, f"__i{_name}__", _in_place(_ufunc))
for _name, _ufunc in {
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
}.items():
    setattr(Field, f"__{_name}__", _operator(_ufunc))
for _name, _one in {"neg": np.negative, "abs": np.absolute, "invert": np.invert, "pos": np.positive}.items():
    setattr(Field, f"__{_name}__", (lambda ufunc: lambda self: self.__array_ufunc__(ufunc, "__call__", self))(_one))


def initial(field: Field, given: Any) -> None:
    """Give a field its first values, and ghosts that are numbers. See `Grid.field`.

    Raises
    ------
    DomainError
        If `given` does not have the shape of the field.
    """
    field.array[...] = 0
    if given is None:
        return
    memory = field.memory
    if isinstance(given, Field):
        field._must_match(given)
        field.local[...] = given.local
    elif callable(given):
        values = np.asarray(given(*field.coordinates))
        own = field.local
        if values.ndim > own.ndim or any(
            have not in (1, want) for have, want in zip(reversed(values.shape), reversed(own.shape), strict=False)
        ):
            raise DomainError(
                f"init gave an array of shape {values.shape} where this rank has {own.shape} points. It is called with "
                "the coordinates of a rank's own points and must return an array that broadcasts to them."
            )
        own[...] = memory.upload(values.astype(field.dtype))
    elif np.ndim(given) == 0 and not hasattr(given, "shape"):
        field.local[...] = given
    else:
        if tuple(np.shape(given)) not in ((), field.shape):
            raise DomainError(f"init has shape {np.shape(given)}, and the field has {field.shape} points")
        own_part = given[tuple(slice(low, high) for low, high in field.owned)] if np.ndim(given) else given
        if not isinstance(own_part, memory.array_type):
            own_part = memory.upload(np.asarray(own_part))
        field.local[...] = own_part
    edges.fill(field, ((0, 0),) * field.ndim)
