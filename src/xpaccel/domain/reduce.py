"""Reductions over a field: the same bits for any number of ranks and threads, any decomposition, any target.

Sums of floating-point numbers are reproducible because nothing is rounded until the end. All ranks agree on the
largest magnitude and so on a few *bins*, ranges of binary digits below it. Each value is cut at the borders of the
bins, which is exact, and each bin is summed up by itself, which is exact too, as there is room for 2**31 terms. Then
the bins of all ranks are added, in whole numbers. This is the sum of Demmel and Nguyen (2015, "Parallel reproducible
summation", IEEE Trans. Comput. 64), with the largest value known first. What lies more than 80 binary digits below
the largest value is cut off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from xpaccel.active import asnumpy, xp
from xpaccel.kernel import kernel

if TYPE_CHECKING:
    from xpaccel.domain.communicator import Communicator
    from xpaccel.domain.field import Field

#: Binary digits of a bin, and how many bins there are.
WIDTH, BINS = 20, 4
#: Values from here on are scaled down, for the cutting to have room above them.
LARGE = 900


@kernel
def _largest(x: Any) -> Any:
    """Return the largest magnitude; NaN if there is one."""
    return xp.max(xp.abs(x))


@kernel
def _binned(x: Any, scale: float, first: float, second: float, third: float, fourth: float) -> Any:
    """Return the sums of what values have in each bin. To add and take away a large number cuts at its last digit."""
    x = xp.astype(x, np.float64) * scale
    parts = []
    for large in (first, second, third, fourth):
        part = (x + large) - large
        x = x - part
        parts.append(xp.sum(part))
    return tuple(parts)


@kernel
def _products(x: Any, y: Any) -> Any:
    return x * y


@kernel
def _plain_sum(x: Any) -> Any:
    return xp.sum(x)


def total(comm: Communicator, values: Any, *, reproducible: bool = True) -> Any:
    """Return the sum over all ranks of all values. Collective.

    Parameters
    ----------
    comm
        The ranks.
    values
        An array of this rank's. Sums of integers wrap as NumPy's do.
    reproducible
        Whether the bits must not depend on how values are spread over ranks.

    Returns
    -------
    scalar
        Of the dtype that `numpy.sum` gives.
    """
    dtype = np.sum(np.zeros(0, values.dtype)).dtype
    if dtype.kind in "iu":
        return np.sum(comm.gather(asnumpy(_plain_sum(values))[()]), dtype=dtype)
    if dtype.kind == "c":
        parts = [total(comm, part, reproducible=reproducible) for part in (values.real, values.imag)]
        return dtype.type(complex(*parts))
    if not reproducible:
        return dtype.type(math.fsum(comm.gather(float(asnumpy(_plain_sum(values))))))
    largest = [float(asnumpy(_largest(values)))] if values.size else [0.0]
    most = max(comm.gather(largest[0]), key=lambda number: math.inf if math.isnan(number) else number)
    if not math.isfinite(most):
        return dtype.type(_not_finite(comm, values))
    if most == 0:
        return dtype.type(0)
    exponent = math.frexp(most)[1]
    scale = -200 if exponent > LARGE else 0
    # The lowest digit of each bin, on a grid that all values share.
    top = -(-(exponent + scale) // WIDTH) * WIDTH
    lowest = [max(top - WIDTH * (number + 1), -1074) for number in range(BINS)]
    cutters = [1.5 * 2.0 ** (52 + digit) if digit > -1074 else 0.0 for digit in lowest]
    sums = [float(asnumpy(part)) for part in _binned(values, 2.0**scale, *cutters)] if values.size else [0.0] * BINS
    exact = sum((Fraction(number) for one in comm.gather(sums) for number in one), Fraction(0))
    return dtype.type(_rounded(exact * Fraction(2) ** -scale))


def _rounded(number: Fraction) -> float:
    try:
        return number.numerator / number.denominator  # rounded once, correctly
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _not_finite(comm: Communicator, values: Any) -> float:
    """Return the sum of values some of which are infinite or NaN, as IEEE arithmetic has it."""
    host = asnumpy(values)
    seen = comm.gather((bool(np.isnan(host).any()), bool((host == np.inf).any()), bool((host == -np.inf).any())))
    nan, up, down = (any(which) for which in zip(*seen, strict=True))
    if nan or (up and down):
        return math.nan
    return math.inf if up else -math.inf


def dot(one: Field, other: Field, *, reproducible: bool = True) -> Any:
    """Return the sum of products, each rounded to the fields' dtype. The first is conjugated. Collective."""
    left = one.local.conj() if one.dtype.kind == "c" else one.local
    return total(one.grid.comm, _products(left, other.local), reproducible=reproducible)


def extreme(comm: Communicator, values: Any, function: str) -> Any:
    """Return the largest or smallest value (``"max"``, ``"min"``) of all ranks; NaN if there is one. Collective."""
    found = comm.gather(asnumpy(getattr(xp, function)(values))[()] if values.size else None)
    return getattr(np, function)(np.asarray([value for value in found if value is not None], values.dtype))


def truth(comm: Communicator, values: Any, function: str) -> bool:
    """Return whether any or all values of all ranks (``"any"``, ``"all"``) are not 0. Collective."""
    found: Sequence[Any] = comm.gather(bool(asnumpy(getattr(xp, function)(values))))
    return any(found) if function == "any" else all(found)
