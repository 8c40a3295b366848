"""Vectorised exp, log, sin and the rest of libm, through glibc's libmvec.

LLVM's loop vectoriser replaces a call by a vector function if the call says which one computes it: the
vector-function ABI attribute. glibc's libmvec has such functions for most of math.h (x86-64 from glibc
2.22 and nearly all from 2.35, AArch64 from 2.38), at most 4 ulp off.

Their lanes are not libm's scalar functions, nor are 8 lanes the bits of 4, and a loop has a vector body
and a scalar rest: used as they are, the same number would give other bits at another place of an array.
So one vector function, of one width, computes a function everywhere in a program. Its scalar form is that
vector function on a vector of equal numbers, kept out of line; a loop of another number of lanes (float32
beside float64) calls it on a part of its lanes or several times. Where libmvec has no such function, libm
is called for each element.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Sequence
from functools import cache
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

#: The numbers of lanes that LLVM may ask for.
_LANES = (2, 4, 8, 16, 32)
#: What the names of scalar forms begin with.
SCALAR = "xpaccel_"
_PURE = ("nounwind", "willreturn", "memory(none)")
_KEPT = "llvm.compiler.used"


@cache
def width() -> int:
    """Return the bytes of the vectors that vector functions take: one width for all of a program."""
    return _isa()[1]


@cache
def library() -> str:
    """Return the name and version of the C library, whose functions give the bits; empty if not glibc."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):
        return ""


@cache
def _libmvec() -> ctypes.CDLL | None:
    """Load libmvec, where machine code finds it too; None where there is none."""
    try:
        llvm.load_library_permanently("libmvec.so.1")
        return ctypes.CDLL("libmvec.so.1")
    except (OSError, RuntimeError):
        return None


def make_loadable() -> None:
    """Let machine code that is loaded from now on find the vector functions."""
    _libmvec()


@cache
def _isa() -> tuple[str, int]:
    """Return the letter of the vector-function ABI for this processor, and the bytes of its vectors."""
    if platform.machine() in ("aarch64", "arm64"):
        return "n", 16
    features = llvm.get_host_cpu_features()
    return ("e", 64) if features.get("avx512f") else ("d", 32) if features.get("avx2") else ("b", 16)


@cache
def symbol(name: str, itemsize: int, arity: int) -> str | None:
    """Return the vector function for libm's `name` on floats of `itemsize` bytes; None if there is none."""
    letter, size = _isa()
    found = f"_ZGV{letter}N{size // itemsize}{'v' * arity}_{_libm(name, itemsize)}"
    library = _libmvec()
    return found if library is not None and hasattr(library, found) else None


def call(builder: Any, name: str, args: Sequence[Any]) -> Any:
    """Emit libm's function `name` of one or two floats or doubles.

    Parameters
    ----------
    builder : llvmlite.ir.IRBuilder
        Where to emit it.
    name
        libm's name of the double function: ``"exp"``.
    args
        LLVM values, all float or all double.
    """
    kind = args[0].type
    itemsize = 4 if isinstance(kind, ir.FloatType) else 8
    vector = symbol(name, itemsize, len(args))
    if vector is None:
        function = _declare(builder.module, kind, _libm(name, itemsize), len(args))
        return pure(builder.call(function, args))
    function, variants = _functions(builder.module, kind, vector, len(args), width() // itemsize)
    result = pure(builder.call(function, args))
    set.add(result.attributes, f'"vector-function-abi-variant"="{variants}"')
    return result


def _functions(module: Any, kind: Any, vector: str, arity: int, lanes: int) -> tuple[Any, str]:
    """Return the scalar form of a vector function and the list of its forms for all numbers of lanes."""
    scalar = SCALAR + vector.rpartition("_")[2]
    forms = {count: vector if count == lanes else f"{scalar}_{count}" for count in _LANES}
    prefix = "_ZGV_LLVM_N"
    variants = ",".join(f"{prefix}{count}{'v' * arity}_{scalar}({form})" for count, form in forms.items())
    if scalar in module.globals:
        return module.globals[scalar], variants
    whole = _declare(module, ir.VectorType(kind, lanes), vector, arity)
    others = [count for count in _LANES if count != lanes]
    functions = [_define(module, ir.VectorType(kind, n), forms[n], whole, lanes) for n in others]
    _keep(module, [whole, *functions])
    return _define(module, kind, scalar, whole, lanes), variants


def _define(module: Any, kind: Any, name: str, whole: Any, lanes: int) -> Any:
    """Define the form of a vector function for another number of lanes, or for a scalar."""
    function = _declare(module, kind, name, len(whole.args))
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    if not isinstance(kind, ir.VectorType):
        filled = [_spread(builder, arg, lanes) for arg in function.args]
        result = builder.extract_element(builder.call(whole, filled), ir.IntType(32)(0))
    elif kind.count < lanes:  # the lanes over are filled with the same numbers, which cost nothing more
        filled = [_pick(builder, arg, [lane % kind.count for lane in range(lanes)]) for arg in function.args]
        result = _pick(builder, builder.call(whole, filled), range(kind.count))
    else:
        starts = range(0, kind.count, lanes)
        parts = [[_pick(builder, arg, range(k, k + lanes)) for arg in function.args] for k in starts]
        result = _joined(builder, [builder.call(whole, part) for part in parts])
    builder.ret(result)
    return function


def _spread(builder: Any, value: Any, lanes: int) -> Any:
    undefined = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    return _pick(builder, builder.insert_element(undefined, value, ir.IntType(32)(0)), [0] * lanes)


def _pick(builder: Any, value: Any, lanes: Sequence[int], other: Any = None) -> Any:
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), list(lanes))
    return builder.shuffle_vector(value, other or ir.Constant(value.type, ir.Undefined), mask)


def _joined(builder: Any, parts: Sequence[Any]) -> Any:
    while len(parts) > 1:
        both = range(2 * parts[0].type.count)
        parts = [_pick(builder, a, both, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]


def _libm(name: str, itemsize: int) -> str:
    return f"{name}f" if itemsize == 4 else name


def _declare(module: Any, kind: Any, name: str, arity: int) -> Any:
    found = module.globals.get(name)
    if found is None:
        found = pure(ir.Function(module, ir.FunctionType(kind, [kind] * arity), name))
    return found


def pure(thing: Any) -> Any:
    """Mark a function or call as one that only computes; llvmlite knows fewer attributes than LLVM."""
    for attribute in _PURE:
        set.add(thing.attributes, attribute)
    return thing


def _keep(module: Any, functions: Sequence[Any]) -> None:
    """Keep functions that nothing calls yet until the vectoriser has run."""
    byte = ir.IntType(8).as_pointer()
    kept = module.globals.get(_KEPT)
    values = [function.bitcast(byte) for function in functions]
    if kept is None:
        kept = ir.GlobalVariable(module, ir.ArrayType(byte, 0), _KEPT)
        kept.linkage, kept.section = "appending", "llvm.metadata"
    else:
        values = [*kept.initializer.constant, *values]
    kept.value_type = ir.ArrayType(byte, len(values))
    kept.type = kept.value_type.as_pointer()
    kept.initializer = ir.Constant(kept.value_type, values)
