"""The shape that a reshape gives, symbolic where it can be."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from xpaccel.graph.affine import Affine, Guards
from xpaccel.graph.node import Shape
from xpaccel.trace.scalar import as_affine
from xpaccel.trace.sizes import ONE, hints, settle


def reshaped_shape(guards: Guards, source: Shape, shape: Any) -> Shape:
    """Return the sizes that ``reshape(x, shape)`` has for `x` of shape `source`.

    Sizes stay symbolic where axes are kept, where axes of size 1 come and go, and where one axis is
    split or merged by constants. Elsewhere the sizes that matter are specialised.

    Parameters
    ----------
    shape
        An integer or several; one may be -1.

    Raises
    ------
    ValueError
        Where the number of elements differs.
    """
    items = shape if isinstance(shape, Sequence) else (shape,)
    wanted: list[Affine | None] = []
    for item in items:
        size = as_affine(item)
        if guards.hint(size) < 0:
            if guards.specialise(size) != -1 or None in wanted:
                raise ValueError(
                    "can only specify one unknown dimension"
                    if None in wanted
                    else "negative dimensions are not allowed"
                )
            wanted.append(None)
        else:
            guards.at_least(size, 0)
            wanted.append(settle(guards, size))
    known = [size for size in wanted if size is not None]
    total, given = prod(map(guards.hint, source)), prod(map(guards.hint, known))
    fits = total == given if None not in wanted else given != 0 and total % given == 0
    if not fits:
        requested = hints(guards, [Affine(-1) if size is None else size for size in wanted])
        raise ValueError(f"cannot reshape array of size {total} into shape {requested}")
    left, right = list(source), list(wanted)
    while left and right and right[0] is not None and left[0] == right[0]:
        left.pop(0)
        right.pop(0)
    while left and right and right[-1] is not None and left[-1] == right[-1]:
        left.pop()
        right.pop()
    unknown = _unknown(guards, left, [size for size in right if size is not None], total)
    if unknown is None:
        # specialise what the answer depends on
        for size in (*source, *known):
            guards.specialise(size)
        return tuple(Affine(total // given if size is None else guards.hint(size)) for size in wanted)
    return tuple(unknown if size is None else size for size in wanted)


def _unknown(guards: Guards, left: list[Affine], right: list[Affine], total: int) -> Affine | None:
    """Return the size that makes both products equal, None where it is not affine or depends on more.

    Where `right` leaves no size open, the result is only used as proof that both products agree
    for all sizes.
    """
    if total == 0:
        return None
    left, right = [size for size in left if size != ONE], [size for size in right if size != ONE]
    for size in list(right):
        if size.terms and size in left:
            left.remove(size)
            right.remove(size)
    symbolic = [size for size in left if size.terms]
    if len(symbolic) > 1 or any(size.terms for size in right):
        return None
    product = (symbolic[0] if symbolic else ONE) * prod(size.const for size in left if not size.terms)
    quotient = product.divided(prod(size.const for size in right))
    return None if quotient is None else settle(guards, quotient)
