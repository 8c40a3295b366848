"""Rows of numbers cut into slices whose sums are exact, so that no order of adding them changes a bit.

Adding and subtracting a large number cuts the top bits off another (Rump, Ogita and Oishi, "Accurate floating-point
summation", SIAM J. Sci. Comput. 31, 2008; the same cut, by ranges, is in Demmel and Nguyen, "Parallel reproducible
summation", IEEE Trans. Comput. 64, 2015). All pieces of a slice are multiples of one unit and so few that their
sum has 53 bits at most: it is exact in any order, on any target. Three slices hold all bits of the numbers of a row
that are within a factor of about 2**70 of the largest; of other rows it is known that something is left.

They are kernels: the active backend runs them.
"""

from __future__ import annotations

from typing import Any

from xpaccel.active import xp
from xpaccel.kernel import kernel

ROW = 2048
"""Numbers in a row: 2**11, so that 2**11 pieces of 41 bits have a sum of 52."""

LARGEST = 2.0**960
"""Rows with a number from here on are cut elsewhere: the large numbers that do the cutting would overflow."""

SMALLEST = 2.0**-960
"""Below this the error of a product has bits that no number has."""

_UNIT = 2.0**-53
_ABOVE = 1.5 * 2.0**11
_NEXT = 2.0**-42
_LEAST = 1.5 * 2.0**-1022  # its unit is that of the subnormal numbers
_SPLIT = 2.0**27 + 1


def _cut(x: Any) -> tuple[Any, ...]:
    """Return the largest absolute value of each row, the sums of its slices, and the largest value that is left."""
    top = xp.max(xp.abs(x), axis=1)
    scaled = top / _UNIT
    power = xp.abs(scaled - (scaled - top))  # the power of two that is at or above `top`
    left, sums = x, []
    for slice_ in range(3):
        cutter = xp.maximum(power * (_ABOVE * _NEXT**slice_), _LEAST)[:, None]
        piece = (left + cutter) - cutter
        left = left - piece
        sums.append(xp.sum(piece, axis=1))
    return (top, *sums, xp.max(xp.abs(left), axis=1))


def _halves(x: Any) -> tuple[Any, Any]:
    """Return two numbers of 26 bits whose sum is `x` (Veltkamp, Dekker)."""
    large = x * _SPLIT
    high = large - (large - x)
    return high, x - high


def exact_product(a: Any, b: Any) -> tuple[Any, Any]:
    """Return the product and its rounding error (Dekker, "A floating-point technique", Numer. Math. 18, 1971).

    It is exact where neither overflows and the product is not below `SMALLEST`.
    """
    (a1, a2), (b1, b2), product = _halves(a), _halves(b), a * b
    return product, ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2


@kernel
def slices(x: Any) -> tuple[Any, ...]:
    """Cut rows.

    Parameters
    ----------
    x
        Float32 or float64, shape (rows, ROW).

    Returns
    -------
    tuple of arrays
        Float64, shape (rows,): the largest absolute value, three sums, the largest absolute value that is left.
    """
    return _cut(xp.astype(x, xp.float64))


@kernel
def slices_of_products(a: Any, b: Any) -> tuple[Any, ...]:
    """Cut rows of products of float64, and rows of their rounding errors.

    Returns
    -------
    tuple of arrays
        Float64, shape (rows,): what `slices` gives, of the products, then of the errors; then the smallest absolute
        value of a product that is not 0 by a factor.
    """
    product, error = exact_product(a, b)
    smallest = xp.min(xp.where((a == 0) | (b == 0), 1.0, xp.abs(product)), axis=1)
    return (*_cut(product), *_cut(error), smallest)


@kernel
def slices_of_short_products(a: Any, b: Any) -> tuple[Any, ...]:
    """Cut rows of products of float32, which float64 holds exactly."""
    return _cut(xp.astype(a, xp.float64) * xp.astype(b, xp.float64))
