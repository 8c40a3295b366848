"""The loop program, as plain data: what printers print, interpreters interpret and drivers run.

A `LoopProgram` is a sequence of steps over arrays: nests, and calls of library functions. A `Nest` runs
its values and stores once for every point of a box of its index space. All its points are independent (a
reduction's apart), so a driver may cut the box anywhere and run the pieces in any order, on any number of
threads. The exception is marked (`Nest.ordered`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from xpaccel.graph.affine import Affine, Symbol
from xpaccel.graph.scalar import ScalarExpr

#: The operation of `OPS` that combines two elements of a reduction.
COMBINE = {
    "sum": "add",
    "prod": "multiply",
    "max": "maximum",
    "min": "minimum",
    "any": "logical_or",
    "all": "logical_and",
}


#: How many partial results a reduction along the innermost axis keeps side by side.
LANES = 64
#: How many elements of an innermost axis are reduced before their total is added to the rest.
BLOCK = 16 * LANES
#: Up to this many partial results are combined in order.
IN_ORDER = 8
#: How many elements of a one-dimensional array make one unit of parallel work in a reduction.
TASK = 16 * BLOCK


def identity_of(kind: str, dtype: np.dtype[Any]) -> Any:
    """Return the value that changes nothing under a reduction of that kind."""
    if kind in ("max", "min"):
        if dtype.kind == "b":
            return dtype.type(kind == "min")
        if dtype.kind == "f":
            return dtype.type(-np.inf if kind == "max" else np.inf)
        info = np.iinfo(dtype)
        return dtype.type(info.min if kind == "max" else info.max)
    return dtype.type(kind in ("prod", "all"))


@dataclass(frozen=True, slots=True)
class Blocks:
    """The extent ``ceil(size / length)``: how many blocks of `length` cover `size` elements."""

    size: Affine
    length: int

    def value(self, sizes: Mapping[Symbol, int]) -> int:
        """Return the extent for given sizes."""
        return -(-self.size.value(sizes) // self.length)

    def __str__(self) -> str:
        return f"ceil(({self.size})/{self.length})"


@dataclass(frozen=True, slots=True)
class Product:
    """The extent of several axes as one."""

    factors: tuple[Affine, ...]

    def value(self, sizes: Mapping[Symbol, int]) -> int:
        """Return the extent for given sizes."""
        return prod(factor.value(sizes) for factor in self.factors)

    def __str__(self) -> str:
        return " * ".join(f"({factor})" for factor in self.factors)


Extent = Affine | Blocks | Product


@dataclass(frozen=True, slots=True)
class Array:
    """Memory that nests read and write.

    Parameters
    ----------
    name
        Stable and unique in its program: ``a0`` (argument), ``o0`` (output), ``t0`` (temporary).
    role
        ``"argument"``, ``"output"`` or ``"temporary"``.
    slot
        The number of the argument or output; counts the temporaries.
    dtype, shape
        Of its elements, and its extents.
    unit
        The axis that is known to be contiguous (stride of one element), None if none is. Outputs and
        temporaries are C-contiguous as a whole.
    """

    name: str
    role: str
    slot: int
    dtype: str
    shape: tuple[Extent, ...]
    unit: int | None


@dataclass(frozen=True, slots=True)
class Position:
    """Where along one axis of an array a nest reads or writes: ``start + step * i[axis]``.

    `axis` is an axis of the nest, or -1 for a position that does not move (`step` is 0 then).
    """

    start: Affine
    axis: int = -1
    step: int = 0

    def __str__(self) -> str:
        if self.axis < 0:
            return str(self.start)
        index = f"{'-' if self.step < 0 else ''}{'' if abs(self.step) == 1 else f'{abs(self.step)}*'}i{self.axis}"
        start = str(self.start)
        return index if start == "0" else f"{index}{'' if start.startswith('-') else '+'}{start}"


Index = tuple[Position, ...]

#: ``(axis of the array, step)`` of each computed position.
Moves = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a nest's body, in SSA form; arguments are positions of earlier values.

    ``op`` is a name of `OPS`, ``astype``, or

    ==========  ===============  ===================================================
    ``load``    (array, Index)   an element of an array (by number)
    ``scalar``  (number,)        a run-time scalar of the program
    ``const``   (repr,)          a literal
    ``index``   (Position,)      a position itself, as int64
    ``place``   (check,)         where NumPy's index, the argument, points to on the axis of the nest's
                                 check of that number: ``i + size`` where it is negative. Where that is
                                 outside, the check has failed and the value is 0.
    ``gather``  (array, Index,   an element of an array. Along each of the `Moves` the position is the
                Moves)           index's, which does not move, plus step times the next argument.
    ==========  ===============  ===================================================
    """

    op: str
    args: tuple[int, ...]
    dtype: str
    data: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Store:
    """Put a value into an element of an array.

    Parameters
    ----------
    array, index
        Where.
    value
        What: the number of a value of the body.
    mode
        ``"set"``, or a kind of `REDUCTIONS`: the value is combined with the element that is there, which is
        cast to the dtype of the value before and back after.
    args, moves
        Computed positions, as of a ``gather``. Where a check of the point has failed nothing is stored.
    where
        -1, or the number of a bool of the body: nothing is stored where it is false.
    is_atomic
        Whether other points may store into the same element, in any order: combining is indivisible.
    """

    array: int
    index: Index
    value: int
    mode: str = "set"
    args: tuple[int, ...] = ()
    moves: Moves = ()
    where: int = -1
    is_atomic: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """What a ``place`` is checked against.

    Parameters
    ----------
    size
        The size of the axis; never 0.
    line
        Where the user indexed.
    """

    size: Affine
    line: str


@dataclass(frozen=True, slots=True)
class Reduction:
    """Values of the nest, reduced over some of its axes; each `Store` takes the result of one.

    The order is fixed and a function of the extents alone. Let ``n`` be the extent of the innermost
    axis of the nest.

    * Innermost axis reduced: it is cut into blocks of `BLOCK`. In a block of ``m`` elements, lane
      ``l`` of ``w = min(m, LANES)`` takes elements ``l, l + w, ...`` in order; lanes are then
      combined by halving: ``lane[l] op= lane[l + ceil(w/2)]`` until one is left, but up to
      `IN_ORDER` of them in order, as NumPy does. Block totals are
      combined in order of the other reduced axes, then of the blocks; sums of floats with the
      rounding errors carried along (Neumaier's compensated summation, as TwoSum) and added last.
    * Innermost axis kept: in order of the reduced axes, as NumPy does.

    Parameters
    ----------
    kinds
        One of `REDUCTIONS` for each store.
    axes
        Axes of the nest that are reduced.
    block
        0, or the number of elements that one point of axis 0 stands for: the nest then has the two
        axes (block number, element), and the second runs over that block's elements only.
    """

    kinds: tuple[str, ...]
    axes: tuple[int, ...]
    block: int = 0


@dataclass(frozen=True, slots=True)
class Nest:
    """Values and stores for every point of a box.

    Parameters
    ----------
    extents
        The index space, outermost axis first; at least one axis.
    box
        ``(low, high)`` of each axis: the part of the index space that is run.
    values
        The body, in order.
    stores
        What it writes, after all loads of the point. No two points touch the same element unless
        both only read it, the store is atomic, or the nest is `ordered`.
    reduction
        None, or how the values of the stores are reduced.
    lines
        Where in the user's source this comes from.
    checks
        What the places of the body are checked against. If any failed, IndexError is raised once the nests
        have run (on a device, when that is next seen), and what the program wrote is of no use.
    ordered
        Whether several points may store into one element: the meaning is that of the points in C order.
        `xpaccel.loops.scatter` makes nests of it that many threads can run.
    runs
        -1, or the number of an array of one axis, as long as axis 0. Of an ordered nest, points that are equal but
        for axis 0 touch the same element if and only if the array's elements there are equal, and equal ones
        follow each other. So each run of them may go on its own.
    """

    extents: tuple[Extent, ...]
    box: tuple[tuple[Affine, Extent], ...]
    values: tuple[Value, ...]
    stores: tuple[Store, ...]
    reduction: Reduction | None = None
    lines: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    ordered: bool = False
    runs: int = -1


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the target's namespace, on whole arrays in memory.

    Parameters
    ----------
    function
        Its dotted name: ``"linalg.solve"``.
    arguments
        ``(keyword, value)`` pairs.
    inputs
        The numbers of its array arguments.
    outputs
        ``(which of its results, number of the array)``. The arrays are not there before: the results
        become them, as C-contiguous arrays.
    nests
        How many nests run before it.
    line
        Where in the user's source it comes from.
    """

    function: str
    arguments: tuple[tuple[str, Any], ...]
    inputs: tuple[int, ...]
    outputs: tuple[tuple[int, int], ...]
    nests: int
    line: str = ""


@dataclass(frozen=True, slots=True)
class Chain:
    """Consecutive nests that may be run row by row: all of them at one point of their leading axes, then the next.

    They may as well be run one after the other; the result is the same, bit for bit.

    Parameters
    ----------
    first, last
        The numbers of the first nest and of the one after the last.
    lead
        How many leading axes they share. Their extents and boxes are equal along these, and none is reduced.
    """

    first: int
    last: int
    lead: int


@dataclass(frozen=True, slots=True)
class LoopProgram:
    """A traced kernel as loops.

    Parameters
    ----------
    arrays
        All memory, by number.
    owners
        For each array, the number of the array whose memory it is (itself, but for reshapes).
    nests
        In order of execution.
    scalars
        ``(expression, dtype)``: the run-time Python numbers, and what they are cast to.
    outputs
        For each output of the graph, the number of its array.
    notes
        What was not fused, and why.
    calls
        Library functions, in order of execution among themselves and the nests.
    chains
        Nests that may be run row by row, in order; no call stands between the nests of one.
    """

    arrays: tuple[Array, ...]
    owners: tuple[int, ...]
    nests: tuple[Nest, ...]
    scalars: tuple[tuple[ScalarExpr, str], ...]
    outputs: tuple[int, ...]
    notes: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    chains: tuple[Chain, ...] = ()

    def part(self, first: int, last: int) -> LoopProgram:
        """Return the program of the nests from `first` to before `last`, between two calls."""
        chains = tuple(
            Chain(chain.first - first, chain.last - first, chain.lead)
            for chain in self.chains
            if first <= chain.first < last
        )
        return replace(self, nests=self.nests[first:last], calls=(), chains=chains)

    @property
    def steps(self) -> tuple[tuple[Nest, ...] | Call, ...]:
        """What is run in order: runs of nests, and calls between them."""
        found: list[tuple[Nest, ...] | Call] = []
        done = 0
        for call in self.calls:
            if call.nests > done:
                found.append(self.nests[done : call.nests])
            found.append(call)
            done = call.nests
        if done < len(self.nests):
            found.append(self.nests[done:])
        return tuple(found)
