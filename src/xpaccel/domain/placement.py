"""Where the results of a kernel sit on the grid, and how far the fields it is given must be continued beyond the edges.

A kernel on fields sees the whole domain, continued by *pads* of ghosts on each side of each axis, as wide as its
result needs to cover the domain. Positions along an axis are counted in halves of a cell, so that centres and faces are
whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from xpaccel.compiled import Compiled
from xpaccel.domain.location import Location, axis_name
from xpaccel.domain.position import Mirror, is_centred
from xpaccel.errors import TraceError
from xpaccel.graph.affine import Affine, Symbol
from xpaccel.graph.node import Node, topological

#: For each axis, how many ghosts the kernel sees at the low and at the high side.
Pads = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a result sits.

    Attributes
    ----------
    at
        Its location in the cells.
    first
        For each axis, the point of its first element.
    """

    at: Location
    first: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """The grid as a kernel on it sees it.

    Attributes
    ----------
    cells, periodic
        Of the grid.
    slots
        For each array slot that holds a field, its location.
    pads
        How far the fields are continued.
    origin
        Where the user says that results sit, in units of the first field's index; None where he does not.
    """

    cells: tuple[int, ...]
    periodic: tuple[bool, ...]
    slots: Mapping[int, Location]
    pads: Pads
    origin: tuple[Fraction, ...] | None

    def points(self, at: Location, axis: int) -> int:
        """Return how many points the domain has."""
        return at.points(axis, self.cells[axis], self.periodic[axis])

    def shape(self, at: Location) -> tuple[int, ...]:
        """Return the shape of an array that stands for a field.

        There is a face more than cells along every axis: along a periodic one the last is the first again, a ghost.
        """
        return tuple(
            cells + half + low + high for cells, half, (low, high) in zip(self.cells, at.half, self.pads, strict=True)
        )


def placed(compiled: Compiled, number: int, setting: Setting, sizes: Mapping[Symbol, int]) -> Placed:
    """Find where an output sits.

    Parameters
    ----------
    compiled
        The kernel.
    number
        Which of its outputs.
    setting, sizes
        The grid, and the sizes of arrays on it.

    Raises
    ------
    TraceError
        Where there is doubt.
    """
    node = compiled.traced.graph.outputs[number]
    if node.ndim != len(setting.cells):
        raise TraceError(
            f"kernel {compiled.name!r} returns an array of {node.ndim} axes (line {node.line or '?'}) for fields of "
            f"{len(setting.cells)}: it can be no field on that grid."
        )
    first_slot = min(setting.slots)
    if setting.origin is not None:
        return _from(node, first_slot, [2 * at for at in setting.origin], setting, sizes)
    reasons: list[str] = []
    read = {found.params[0] for found in topological([node]) if found.op == "input"} & setting.slots.keys()
    for slot in sorted(read or {first_slot}):
        twice: list[Fraction] = []
        for axis in range(node.ndim):
            fewer = setting.shape(setting.slots[slot])[axis] - node.shape[axis].value(sizes)
            reason = _doubt(compiled, node, axis, slot, fewer, setting)
            if reason is not None:
                reasons.append(reason)
                break
            twice.append(Fraction(fewer))
        else:
            return _from(node, slot, twice, setting, sizes)
    raise TraceError(
        f"kernel {compiled.name!r}: it is not certain to which points its result belongs ({node.line or 'no line'}): "
        f"{reasons[0]}.\n    Say where element 0 of the result sits, in units of the index of the first field: "
        f"@xpa.kernel(origin={_example(node.ndim)}). A half is the face between two cells."
    )


def _example(axes: int) -> str:
    return "1" if axes == 1 else f"({', '.join(['1'] * axes)})"


def _doubt(compiled: Compiled, node: Node, axis: int, slot: int, fewer: int, setting: Setting) -> str | None:
    """Return why an output may not be centred on a field along an axis; None if there is no doubt."""
    name = axis_name(axis)
    if fewer == 0:
        return None
    if fewer < 0:
        return f"it is longer than the field along axis {name}"
    if fewer % 2:
        return f"it has {fewer} element{'s' if fewer > 1 else ''} fewer than the field along axis {name}"
    here = setting.slots[slot].half[axis]
    twice = {other: Affine(fewer - here + at.half[axis]) for other, at in setting.slots.items()}
    if is_centred(node, Mirror(axis, twice)):
        return None
    return (
        f"it has {fewer} elements fewer than the field along axis {name}, "
        "and its formula is not symmetric about its middle"
    )


def _from(node: Node, slot: int, twice: Sequence[Fraction], setting: Setting, sizes: Mapping[Symbol, int]) -> Placed:
    """Return where an output sits whose element 0 sits at `twice`, in halves of the index of a slot."""
    half, first = [], []
    for axis, at in enumerate(twice):
        if at.denominator != 1:
            raise TraceError(f"origin is {at / 2} along axis {axis_name(axis)}; it must be a whole number or a half")
        place = int(at) - 2 * setting.pads[axis][0] - setting.slots[slot].half[axis]
        half.append(bool(place % 2))
        first.append((place + place % 2) // 2)
    return Placed(Location(tuple(half)), tuple(first))


def wanted_pads(
    compiled: Compiled, outputs: Mapping[int, Placed], setting: Setting, sizes: Mapping[Symbol, int]
) -> Pads:
    """Return the pads with which results would just cover the domain, from what they cover with the present ones."""
    found = []
    stores = _stores(compiled, setting, sizes)
    for axis, (low, high) in enumerate(setting.pads):
        ends: list[tuple[int, int]] = []
        for number, where in outputs.items():
            size = compiled.traced.graph.outputs[number].shape[axis].value(sizes)
            first = where.first[axis]
            ends.append((low + first, high + setting.points(where.at, axis) - first - size))
        ends += stores[axis]
        found.append((max([0, *(one for one, _ in ends)]), max([0, *(other for _, other in ends)])))
    return tuple(found)


def _stores(compiled: Compiled, setting: Setting, sizes: Mapping[Symbol, int]) -> list[list[tuple[int, int]]]:
    """Return, for each axis, the pads that make what is written in place cover the domain, for each field written."""
    loops = compiled.loops
    symbols = {(slot, axis) for slot in setting.slots for axis in range(len(setting.cells))}
    ends: dict[tuple[int, int], list[tuple[int, int]]] = {}
    grows: set[tuple[int, int]] = set()
    for nest in loops.nests:
        for store in nest.stores:
            array = loops.arrays[store.array]
            if array.role != "argument" or array.slot not in setting.slots:
                continue
            for axis, position in enumerate(store.index):
                start = position.start.value(sizes)
                if position.axis < 0:
                    ends.setdefault((array.slot, axis), []).append((start, start + 1))
                    continue
                low, high = nest.box[position.axis]
                ends.setdefault((array.slot, axis), []).append((start + low.value(sizes), start + high.value(sizes)))
                if any(
                    isinstance(size, Affine) and any(symbol in symbols for symbol, _ in size.terms)
                    for size in (nest.extents[position.axis],)
                ):
                    grows.add((array.slot, axis))
    found: list[list[tuple[int, int]]] = [[] for _ in setting.cells]
    for (slot, axis), ranges in ends.items():
        if (slot, axis) not in grows:
            continue
        at = setting.slots[slot]
        size = setting.shape(at)[axis]
        # The outermost faces of a closed axis are the boundary condition's; the last of a periodic one is the first.
        before = min(low for low, _ in ranges) - (at.half[axis] and not setting.periodic[axis])
        after = size - max(high for _, high in ranges) - at.half[axis]
        found[axis].append((before, after))
    return found


def origin_of(given: Any, axes: int, name: str) -> tuple[Fraction, ...] | None:
    """Return an origin with an entry for each axis.

    Raises
    ------
    TraceError
        If it has another number of entries.
    """
    if given is None:
        return None
    entries = tuple(given) if isinstance(given, tuple | list) else (given,) * axes
    if len(entries) != axes:
        raise TraceError(f"kernel {name!r} has origin={given!r}, and is called on fields of {axes} axes")
    return tuple(Fraction(entry) for entry in entries)
