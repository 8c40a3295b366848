"""What a kernel touches of the fields that it is called on, read off its loop program.

Everything here is counted in *points*: point (0, 0, ...) of a field is its first one inside the domain, and point -1
along an axis is a ghost. An array of the loop program *lies on the grid* if its axes run over points; its element
``k`` along an axis is point ``k - base``. Axis ``j`` of a nest runs over points, too: ``i[j] = point + shift``.

The sizes are those of the whole domain, so all of this is the same on every rank, but for the last part (`Part`),
which says what one rank has to run and to hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from xpaccel.errors import TraceError
from xpaccel.graph.affine import Affine, Symbol
from xpaccel.loops.program import Extent, Index, LoopProgram, Nest

#: For each grid axis, the step from a point of the nest to the point that is touched.
Offset = tuple[int, ...]
#: More distinct offsets than this are replaced by the corners of the box that they fill.
MANY_OFFSETS = 256


@dataclass(slots=True)
class OnGrid:
    """How an array lies on the grid: for each of its axes the grid axis and the base, None for an axis of its own."""

    axes: list[tuple[int, int] | None]


@dataclass(slots=True)
class Walk:
    """How a nest walks the grid.

    Attributes
    ----------
    axes
        For each axis of the nest the grid axis and the shift; None for one that does not run over points.
    fixed
        For each grid axis that no axis of the nest runs along, the point at which it stores.
    """

    axes: list[tuple[int, int] | None]
    fixed: dict[int, int]

    def along(self, axis: int) -> tuple[int, int] | None:
        """Return the axis of the nest that runs along an axis of the grid, and its shift."""
        for number, tie in enumerate(self.axes):
            if tie is not None and tie[0] == axis:
                return number, tie[1]
        return None


@dataclass
class Footprint:
    """How a loop program lies on a grid.

    Attributes
    ----------
    loops, sizes
        The program, and the value of each size: those of the whole domain, padded.
    arrays
        Which of its arrays lie on the grid, and how.
    walks
        How each nest walks it; None for a nest that does not touch it.
    reads
        For each array on the grid, the offsets at which it is read before the program has written it itself.
    """

    loops: LoopProgram
    sizes: Mapping[Symbol, int]
    dimensions: int
    arrays: dict[int, OnGrid]
    walks: list[Walk | None] = field(default_factory=list)
    reads: dict[int, set[Offset]] = field(default_factory=dict)

    def touched(self, walk: Walk, array: int, index: Index) -> Offset:
        """Return the offset of what a load or store touches from the point of the nest."""
        found = [0] * self.dimensions
        for position, tie in zip(index, self.arrays[array].axes, strict=True):
            if tie is None:
                continue
            axis, base = tie
            point = position.start.value(self.sizes) - base
            if position.axis >= 0:
                its = walk.axes[position.axis]
                assert its is not None
                found[axis] = point + its[1]
            else:
                found[axis] = point - walk.fixed[axis]
        return tuple(found)

    def value_of(self, size: Extent) -> int:
        """Return the value of a size."""
        return size.value(self.sizes)


def footprint(
    loops: LoopProgram,
    sizes: Mapping[Symbol, int],
    known: Mapping[int, OnGrid],
    symbols: frozenset[Symbol],
    dimensions: int,
    covers: Mapping[int, Sequence[int]],
) -> Footprint:
    """Find how a program lies on the grid.

    Parameters
    ----------
    loops, sizes
        The program, and the sizes of the whole domain.
    known
        How its arguments and outputs lie.
    symbols
        The sizes that are sizes of the grid: an axis of a temporary that depends on them may run over points.
    dimensions
        Of the grid.
    covers
        For each argument on the grid, how many points the domain has along each axis.

    Raises
    ------
    TraceError
        If it reads or writes in a way that has no meaning for a part of the domain; the message names the line.
    """
    found = Footprint(loops, sizes, dimensions, {number: OnGrid(list(on.axes)) for number, on in known.items()})
    for number, array in enumerate(loops.arrays):
        if array.role == "temporary" and loops.owners[number] == number and _grows(array.shape, symbols):
            found.arrays.setdefault(number, OnGrid([None] * len(array.shape)))
    found.walks = [None] * len(loops.nests)
    walks = [Walk([None] * len(nest.extents), {}) for nest in loops.nests]
    changed = True
    while changed:
        changed = False
        for nest, walk in zip(loops.nests, walks, strict=True):
            changed |= _tie(found, nest, walk, known, symbols)
    for number, (nest, walk) in enumerate(zip(loops.nests, walks, strict=True)):
        if any(walk.axes) or walk.fixed:
            _check(found, nest, walk)
            found.walks[number] = walk
    for number, on in list(found.arrays.items()):
        if not any(on.axes) and number not in known:
            del found.arrays[number]  # a table that every rank holds
    _find_reads(found, covers)
    return found


def _grows(shape: Sequence[object], symbols: frozenset[Symbol]) -> bool:
    return any(isinstance(size, Affine) and any(symbol in symbols for symbol, _ in size.terms) for size in shape)


def _tie(found: Footprint, nest: Nest, walk: Walk, known: Mapping[int, OnGrid], symbols: frozenset[Symbol]) -> bool:
    """Tie axes of a nest to the grid by the arrays it touches, and these by the nest; tell whether anything is new."""
    stores = sorted(nest.stores, key=lambda store: store.array not in known)
    loads = [value.data[:2] for value in nest.values if value.op in ("load", "gather")]
    before = list(walk.axes), dict(walk.fixed)
    for store in stores:
        _tie_nest(found, walk, store.array, store.index, True)
    if any(walk.axes) or walk.fixed or not any(store.array in known for store in stores):
        for array, index in loads:
            _tie_nest(found, walk, array, index, False)
    changed = before != (walk.axes, walk.fixed)
    for array, index in [*((store.array, store.index) for store in stores), *loads]:
        on = found.arrays.get(array)
        if on is None or array in known:
            continue
        for axis, (position, size) in enumerate(zip(index, found.loops.arrays[array].shape, strict=True)):
            its = walk.axes[position.axis] if position.axis >= 0 else None
            grows = isinstance(size, Affine) and any(symbol in symbols for symbol, _ in size.terms)
            if on.axes[axis] is None and its is not None and position.step == 1 and grows:
                on.axes[axis] = its[0], position.start.value(found.sizes) + its[1]
                changed = True
    return changed


def _tie_nest(found: Footprint, walk: Walk, array: int, index: Index, stores: bool) -> None:
    on = found.arrays.get(array)
    if on is None:
        return
    for position, tie in zip(index, on.axes, strict=True):
        if tie is None:
            continue
        axis, base = tie
        start = position.start.value(found.sizes)
        if position.axis >= 0:
            if walk.axes[position.axis] is None and walk.along(axis) is None and position.step == 1:
                walk.axes[position.axis] = axis, base - start
        elif stores and walk.along(axis) is None:
            walk.fixed.setdefault(axis, start - base)


def _check(found: Footprint, nest: Nest, walk: Walk) -> None:
    """Refuse what has no meaning for a part of the domain."""
    where = f" ({', '.join(nest.lines)})" if nest.lines else ""
    if nest.ordered or nest.checks:
        raise TraceError(f"a field is indexed with an array of integers{where}, which is not supported on fields.")
    accesses = [(store.array, store.index) for store in nest.stores]
    accesses += [value.data for value in nest.values if value.op == "load"]
    for array, index in accesses:
        on = found.arrays.get(array)
        for position, tie in zip(index, on.axes if on is not None else (), strict=bool(on)):
            if tie is None:
                continue
            axis, _ = tie
            if position.axis < 0:
                if axis not in walk.fixed:
                    raise TraceError(
                        f"a field is read at one fixed place of axis {axis}{where}: only the rank that has it could do "
                        "that. Take such values out of the field before the call, or pass them as numbers."
                    )
                continue
            its = walk.axes[position.axis]
            if abs(position.step) != 1:
                raise TraceError(
                    f"a field is read or written with a step of {abs(position.step)} along axis {axis}{where}, which "
                    "is not supported on fields."
                )
            if its is None or its[0] != axis or position.step != 1:
                raise TraceError(
                    f"a field is transposed or reversed{where}: a point would need values of a rank far away, which is "
                    "not supported on fields."
                )
    if nest.reduction is not None:
        for reduced in nest.reduction.axes:
            if walk.axes[reduced] is not None:
                raise TraceError(
                    f"a field is reduced within a kernel{where}, which is not supported yet. Reduce it outside: "
                    "field.sum(), field.max(), ..."
                )


def _find_reads(found: Footprint, covers: Mapping[int, Sequence[int]]) -> None:
    """Find, from the last nest to the first, at which offsets each array is needed."""
    loops, origin = found.loops, (0,) * found.dimensions
    needed: dict[int, set[Offset]] = {number: set() for number in found.arrays}
    for number in loops.outputs:
        if loops.owners[number] in needed:
            needed[loops.owners[number]].add(origin)
    for nest, walk in zip(reversed(loops.nests), reversed(found.walks), strict=True):
        if walk is None:
            continue
        points: set[Offset] = set()
        for store in nest.stores:
            if store.array not in found.arrays:
                continue
            wanted = set(needed[store.array])
            if loops.arrays[store.array].role == "argument":
                wanted.add(origin)
            away = found.touched(walk, store.array, store.index)
            points |= {_minus(offset, away) for offset in wanted}
            if store.array in covers and _covers(found, nest, walk, store.array, store.index, covers[store.array]):
                needed[store.array] = set()
        for value in nest.values:
            if value.op == "load" and value.data[0] in found.arrays:
                away = found.touched(walk, *value.data)
                needed[value.data[0]] |= {_plus(point, away) for point in points}
        for array in found.arrays:
            if len(needed[array]) > MANY_OFFSETS:
                needed[array] = _corners(needed[array])
    found.reads = needed


def _covers(found: Footprint, nest: Nest, walk: Walk, array: int, index: Index, points: Sequence[int]) -> bool:
    """Whether a nest writes every point of the domain of an array."""
    for position, tie in zip(index, found.arrays[array].axes, strict=True):
        if tie is None or position.axis < 0:
            return False
        low, high = (extent.value(found.sizes) for extent in nest.box[position.axis])
        first = position.start.value(found.sizes) - tie[1]
        if first + low > 0 or first + high < points[tie[0]]:
            return False
    return True


def _plus(one: Offset, other: Offset) -> Offset:
    return tuple(a + b for a, b in zip(one, other, strict=True))


def _minus(one: Offset, other: Offset) -> Offset:
    return tuple(a - b for a, b in zip(one, other, strict=True))


def _corners(offsets: set[Offset]) -> set[Offset]:
    axes = list(zip(*offsets, strict=True))
    return set(product(*({min(axis), 0, max(axis)} for axis in axes)))
