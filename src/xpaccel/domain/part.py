"""What one rank runs of a program, and holds of its arrays: boxes of the nests, ranges of points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xpaccel.domain.footprint import Footprint, Walk
from xpaccel.loops.program import Nest

#: Points along each grid axis: the first, and the one after the last.
Ranges = tuple[tuple[int, int], ...]
#: The same along each axis of a nest.
Box = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A rank's part of a program.

    Attributes
    ----------
    boxes
        What it runs of each nest; None for nothing.
    reads, holds
        The points that it reads, and those that it touches at all, of each array on the grid.
    """

    boxes: tuple[Box | None, ...]
    reads: Mapping[int, Ranges]
    holds: Mapping[int, Ranges]


def part(found: Footprint, owned: Mapping[int, Ranges], writable: Mapping[int, Ranges]) -> Part:
    """Return what a rank has to run.

    Parameters
    ----------
    found
        How the program lies on the grid.
    owned
        For each output, the points that the rank owns.
    writable
        For each argument, the points that the rank owns, with the ghosts beyond the edge of the domain.
    """
    loops = found.loops
    reads: dict[int, Ranges] = {}
    needed: dict[int, Ranges] = {array: owned[array] for array in loops.outputs if array in owned}
    holds: dict[int, Ranges] = {}
    boxes: list[Box | None] = []
    for nest, walk in zip(reversed(loops.nests), reversed(found.walks), strict=True):
        if walk is None:
            boxes.append(tuple((found.value_of(low), found.value_of(high)) for low, high in nest.box))
            continue
        region: Ranges | None = None
        for store in nest.stores:
            wanted = hull(needed.get(store.array), writable.get(store.array))
            if wanted is not None:
                away = found.touched(walk, store.array, store.index)
                region = hull(region, shifted(wanted, [-step for step in away]))
        box = _box(found, nest, walk, region)
        boxes.append(box)
        if box is None:
            continue
        points = _points(found, walk, box)
        for store in nest.stores:
            where = shifted(points, found.touched(walk, store.array, store.index))
            holds[store.array] = _hull(holds.get(store.array), where)
        for value in nest.values:
            if value.op == "load" and value.data[0] in found.arrays:
                where = shifted(points, found.touched(walk, *value.data))
                reads[value.data[0]] = _hull(reads.get(value.data[0]), where)
                needed[value.data[0]] = _hull(needed.get(value.data[0]), where)
    for array, where in needed.items():
        holds[array] = _hull(holds.get(array), where)
    return Part(tuple(reversed(boxes)), reads, holds)


def _box(found: Footprint, nest: Nest, walk: Walk, region: Ranges | None) -> Box | None:
    """Return the part of a nest's box that runs over a region; None if it has no point."""
    if region is None or any(not region[axis][0] <= point < region[axis][1] for axis, point in walk.fixed.items()):
        return None
    box = []
    for (first, end), tie in zip(nest.box, walk.axes, strict=True):
        low, high = found.value_of(first), found.value_of(end)
        if tie is not None:
            axis, shift = tie
            low, high = max(low, region[axis][0] + shift), min(high, region[axis][1] + shift)
        if low >= high:
            return None
        box.append((low, high))
    return tuple(box)


def _points(found: Footprint, walk: Walk, box: Box) -> Ranges:
    """Return the points that a box runs over."""
    ranges = []
    for axis in range(found.dimensions):
        along = walk.along(axis)
        if along is not None:
            number, shift = along
            ranges.append((box[number][0] - shift, box[number][1] - shift))
        else:
            point = walk.fixed.get(axis, 0)
            ranges.append((point, point + 1))
    return tuple(ranges)


def interior(found: Footprint, number: int, box: Box, owned: Mapping[int, Ranges]) -> Box:
    """Return the part of a box of a nest that reads nothing but what the rank owns; it may be without a point."""
    nest, walk = found.loops.nests[number], found.walks[number]
    assert walk is not None
    inner = [list(ends) for ends in box]
    for value in nest.values:
        if value.op != "load" or value.data[0] not in owned:
            continue
        away = found.touched(walk, *value.data)
        for axis, (low, high) in enumerate(owned[value.data[0]]):
            along = walk.along(axis)
            if along is not None:
                its, shift = along
                inner[its][0] = max(inner[its][0], low - away[axis] + shift)
                inner[its][1] = min(inner[its][1], high - away[axis] + shift)
            elif not low <= walk.fixed.get(axis, low) + away[axis] < high:
                inner[0][1] = inner[0][0]
    return tuple((low, max(low, high)) for low, high in inner)


def strips(box: Box, inner: Box) -> list[Box]:
    """Return boxes that together are a box without an inner one, each point in one of them."""
    if any(low >= high for low, high in inner):
        return [box]
    found: list[Box] = []
    done: list[tuple[int, int]] = []
    for axis, ((low, high), (first, end)) in enumerate(zip(box, inner, strict=True)):
        rest = box[axis + 1 :]
        if low < first:
            found.append((*done, (low, first), *rest))
        if end < high:
            found.append((*done, (end, high), *rest))
        done.append((first, end))
    return found


def shifted(ranges: Ranges, by: Sequence[int]) -> Ranges:
    """Return ranges moved by a step along each axis."""
    return tuple((low + step, high + step) for (low, high), step in zip(ranges, by, strict=True))


def hull(one: Ranges | None, other: Ranges | None) -> Ranges | None:
    """Return the smallest ranges that hold two; None if there are none."""
    if one is None or other is None:
        return one if other is None else other
    return _hull(one, other)


def _hull(one: Ranges | None, other: Ranges) -> Ranges:
    if one is None:
        return other
    return tuple((min(a, c), max(b, d)) for (a, b), (c, d) in zip(one, other, strict=True))
