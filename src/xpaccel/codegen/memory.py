"""What generated Numba source says about memory: typed pointers, and loads and stores through them.

Numba's own arrays carry shapes, strides and a wrap-around check of every signed index, and their loads
and stores may alias one another for all that LLVM knows. A nest knows better: its index arithmetic was
done above, and it numbers the distinct memories that it touches (*scopes*). Every load and store here
says which one it means, as LLVM's scoped no-alias metadata, so loops are vectorised without run-time
checks, and a load from memory that the nest never stores to may leave the loop.

All functions are Numba intrinsics: they exist inside generated source only. Elements are NumPy's: a bool
is a byte, a complex number two floats, and every address is a multiple of its dtype's alignment.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from xpaccel.ops import DTYPES

__all__ = [
    *DTYPES,
    "accumulators",
    "fence",
    "integer",
    "integer_scalar",
    "load",
    "outside",
    "place",
    "pointer",
    "prefetch",
    "report",
    "scalar",
    "shift",
    "store",
    "store_nt",
    "until_aligned",
]

#: The dtype names of generated source; ``bool`` is Numba's there, not Python's.
globals().update({name: getattr(types, name if name != "bool" else "boolean") for name in DTYPES})

_INDEX = ir.IntType(64)
_DOMAIN = "xpaccel.nest"


@intrinsic(prefer_literal=True)
def pointer(typing: Any, ints: Any, place: Any, dtype: Any) -> Any:
    """``pointer(ints, place, dtype)``: the address ``ints[place]`` as a pointer to elements of `dtype`."""
    signature = types.CPointer(dtype.instance_type)(ints, place, dtype)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = _parameter(builder, args[0], signature.args[1].literal_value, _INDEX)
        return builder.inttoptr(address, context.get_value_type(signature.return_type))

    return signature, emit


@intrinsic(prefer_literal=True)
def integer(typing: Any, ints: Any, place: Any) -> Any:
    """``integer(ints, place)``: a stride, extent or bound."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _parameter(builder, args[0], signature.args[1].literal_value, _INDEX)

    return types.int64(ints, place), emit


@intrinsic(prefer_literal=True)
def integer_scalar(typing: Any, ints: Any, place: Any, dtype: Any) -> Any:
    """``integer_scalar(ints, place, dtype)``: an integer or bool argument of the kernel, as `dtype`."""
    target = dtype.instance_type

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = _parameter(builder, args[0], signature.args[1].literal_value, _INDEX)
        if target == types.boolean:
            return builder.icmp_unsigned("!=", value, _INDEX(0))
        return value if target.bitwidth == 64 else builder.trunc(value, context.get_value_type(target))

    return target(ints, place, dtype), emit


@intrinsic(prefer_literal=True)
def scalar(typing: Any, floats: Any, place: Any, dtype: Any) -> Any:
    """``scalar(floats, place, dtype)``: a floating or complex argument (two doubles), as `dtype`."""
    target = dtype.instance_type

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = signature.args[1].literal_value
        if not isinstance(target, types.Complex):
            return _part(context, builder, args[0], place, target)
        value = context.make_complex(builder, target)
        value.real = _part(context, builder, args[0], place, target.underlying_float)
        value.imag = _part(context, builder, args[0], place + 1, target.underlying_float)
        return value._getvalue()

    return target(floats, place, dtype), emit


@intrinsic
def shift(typing: Any, base: Any, distance: Any) -> Any:
    """``shift(base, distance)``: the pointer `distance` elements (of either sign) after `base`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        base, distance = _with_index(context, builder, signature, args)
        return _element(context, builder, signature.args[0], base, distance)

    return base(base, distance), emit


@intrinsic(prefer_literal=True)
def load(typing: Any, base: Any, index: Any, scope: Any, scopes: Any) -> Any:
    """``load(base, index, scope, scopes)``: element `index` of memory number `scope` of `scopes`."""
    signature = base.dtype(base, types.unliteral(index), scope, scopes)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        base, index = _with_index(context, builder, signature, args)
        place = _element(context, builder, signature.args[0], base, index)
        tags = _scopes(builder.module, signature)
        dtype = signature.return_type
        if isinstance(dtype, types.Complex):  # two loads: LLVM vectorises scalars, not structures
            value = context.make_complex(builder, dtype)
            value.real = _tagged(builder.load(_field(builder, place, 0)), tags)
            value.imag = _tagged(builder.load(_field(builder, place, 1)), tags)
            return value._getvalue()
        value = _tagged(builder.load(place), tags)
        return builder.icmp_unsigned("!=", value, value.type(0)) if dtype == types.boolean else value

    return signature, emit


@intrinsic(prefer_literal=True)
def store(typing: Any, base: Any, index: Any, value: Any, scope: Any, scopes: Any) -> Any:
    """``store(base, index, value, scope, scopes)``: put `value`, cast to the dtype of the memory."""
    signature = types.void(base, types.unliteral(index), types.unliteral(value), scope, scopes)
    return signature, _emit_store


@intrinsic(prefer_literal=True)
def store_nt(typing: Any, base: Any, index: Any, value: Any, scope: Any, scopes: Any) -> Any:
    """`store` past the caches, for memory that is larger than they are.

    The loop around it must start where the address is a multiple of 64 (`until_aligned`): LLVM joins the
    stores of neighbouring iterations to one that faults elsewhere. The nest must end with a `fence`, and
    read nothing of the same memory.
    """
    signature = types.void(base, types.unliteral(index), types.unliteral(value), scope, scopes)
    return signature, lambda *args: _emit_store(*args, streaming=True)


def _emit_store(context: Any, builder: Any, signature: Any, args: Any, *, streaming: bool = False) -> Any:
    base, index = _with_index(context, builder, signature, args)
    target = signature.args[0].dtype
    value = context.cast(builder, args[2], signature.args[2], target)
    place = _element(context, builder, signature.args[0], base, index)
    tags = _scopes(builder.module, signature)
    if isinstance(target, types.Complex):
        parts = context.make_complex(builder, target, value=value)
        pairs = [(parts.real, _field(builder, place, 0)), (parts.imag, _field(builder, place, 1))]
    elif target == types.boolean:
        pairs = [(builder.zext(value, ir.IntType(8)), place)]
    else:
        pairs = [(value, place)]
    for part, where in pairs:
        written = _tagged(builder.store(part, where, align=64 if streaming else None), tags)
        if streaming:
            written.set_metadata("nontemporal", builder.module.add_metadata([ir.IntType(32)(1)]))
    return context.get_dummy_value()


@intrinsic
def until_aligned(typing: Any, base: Any, index: Any) -> Any:
    """``until_aligned(base, index)``: how many elements after `index` an address is a multiple of 64."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        base, index = _with_index(context, builder, signature, args)
        kind = signature.args[0]
        address = builder.ptrtoint(_element(context, builder, kind, base, index), _INDEX)
        missing = builder.and_(builder.neg(address), _INDEX(63))
        return builder.udiv(missing, _INDEX(context.get_abi_sizeof(context.get_data_type(kind.dtype))))

    return types.int64(base, index), emit


@intrinsic
def fence(typing: Any) -> Any:
    """``fence()``: all stores before it, those past the caches too, are seen before what follows."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def place(typing: Any, index: Any, size: Any) -> Any:
    """``place(index, size)``: where NumPy's index points to on an axis of `size`; 0 where that is outside."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        at, is_outside = _placed(builder, *args)
        return builder.select(is_outside, _INDEX(0), at)

    return types.int64(types.int64, types.int64), emit


@intrinsic(prefer_literal=True)
def outside(typing: Any, index: Any, size: Any, bit: Any) -> Any:
    """``outside(index, size, bit)``: 0 where NumPy's index is on an axis of `size`, else ``1 << bit``."""
    signature = types.int64(types.int64, types.int64, bit)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, is_outside = _placed(builder, *args[:2])
        return builder.shl(builder.zext(is_outside, _INDEX), _INDEX(signature.args[2].literal_value))

    return signature, emit


@intrinsic(prefer_literal=True)
def report(typing: Any, ints: Any, number: Any, bits: Any) -> Any:
    """``report(ints, number, bits)``: set `bits`, if any, in the word whose address is ``ints[number]``."""
    signature = types.void(ints, number, types.int64)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        with builder.if_then(builder.icmp_unsigned("!=", args[2], _INDEX(0)), likely=False):
            address = _parameter(builder, args[0], signature.args[1].literal_value, _INDEX)
            word = builder.inttoptr(address, _INDEX.as_pointer())
            builder.atomic_rmw("or", word, args[2], "monotonic")  # pieces on other threads may report too
        return context.get_dummy_value()

    return signature, emit


@intrinsic(prefer_literal=True)
def prefetch(typing: Any, base: Any, index: Any) -> Any:
    """``prefetch(base, index)``: ask for the cache line of an element that need not exist."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        base, index = _with_index(context, builder, signature, args)
        place = builder.bitcast(builder.gep(base, [index]), ir.IntType(8).as_pointer())
        i32 = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [place.type, i32, i32, i32])
        function = builder.module.declare_intrinsic("llvm.prefetch", [place.type], kind)
        builder.call(function, [place, i32(0), i32(3), i32(1)])  # for a read, into all caches, of data
        return context.get_dummy_value()

    return types.void(base, types.unliteral(index)), emit


@intrinsic(prefer_literal=True)
def accumulators(typing: Any, count: Any, dtype: Any) -> Any:
    """``accumulators(count, dtype)``: a strip of `count` elements on the stack, a scope of its own."""
    signature = types.CPointer(dtype.instance_type)(count, dtype)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        count = signature.args[0].literal_value
        with builder.goto_entry_block():  # once, not once an iteration
            strip = builder.alloca(context.get_data_type(signature.return_type.dtype), size=_INDEX(count))
        strip.align = 64
        return strip

    return signature, emit


def _placed(builder: Any, index: Any, size: Any) -> tuple[Any, Any]:
    """Return the place that an index means, and whether it is outside of its axis."""
    at = builder.select(builder.icmp_signed("<", index, _INDEX(0)), builder.add(index, size), index)
    return at, builder.icmp_unsigned(">=", at, size)


def _parameter(builder: Any, base: Any, place: int, kind: ir.Type) -> Any:
    """Load parameter number `place`: nothing that the nest does changes it."""
    value = builder.load(builder.gep(base, [_INDEX(place)], inbounds=True), typ=kind)
    value.set_metadata("invariant.load", builder.module.add_metadata([]))
    return value


def _part(context: Any, builder: Any, floats: Any, place: int, target: Any) -> Any:
    value = _parameter(builder, floats, place, ir.DoubleType())
    return value if target == types.float64 else builder.fptrunc(value, context.get_value_type(target))


def _with_index(context: Any, builder: Any, signature: Any, args: Any) -> tuple[Any, Any]:
    """Return the pointer and the index, as 64 bits."""
    return args[0], context.cast(builder, args[1], signature.args[1], types.int64)


def _element(context: Any, builder: Any, kind: Any, base: Any, index: Any) -> Any:
    return builder.gep(base, [index], inbounds=True, source_etype=context.get_data_type(kind.dtype))


def _field(builder: Any, place: Any, number: int) -> Any:
    i32 = ir.IntType(32)
    return builder.gep(place, [i32(0), i32(number)], inbounds=True)


def _scopes(module: Any, signature: Any) -> tuple[Any, Any]:
    """Return the lists of this scope and of all others, as metadata of `module`.

    LLVM's reference allows scopes to be told apart by name, which spares it distinct nodes.
    """
    mine, total = (kind.literal_value for kind in signature.args[-2:])
    domain = module.add_metadata([_DOMAIN])
    nodes = [module.add_metadata([f"{_DOMAIN}.{number}", domain]) for number in range(total)]
    return module.add_metadata([nodes[mine]]), module.add_metadata([*nodes[:mine], *nodes[mine + 1 :]])


def _tagged(instruction: Any, tags: tuple[Any, Any]) -> Any:
    instruction.set_metadata("alias.scope", tags[0])
    instruction.set_metadata("noalias", tags[1])
    return instruction
