"""The scalar functions of generated Numba source: one for each name in the op table's ``numba`` column.

All are Numba intrinsics, known inside generated source only, take arguments of one dtype, and mean what
the NumPy function of that op means on it: integers wrap, NaN is propagated, division by zero is IEEE's for
floats and 0 for integers. What is a few instructions is emitted as such, without branches, so that loops
are vectorised; what is longer is written as Python below and compiled with the nest.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.compiler import Flags
from numba.core.imputils import Registry
from numba.extending import intrinsic

from xpaccel.codegen import vector
from xpaccel.ops import OPS

inf, nan = math.inf, math.nan

__all__ = ["cast", "inf", "nan", "select"]

#: What infix operators on complex numbers are here: NumPy's formulas, where Numba has Python's.
operators = Registry("xpaccel operators")

_LIBM = {op.libm: op.arity for op in OPS.values() if op.libm}

Emit = Callable[..., Any]


# -- how functions are defined ----------------------------------------------------------------------------


def _same(kind: Any) -> Any:
    return kind


def _boolean(kind: Any) -> Any:
    return types.boolean


def _real(kind: Any) -> Any:
    return kind.underlying_float if isinstance(kind, types.Complex) else kind


def _define(name: str, arity: int, emit: Emit, returns: Callable[[Any], Any] = _same) -> Any:
    """Define and export the intrinsic `name`; ``emit(context, builder, dtype, *args)`` gives its value."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit(context, builder, signature.args[0], *args)

    def one(typing: Any, x: Any) -> Any:
        return returns(x)(x), codegen

    def two(typing: Any, x: Any, y: Any) -> Any:
        return (returns(x)(x, x), codegen) if x == y else None

    function = one if arity == 1 else two
    function.__name__ = function.__qualname__ = name
    __all__.append(name)  # noqa: PYI056
    globals()[name] = intrinsic(function)
    return globals()[name]


def _function(arity: int, returns: Callable[[Any], Any] = _same) -> Callable[[Emit], Any]:
    """Make a function of this module the intrinsic of its name."""
    return lambda emit: _define(emit.__name__, arity, emit, returns)


def _llvm(builder: Any, name: str, *args: Any) -> Any:
    """Call LLVM's overloaded intrinsic `name`."""
    kinds = [arg.type for arg in args]
    function = builder.module.declare_intrinsic(name, kinds[:1], ir.FunctionType(kinds[0], kinds))
    return builder.call(function, args)


def _compiled(context: Any, builder: Any, python: Callable[..., Any], kind: Any, *args: Any) -> Any:
    """Compile a Python function of this module for `kind` and call it."""
    flags = Flags()
    flags.error_model = "numpy"  # a division by zero is a number, not an exception
    signature = kind(*[kind] * len(args))
    compiled = context.compile_subroutine(builder, python, signature, flags=flags)
    context.add_linking_libs([compiled.library])
    return context.call_internal(builder, compiled.fndesc, signature, args)


def _is_integer(kind: Any) -> bool:
    return isinstance(kind, types.Integer)


def _complex(context: Any, builder: Any, kind: Any, real: Any, imag: Any) -> Any:
    value = context.make_complex(builder, kind)
    value.real, value.imag = real, imag
    return value._getvalue()


def _parts(context: Any, builder: Any, kind: Any, value: Any) -> tuple[Any, Any]:
    value = context.make_complex(builder, kind, value=value)
    return value.real, value.imag


# -- casts and selection ----------------------------------------------------------------------------------


@intrinsic
def cast(typing: Any, value: Any, dtype: Any) -> Any:
    """``cast(value, dtype)``: NumPy's unsafe ``astype``."""
    target = dtype.instance_type

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _cast(context, builder, args[0], signature.args[0], target)

    return target(value, dtype), emit


def _cast(context: Any, builder: Any, value: Any, source: Any, target: Any) -> Any:
    if source == target:
        return value
    if isinstance(source, types.Complex):
        real, imag = _parts(context, builder, source, value)
        part = source.underlying_float
        if isinstance(target, types.Complex):
            to = target.underlying_float
            parts = [_cast(context, builder, x, part, to) for x in (real, imag)]
            return _complex(context, builder, target, *parts)
        if target == types.boolean:
            return builder.or_(*(_cast(context, builder, x, part, target) for x in (real, imag)))
        return _cast(context, builder, real, part, target)
    if isinstance(target, types.Complex):
        part = target.underlying_float
        real = _cast(context, builder, value, source, part)
        return _complex(context, builder, target, real, real.type(0))
    to = context.get_value_type(target)
    if isinstance(source, types.Float):
        if target == types.boolean:
            return builder.fcmp_unordered("!=", value, value.type(0))
        if isinstance(target, types.Float):
            return (builder.fpext if target.bitwidth > source.bitwidth else builder.fptrunc)(value, to)
        return _float_to_integer(builder, value, target)
    if target == types.boolean:
        return builder.icmp_unsigned("!=", value, value.type(0))
    signed = source != types.boolean and source.signed
    if isinstance(target, types.Float):
        return (builder.sitofp if signed else builder.uitofp)(value, to)
    if target.bitwidth == value.type.width:
        return value
    if target.bitwidth < value.type.width:
        return builder.trunc(value, to)
    return (builder.sext if signed else builder.zext)(value, to)


def _float_to_integer(builder: Any, value: Any, target: Any) -> Any:
    """Convert as C does on x86-64, where it is undefined in LLVM too: what does not fit is the least integer."""
    i64 = ir.IntType(64)
    if target == types.uint64:
        half = value.type(2.0**63)
        high = builder.fcmp_ordered(">=", value, half)
        low = _to_signed(builder, builder.select(high, builder.fsub(value, half), value), i64)
        return builder.xor(low, builder.select(high, i64(-(2**63)), i64(0)))
    if target.bitwidth == 64 or target == types.uint32:
        whole = _to_signed(builder, value, i64)
    else:
        whole = _to_signed(builder, value, ir.IntType(32))
    kind = ir.IntType(target.bitwidth)
    return whole if whole.type == kind else builder.trunc(whole, kind)


def _to_signed(builder: Any, value: Any, kind: Any) -> Any:
    least = -(2.0 ** (kind.width - 1))
    # -2^31 - 1 is no float32, where -2^31 itself is the next number that fits
    low = least - 1 if kind.width == 32 and isinstance(value.type, ir.DoubleType) else least
    above = builder.fcmp_ordered(">" if low < least else ">=", value, value.type(low))
    fits = builder.and_(above, builder.fcmp_ordered("<", value, value.type(-least)))
    whole = builder.fptosi(builder.select(fits, value, value.type(0)), kind)
    return builder.select(fits, whole, kind(int(least)))


@intrinsic
def select(typing: Any, condition: Any, yes: Any, no: Any) -> Any:
    """``select(condition, yes, no)``: one of two values that were both computed."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _select(context, builder, signature.return_type, *args)

    return (yes(condition, yes, yes), emit) if yes == no else None


def _select(context: Any, builder: Any, kind: Any, condition: Any, yes: Any, no: Any) -> Any:
    if not isinstance(kind, types.Complex):
        return builder.select(condition, yes, no)
    pairs = zip(_parts(context, builder, kind, yes), _parts(context, builder, kind, no), strict=True)
    return _complex(context, builder, kind, *(builder.select(condition, y, n) for y, n in pairs))


# -- arithmetic -------------------------------------------------------------------------------------------


@operators.lower(operator.mul, types.Complex, types.Complex)
def _multiply(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    kind = signature.return_type
    (a, b), (c, d) = (_parts(context, builder, kind, arg) for arg in args)
    real = builder.fsub(builder.fmul(a, c), builder.fmul(b, d))
    imag = builder.fadd(builder.fmul(a, d), builder.fmul(b, c))
    return _complex(context, builder, kind, real, imag)


@operators.lower(operator.truediv, types.Complex, types.Complex)
def _divide(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return _compiled(context, builder, _complex_divide, signature.return_type, *args)


@_function(1)
def reciprocal(context: Any, builder: Any, kind: Any, x: Any) -> Any:
    if isinstance(kind, types.Complex):
        return _compiled(context, builder, _complex_reciprocal, kind, x)
    return builder.fdiv(x.type(1), x)


@_function(2)
def floor_divide(context: Any, builder: Any, kind: Any, x: Any, y: Any) -> Any:
    if not _is_integer(kind):
        return _float_divmod(builder, x, y)[0]
    safe, usable = _divisor(builder, kind, x, y)
    if not kind.signed:
        return builder.select(usable, builder.udiv(x, safe), y)
    quotient, rest = builder.sdiv(x, safe), builder.srem(x, safe)
    lower = builder.sext(_rounds_down(builder, rest, safe), x.type)
    return builder.select(usable, builder.add(quotient, lower), y)


@_function(2)
def remainder(context: Any, builder: Any, kind: Any, x: Any, y: Any) -> Any:
    if not _is_integer(kind):
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
    truncated, ratio = _call_libm(builder, "fmod", [x, y]), builder.fdiv(x, y)
    signs = builder.xor(builder.fcmp_ordered("<", y, zero), builder.fcmp_ordered("<", truncated, zero))
    whole = builder.fcmp_ordered("==", truncated, zero)
    adjust = builder.and_(signs, builder.not_(whole))
    quotient = builder.fdiv(builder.fsub(x, truncated), y)
    quotient = builder.select(adjust, builder.fsub(quotient, one), quotient)
    floor = _llvm(builder, "llvm.floor", quotient)
    above = builder.fcmp_ordered(">", builder.fsub(quotient, floor), half)
    floor = builder.select(above, builder.fadd(floor, one), floor)
    nothing = builder.fcmp_ordered("==", quotient, zero)
    floor = builder.select(nothing, _llvm(builder, "llvm.copysign", zero, ratio), floor)
    rest = builder.select(whole, _llvm(builder, "llvm.copysign", zero, y), truncated)
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
        return _compiled(context, builder, _complex_power, kind, x, y)
    if _is_integer(kind):
        wide = [_cast(context, builder, value, kind, types.int64) for value in (x, y)]
        return _cast(context, builder, _compiled(context, builder, _integer_power, types.int64, *wide), types.int64, kind)
    return vector.call(builder, "pow", [x, y])


@_function(1, _real)
def absolute(context: Any, builder: Any, kind: Any, x: Any) -> Any:
    if isinstance(kind, types.Complex):
        return vector.call(builder, "hypot", _parts(context, builder, kind, x))
    if isinstance(kind, types.Float):
        return _llvm(builder, "llvm.fabs", x)
    if not kind.signed:
        return x
    wraps = builder.icmp_signed("<", x, x.type(0))
    return builder.select(wraps, builder.sub(x.type(0), x), x)


@_function(1)
def sign(context: Any, builder: Any, kind: Any, x: Any) -> Any:
    if isinstance(kind, types.Complex):
        return _compiled(context, builder, _complex_sign, kind, x)
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
        return _complex_libm(context, builder, "csqrt", kind, x)
    return _llvm(builder, "llvm.sqrt", x)


def _extremum(above: str) -> Emit:
    def emit(context: Any, builder: Any, kind: Any, x: Any, y: Any) -> Any:
        if kind == types.boolean:
            return (builder.or_ if above == ">" else builder.and_)(x, y)
        if _is_integer(kind):
            compare = builder.icmp_signed if kind.signed else builder.icmp_unsigned
            return builder.select(compare(above, x, y), x, y)
        # the first is one instruction, which gives y if either is NaN; the second then asks for x
        larger = builder.select(builder.fcmp_ordered(above, x, y), x, y)
        return builder.select(builder.fcmp_unordered("uno", x, x), x, larger)

    return emit


for _name, _above in (("maximum", ">"), ("minimum", "<"), ("max", ">"), ("min", "<")):  # the latter for bounds
    _define(_name, 2, _extremum(_above))


@_function(2)
def copysign(context: Any, builder: Any, kind: Any, x: Any, y: Any) -> Any:
    return _llvm(builder, "llvm.copysign", x, y)


@_function(2)
def nextafter(context: Any, builder: Any, kind: Any, x: Any, y: Any) -> Any:
    return _call_libm(builder, "nextafter", [x, y])


def _rounding(name: str) -> Emit:
    def emit(context: Any, builder: Any, kind: Any, x: Any) -> Any:
        return _llvm(builder, f"llvm.{name}", x) if isinstance(kind, types.Float) else x

    return emit


for _name in ("floor", "ceil", "trunc", "rint"):
    _define(_name, 1, _rounding(_name))


# -- classes of numbers, bits, parts ----------------------------------------------------------------------


def _class_of_number(test: Callable[[Any, Any], Any], either: bool, integers: bool) -> Emit:
    def emit(context: Any, builder: Any, kind: Any, x: Any) -> Any:
        if _is_integer(kind):
            return ir.IntType(1)(integers)
        if not isinstance(kind, types.Complex):
            return test(builder, x)
        both = [test(builder, part) for part in _parts(context, builder, kind, x)]
        return (builder.or_ if either else builder.and_)(*both)

    return emit


def _is_nan(builder: Any, x: Any) -> Any:
    return builder.fcmp_unordered("uno", x, x)


def _is_infinite(builder: Any, x: Any) -> Any:
    return builder.fcmp_ordered("==", _llvm(builder, "llvm.fabs", x), x.type(inf))


def _is_finite(builder: Any, x: Any) -> Any:
    return builder.fcmp_ordered("<", _llvm(builder, "llvm.fabs", x), x.type(inf))


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
    real, imag = _parts(context, builder, kind, x)
    return _complex(context, builder, kind, real, builder.fneg(imag))


@_function(1, _real)
def real(context: Any, builder: Any, kind: Any, x: Any) -> Any:
    return _parts(context, builder, kind, x)[0]


@_function(1, _real)
def imag(context: Any, builder: Any, kind: Any, x: Any) -> Any:
    return _parts(context, builder, kind, x)[1]


# -- libm -------------------------------------------------------------------------------------------------


def _call_libm(builder: Any, name: str, args: Any) -> Any:
    """Call libm's scalar function, whose bits are NumPy's too."""
    kind = args[0].type
    symbol = name if isinstance(kind, ir.DoubleType) else f"{name}f"
    function = builder.module.globals.get(symbol)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(kind, [kind] * len(args)), symbol)
    return vector.pure(builder.call(function, args))


def _complex_libm(context: Any, builder: Any, name: str, kind: Any, *args: Any) -> Any:
    """Call libm's complex function, in double: its calling convention is the same on all machines then."""
    wide, double = types.complex128, ir.DoubleType()
    parts = [p for arg in args for p in _parts(context, builder, wide, _cast(context, builder, arg, kind, wide))]
    function = builder.module.globals.get(name)
    if function is None:
        pair = ir.LiteralStructType([double, double])
        function = ir.Function(builder.module, ir.FunctionType(pair, [double] * len(parts)), name)
    result = vector.pure(builder.call(function, parts))
    both = [builder.extract_value(result, number) for number in range(2)]
    return _cast(context, builder, _complex(context, builder, wide, *both), wide, kind)


def _libm_function(name: str) -> Emit:
    def emit(context: Any, builder: Any, kind: Any, *args: Any) -> Any:
        if not isinstance(kind, types.Complex):
            return vector.call(builder, name, args)
        if name in _COMPLEX_BY_HAND:
            return _compiled(context, builder, _COMPLEX_BY_HAND[name], kind, *args)
        return _complex_libm(context, builder, f"c{name}", kind, *args)

    return emit


for _name, _arity in _LIBM.items():
    if _name != "pow":
        _define(_name, _arity, _libm_function(_name))


@_function(2)
def logaddexp(context: Any, builder: Any, kind: Any, x: Any, y: Any) -> Any:
    return _compiled(context, builder, _logaddexp, kind, x, y)


# -- what is compiled as Python; the formulas are NumPy's --------------------------------------------------


@intrinsic
def _like(typing: Any, number: Any, x: Any) -> Any:
    """``_like(number, x)``: a literal in the dtype of `x`, so that it widens nothing."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _cast(context, builder, args[0], signature.args[0], signature.return_type)

    return x(number, x), emit


@intrinsic
def _join(typing: Any, real: Any, imag: Any) -> Any:
    """``_join(real, imag)``: the complex number of these parts, no wider than they are."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _complex(context, builder, signature.return_type, *args)

    return (types.complex64 if real == types.float32 else types.complex128)(real, imag), emit


@intrinsic
def _cpow(typing: Any, x: Any, y: Any) -> Any:
    """``_cpow(x, y)``: libm's complex power."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _complex_libm(context, builder, "cpow", signature.return_type, *args)

    return x(x, y), emit


def _integer_power(x: Any, y: Any) -> Any:
    """Multiply modulo 2^64, which is right modulo every smaller power of two; `y` counts as unsigned."""
    result = 1
    while y != 0:
        if y & 1:
            result *= x
        x *= x
        y = (y >> 1) & 0x7FFF_FFFF_FFFF_FFFF
    return result


def _complex_divide(x: Any, y: Any) -> Any:
    a = x.real
    b = x.imag
    c = y.real
    d = y.imag
    if absolute(c) >= absolute(d):
        if c == 0 and d == 0:
            return _join(a / absolute(c), b / absolute(c))
        ratio = d / c
        scale = _like(1.0, c) / (c + d * ratio)
        return _join((a + b * ratio) * scale, (b - a * ratio) * scale)
    ratio = c / d
    scale = _like(1.0, c) / (d + c * ratio)
    return _join((a * ratio + b) * scale, (b * ratio - a) * scale)


def _complex_reciprocal(x: Any) -> Any:
    a = x.real
    b = x.imag
    if absolute(b) <= absolute(a):
        ratio = b / a
        scale = a + b * ratio
        return _join(_like(1.0, a) / scale, -ratio / scale)
    ratio = a / b
    scale = a * ratio + b
    return _join(ratio / scale, _like(-1.0, a) / scale)


def _complex_sign(x: Any) -> Any:
    a = x.real
    b = x.imag
    size = absolute(x)
    zero = _like(0.0, a)
    if isnan(size) or (isinf(a) and isinf(b)):
        return _join(_like(nan, a), _like(nan, a))
    if size == 0:
        return _join(zero, zero)
    if isinf(a):
        return _join(sign(a), zero)
    if isinf(b):
        return _join(zero, sign(b))
    return _join(a / size, b / size)


def _complex_power(x: Any, y: Any) -> Any:
    a = x.real
    b = x.imag
    c = y.real
    d = y.imag
    one = _join(_like(1.0, a), _like(0.0, a))
    if c == 0 and d == 0:
        return one
    if c == 1 and d == 0:
        return x
    if a == 0 and b == 0:
        rest = _like(0.0 if c > 0 else nan, a)
        return _join(rest, rest)
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
    return _cpow(x, y)


def _complex_log2(x: Any) -> Any:
    y = log(x)
    return _join(y.real * _like(1 / math.log(2), y.real), y.imag * _like(1 / math.log(2), y.real))


def _complex_log10(x: Any) -> Any:
    y = log(x)
    return _join(y.real * _like(1 / math.log(10), y.real), y.imag * _like(1 / math.log(10), y.real))


def _complex_log1p(x: Any) -> Any:
    a = x.real + _like(1.0, x.real)
    return _join(log(hypot(a, x.imag)), atan2(x.imag, a))


def _complex_expm1(x: Any) -> Any:
    half = sin(x.imag / _like(2.0, x.imag))
    part = expm1(x.real) * cos(x.imag)
    return _join(part - _like(2.0, half) * half * half, exp(x.real) * sin(x.imag))


def _logaddexp(x: Any, y: Any) -> Any:
    difference = x - y
    larger = select(difference > 0, x, y)
    added = larger + log1p(exp(-absolute(difference)))
    return select(x == y, x + _like(_LN2, x), added)


_LN2 = math.log(2)
_COMPLEX_BY_HAND = {
    "log2": _complex_log2,
    "log10": _complex_log10,
    "log1p": _complex_log1p,
    "expm1": _complex_expm1,
}
