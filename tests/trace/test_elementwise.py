"""Every elementwise function, over all dtypes and kinds of operands, has NumPy's dtype and value."""

from __future__ import annotations

import operator
from contextlib import suppress

import numpy as np
import pytest
from trace_law import holds, trace_call

from xpaccel.errors import TraceError
from xpaccel.ops import DTYPES, OPS, in_category

UNARY = [op for op in OPS.values() if op.arity == 1 and op.name not in ("real", "imag", "round")]
BINARY = [op for op in OPS.values() if op.arity == 2]


def values(dtype, shape=(3, 4), seed=0):
    rng = np.random.default_rng(seed)
    kind = np.dtype(dtype).kind
    if kind == "b":
        return rng.random(shape) < 0.5
    if kind in "iu":
        return rng.integers(1, 4, shape).astype(dtype)
    real = rng.uniform(-0.9, 0.9, shape)
    return (real + 1j * rng.uniform(-1, 1, shape)).astype(dtype) if kind == "c" else real.astype(dtype)


def equal_or_refused(function, make, exact=True):
    """Check the law where NumPy has the function; TraceError may say that kernels do not."""
    try:
        with np.errstate(all="ignore"):
            expected = function(*make())
    except (TypeError, ValueError, OverflowError) as error:
        with pytest.raises((type(error), TraceError)):
            trace_call(function, *make())
        return
    if expected.dtype.name not in DTYPES:
        with pytest.raises(TraceError, match="kernels compute with"):
            trace_call(function, *make())
        return
    refused = True
    with suppress(TraceError):
        trace_call(function, *make())
        refused = False
    if refused:
        with pytest.raises(TraceError, match=r"is not supported in a kernel|array of signed integers"):
            trace_call(function, *make())
        return
    exact = exact and expected.dtype.kind != "c"  # NumPy's complex loops fuse products in some layouts
    holds(function, make, None if exact else (1e-5, 1e-6))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", UNARY, ids=lambda op: op.name)
def test_unary(op, dtype):
    numpy = getattr(np, op.numpy)
    equal_or_refused(lambda u: numpy(u), lambda: [values(dtype)], op.exact)
    equal_or_refused(lambda u: numpy(u[0, 0]), lambda: [values(dtype)], op.exact)
    equal_or_refused(lambda u: numpy(u), lambda: [values(dtype, ())], op.exact)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.name)
def test_binary_with_every_kind_of_operand(op, dtype):
    numpy = getattr(np, op.numpy)
    others = [
        values(dtype, seed=1),
        values("float32", (4,)),
        values("uint8", (3, 1)),
        2,
        0.5,
        True,
        np.float64(0.5),
    ]
    if op.name == "pow":
        others = [2, 3, 0.5, True, values("uint8", (3, 1)), values("float32", (4,))]
    for other in others:
        equal_or_refused(lambda u, v: numpy(u, v), lambda other=other: [values(dtype), other], op.exact)
        equal_or_refused(lambda u, v: numpy(v, u), lambda other=other: [values(dtype), other], op.exact)
        if not isinstance(other, np.ndarray):  # a literal in the source
            equal_or_refused(lambda u, other=other: numpy(u, other), lambda: [values(dtype)], op.exact)
            equal_or_refused(lambda u, other=other: numpy(other, u), lambda: [values(dtype)], op.exact)


def test_the_functions_that_the_standard_accepts_are_supported():
    for op in OPS.values():
        if op.arity > 2:
            continue
        for dtype in DTYPES:
            negative_powers = op.name == "pow" and dtype.startswith("int")  # NumPy raises at run time
            if in_category(dtype, op.accepts) and not negative_powers:
                arguments = [values(dtype)] * op.arity
                trace_call(lambda *u, name=op.name: getattr(u[0].__array_namespace__(), name)(*u), *arguments)


OPERATORS = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.mod,
    operator.pow,
    operator.and_,
    operator.or_,
    operator.xor,
    operator.lshift,
    operator.rshift,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
    operator.eq,
    operator.ne,
]


@pytest.mark.parametrize("operation", OPERATORS, ids=lambda o: o.__name__)
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float32", "float64"])
def test_operators(operation, dtype):
    others = [values(dtype, seed=2), 2, values("int64", (4,)), np.int32(2), np.float32(0.5), 0.5, True]
    for other in others:
        equal_or_refused(lambda u, v: operation(u, v), lambda other=other: [values(dtype), other], False)
        equal_or_refused(lambda u, v: operation(v, u), lambda other=other: [values(dtype), other], False)
        if not isinstance(other, np.ndarray):
            equal_or_refused(lambda u, other=other: operation(u, other), lambda: [values(dtype)], False)
            equal_or_refused(lambda u, other=other: operation(other, u), lambda: [values(dtype)], False)
            equal_or_refused(lambda u, other=other: operation(u[0, 0], other), lambda: [values(dtype)], False)


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "floor_divide", "pow"])
def test_a_float32_kernel_stays_float32(name):
    def kernel(u, t, n):
        xp = u.__array_namespace__()
        return getattr(xp, name)(u, t), getattr(xp, name)(n, u), u * (t * n) - t / n

    traced = trace_call(kernel, values("float32"), 1.5, 2)
    assert {node.dtype for node in traced.graph.nodes()} == {"float32"}


def test_comparison_with_numbers_beyond_the_dtype():
    def kernel(u, n):
        return u < n, n <= u, u == n, u != n, u > -n, u > -1, u < 300, u == -5

    for n in (300, 5, -300):
        traced = holds(kernel, lambda n=n: [values("uint8"), n])
        assert traced.graph.scalar_guards


def test_int64_and_uint64_compare_by_value():
    def make():
        return [np.array([-1, 0, 5, 2**62]), np.array([2**63 + 5, 0, 5, 7], dtype="uint64")]

    for operation in OPERATORS[-6:]:
        holds(lambda a, b, f=operation: (f(a, b), f(b, a)), make)


def test_numbers_that_do_not_fit_raise_as_in_numpy():
    with pytest.raises(OverflowError):
        trace_call(lambda u: u + 300, values("uint8"))
    with pytest.raises(ValueError, match="negative integer powers"):
        trace_call(lambda u: u**-1, values("int32"))
    with pytest.raises(TypeError):
        trace_call(lambda u: u - u, values("bool"))


def test_powers_that_the_source_spells_out_are_products():
    traced = trace_call(lambda u: (u**2, u**3, u**0.5, u**-1, u**1, u**4), values("float64"))
    assert {"pow"} & {node.op for node in traced.graph.nodes()} == set()
    holds(lambda u: (u**2, abs(u) ** 0.5, u**-1, u**1), lambda: [values("float64")])
    holds(lambda u: (u**3, u**4, u**2.5, u**0, (u + 1) ** u), lambda: [abs(values("float64"))], (1e-12, 1e-12))


def test_clip_round_where_positive():
    def kernel(u, t):
        xp = u.__array_namespace__()
        return (
            np.clip(u, -0.5, t),
            u.clip(0),
            np.clip(u, None, 0.25),
            np.clip(u, u[0], 1),
            xp.round(u),
            u.round(),
            np.rint(u),
            np.where(u > 0, u, 0),
            np.where(u > 0, 1, t),
            +u,
            np.real(u),
            np.imag(u),
            u.real,
            np.divmod(u, 2),
            divmod(u, t),
            np.degrees(u),
            np.abs(u),
            np.fabs(u),
        )

    holds(kernel, lambda: [values("float64"), 0.75], (1e-15, 0))
    holds(kernel, lambda: [values("float32"), 0.75], (1e-6, 0))


def test_complex_parts():
    def kernel(z):
        return z.real, z.imag, np.conj(z), abs(z), z * 2j, z + z.real, z == z.conj()

    holds(kernel, lambda: [values("complex128")])
    holds(kernel, lambda: [values("complex64")])
