"""Which array arguments of a call share memory, and how, in terms of array indices.

Two arguments may be the same array, or views that overlap. As long as a kernel writes to none of
them that does not matter. Where it does, NumPy's meaning needs them to be one buffer: the same
one, or views of a common base.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xpaccel.backends.base import Memory
from xpaccel.errors import TraceError
from xpaccel.trace.leaves import ViewOf


@dataclass(frozen=True, slots=True)
class Aliasing:
    """How array arguments share memory.

    Parameters
    ----------
    same_as
        For each slot, the earlier slot that is the very same memory, or None.
    view_of
        For each slot, where it lies in another slot, or None. Slots past the arguments are `bases`.
    bases
        Arrays that were not given, but of which several given ones are views.
    """

    same_as: tuple[int | None, ...]
    view_of: tuple[ViewOf | None, ...]
    bases: tuple[Any, ...] = ()

    @property
    def key(self) -> Any:
        """What a compiled program depends on."""
        return self.same_as, self.view_of, tuple((base.shape, base.strides, base.dtype.str) for base in self.bases)


def byte_bounds(array: Any) -> tuple[int, int]:
    """Return the first byte and the end of an array's memory, relative to its address."""
    low, high = 0, array.itemsize
    for size, stride in zip(array.shape, array.strides, strict=True):
        if size == 0:
            return 0, 0
        if stride > 0:
            high += (size - 1) * stride
        else:
            low += (size - 1) * stride
    return low, high


def overlaps(addresses: Sequence[int], bounds: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the pairs of arrays whose memory may overlap."""
    found: list[tuple[int, int]] = []
    for j in range(1, len(addresses)):
        low, high = addresses[j] + bounds[j][0], addresses[j] + bounds[j][1]
        found += [(i, j) for i in range(j) if low < addresses[i] + bounds[i][1] and addresses[i] + bounds[i][0] < high]
    return found


def overlaps_itself(array: Any) -> bool:
    """Whether two elements of an array may be the same memory: of a broadcast array, or of sliding windows."""
    reach = 0
    for stride, size in sorted((abs(stride), size) for size, stride in zip(array.shape, array.strides, strict=True)):
        if size > 1:
            if stride < reach + array.itemsize:
                return bool(array.size)
            reach += (size - 1) * stride
    return False


def resolve(
    memory: Memory, arrays: Sequence[Any], pairs: Sequence[tuple[int, int]], written: Sequence[int]
) -> Aliasing:
    """Express overlapping arguments as one buffer, where the kernel writes to any of them.

    Parameters
    ----------
    memory
        What they lie in.
    arrays
        The array arguments.
    pairs
        Which of them overlap.
    written
        Which of them the kernel writes to.

    Raises
    ------
    TraceError
        Where they overlap in a way that is no view of one array.
    """
    same_as: list[int | None] = [None] * len(arrays)
    view_of: list[ViewOf | None] = [None] * len(arrays)
    bases: list[Any] = []
    for group in _groups(pairs):
        if not group & set(written):
            continue
        slots = sorted(group)
        first = slots[0]
        if all(_identical(memory, arrays[first], arrays[slot]) for slot in slots[1:]):
            for slot in slots[1:]:
                same_as[slot] = first
            continue
        base, views = _common_base(memory, [arrays[slot] for slot in slots], len(arrays) + len(bases))
        for slot, view in zip(slots, views, strict=True):
            view_of[slot] = view
        bases.append(base)
    return Aliasing(tuple(same_as), tuple(view_of), tuple(bases))


def _groups(pairs: Sequence[tuple[int, int]]) -> list[set[int]]:
    """Return the connected sets of slots."""
    groups: list[set[int]] = []
    for pair in pairs:
        merged = set(pair)
        rest = []
        for group in groups:
            if group & merged:
                merged |= group
            else:
                rest.append(group)
        groups = [*rest, merged]
    return groups


def _identical(memory: Memory, a: Any, b: Any) -> bool:
    same = memory.address(a) == memory.address(b)
    return same and a.shape == b.shape and a.strides == b.strides and a.dtype == b.dtype


def _common_base(memory: Memory, arrays: Sequence[Any], slot: int) -> tuple[Any, list[ViewOf]]:
    """Return an array that all of `arrays` are strided boxes of, and where they lie in it.

    Its strides are tried: those of each array in turn, all of them together, and these with the
    single element, so that interleaved arrays are two columns of one.

    Raises
    ------
    TraceError
        If there is none.
    """
    if len({array.dtype for array in arrays}) == 1:
        own = [_strides(array) for array in arrays]
        union = tuple(sorted({stride for strides in own for stride in strides}, reverse=True))
        for strides in dict.fromkeys([*own, union, (*union, arrays[0].itemsize)]):
            found = _boxes(memory, arrays, strides, slot)
            if found is not None:
                return found
    raise TraceError(
        f"{len(arrays)} array arguments overlap in memory, the kernel writes to one of them, and they are no strided "
        "boxes of one array. Pass a copy of one: its .copy()."
    )


def _strides(array: Any) -> tuple[int, ...]:
    """Return the distinct lengths of an array's strides, largest first."""
    lengths = {abs(stride) for size, stride in zip(array.shape, array.strides, strict=True) if size > 1 and stride}
    return tuple(sorted(lengths, reverse=True))


def _boxes(
    memory: Memory, arrays: Sequence[Any], strides: tuple[int, ...], slot: int
) -> tuple[Any, list[ViewOf]] | None:
    """Return a base with these strides and where `arrays` lie in it, or None if some do not."""
    origin = min(memory.address(array) + byte_bounds(array)[0] for array in arrays)
    singles = max(sum(size == 1 for size in array.shape) for array in arrays)  # axes that no stride tells apart
    shape = [1] * (len(strides) + singles)
    views = []
    for array in arrays:
        offset = memory.address(array) - origin
        starts = []
        for stride in strides:
            start, offset = divmod(offset, stride)
            starts.append(start)
        if offset:
            return None
        box = [(start, 1, 1) for start in starts] + [(0, 1, 1)] * singles
        chosen: dict[int, int] = {}
        for own, (size, stride) in enumerate(zip(array.shape, array.strides, strict=True)):
            if size > 1:
                fits = [k for k, unit in enumerate(strides) if k not in chosen.values() and stride % unit == 0]
                if not fits or not stride:
                    return None
                axis = next((k for k in fits if abs(stride) == strides[k]), fits[0])
                box[axis] = (starts[axis], stride // strides[axis], size)
                chosen[own] = axis
                if starts[axis] + box[axis][1] * (size - 1) < 0:
                    return None
        free = [axis for axis in reversed(range(len(box))) if axis not in chosen.values()]
        axes = [chosen[own] if own in chosen else free.pop(0) for own in range(array.ndim)]
        for axis, (start, step, size) in enumerate(box):
            shape[axis] = max(shape[axis], start + 1, start + step * (size - 1) + 1)
        views.append(ViewOf(slot, tuple(box), tuple(axes)))
    for outer, inner, size in zip(strides, strides[1:], shape[1 : len(strides)], strict=False):
        if size * inner > outer:  # two places of this base would be one element
            return None
    first = min(arrays, key=lambda array: memory.address(array) + byte_bounds(array)[0])
    corner = first[tuple(slice(None, None, -1) if stride < 0 else slice(None) for stride in first.strides)]
    steps = (*strides, *[first.itemsize] * singles)
    return memory.strided(corner, shape, steps), views
