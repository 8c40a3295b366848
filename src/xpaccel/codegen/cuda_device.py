"""What generated Numba CUDA source is made of on a GPU: memory, casts and primitive functions, as LLVM IR.

`cuda_simulated` has the same names for the simulator. Integers are added and multiplied in their own width and wrap,
where Numba widens them to 64 bits and tells LLVM that they never wrap. Floats are rounded after each operation once
the code is linked with ``-fma=0`` (`xpaccel.backends.numba_cuda.module`). Addresses are 64-bit numbers, indices count
elements in 64 bits and are never wrapped around.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.cuda import cgutils
from numba.cuda.core.targetconfig import ConfigStack
from numba.cuda.extending import intrinsic

from xpaccel.codegen import emit
from xpaccel.codegen.cuda_basis import NAMES
from xpaccel.ops import DTYPES

__all__ = [*DTYPES, *NAMES, "warp_barrier"]

#: The dtype names of generated source; ``bool`` is Numba's there, not Python's.
globals().update({name: getattr(types, name if name != "bool" else "boolean") for name in DTYPES})

_GLOBAL = 1  # NVVM's address space of device memory
_INDEX = ir.IntType(64)

Code = Callable[..., Any]
#: For each function, by kind: what emits it, or a formula that is compiled with the nest.
_CODES: dict[str, dict[str, Code]] = {}
_FORMULAS: dict[str, dict[str, Callable[..., Any]]] = {}


def _kind(dtype: Any) -> str:
    """Return NumPy's kind letter of a Numba type; empty for what is no scalar."""
    if dtype == types.boolean:
        return "b"
    if isinstance(dtype, types.Integer):
        return "i" if dtype.signed else "u"
    return "f" if isinstance(dtype, types.Float) else "c" if isinstance(dtype, types.Complex) else ""


# -- memory -----------------------------------------------------------------------------------------------


def _element(context: Any, builder: Any, address: Any, index: Any, dtype: Any) -> tuple[Any, int]:
    """Return a pointer to element `index` of the memory at `address`, and its alignment in bytes."""
    kind = context.get_data_type(dtype)
    size = 1 if dtype == types.boolean else dtype.bitwidth // 8
    if isinstance(dtype, types.Complex):  # both parts in one access
        kind = ir.VectorType(context.get_data_type(dtype.underlying_float), 2)
    base = builder.inttoptr(address, kind.as_pointer(_GLOBAL))
    return builder.gep(base, [index], inbounds=True), size


def _loaded(constant: bool) -> Code:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        dtype = signature.return_type
        pointer, align = _element(context, builder, args[0], args[1], dtype)
        value = builder.load(pointer, align=align)
        if constant:
            value.set_metadata("invariant.load", builder.module.add_metadata([]))
        if isinstance(dtype, types.Complex):
            parts = (builder.extract_element(value, ir.IntType(32)(k)) for k in range(2))
            return emit.complex_value(context, builder, dtype, *parts)
        return builder.icmp_unsigned("!=", value, value.type(0)) if dtype == types.boolean else value

    return code


def _load(typing: Any, address: Any, index: Any, dtype: Any) -> Any:
    """``load(address, index, dtype)``: an element of memory that no thread of the launch writes."""
    return dtype.instance_type(address, types.int64, dtype), _loaded(True)


def _load_rw(typing: Any, address: Any, index: Any, dtype: Any) -> Any:
    """``load_rw(address, index, dtype)``: an element of memory that the launch writes too."""
    return dtype.instance_type(address, types.int64, dtype), _loaded(False)


def _store(typing: Any, address: Any, index: Any, value: Any) -> Any:
    """``store(address, index, value)``."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address, index, value = args
        dtype = signature.args[2]
        pointer, align = _element(context, builder, address, index, dtype)
        if isinstance(dtype, types.Complex):
            pair = ir.Constant(pointer.type.pointee, ir.Undefined)
            for k, part in enumerate(emit.parts(context, builder, dtype, value)):
                pair = builder.insert_element(pair, part, ir.IntType(32)(k))
            value = pair
        elif dtype == types.boolean:
            value = builder.zext(value, pointer.type.pointee)
        builder.store(value, pointer, align=align)
        return context.get_dummy_value()

    return types.void(address, types.int64, value), code


def _shared_element(context: Any, builder: Any, dtype: Any, array: Any, index: Any) -> Any:
    whole = context.make_array(dtype)(context, builder, array)
    return cgutils.get_item_pointer(context, builder, dtype, whole, [index], wraparound=False)


def _get(typing: Any, array: Any, index: Any) -> Any:
    """``get(array, index)``: an element of a shared array, without a wrap-around of the index."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _shared_element(context, builder, signature.args[0], *args)
        return context.unpack_value(builder, signature.return_type, pointer)

    return array.dtype(array, types.int64), code


def _put(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """``put(array, index, value)``."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _shared_element(context, builder, signature.args[0], *args[:2])
        context.pack_value(builder, signature.args[2], args[2], pointer)
        return context.get_dummy_value()

    return (types.void(array, types.int64, value), code) if array.dtype == value else None


def _warp_barrier(typing: Any) -> Any:
    """``warp_barrier()``: what a thread of a warp wrote to shared memory before, all of it read after."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(32)])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.nvvm.bar.warp.sync")
        builder.call(function, [ir.IntType(32)(0xFFFF_FFFF)])
        return context.get_dummy_value()

    return types.void(), code


def _opaque(typing: Any, step: Any) -> Any:
    """``opaque(step)``: a number, of which the compiler is to know nothing."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(_INDEX, [_INDEX])
        return builder.asm(kind, "mov.u64 $0, $1;", "=l,l", args, side_effect=True)

    return types.int64(types.int64), code


def _outside(typing: Any, index: Any, size: Any) -> Any:
    """``outside(index, size)``: whether NumPy's index is outside of an axis of `size`."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        index, size = args
        below = builder.icmp_signed("<", index, builder.neg(size))
        return builder.or_(below, builder.icmp_signed(">=", index, size))

    return types.boolean(types.int64, types.int64), code


def _place(typing: Any, index: Any, size: Any, is_outside: Any) -> Any:
    """``place(index, size, is_outside)``: where an index points to; element 0 where it is outside."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        index, size, is_outside = args
        at = builder.select(builder.icmp_signed("<", index, _INDEX(0)), builder.add(index, size), index)
        return builder.select(is_outside, _INDEX(0), at)

    return types.int64(types.int64, types.int64, types.boolean), code


def _report(typing: Any, address: Any, site: Any, check: Any) -> Any:
    """``report(address, site, check)``: put a check's number into a status that nobody has taken. The host reads it."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = builder.inttoptr(args[0], ir.IntType(32).as_pointer(_GLOBAL))
        with builder.if_then(builder.icmp_unsigned("==", builder.load(word), ir.IntType(32)(0)), likely=False):
            builder.store(builder.add(args[1], args[2]), word)
        return context.get_dummy_value()

    return types.void(address, types.int32, types.int32), code


def _atomic(name: str) -> Code:
    """Return the intrinsic ``atomic_<name>(address, index, value)``, on what the hardware has it for."""

    def atomic(typing: Any, address: Any, index: Any, value: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            address, index, value = args
            dtype = signature.args[2]
            if isinstance(dtype, types.Complex):  # each part on its own
                pointer, _ = _element(context, builder, address, builder.shl(index, _INDEX(1)), dtype.underlying_float)
                for k, part in enumerate(emit.parts(context, builder, dtype, value)):
                    _add_float(builder, builder.gep(pointer, [_INDEX(k)]), part)
            else:
                pointer, _ = _element(context, builder, address, index, dtype)
                if isinstance(dtype, types.Float):
                    _add_float(builder, pointer, value)
                else:
                    word = "add" if name == "sum" else name if dtype.signed else f"u{name}"
                    builder.atomic_rmw(word, pointer, value, "monotonic")
            return context.get_dummy_value()

        return types.void(address, types.int64, value), code

    atomic.__name__ = atomic.__qualname__ = f"atomic_{name}"
    return atomic


def _add_float(builder: Any, pointer: Any, value: Any) -> None:
    """Add to a float; as PTX, for NVVM's intrinsic is not taken for sm_100 by all versions."""
    width, letter = (32, "f") if isinstance(value.type, ir.FloatType) else (64, "d")
    kind = ir.FunctionType(ir.VoidType(), [pointer.type, value.type])
    builder.asm(kind, f"red.global.add.f{width} [$0], $1;", f"l,{letter}", [pointer, value], side_effect=True)


def _bits_of(builder: Any, value: Any) -> Any:
    """Return a number's bits as an integer."""
    kind = value.type
    if isinstance(kind, ir.IntType):
        return value
    return builder.bitcast(value, ir.IntType(32 if isinstance(kind, ir.FloatType) else 64))


def _same(typing: Any, x: Any, y: Any) -> Any:
    """``same(x, y)``: whether two numbers have the same bits."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.icmp_unsigned("==", *(_bits_of(builder, arg) for arg in args))

    return (types.boolean(x, y), code) if x == y else None


def _swap(typing: Any, address: Any, index: Any, seen: Any, wanted: Any) -> Any:
    """``swap(address, index, seen, wanted)``: put `wanted` into an element that is `seen`; return what it was."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address, index, *numbers = args
        pointer, _ = _element(context, builder, address, index, signature.return_type)
        seen, wanted = (_bits_of(builder, number) for number in numbers)
        word = builder.bitcast(pointer, seen.type.as_pointer(_GLOBAL))
        before = builder.extract_value(builder.cmpxchg(word, seen, wanted, "monotonic", "monotonic"), 0)
        return builder.bitcast(before, numbers[0].type)

    return (seen(address, types.int64, seen, wanted), code) if seen == wanted else None


atomic_sum, atomic_max, atomic_min = (intrinsic(_atomic(name)) for name in ("sum", "max", "min"))
same, swap = intrinsic(_same), intrinsic(_swap)
load, load_rw, store = intrinsic(_load), intrinsic(_load_rw), intrinsic(_store)
get, put, warp_barrier = intrinsic(_get), intrinsic(_put), intrinsic(_warp_barrier)
place, outside, report = intrinsic(_place), intrinsic(_outside), intrinsic(_report)
opaque = intrinsic(_opaque)


# -- casts and selection ----------------------------------------------------------------------------------


def _cast(typing: Any, value: Any, dtype: Any) -> Any:
    """``cast(value, dtype)``: NumPy's unsafe ``astype``."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit.convert(context, builder, args[0], signature.args[0], signature.return_type)

    return dtype.instance_type(value, dtype), code


def _like(typing: Any, number: Any, x: Any) -> Any:
    """``like(number, x)``: a number in the dtype of `x`, so that it widens nothing."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit.convert(context, builder, args[0], signature.args[0], signature.return_type)

    return x(number, x), code


def _bits(typing: Any, x: Any) -> Any:
    """``bits(x)``: how many bits an integer has, as uint64."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _INDEX(signature.args[0].bitwidth)

    return types.uint64(x), code


def _join(typing: Any, real: Any, imag: Any) -> Any:
    """``join(real, imag)``: the complex number of these parts, no wider than they are."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit.complex_value(context, builder, signature.return_type, *args)

    kind = types.complex64 if real == types.float32 else types.complex128
    return (kind(real, imag), code) if real == imag else None


def _select(typing: Any, condition: Any, yes: Any, no: Any) -> Any:
    """``select(condition, yes, no)``: one of two values that were both computed."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        condition, yes, no = args
        dtype = signature.return_type
        if not isinstance(dtype, types.Complex):
            return builder.select(condition, yes, no)
        both = (emit.parts(context, builder, dtype, x) for x in (yes, no))
        parts = (builder.select(condition, y, n) for y, n in zip(*both, strict=True))
        return emit.complex_value(context, builder, dtype, *parts)

    return (yes(condition, yes, no), code) if yes == no else None


cast, like, bits = intrinsic(_cast), intrinsic(_like), intrinsic(_bits)
join, select = intrinsic(_join), intrinsic(_select)


# -- functions of scalars ---------------------------------------------------------------------------------

_RETURNS: dict[str, Callable[[Any], Any]] = {
    "same": lambda dtype: dtype,
    "bool": lambda dtype: types.boolean,
    "real": lambda dtype: dtype.underlying_float if isinstance(dtype, types.Complex) else dtype,
}


def function(name: str, arity: int, returns: str = "same", library: str = "") -> Any:
    """Return a function of generated source: what it does with a kind of dtype is a primitive, or said by `on`.

    Parameters
    ----------
    name, arity
        Its arguments are of one dtype.
    returns
        The dtype of its result: ``"same"``, ``"bool"``, or ``"real"`` (the real dtype of a complex one).
    library
        The function of CUDA's mathematical library that it is on real floats, if any.
    """
    codes = dict(_PRIMITIVES.get(name, {}))
    if library:
        codes["f"] = _libdevice(library)
    _CODES[name], _FORMULAS[name] = codes, {}

    def typed(args: tuple[Any, ...]) -> Any:
        dtype, kind = args[0], _kind(args[0])
        if any(arg != dtype for arg in args) or not (kind in codes or kind in _FORMULAS[name]):
            return None
        return _RETURNS[returns](dtype)(*args), code

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        dtype = signature.args[0]
        kind = _kind(dtype)
        if kind in codes:
            return codes[kind](context, builder, dtype, *args)
        return _called(context, builder, _FORMULAS[name][kind], signature, args)

    def one(typing: Any, x: Any) -> Any:
        return typed((x,))

    def two(typing: Any, x: Any, y: Any) -> Any:
        return typed((x, y))

    definition = one if arity == 1 else two
    definition.__name__ = definition.__qualname__ = name
    made = intrinsic(definition)
    made.xpaccel_name = name
    return made


def search(formula: Callable[..., Any]) -> Any:
    """Make a formula of an address and three positions a function of generated source, which returns a position."""

    def definition(typing: Any, keys: Any, at: Any, first: Any, end: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return _called(context, builder, formula, signature, args)

        return types.int64(keys, types.int64, types.int64, types.int64), code

    definition.__name__ = definition.__qualname__ = formula.__name__
    return intrinsic(definition)


def _called(context: Any, builder: Any, formula: Callable[..., Any], signature: Any, args: Any) -> Any:
    """Compile a formula with the nest, and call it."""
    flags = ConfigStack().top().copy()  # the architecture among them
    flags.error_model = "numpy"  # a division by zero is a number, not an exception
    made = context.compile_subroutine(builder, formula, signature, flags=flags)
    return context.call_internal(builder, made.fndesc, signature, args)


def on(function: Any, kinds: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make the decorated formula what `function` does on dtypes of these kinds."""

    def define(formula: Callable[..., Any]) -> Callable[..., Any]:
        _FORMULAS[function.xpaccel_name].update(dict.fromkeys(kinds, formula))
        return formula

    return define


def _libdevice(name: str) -> Code:
    """Return what calls a function of libdevice. Its names end in ``f`` for float32."""

    def code(context: Any, builder: Any, dtype: Any, *args: Any) -> Any:
        kind = args[0].type
        if name == "sqrt":  # the plain one is approximate under some options
            symbol = "__nv_fsqrt_rn" if dtype == types.float32 else "__nv_dsqrt_rn"
        else:
            symbol = f"__nv_{name}f" if dtype == types.float32 else f"__nv_{name}"
        called = ir.FunctionType(kind, [kind] * len(args))
        return builder.call(cgutils.get_or_insert_function(builder.module, called, symbol), args)

    return code


def _instruction(name: str) -> Code:
    return lambda context, builder, dtype, *args: getattr(builder, name)(*args)


def _by_parts(name: str) -> Code:
    """Return an instruction on both parts of complex numbers."""

    def code(context: Any, builder: Any, dtype: Any, *args: Any) -> Any:
        both = zip(*(emit.parts(context, builder, dtype, arg) for arg in args), strict=True)
        return emit.complex_value(context, builder, dtype, *(getattr(builder, name)(*parts) for parts in both))

    return code


def _complex_product(context: Any, builder: Any, dtype: Any, x: Any, y: Any) -> Any:
    (a, b), (c, d) = (emit.parts(context, builder, dtype, value) for value in (x, y))
    real = builder.fsub(builder.fmul(a, c), builder.fmul(b, d))
    imag = builder.fadd(builder.fmul(a, d), builder.fmul(b, c))
    return emit.complex_value(context, builder, dtype, real, imag)


def _itself(context: Any, builder: Any, dtype: Any, x: Any) -> Any:
    return x


def _of_parts(which: int) -> Code:
    return lambda context, builder, dtype, x: emit.parts(context, builder, dtype, x)[which]


def _whole(name: str) -> dict[str, Code]:
    return dict.fromkeys("iu", _instruction(name))


#: What is an instruction or two: by function and kind.
_PRIMITIVES: dict[str, dict[str, Code]] = {
    "add": {**_whole("add"), "f": _instruction("fadd"), "c": _by_parts("fadd")},
    "subtract": {**_whole("sub"), "f": _instruction("fsub"), "c": _by_parts("fsub")},
    "multiply": {**_whole("mul"), "f": _instruction("fmul"), "c": _complex_product},
    "divide": {"f": _instruction("fdiv")},
    "negative": {**_whole("neg"), "f": _instruction("fneg"), "c": _by_parts("fneg")},
    **{name: dict.fromkeys("iu", _itself) for name in ("floor", "ceil", "trunc", "rint")},
    "conjugate": dict.fromkeys("iuf", _itself),
    "real": {"c": _of_parts(0)},
    "imag": {"c": _of_parts(1)},
}
