"""Complex numbers in generated Numba CUDA source: NumPy's formulas, so that special values come out as its.

Generated source that has complex numbers imports this module for what it adds to the functions of `cuda_scalar`.
The transcendental functions follow W. Kahan, Branch Cuts for Complex Elementary Functions (1987).
"""

from __future__ import annotations

import math
from typing import Any

from xpaccel.codegen import cuda_scalar
from xpaccel.codegen.cuda_scalar import (
    absolute,
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cast,
    conjugate,
    copysign,
    cos,
    cosh,
    divide,
    exp,
    expm1,
    fabs,
    floor,
    hypot,
    isfinite,
    isinf,
    isnan,
    like,
    log,
    log1p,
    log2,
    log10,
    maximum,
    minimum,
    multiply,
    nan,
    on,
    power,
    reciprocal,
    sign,
    sin,
    sinh,
    sqrt,
    tan,
    tanh,
)

join, _INT64 = (vars(cuda_scalar)[name] for name in ("join", "int64"))
_LN2, _PI_2 = math.log(2), math.pi / 2
_LOG2_E, _LOG10_E = 1 / math.log(2), 1 / math.log(10)

# -- arithmetic -------------------------------------------------------------------------------------------


@on(divide, "c")
def quotient(x: Any, y: Any) -> Any:
    """Divide, scaled by the larger part of the divisor (Smith 1962)."""
    a, b, c, d = x.real, x.imag, y.real, y.imag
    if fabs(c) >= fabs(d):
        if c == like(0, c) and d == like(0, d):
            return join(a / fabs(c), b / fabs(c))
        ratio = d / c
        scale = like(1, c) / (c + d * ratio)
        return join((a + b * ratio) * scale, (b - a * ratio) * scale)
    ratio = c / d
    scale = like(1, c) / (d + c * ratio)
    return join((a * ratio + b) * scale, (b * ratio - a) * scale)


@on(reciprocal, "c")
def inverse(x: Any) -> Any:
    """Return 1 / x, scaled likewise."""
    a, b = x.real, x.imag
    if fabs(b) <= fabs(a):
        ratio = b / a
        scale = a + b * ratio
        return join(like(1, a) / scale, -ratio / scale)
    ratio = a / b
    scale = a * ratio + b
    return join(ratio / scale, like(-1, a) / scale)


@on(absolute, "c")
def size(x: Any) -> Any:
    """Return the absolute value."""
    return hypot(x.real, x.imag)


@on(conjugate, "c")
def conjugated(x: Any) -> Any:
    """Return the conjugate."""
    return join(x.real, -x.imag)


@on(isnan, "c")
def is_no_number(x: Any) -> Any:
    """Whether a part is NaN."""
    return isnan(x.real) | isnan(x.imag)


@on(isinf, "c")
def is_infinite(x: Any) -> Any:
    """Whether a part is infinite."""
    return isinf(x.real) | isinf(x.imag)


@on(isfinite, "c")
def is_finite(x: Any) -> Any:
    """Whether both parts are finite."""
    return isfinite(x.real) & isfinite(x.imag)


@on(sign, "c")
def direction(x: Any) -> Any:
    """Return x / abs(x); of what is infinite in one part, that part's sign."""
    a, b = x.real, x.imag
    length, zero = hypot(a, b), like(0, a)
    if isnan(length) or (isinf(a) and isinf(b)):
        return join(like(nan, a), like(nan, a))
    if length == zero:
        return join(zero, zero)
    if isinf(length):
        return join(sign(a), zero) if isinf(a) else join(zero, sign(b))
    return join(a / length, b / length)


@on(power, "c")
def complex_power(x: Any, y: Any) -> Any:
    """Return x ** y: by multiplication where y is a small whole number, as NumPy does."""
    a, b, c, d = x.real, x.imag, y.real, y.imag
    zero, one = like(0, a), join(like(1, a), like(0, a))
    if c == zero and d == zero:
        return one
    if c == like(1, a) and d == zero:
        return x
    if a == zero and b == zero:
        rest = zero if c > zero else like(nan, a)
        return join(rest, rest)
    if d == zero and c == floor(c) and fabs(c) < like(100, a):
        count = cast(fabs(c), _INT64)
        result = one
        while count != _INT64(0):
            if count & _INT64(1) != _INT64(0):
                result = multiply(result, x)
            x = multiply(x, x)
            count = count >> _INT64(1)
        return divide(one, result) if c < zero else result
    return exp(multiply(y, log(x)))


# -- exponentials and logarithms --------------------------------------------------------------------------


@on(exp, "c")
def complex_exp(x: Any) -> Any:
    """Return exp(x), whose parts may be finite where exp of the real part is not."""
    a, b = x.real, x.imag
    if b == like(0, b):
        return join(exp(a), b)
    c, s = cos(b), sin(b)
    size = exp(a)
    if isinf(size) and isfinite(a):
        half = exp(a * like(0.5, a))
        return join(half * c * half, half * s * half)
    if size == like(0, a):
        return join(copysign(size, c), copysign(size, s))
    return join(size * c, size * s)


@on(log, "c")
def complex_log(x: Any) -> Any:
    """Return the logarithm, near 1 without cancellation."""
    a, b = fabs(x.real), fabs(x.imag)
    large, small, length = maximum(a, b), minimum(a, b), hypot(a, b)
    angle, half, one = atan2(x.imag, x.real), like(0.5, a), like(1, a)
    if length > half and length < like(2, a):
        return join(half * log1p((large - one) * (large + one) + small * small), angle)
    if isinf(length) and isfinite(large):
        return join(log(hypot(a * half, b * half)) + like(_LN2, a), angle)
    return join(log(length), angle)


@on(sqrt, "c")
def complex_sqrt(x: Any) -> Any:
    """Return the square root; numbers near the largest are scaled down first."""
    a, b = x.real, x.imag
    zero, two = like(0, a), like(2, a)
    if a == zero and b == zero:
        return join(zero, b)
    if isinf(b):
        return join(fabs(b), b)
    if isinf(a) and not isnan(b):
        return join(a, copysign(zero, b)) if a > zero else join(zero, copysign(a, b))
    back = like(1, a)
    if isinf(two * (fabs(a) + fabs(b))):
        a, b, back = a * like(0.25, a), b * like(0.25, a), two
    t = sqrt((fabs(a) + hypot(a, b)) * like(0.5, a))
    u = b / (two * t)
    return join(t * back, u * back) if a >= zero else join(fabs(u) * back, copysign(t, b) * back)


@on(expm1, "c")
def complex_expm1(x: Any) -> Any:
    """Return exp(x) - 1, without cancellation near 0."""
    half = sin(x.imag / like(2, x.imag))
    return join(expm1(x.real) * cos(x.imag) - like(2, half) * half * half, exp(x.real) * sin(x.imag))


@on(log1p, "c")
def complex_log1p(x: Any) -> Any:
    """Return log(1 + x)."""
    a = x.real + like(1, x.real)
    return join(log(hypot(a, x.imag)), atan2(x.imag, a))


@on(log2, "c")
def complex_log2(x: Any) -> Any:
    """Return the logarithm to base 2."""
    y = log(x)
    return join(y.real * like(_LOG2_E, y.real), y.imag * like(_LOG2_E, y.real))


@on(log10, "c")
def complex_log10(x: Any) -> Any:
    """Return the logarithm to base 10."""
    y = log(x)
    return join(y.real * like(_LOG10_E, y.real), y.imag * like(_LOG10_E, y.real))


# -- trigonometric and hyperbolic -------------------------------------------------------------------------


@on(sinh, "c")
def complex_sinh(x: Any) -> Any:
    """Return the hyperbolic sine."""
    if x.imag == like(0, x.imag):
        return join(sinh(x.real), x.imag)
    return join(sinh(x.real) * cos(x.imag), cosh(x.real) * sin(x.imag))


@on(cosh, "c")
def complex_cosh(x: Any) -> Any:
    """Return the hyperbolic cosine."""
    if x.imag == like(0, x.imag):
        return join(cosh(x.real), x.imag * copysign(like(1, x.real), x.real))
    return join(cosh(x.real) * cos(x.imag), sinh(x.real) * sin(x.imag))


@on(tanh, "c")
def complex_tanh(x: Any) -> Any:
    """Return the hyperbolic tangent."""
    a, b, one = x.real, x.imag, like(1, x.real)
    if fabs(a) > like(22, a):
        return join(copysign(one, a), like(4, a) * sin(b) * cos(b) * exp(like(-2, a) * fabs(a)))
    t, s = tan(b), sinh(a)
    beta, rho = one + t * t, sqrt(one + s * s)
    if isinf(t):
        return join(rho / s, one / t)
    below = one + beta * s * s
    return join(beta * rho * s / below, t / below)


@on(asin, "c")
def complex_asin(x: Any) -> Any:
    """Return the inverse sine."""
    one = like(1, x.real)
    below, above = sqrt(join(one - x.real, -x.imag)), sqrt(join(one + x.real, x.imag))
    return join(atan2(x.real, multiply(below, above).real), asinh(multiply(conjugate(below), above).imag))


@on(acos, "c")
def complex_acos(x: Any) -> Any:
    """Return the inverse cosine."""
    one = like(1, x.real)
    below, above = sqrt(join(one - x.real, -x.imag)), sqrt(join(one + x.real, x.imag))
    return join(like(2, one) * atan2(below.real, above.real), asinh(multiply(conjugate(above), below).imag))


@on(acosh, "c")
def complex_acosh(x: Any) -> Any:
    """Return the inverse hyperbolic cosine."""
    one = like(1, x.real)
    below, above = sqrt(join(x.real - one, x.imag)), sqrt(join(x.real + one, x.imag))
    return join(asinh(multiply(conjugate(below), above).real), like(2, one) * atan2(below.imag, above.real))


@on(atanh, "c")
def complex_atanh(x: Any) -> Any:
    """Return the inverse hyperbolic tangent; far from 0 it is a right angle."""
    a, b, one = fabs(x.real), x.imag, like(1, x.real)
    if isinf((one + a) * (one + a)) or isinf(b * b):
        return join(copysign(like(0, a), x.real), copysign(like(_PI_2, b), b))
    far = one - a
    real = like(0.25, a) * log1p(like(4, a) * a / (far * far + b * b))
    imag = like(0.5, a) * atan2(like(2, b) * b, far * (one + a) - b * b)
    return join(copysign(real, x.real), imag)


@on(sin, "c")
def complex_sin(x: Any) -> Any:
    """Return the sine: i sin(z) = sinh(i z)."""
    y = sinh(join(x.imag, x.real))
    return join(y.imag, y.real)


@on(cos, "c")
def complex_cos(x: Any) -> Any:
    """Return the cosine: cos(z) = cosh(i z)."""
    return cosh(join(-x.imag, x.real))


@on(tan, "c")
def complex_tan(x: Any) -> Any:
    """Return the tangent."""
    y = tanh(join(x.imag, x.real))
    return join(y.imag, y.real)


@on(asinh, "c")
def complex_asinh(x: Any) -> Any:
    """Return the inverse hyperbolic sine."""
    y = asin(join(x.imag, x.real))
    return join(y.imag, y.real)


@on(atan, "c")
def complex_atan(x: Any) -> Any:
    """Return the inverse tangent."""
    y = atanh(join(x.imag, x.real))
    return join(y.imag, y.real)
