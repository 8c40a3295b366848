"""The scalar functions of generated Numba source: one for each name in the op table's ``numba`` column.

All are Numba intrinsics, known inside generated source only, take arguments of one dtype, and mean what
the NumPy function of that op means on it: integers wrap, NaN is propagated, division by zero is IEEE's for
floats and 0 for integers. What is a few instructions is emitted as such, without branches, so that loops
are vectorised; what is longer is a formula in `xpaccel.codegen.formulas`, compiled with the nest.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.imputils import Registry
from numba.extending import intrinsic

from xpaccel.codegen import emit, vector
from xpaccel.ops import OPS

inf, nan = math.inf, math.nan

#: The functions by name. A name in the op table's column that is not among them fails a test.
FUNCTIONS: dict[str, Any] = {}

#: What infix operators on complex numbers are here: NumPy's formulas, where Numba has Python's.
operators = Registry("xpaccel operators")

_LIBM = {op.libm: op.arity for op in OPS.values() if op.libm}

Code = Callable[..., Any]


# -- how functions are defined ----------------------------------------------------------------------------


def _same(kind: Any) -> Any:
    return kind


def _boolean(kind: Any) -> Any:
    return types.boolean


def _real(kind: Any) -> Any:
    return kind.underlying_float if isinstance(kind, types.Complex) else kind


def _define(name: str, arity: int, code: Code, returns: Callable[[Any], Any] = _same) -> Any:
    """Define and export the intrinsic `name`; ``code(context, builder, dtype, *args)`` gives its value."""

    def whole(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return code(context, builder, signature.args[0], *args)

    def one(typing: Any, x: Any) -> Any:
        return returns(x)(x), whole

    def two(typing: Any, x: Any, y: Any) -> Any:
        return (returns(x)(x, x), whole) if x == y else None

    function = one if arity == 1 else two
    function.__name__ = function.__qualname__ = name
    globals()[name] = FUNCTIONS[name] = intrinsic(function)
    return FUNCTIONS[name]


def _function(arity: int, returns: Callable[[Any], Any] = _same) -> Callable[[Code], Any]:
    """Make a function of this module the intrinsic of its name."""
    return lambda code: _define(code.__name__, arity, code, returns)


def _formula(name: str, context: Any, builder: Any, kind: Any, *args: Any) -> Any:
    """Compile a function of `xpaccel.codegen.formulas`, which is written with those of this module."""
    from xpaccel.codegen import formulas

    return emit.compiled(context, builder, getattr(formulas, name), kind, *args)


# -- casts and selection ----------------------------------------------------------------------------------


@intrinsic
def cast(typing: Any, value: Any, dtype: Any) -> Any:
    """``cast(value, dtype)``: NumPy's unsafe ``astype``."""
    target = dtype.instance_type

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit.convert(context, builder, args[0], signature.args[0], target)

    return target(value, dtype), code


@intrinsic
def select(typing: Any, condition: Any, yes: Any, no: Any) -> Any:
    """``select(condition, yes, no)``: one of two values that were both computed."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _select(context, builder, signature.return_type, *args)

    return (yes(condition, yes, yes), code) if yes == no else None


def _select(context: Any, builder: Any, kind: Any, condition: Any, yes: Any, no: Any) -> Any:
    if not isinstance(kind, types.Complex):
        return builder.select(condition, yes, no)
    pairs = zip(emit.parts(context, builder, kind, yes), emit.parts(context, builder, kind, no), strict=True)
    return emit.complex_value(context, builder, kind, *(builder.select(condition, y, n) for y, n in pairs))


# -- arithmetic -------------------------------------------------------------------------------------------


@operators.lower(operator.mul, types.Complex, types.Complex)
def _multiply(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    kind = signature.return_type
    (a, b), (c, d) = (emit.parts(context, builder, kind, arg) for arg in args)
    real = builder.fsub(builder.fmul(a, c), builder.fmul(b, d))
    imag = builder.fadd(builder.fmul(a, d), builder.fmul(b, c))
    return emit.complex_value(context, builder, kind, real, imag)


@operators.lower(operator.truediv, types.Complex, types.Complex)
def _divide(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return _formula("complex_divide", context, builder, signature.return_type, *args)


@_function(1)
def reciprocal(context: Any, builder: Any, kind: Any, x: Any) -> Any:
    if isinstance(kind, types.Complex):
        return _formula("complex_reciprocal", context, builder, kind, x)
    return builder.fdiv(x.type(1), x)


@_function(2)
def floor_divide(context: Any, builder: Any, kind: Any, x: Any, y: Any) -> Any:
    if not emit.is_integer(kind):
        return _float_divmod(builder, x, y)[0]
    safe, usable = _divisor(builder, kind, x, y)
    if not kind.signed:
        return builder.select(usable, builder.udiv(x, safe), y)
    quotient, rest = builder.sdiv(x, safe), builder.srem(x, safe)
    lower = builder.sext(_rounds_down(builder, rest, safe), x.type)
    return builder.select(usable, builder.add(quotient, lower), y)


@_function(2)
def remainder(context: Any, builder: Any, kind: Any, x: Any, y: Any) -> Any:
    if not emit.is_integer(kind):
        return _float_divmod(builder, x, y)[1]
    safe, usable = _divisor(builder, kind, x, y)
    if not kind.signed:
        return builder.select(usable, builder.urem(x, safe), y)
    rest = builder.srem(x, safe)
    more = builder.select(_rounds_down(builder, rest, safe), safe, safe.type(0))
    return builder.select(usable, builder.add(rest, more), y)


def _float_divmod(builder: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Return floor(x / y) and x modulo y, as NumPy's npy_divmod finds them."""
    zero, one, half = x.type(0), x.type(1), x.type(0.5)
    truncated, ratio = emit.libm(builder, "fmod", [x, y]), builder.fdiv(x, y)
    signs = builder.xor(builder.fcmp_ordered("<", y, zero), builder.fcmp_ordered("<", truncated, zero))
    whole = builder.fcmp_ordered("==", truncated, zero)
    adjust = builder.and_(signs, builder.not_(whole))
    quotient = builder.fdiv(builder.fsub(x, truncated), y)
    quotient = builder.select(adjust, builder.fsub(quotient, one), quotient)
    floor = emit.llvm(builder, "llvm.floor", quotient)
    above = builder.fcmp_ordered(">", builder.fsub(quotient, floor), half)
    floor = builder.select(above, builder.fadd(floor, one), floor)
    nothing = builder.fcmp_ordered("==", quotient, zero)
    floor = builder.select(nothing, emit.llvm(builder, "llvm.copysign", zero, ratio), floor)
    rest = builder.select(whole, emit.llvm(builder, "llvm.copysign", zero, y), truncated)
    rest = builder.select(adjust, builder.fadd(truncated, y), rest)
    by_zero = builder.fcmp_ordered("==", y, zero)
    return builder.select(by_zero, ratio, floor), builder.select(by_zero, truncated, rest)


def _divisor(builder: Any, kind: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Return a divisor with which the processor does not trap, and whether `y` is not 0."""
    zero, one = y.type(0), y.type(1)
    usable = builder.icmp_unsigned("!=", y, zero)
    safe = builder.select(usable, y, one)
    if kind.signed:  # the least integer over -1 does not fit; NumPy has it wrap, as division by 1 does
        wraps = builder.and_(
            builder.icmp_unsigned("==", x, x.type(-(2 ** (x.type.width - 1)))),
            builder.icmp_unsigned("==", y, y.type(-1)),
        )
        safe = builder.select(wraps, one, safe)
    return safe, usable


def _rounds_down(builder: Any, rest: Any, divisor: Any) -> Any:
    """Whether C's truncated quotient is one above the floor: there is a rest, of the other sign."""
    differ = builder.icmp_signed("<", builder.xor(rest, divisor), rest.type(0))
    return builder.and_(differ, builder.icmp_unsigned("!=", rest, rest.type(0)))


@_function(2)
def power(context: Any, builder: Any, kind: Any, x: Any, y: Any) -> Any:
    if isinstance(kind, types.Complex):
        return _formula("complex_power", context, builder, kind, x, y)
    if emit.is_integer(kind):
        wide = [emit.convert(context, builder, value, kind, types.int64) for value in (x, y)]
        result = _formula("integer_power", context, builder, types.int64, *wide)
        return emit.convert(context, builder, result, types.int64, kind)
    return vector.call(builder, "pow", [x, y])


@_function(1, _real)
def absolute(context: Any, builder: Any, kind: Any, x: Any) -> Any:
    if isinstance(kind, types.Complex):
        return vector.call(builder, "hypot", emit.parts(context, builder, kind, x))
    if isinstance(kind, types.Float):
        return emit.llvm(builder, "llvm.fabs", x)
    if not kind.signed:
        return x
    wraps = builder.icmp_signed("<", x, x.type(0))
    return builder.select(wraps, builder.sub(x.type(0), x), x)


@_function(1)
def sign(context: Any, builder: Any, kind: Any, x: Any) -> Any:
    if isinstance(kind, types.Complex):
        return _formula("complex_sign", context, builder, kind, x)
    zero = x.type(0)
    if isinstance(kind, types.Float):
        rest = builder.select(builder.fcmp_ordered("==", x, zero), zero, x)  # 0 of either sign, NaN
        rest = builder.select(builder.fcmp_ordered("<", x, zero), x.type(-1), rest)
        return builder.select(builder.fcmp_ordered(">", x, zero), x.type(1), rest)
    above = builder.zext(builder.icmp_unsigned("!=", x, zero), x.type)
    if not kind.signed:
        return above
    return builder.select(builder.icmp_signed("<", x, zero), x.type(-1), above)


@_function(1)
def sqrt(context: Any, builder: Any, kind: Any, x: Any) -> Any:
    if isinstance(kind, types.Complex):
        return emit.complex_libm(context, builder, "csqrt", kind, x)
    return emit.llvm(builder, "llvm.sqrt", x)


def _extremum(above: str) -> Code:
    def code(context: Any, builder: Any, kind: Any, x: Any, y: Any) -> Any:
        if kind == types.boolean:
            return (builder.or_ if above == ">" else builder.and_)(x, y)
        if emit.is_integer(kind):
            compare = builder.icmp_signed if kind.signed else builder.icmp_unsigned
            return builder.select(compare(above, x, y), x, y)
        # the first is one instruction, which gives y if either is NaN; the second then asks for x
        larger = builder.select(builder.fcmp_ordered(above, x, y), x, y)
        return builder.select(builder.fcmp_unordered("uno", x, x), x, larger)

    return code


for _name, _above in (("maximum", ">"), ("minimum", "<"), ("max", ">"), ("min", "<")):  # max, min: of bounds
    _define(_name, 2, _extremum(_above))


@_function(2)
def copysign(context: Any, builder: Any, kind: Any, x: Any, y: Any) -> Any:
    return emit.llvm(builder, "llvm.copysign", x, y)


@_function(2)
def nextafter(context: Any, builder: Any, kind: Any, x: Any, y: Any) -> Any:
    return emit.libm(builder, "nextafter", [x, y])


def _rounding(name: str) -> Code:
    def code(context: Any, builder: Any, kind: Any, x: Any) -> Any:
        return emit.llvm(builder, f"llvm.{name}", x) if isinstance(kind, types.Float) else x

    return code


for _name in ("floor", "ceil", "trunc", "rint"):
    _define(_name, 1, _rounding(_name))


# -- classes of numbers, bits, parts ----------------------------------------------------------------------


def _class_of_number(test: Callable[[Any, Any], Any], either: bool, integers: bool) -> Code:
    def code(context: Any, builder: Any, kind: Any, x: Any) -> Any:
        if emit.is_integer(kind):
            return ir.IntType(1)(integers)
        if not isinstance(kind, types.Complex):
            return test(builder, x)
        both = [test(builder, part) for part in emit.parts(context, builder, kind, x)]
        return (builder.or_ if either else builder.and_)(*both)

    return code


def _is_nan(builder: Any, x: Any) -> Any:
    return builder.fcmp_unordered("uno", x, x)


def _is_infinite(builder: Any, x: Any) -> Any:
    return builder.fcmp_ordered("==", emit.llvm(builder, "llvm.fabs", x), x.type(inf))


def _is_finite(builder: Any, x: Any) -> Any:
    return builder.fcmp_ordered("<", emit.llvm(builder, "llvm.fabs", x), x.type(inf))


_define("isnan", 1, _class_of_number(_is_nan, either=True, integers=False), _boolean)
_define("isinf", 1, _class_of_number(_is_infinite, either=True, integers=False), _boolean)
_define("isfinite", 1, _class_of_number(_is_finite, either=False, integers=True), _boolean)


@_function(1, _boolean)
def signbit(context: Any, builder: Any, kind: Any, x: Any) -> Any:
    bits = ir.IntType(kind.bitwidth)
    return builder.icmp_signed("<", builder.bitcast(x, bits), bits(0))


@_function(1)
def logical_not(context: Any, builder: Any, kind: Any, x: Any) -> Any:
    return builder.not_(x)


@_function(1)
def invert(context: Any, builder: Any, kind: Any, x: Any) -> Any:
    return builder.not_(x)


@_function(2)
def left_shift(context: Any, builder: Any, kind: Any, x: Any, y: Any) -> Any:
    width = y.type(kind.bitwidth)
    fits = builder.icmp_unsigned("<", y, width)  # as unsigned, a negative shift is too wide as well
    return builder.select(fits, builder.shl(x, builder.select(fits, y, y.type(0))), x.type(0))


@_function(2)
def right_shift(context: Any, builder: Any, kind: Any, x: Any, y: Any) -> Any:
    width, most = y.type(kind.bitwidth), y.type(kind.bitwidth - 1)
    fits = builder.icmp_unsigned("<", y, width)
    within = builder.select(fits, y, most)
    if kind.signed:  # all bits become the sign
        return builder.ashr(x, within)
    return builder.select(fits, builder.lshr(x, within), x.type(0))


@_function(1)
def conjugate(context: Any, builder: Any, kind: Any, x: Any) -> Any:
    if not isinstance(kind, types.Complex):
        return x
    real, imag = emit.parts(context, builder, kind, x)
    return emit.complex_value(context, builder, kind, real, builder.fneg(imag))


@_function(1, _real)
def real(context: Any, builder: Any, kind: Any, x: Any) -> Any:
    return emit.parts(context, builder, kind, x)[0]


@_function(1, _real)
def imag(context: Any, builder: Any, kind: Any, x: Any) -> Any:
    return emit.parts(context, builder, kind, x)[1]


# -- libm -------------------------------------------------------------------------------------------------


#: Functions that libm does not have, or not as NumPy computes them, on complex numbers.
_NOT_IN_LIBM = ("log2", "log10", "log1p", "expm1")


def _libm_function(name: str) -> Code:
    def code(context: Any, builder: Any, kind: Any, *args: Any) -> Any:
        if not isinstance(kind, types.Complex):
            return vector.call(builder, name, args)
        if name in _NOT_IN_LIBM:
            return _formula(f"complex_{name}", context, builder, kind, *args)
        return emit.complex_libm(context, builder, f"c{name}", kind, *args)

    return code


for _name, _arity in _LIBM.items():
    if _name != "pow":
        _define(_name, _arity, _libm_function(_name))


@_function(2)
def logaddexp(context: Any, builder: Any, kind: Any, x: Any, y: Any) -> Any:
    return _formula("logaddexp", context, builder, kind, x, y)


# -- for formulas -----------------------------------------------------------------------------------------


@intrinsic
def like(typing: Any, number: Any, x: Any) -> Any:
    """``like(number, x)``: a literal in the dtype of `x`, so that it widens nothing."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit.convert(context, builder, args[0], signature.args[0], signature.return_type)

    return x(number, x), code


@intrinsic
def join(typing: Any, real: Any, imag: Any) -> Any:
    """``join(real, imag)``: the complex number of these parts, no wider than they are."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit.complex_value(context, builder, signature.return_type, *args)

    return (types.complex64 if real == types.float32 else types.complex128)(real, imag), code


@intrinsic
def cpow(typing: Any, x: Any, y: Any) -> Any:
    """``cpow(x, y)``: libm's complex power."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit.complex_libm(context, builder, "cpow", signature.return_type, *args)

    return x(x, y), code


FUNCTIONS |= {"cast": cast, "select": select}

__all__ = ["inf", "nan", *FUNCTIONS]
