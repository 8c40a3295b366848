"""Scalar functions written as Python, with those of `xpaccel.codegen.scalar`, and compiled with a nest.

They are the long ones: most are of complex numbers, and most are NumPy's own formulas, so that special
values come out as its. Numba widens what meets a literal; `like` keeps literals in the dtype at hand.
"""

from __future__ import annotations

import math
from typing import Any

from numba.core import types

from xpaccel.codegen.scalar import FUNCTIONS, absolute, cast, cpow, join, like, nan, select, sign

atan2, cos, exp, expm1, hypot, log, log1p, sin = map(
    FUNCTIONS.__getitem__, ("atan2", "cos", "exp", "expm1", "hypot", "log", "log1p", "sin")
)
floor, isinf, isnan = map(FUNCTIONS.__getitem__, ("floor", "isinf", "isnan"))
_LN2 = math.log(2)


def integer_power(x: Any, y: Any) -> Any:
    """Multiply modulo 2^64, which is right modulo every smaller power of two; `y` counts as unsigned."""
    result = 1
    while y != 0:
        if y & 1:
            result *= x
        x *= x
        y = (y >> 1) & 0x7FFF_FFFF_FFFF_FFFF
    return result


def complex_divide(x: Any, y: Any) -> Any:
    """Divide complex numbers, scaled by the larger part of the divisor (Smith 1962)."""
    a = x.real
    b = x.imag
    c = y.real
    d = y.imag
    if absolute(c) >= absolute(d):
        if c == 0 and d == 0:
            return join(a / absolute(c), b / absolute(c))
        ratio = d / c
        scale = like(1.0, c) / (c + d * ratio)
        return join((a + b * ratio) * scale, (b - a * ratio) * scale)
    ratio = c / d
    scale = like(1.0, c) / (d + c * ratio)
    return join((a * ratio + b) * scale, (b * ratio - a) * scale)


def complex_reciprocal(x: Any) -> Any:
    """Return 1 / x, scaled likewise."""
    a = x.real
    b = x.imag
    if absolute(b) <= absolute(a):
        ratio = b / a
        scale = a + b * ratio
        return join(like(1.0, a) / scale, -ratio / scale)
    ratio = a / b
    scale = a * ratio + b
    return join(ratio / scale, like(-1.0, a) / scale)


def complex_sign(x: Any) -> Any:
    """Return x / abs(x); of what is infinite in one part, that part's sign."""
    a = x.real
    b = x.imag
    size = absolute(x)
    zero = like(0.0, a)
    if isnan(size) or (isinf(a) and isinf(b)):
        return join(like(nan, a), like(nan, a))
    if size == 0:
        return join(zero, zero)
    if isinf(size):
        return join(sign(a), zero) if isinf(a) else join(zero, sign(b))
    return join(a / size, b / size)


def complex_power(x: Any, y: Any) -> Any:
    """Return x ** y: by multiplication where y is a small whole number, as NumPy does."""
    a = x.real
    b = x.imag
    c = y.real
    d = y.imag
    one = join(like(1.0, a), like(0.0, a))
    if c == 0 and d == 0:
        return one
    if c == 1 and d == 0:
        return x
    if a == 0 and b == 0:
        rest = like(0.0 if c > 0 else nan, a)
        return join(rest, rest)
    if d == 0 and c == floor(c) and absolute(c) < 100:
        count = cast(absolute(c), types.int64)
        result = one
        while count != 0:
            if count & 1:
                result = result * x
            x = x * x
            count >>= 1
        if c < 0:
            result = one / result
        return result
    return cpow(x, y)


def complex_log2(x: Any) -> Any:
    """Return the logarithm to base 2."""
    y = log(x)
    return join(y.real * like(1 / math.log(2), y.real), y.imag * like(1 / math.log(2), y.real))


def complex_log10(x: Any) -> Any:
    """Return the logarithm to base 10."""
    y = log(x)
    return join(y.real * like(1 / math.log(10), y.real), y.imag * like(1 / math.log(10), y.real))


def complex_log1p(x: Any) -> Any:
    """Return log(1 + x)."""
    a = x.real + like(1.0, x.real)
    return join(log(hypot(a, x.imag)), atan2(x.imag, a))


def complex_expm1(x: Any) -> Any:
    """Return exp(x) - 1, without cancellation near 0."""
    half = sin(x.imag / like(2.0, x.imag))
    part = expm1(x.real) * cos(x.imag)
    return join(part - like(2.0, half) * half * half, exp(x.real) * sin(x.imag))


def logaddexp(x: Any, y: Any) -> Any:
    """Return log(exp(x) + exp(y)) without overflow."""
    difference = x - y
    larger = select(difference > 0, x, y)
    added = larger + log1p(exp(-absolute(difference)))
    return select(x == y, x + like(_LN2, x), added)
