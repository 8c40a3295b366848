"""An integer wide enough for any sum of float64 and of products of two, in limbs of 32 bits.

It is Kulisch's accumulator ("Computer Arithmetic and Validity", 2013), with the limbs kept apart so that many additions
need no carry (Neal, "Fast exact summation using small and large superaccumulators", arXiv:1505.05571, 2015).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpaccel.domain.slices import exact_product

AnyArray = NDArray[Any]
Words = NDArray[np.int64]

LIMBS = 138
"""Limbs of 32 bits: from 2**-2272, below the last bit of the smallest product, to 2**2144, over any sum."""

LOWEST = -2272
NAN, PLUS, MINUS, COUNT = range(LIMBS, LIMBS + 4)

WORDS = LIMBS + 4
"""The limbs, and how many nan, inf and -inf there were, and how many numbers in all."""

_BATCH = 2**20  # numbers that are added to limbs before these are carried: 2**20 * 2**33 is far from 2**63


def add_numbers(words: Words, numbers: AnyArray) -> None:
    """Add numbers one by one."""
    flat = numbers.reshape(-1).astype(np.float64)
    for start in range(0, flat.size, _BATCH):
        some = flat[start : start + _BATCH]
        finite = np.isfinite(some)
        if not finite.all():
            _count(words, some[~finite])
            some = some[finite]
        mantissa, exponent = np.frexp(some)
        _add(words, mantissa, exponent)


def add_products(words: Words, a: AnyArray, b: AnyArray) -> None:
    """Add products one by one: of mantissas, whose products and errors are numbers whatever the exponents are."""
    a, b = a.reshape(-1).astype(np.float64), b.reshape(-1).astype(np.float64)
    for start in range(0, a.size, _BATCH):
        one, other = a[start : start + _BATCH], b[start : start + _BATCH]
        finite = np.isfinite(one) & np.isfinite(other)
        if not finite.all():
            with np.errstate(invalid="ignore"):
                _count(words, one[~finite] * other[~finite])
            one, other = one[finite], other[finite]
        (m1, e1), (m2, e2) = np.frexp(one), np.frexp(other)
        for part in exact_product(m1, m2):
            mantissa, exponent = np.frexp(part)
            _add(words, mantissa, exponent + e1 + e2)


def _count(words: Words, specials: AnyArray) -> None:
    words[NAN] += np.count_nonzero(np.isnan(specials))
    words[PLUS] += np.count_nonzero(specials == math.inf)
    words[MINUS] += np.count_nonzero(specials == -math.inf)


def _add(words: Words, mantissa: AnyArray, exponent: AnyArray) -> None:
    """Add at most `_BATCH` numbers ``mantissa * 2**exponent`` to the limbs, and carry."""
    whole = (mantissa * 2.0**53).astype(np.int64)
    place = exponent.astype(np.int64) - 53 - LOWEST
    limb, shift = place >> 5, place & 31
    sign, size = np.sign(whole), np.abs(whole)
    low, high = (size & 0xFFFFFFFF) << shift, (size >> 32) << shift
    for offset, digits in enumerate((low & 0xFFFFFFFF, (low >> 32) + (high & 0xFFFFFFFF), high >> 32)):
        np.add.at(words, limb + offset, sign * digits)
    carry(words)


def carry(words: Words) -> None:
    """Bring limbs below 2**33, whose sums of a billion stay in int64; the last keeps the sign. The sum is the same."""
    limbs = words[..., :LIMBS]
    carried = limbs[..., :-1] >> 32
    limbs[..., :-1] &= 0xFFFFFFFF
    limbs[..., 1:] += carried


def total_of(part: Words) -> int:
    """Return the integer that the limbs are."""
    used = np.flatnonzero(part[:LIMBS])
    if not used.size:
        return 0
    total = 0
    for limb in reversed(part[used[0] : used[-1] + 1].tolist()):
        total = (total << 32) + limb
    return total << 32 * int(used[0])


def special(part: Words) -> float:
    """Return what the sum is if numbers that are not finite decide, as IEEE arithmetic has it; else 0."""
    nan, plus, minus = (bool(part[at]) for at in (NAN, PLUS, MINUS))
    if nan or (plus and minus):
        return math.nan
    return math.inf if plus else -math.inf if minus else 0.0


def rounded_to(total: int, divisor: int, digits: int, lowest: int) -> float:
    """Return ``total * 2**LOWEST / divisor``, rounded to `digits` bits of which none is below ``2**lowest``."""
    size = abs(total)
    unit = max(size.bit_length() - divisor.bit_length() + LOWEST - digits, lowest)  # or one more
    while True:
        shift = LOWEST - unit
        scaled = divisor << max(-shift, 0)
        quotient, rest = divmod(size << max(shift, 0), scaled)
        if quotient < 1 << digits:
            break
        unit += 1
    quotient += 2 * rest > scaled or (2 * rest == scaled and quotient & 1)
    try:
        value = math.ldexp(quotient, unit)
    except OverflowError:
        value = math.inf
    return -value if total < 0 else value


def root_of(total: int, digits: int, lowest: int) -> float:
    """Return the square root of ``total * 2**LOWEST``, rounded."""
    if total < 0:
        return math.nan
    more = max(0, 2 * (digits + 2) - total.bit_length())
    more += more % 2
    root = math.isqrt(total << more)
    root = 2 * root + (root * root != total << more)  # a last bit that says whether something is left
    power = (LOWEST - more) // 2 - 1 - LOWEST
    return rounded_to(root << max(power, 0), 1 << max(-power, 0), digits, lowest)
