"""The scalar functions of generated Numba CUDA source: one for each name in the op table's ``numba`` column.

On arguments of one dtype they mean what the NumPy function of that op means: integers wrap, NaN is propagated,
division by zero is IEEE's for floats and 0 for integers. They are formulas over what `cuda_device` emits, or
`cuda_simulated` computes, and may call one another; those of complex numbers are in `cuda_complex`.

Numba widens what meets a literal and every sum of small integers; `like` brings numbers into the dtype at hand.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from xpaccel.codegen.cuda_basis import is_simulated

if TYPE_CHECKING or is_simulated():
    from xpaccel.codegen import cuda_simulated as basis
else:
    from xpaccel.codegen import cuda_device as basis

bits, cast, like, load, select = basis.bits, basis.cast, basis.like, basis.load, basis.select
function, on = basis.function, basis.on

inf, nan = math.inf, math.nan
_INT64, _UINT64 = vars(basis)["int64"], vars(basis)["uint64"]
_LN2 = math.log(2)

# -- what is a primitive on most dtypes -------------------------------------------------------------------

add, subtract, multiply = (function(name, 2) for name in ("add", "subtract", "multiply"))
divide, negative = function("divide", 2), function("negative", 1)
floor, ceil, trunc, rint = (function(name, 1, library=name) for name in ("floor", "ceil", "trunc", "rint"))
fabs, fmod = function("fabs", 1, library="fabs"), function("fmod", 2, library="fmod")
sqrt, copysign = function("sqrt", 1, library="sqrt"), function("copysign", 2, library="copysign")
nextafter, power = function("nextafter", 2, library="nextafter"), function("power", 2, library="pow")
conjugate = function("conjugate", 1)
real, imag = function("real", 1, "real"), function("imag", 1, "real")

exp, expm1, log, log1p, log2, log10 = (
    function(name, 1, library=name) for name in ("exp", "expm1", "log", "log1p", "log2", "log10")
)
sin, cos, tan, asin, acos, atan = (
    function(name, 1, library=name) for name in ("sin", "cos", "tan", "asin", "acos", "atan")
)
sinh, cosh, tanh, asinh, acosh, atanh = (
    function(name, 1, library=name) for name in ("sinh", "cosh", "tanh", "asinh", "acosh", "atanh")
)
cbrt, atan2, hypot = (
    function("cbrt", 1, library="cbrt"),
    function("atan2", 2, library="atan2"),
    function("hypot", 2, library="hypot"),
)

# -- arithmetic -------------------------------------------------------------------------------------------

absolute, sign = function("absolute", 1, "real", library="fabs"), function("sign", 1)
reciprocal = function("reciprocal", 1)
maximum, minimum = function("maximum", 2), function("minimum", 2)
floor_divide, remainder = function("floor_divide", 2), function("remainder", 2)
logaddexp = function("logaddexp", 2)


@on(absolute, "iu")
def whole_absolute(x: Any) -> Any:
    """Return the absolute value; of the least integer, itself."""
    return negative(x) if x < like(0, x) else x


@on(sign, "iuf")
def real_sign(x: Any) -> Any:
    """Return -1, 0, 1 or NaN."""
    if x > like(0, x):
        return like(1, x)
    if x < like(0, x):
        return like(-1, x)
    return x if x != x else like(0, x)


@on(reciprocal, "f")
def real_reciprocal(x: Any) -> Any:
    """Return 1 / x."""
    return like(1, x) / x


@on(maximum, "b")
def either(x: Any, y: Any) -> Any:
    """Return x or y."""
    return x | y


@on(minimum, "b")
def both(x: Any, y: Any) -> Any:
    """Return x and y."""
    return x & y


@on(maximum, "iuf")
def larger(x: Any, y: Any) -> Any:
    """Return the larger number, or a NaN if there is one: a comparison with y as NaN is false."""
    return x if x != x or x > y else y


@on(minimum, "iuf")
def smaller(x: Any, y: Any) -> Any:
    """Return the smaller number, or a NaN if there is one."""
    return x if x != x or x < y else y


@on(floor_divide, "iu")
def whole_quotient(x: Any, y: Any) -> Any:
    """Return floor(x / y); by 0 it is 0, and the least integer over -1 is itself."""
    if y == like(0, y):
        return like(0, x)
    if y < like(0, y) and y == like(-1, y):
        return negative(x)
    return like(x // y, x)


@on(remainder, "iu")
def whole_remainder(x: Any, y: Any) -> Any:
    """Return x modulo y, with the sign of y."""
    if y == like(0, y) or (y < like(0, y) and y == like(-1, y)):
        return like(0, x)
    return like(x % y, x)


@on(floor_divide, "f")
def real_quotient(x: Any, y: Any) -> Any:
    """Return floor(x / y) as NumPy's npy_divmod finds it."""
    ratio = x / y
    if y == like(0, y):
        return ratio
    truncated = fmod(x, y)
    quotient = (x - truncated) / y
    if (y < like(0, y)) != (truncated < like(0, y)) and truncated != like(0, y):
        quotient = quotient - like(1, y)
    if quotient == like(0, y):
        return copysign(like(0, y), ratio)
    whole = floor(quotient)
    return whole + like(1, y) if quotient - whole > like(0.5, y) else whole


@on(remainder, "f")
def real_remainder(x: Any, y: Any) -> Any:
    """Return x modulo y as NumPy's npy_divmod finds it."""
    truncated = fmod(x, y)
    if y == like(0, y):
        return truncated
    if truncated == like(0, y):
        return copysign(like(0, y), y)
    return truncated + y if (y < like(0, y)) != (truncated < like(0, y)) else truncated


@on(power, "iu")
def whole_power(x: Any, y: Any) -> Any:
    """Multiply modulo 2^64, which is right modulo every smaller power of two; `y` counts as unsigned."""
    base, count, result = cast(x, _UINT64), cast(y, _UINT64), _UINT64(1)
    while count != _UINT64(0):
        if count & _UINT64(1) != _UINT64(0):
            result = multiply(result, base)
        base = multiply(base, base)
        count = count >> _UINT64(1)
    return like(result, x)


@on(logaddexp, "f")
def real_logaddexp(x: Any, y: Any) -> Any:
    """Return log(exp(x) + exp(y)) without overflow."""
    if x == y:
        return x + like(_LN2, x)
    difference = x - y
    return (x if difference > like(0, x) else y) + log1p(exp(-fabs(difference)))


# -- points in order, and atomic ones ---------------------------------------------------------------------

largest, smallest = function("largest", 2), function("smallest", 2)


@on(largest, "f")
def largest_in_any_order(x: Any, y: Any) -> Any:
    """Return the larger number, the same bits in every order: one NaN for all of them, and 0 is more than -0."""
    if x != x or y != y:
        return like(nan, x)
    return x if x > y or (x == y and not signbit(x)) else y


@on(smallest, "f")
def smallest_in_any_order(x: Any, y: Any) -> Any:
    """Return the smaller number, the same bits in every order."""
    if x != x or y != y:
        return like(nan, x)
    return x if x < y or (x == y and signbit(x)) else y


@basis.search
def run_end(keys: Any, at: int, first: int, end: int) -> int:
    """Return the end of the run of equal keys that begins at `first`: by steps that double, then by halving."""
    key = load(keys, at + first, _INT64)
    low, step = first, 1  # what is at `low` is of the run
    while step < end - low and load(keys, at + low + step, _INT64) == key:
        low += step
        step *= 2
    high = min(low + step, end)  # what is at `high` is not
    while high - low > 1:
        middle = low + (high - low) // 2
        if load(keys, at + middle, _INT64) == key:
            low = middle
        else:
            high = middle
    return high


# -- classes of numbers, bits -----------------------------------------------------------------------------

isnan, isinf, isfinite = (function(name, 1, "bool") for name in ("isnan", "isinf", "isfinite"))
signbit, logical_not = function("signbit", 1, "bool"), function("logical_not", 1, "bool")
invert = function("invert", 1)
left_shift, right_shift = function("left_shift", 2), function("right_shift", 2)


@on(isnan, "iuf")
def is_no_number(x: Any) -> Any:
    """Whether a number differs from itself."""
    return x != x


@on(isinf, "iu")
def is_never(x: Any) -> Any:
    """Return False."""
    return x != x


@on(isfinite, "iu")
def is_always(x: Any) -> Any:
    """Return True."""
    return x == x


@on(isinf, "f")
def is_infinite(x: Any) -> Any:
    """Whether a number is infinite."""
    return fabs(x) == like(inf, x)


@on(isfinite, "f")
def is_finite(x: Any) -> Any:
    """Whether a number is neither infinite nor NaN."""
    return fabs(x) < like(inf, x)


@on(signbit, "f")
def has_sign(x: Any) -> Any:
    """Whether the sign bit is set."""
    return copysign(like(1, x), x) < like(0, x)


@on(invert, "b")
@on(logical_not, "b")
def opposite(x: Any) -> Any:
    """Return not x."""
    return not x


@on(invert, "iu")
def inverted(x: Any) -> Any:
    """Return all bits inverted."""
    return like(~x, x)


@on(left_shift, "iu")
def shifted_left(x: Any, y: Any) -> Any:
    """Shift left; 0 where the shift is as wide as the integer, or negative."""
    by = cast(y, _UINT64)
    return like(cast(x, _UINT64) << by, x) if by < bits(x) else like(0, x)


@on(right_shift, "i")
def shifted_right(x: Any, y: Any) -> Any:
    """Shift right; where the shift is too wide or negative, all bits become the sign."""
    by = cast(y, _UINT64)
    return like(x >> like(by if by < bits(x) else bits(x) - _UINT64(1), x), x)


@on(right_shift, "u")
def shifted_right_unsigned(x: Any, y: Any) -> Any:
    """Shift right; 0 where the shift is too wide."""
    return like(x >> y, x) if cast(y, _UINT64) < bits(x) else like(0, x)


#: The functions by name. A name in the op table's column that is not among them fails a test.
FUNCTIONS: dict[str, Any] = {name: value for name, value in vars().items() if name in basis._FORMULAS}
FUNCTIONS |= {"cast": cast, "select": select}

globals().update({name: getattr(basis, name) for name in basis.__all__})
__all__ = ["inf", "nan", "run_end", *basis.__all__, *FUNCTIONS]
