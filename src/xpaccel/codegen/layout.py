"""Addresses: how the loads and stores of a nest become streams through memory.

A *stream* is a set of loads and stores that walk an array along the same line: they share one
pointer, which the driver puts at the first of them, and differ by constant offsets along the
contiguous axis. What a nest must be told at run time is then data, in the order in which the
driver writes it down:

* ``ints``: the address of each stream, the strides (in elements) that its loops and computed positions
  multiply with, the bounds of its loops (but for the one that is cut between threads), where its ``index``
  values start, its integer scalars, and, where it has checks, their sizes and the address of a status: an
  int64, 0 before the nest, in which it sets bit k (at most `LAST_CHECK`) where check k fails;
* ``floats``: its floating scalars (a complex one takes two).

Offsets and extents are nowhere in the source, so nests that differ in them alone, such as the
peeled edges of a periodic stencil, are one compiled function.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xpaccel.graph.affine import Affine
from xpaccel.loops.program import Check, Index, LoopProgram, Moves, Nest, Position
from xpaccel.ops import dtype_kind

#: The highest bit of a status: checks from this number on share it.
LAST_CHECK = 62
#: An axis of fewer points than this is not worth cutting between threads.
SHORT = 16


@dataclass(frozen=True, slots=True)
class Stream:
    """One pointer: array, the place of its first element, and its step per loop.

    `terms` gives, for each nest axis, the ``(stride number, step)`` pairs whose products are summed
    to the distance, in elements, between neighbouring points; stride number -1 is the unit stride.
    """

    array: int
    starts: tuple[Affine, ...]
    terms: tuple[tuple[tuple[int, int], ...], ...]
    scope: int


@dataclass(frozen=True, slots=True)
class Layout:
    """What the code of a nest needs to be told, and where.

    Attributes
    ----------
    streams
        The pointers, ``ints[0:]``.
    strides
        ``(array, axis)``, after the streams.
    bounds
        The axes whose ``(low, high)`` follow the strides.
    indices
        The `Position` of each ``index`` value; their starts follow the bounds.
    integers, floats
        Numbers of the program's scalars that the nest uses, of integer and of other dtypes.
    parallel
        The axis whose bounds are the function's own arguments.
    places
        For each load and store, ``(stream number, offset)``.
    scopes
        How many distinct memories the nest touches.
    checks
        What places are checked against.
    gathered
        The arrays with computed positions, which may be anywhere in them.
    """

    streams: tuple[Stream, ...]
    strides: tuple[tuple[int, int], ...]
    bounds: tuple[int, ...]
    indices: tuple[Position, ...]
    integers: tuple[int, ...]
    floats: tuple[int, ...]
    parallel: int
    places: dict[tuple[int, Index], tuple[int, int]]
    scopes: int
    checks: tuple[Check, ...] = ()
    gathered: tuple[int, ...] = ()

    @property
    def first_stride(self) -> int:
        """The place of the first stride in ``ints``."""
        return len(self.streams)

    @property
    def first_bound(self) -> int:
        """The place of the first bound in ``ints``."""
        return self.first_stride + len(self.strides)

    @property
    def first_index(self) -> int:
        """The place of the first start of an ``index`` value in ``ints``."""
        return self.first_bound + 2 * len(self.bounds)

    @property
    def first_integer(self) -> int:
        """The place of the first integer scalar in ``ints``."""
        return self.first_index + len(self.indices)

    @property
    def first_check(self) -> int:
        """The place of the size of the first check in ``ints``."""
        return self.first_integer + len(self.integers)

    @property
    def status(self) -> int:
        """The place of the address of the status in ``ints``, where there are checks."""
        return self.first_check + len(self.checks)

    @property
    def size(self) -> int:
        """The length of ``ints``."""
        return self.status + bool(self.checks)

    def failed(self, status: int) -> tuple[Check, ...]:
        """Return the checks that a status says have failed; of those that share a bit, the first."""
        return tuple(check for bit, check in enumerate(self.checks[: LAST_CHECK + 1]) if status >> bit & 1)


@dataclass(frozen=True, slots=True)
class NestCode:
    """The source of a nest and what it must be told."""

    source: str
    layout: Layout


@dataclass
class _Streams:
    program: LoopProgram
    axes: int
    streams: dict[tuple[int, Index], int] = field(default_factory=dict)
    found: list[Stream] = field(default_factory=list)
    origins: list[int] = field(default_factory=list)
    strides: dict[tuple[int, int], int] = field(default_factory=dict)
    scopes: dict[int, int] = field(default_factory=dict)

    def place(self, array: int, index: Index) -> tuple[int, int]:
        """Return the stream of an element and the offset in it."""
        unit = self.program.arrays[array].unit
        origin = 0
        key = index
        if unit is not None:
            along = index[unit]
            origin = along.start.const
            key = (*index[:unit], Position(along.start - origin, along.axis, along.step), *index[unit + 1 :])
        number = self.streams.get((array, key))
        if number is None:
            number = self.streams[array, key] = len(self.found)
            self.origins.append(origin)
            self.found.append(self._stream(array, index, unit))
        return number, origin - self.origins[number]

    def _stream(self, array: int, index: Index, unit: int | None) -> Stream:
        terms: list[list[tuple[int, int]]] = [[] for _ in range(self.axes)]
        for axis, position in enumerate(index):
            if position.step:
                stride = -1
                if axis != unit:
                    stride = self.strides.setdefault((array, axis), len(self.strides))
                terms[position.axis].append((stride, position.step))
        scope = self.scopes.setdefault(self.program.owners[array], len(self.scopes))
        return Stream(array, tuple(p.start for p in index), tuple(map(tuple, terms)), scope)

    def moved(self, array: int, index: Index, moves: Moves) -> tuple[int, int]:
        """Return the stream of an element and its offset where the computed positions are 0."""
        for axis, _ in moves:
            if axis != self.program.arrays[array].unit:
                self.strides.setdefault((array, axis), len(self.strides))
        return self.place(array, index)


def layout(program: LoopProgram, nest: Nest) -> Layout:
    """Find the streams of a nest and lay out what it is told."""
    streams = _Streams(program, len(nest.extents))
    places: dict[tuple[int, Index], tuple[int, int]] = {}
    indices: dict[Position, None] = {}
    integers: dict[int, None] = {}
    floats: dict[int, None] = {}
    gathered = [store.array for store in nest.stores if store.moves]
    for value in nest.values:
        if value.op == "load":
            places[value.data] = streams.place(*value.data)
        elif value.op == "gather":
            places[value.data[:2]] = streams.moved(*value.data)
            gathered.append(value.data[0])
        elif value.op == "index":
            indices.setdefault(value.data[0])
        elif value.op == "scalar":
            (integers if dtype_kind(value.dtype) in "biu" else floats).setdefault(value.data[0])
    for store in nest.stores:
        places[store.array, store.index] = streams.moved(store.array, store.index, store.moves)
    parallel = parallel_axis(nest)
    return Layout(
        tuple(streams.found),
        tuple(streams.strides),
        tuple(axis for axis in range(len(nest.extents)) if axis != parallel),
        tuple(indices),
        tuple(integers),
        tuple(floats),
        parallel,
        places,
        len(streams.scopes),
        nest.checks,
        tuple(dict.fromkeys(gathered)),
    )


def parallel_axis(nest: Nest) -> int:
    """Return the axis that is cut between threads: the outermost that is not known to be short."""
    kept = [axis for axis in range(len(nest.extents)) if not nest.reduction or axis not in nest.reduction.axes]
    for axis in kept:
        extent = nest.extents[axis]
        if not (isinstance(extent, Affine) and extent.is_const and extent.const < SHORT):
            return axis
    return kept[0]
