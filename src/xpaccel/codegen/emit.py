"""What scalar functions are emitted from: LLVM instructions that Numba's own helpers do not cover."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.compiler import Flags

from xpaccel.codegen import vector


def is_integer(kind: Any) -> bool:
    """Whether a Numba type is of integers, bool apart."""
    return isinstance(kind, types.Integer)


def complex_value(context: Any, builder: Any, kind: Any, real: Any, imag: Any) -> Any:
    """Return the complex number of two parts."""
    value = context.make_complex(builder, kind)
    value.real, value.imag = real, imag
    return value._getvalue()


def parts(context: Any, builder: Any, kind: Any, value: Any) -> tuple[Any, Any]:
    """Return the real and the imaginary part of a complex number."""
    value = context.make_complex(builder, kind, value=value)
    return value.real, value.imag


def llvm(builder: Any, name: str, *args: Any) -> Any:
    """Call LLVM's overloaded intrinsic `name`."""
    kinds = [arg.type for arg in args]
    function = builder.module.declare_intrinsic(name, kinds[:1], ir.FunctionType(kinds[0], kinds))
    return builder.call(function, args)


def compiled(context: Any, builder: Any, python: Callable[..., Any], kind: Any, *args: Any) -> Any:
    """Compile a Python function with the nest, for arguments of `kind`, and call it."""
    flags = Flags()
    flags.error_model = "numpy"  # a division by zero is a number, not an exception
    signature = kind(*[kind] * len(args))
    routine = context.compile_subroutine(builder, python, signature, flags=flags)
    return context.call_internal(builder, routine.fndesc, signature, args)


# -- conversion ---------------------------------------------------------------------------------------------


def convert(context: Any, builder: Any, value: Any, source: Any, target: Any) -> Any:
    """Convert a value as NumPy's unsafe ``astype`` does."""
    if source == target:
        return value
    if isinstance(source, types.Complex):
        real, imag = parts(context, builder, source, value)
        part = source.underlying_float
        if isinstance(target, types.Complex):
            to = target.underlying_float
            both = [convert(context, builder, x, part, to) for x in (real, imag)]
            return complex_value(context, builder, target, *both)
        if target == types.boolean:
            return builder.or_(*(convert(context, builder, x, part, target) for x in (real, imag)))
        return convert(context, builder, real, part, target)
    if isinstance(target, types.Complex):
        part = target.underlying_float
        real = convert(context, builder, value, source, part)
        return complex_value(context, builder, target, real, real.type(0))
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
    """Convert as x86-64 does, which C and LLVM leave undefined: what does not fit is the least integer."""
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


# -- libm ---------------------------------------------------------------------------------------------------


def libm(builder: Any, name: str, args: Any) -> Any:
    """Call libm's scalar function, whose bits are NumPy's too."""
    kind = args[0].type
    symbol = name if isinstance(kind, ir.DoubleType) else f"{name}f"
    function = builder.module.globals.get(symbol)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(kind, [kind] * len(args)), symbol)
    return vector.pure(builder.call(function, args))


def complex_libm(context: Any, builder: Any, name: str, kind: Any, *args: Any) -> Any:
    """Call libm's complex function, in double: its calling convention is the same on all machines then."""
    wide, double = types.complex128, ir.DoubleType()
    widened = [convert(context, builder, arg, kind, wide) for arg in args]
    numbers = [part for value in widened for part in parts(context, builder, wide, value)]
    function = builder.module.globals.get(name)
    if function is None:
        pair = ir.LiteralStructType([double, double])
        function = ir.Function(builder.module, ir.FunctionType(pair, [double] * len(numbers)), name)
    result = vector.pure(builder.call(function, numbers))
    both = [builder.extract_value(result, number) for number in range(2)]
    return convert(context, builder, complex_value(context, builder, wide, *both), wide, kind)
