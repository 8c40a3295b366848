"""Arithmetic of symbolic sizes as indexing and broadcasting need it, with NumPy's rules."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from xpaccel.graph.affine import Affine, Guards
from xpaccel.graph.node import Shape

ZERO = Affine()
ONE = Affine(1)


def settle(guards: Guards, size: Affine) -> Affine:
    """Return `size`, as a constant where it is 0 or 1 in this call (1 broadcasts, 0 is rarely shared)."""
    if not size.terms or (size.const == 0 and len(size.terms) == 1 and size.terms[0][1] == 1):
        return size  # a constant, or an input's dimension: that is never 1
    value = guards.hint(size)
    if value < 2:
        return Affine(guards.specialise(size))
    guards.at_least(size, 2)
    return size


def common(guards: Guards, left: Affine, right: Affine) -> Affine | None:
    """Return the plainer expression of two equal sizes, None where they differ (both recorded)."""
    if left == right:
        return left
    if not guards.equal(left, right):
        return None
    return min(left, right, key=lambda size: (len(size.terms), size.terms, size.const))


def hints(guards: Guards, shape: Sequence[Affine]) -> str:
    """Return a shape as NumPy's messages write it, ``(3,4)``."""
    sizes = [str(guards.hint(size)) for size in shape]
    return f"({sizes[0]},)" if len(sizes) == 1 else f"({','.join(sizes)})"


def broadcast_shapes(guards: Guards, shapes: Sequence[Shape]) -> Shape:
    """Return the shape that NumPy broadcasts `shapes` to; raise ValueError where it does."""
    if len(shapes) == 1 or all(shape == shapes[0] for shape in shapes[1:]):
        return shapes[0]
    result: list[Affine] = []
    for axis in range(-max(map(len, shapes)), 0):
        size = ONE
        for shape in shapes:
            if len(shape) < -axis or shape[axis] == ONE:
                continue
            if size == ONE:
                size = shape[axis]
                continue
            both = common(guards, size, shape[axis])
            if both is None:
                raise ValueError(
                    "operands could not be broadcast together with shapes "
                    + " ".join(hints(guards, shape) for shape in shapes)
                )
            size = both
        result.append(size)
    return tuple(result)


def normalize_axis(axis: Any, ndim: int) -> int:
    """Return `axis` as a non-negative number; raise NumPy's AxisError where it is out of range."""
    from numpy.exceptions import AxisError

    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        raise AxisError(axis, ndim)
    return axis % ndim if ndim else 0


def normalize_axes(axes: Any, ndim: int, *, name: str = "axis") -> tuple[int, ...]:
    """Return several axes as non-negative numbers; raise ValueError where one occurs twice."""
    given = (axes,) if not isinstance(axes, tuple | list) else axes
    result = tuple(normalize_axis(axis, ndim) for axis in given)
    if len(set(result)) != len(result):
        raise ValueError(f"repeated {name}")
    return result


def resolve_index(guards: Guards, index: Affine, size: Affine, axis: int) -> Affine:
    """Return the non-negative position that an integer index means; raise IndexError beyond the end."""
    position = index + size if guards.less(index, 0) else index
    if guards.less(position, 0) or not guards.less(position, size):
        raise IndexError(f"index {guards.hint(index)} is out of bounds for axis {axis} with size {guards.hint(size)}")
    return position


def resolve_slice(
    guards: Guards, start: Affine | None, stop: Affine | None, step: int, size: Affine
) -> tuple[Affine, int, Affine]:
    """Return ``(start, step, count)`` of a slice of an axis of `size`, as ``slice.indices`` has it."""
    if step == 0:
        raise ValueError("slice step cannot be zero")
    least, most = (ZERO, size) if step > 0 else (Affine(-1), size - 1)

    def clamp(bound: Affine | None, default: Affine) -> Affine:
        if bound is None:
            return default
        if bound == ZERO:
            return guards.smaller(most, ZERO) if step < 0 else ZERO
        if guards.less(bound, 0):
            bound = bound + size
            return bound if guards.at_least(bound, least) else least
        return most if not guards.at_least(most, bound) else bound

    if start is None and stop is None and abs(step) == 1:
        return (ZERO if step > 0 else most), step, size  # all of it, whatever the size
    first = clamp(start, least if step > 0 else most)
    last = clamp(stop, most if step > 0 else least)
    distance = last - first if step > 0 else first - last
    if not guards.at_least(distance, 1):
        return ZERO, 1, ZERO
    count = distance.divided(abs(step)) if distance.terms else None
    if count is None:
        count = distance if abs(step) == 1 else Affine(-(-guards.specialise(distance) // abs(step)))
    count = settle(guards, count)
    return first, step if count != ONE else 1, count
