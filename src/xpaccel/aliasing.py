"""Which array arguments of a call share memory, and how, in terms of array indices.

Two arguments may be the same array, or views that overlap. As long as a kernel writes to none of
them that does not matter. Where it does, NumPy's meaning needs them to be one buffer: the same
one, or views of a common base.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xpaccel.errors import TraceError
from xpaccel.trace.leaves import ViewOf

AnyArray = np.ndarray[Any, Any]


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
    bases: tuple[AnyArray, ...] = ()

    @property
    def key(self) -> Any:
        """What a compiled program depends on."""
        return self.same_as, self.view_of, tuple((base.shape, base.dtype.str) for base in self.bases)


def byte_bounds(array: AnyArray) -> tuple[int, int]:
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
    found = []
    for j in range(1, len(addresses)):
        low, high = addresses[j] + bounds[j][0], addresses[j] + bounds[j][1]
        for i in range(j):
            if low < addresses[i] + bounds[i][1] and addresses[i] + bounds[i][0] < high:
                found.append((i, j))
    return found


def resolve(arrays: Sequence[AnyArray], pairs: Sequence[tuple[int, int]], written: Sequence[int]) -> Aliasing:
    """Express overlapping arguments as one buffer, where the kernel writes to any of them.

    Parameters
    ----------
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
    bases: list[AnyArray] = []
    for group in _groups(pairs):
        if not group & set(written):
            continue
        slots = sorted(group)
        first = slots[0]
        if all(_identical(arrays[first], arrays[slot]) for slot in slots[1:]):
            for slot in slots[1:]:
                same_as[slot] = first
            continue
        base = _owner(arrays[first])
        number = len(arrays) + len(bases)
        for slot in slots:
            view = _locate(arrays[slot], base, number)
            if view is None:
                raise TraceError(
                    f"array arguments {first + 1} and {slot + 1} overlap in memory, the kernel writes to one of them, "
                    "and they are no plain views of one array. Pass a copy of one: its .copy()."
                )
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


def _identical(a: AnyArray, b: AnyArray) -> bool:
    pointer = a.__array_interface__["data"][0] == b.__array_interface__["data"][0]
    return pointer and a.shape == b.shape and a.strides == b.strides and a.dtype == b.dtype


def _owner(array: AnyArray) -> AnyArray:
    """Return the array that `array` is a view of, in the end."""
    base = array
    while isinstance(base.base, np.ndarray) and base.base.dtype == array.dtype:
        base = base.base
    return base


def _locate(view: AnyArray, base: AnyArray, slot: int) -> ViewOf | None:
    """Return where `view` lies in `base`, or None if it is no strided box of it."""
    if view.dtype != base.dtype or not view.size or not base.size:
        return None
    offset = view.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    order = sorted(range(base.ndim), key=lambda axis: -abs(base.strides[axis]))
    starts = [0] * base.ndim
    for axis in order:
        stride = base.strides[axis]
        if stride and base.shape[axis] > 1:
            starts[axis], offset = divmod(offset, stride)
    if offset or any(not 0 <= start < max(size, 1) for start, size in zip(starts, base.shape, strict=True)):
        return None
    box = [(start, 1, 1) for start in starts]
    axes: list[int] = []
    for size, stride in zip(view.shape, view.strides, strict=True):
        fits = [
            axis
            for axis in order
            if axis not in axes
            and base.strides[axis]
            and stride % base.strides[axis] == 0
            and 0 <= starts[axis] + (size - 1) * (stride // base.strides[axis]) < base.shape[axis]
        ]
        if size == 1:
            free = [axis for axis in order if axis not in axes and box[axis][2] == 1]
            fits = fits or free
        if not fits or (size > 1 and stride == 0):
            return None
        axis = fits[0]
        step = stride // base.strides[axis] if size > 1 else 1
        box[axis] = (starts[axis], step or 1, size)
        axes.append(axis)
    return ViewOf(slot, tuple(box), tuple(axes))
