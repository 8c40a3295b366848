"""The scalar functions of generated source against NumPy: every row of the op table, every dtype it takes."""

from __future__ import annotations

import re

import numpy as np
import pytest
from nests import evaluate, pairs_of, values_of

from xpaccel.ops import DTYPES, OPS, dtype_kind, in_category, result_dtype

pytestmark = [pytest.mark.numba, pytest.mark.filterwarnings("ignore::RuntimeWarning")]

#: Units in the last place, of functions that NumPy does not compute with libm's bits on every machine.
LIBM_ULP = 4
#: Of complex numbers NumPy's own functions are off by as much again.
COMPLEX_ULP = 8
#: NumPy multiplies complex numbers with fused operations where the processor has them; here each one is
#: rounded. Then the error is one of the larger product, not of the result.
CANCELS = {("multiply", "c"), ("square", "c"), ("pow", "c"), ("expm1", "c"), ("logaddexp", "f")}


def spelled(op, dtype):
    """Spell an operation as the printer does."""
    text = op.numba.format("v0", "v1", "v2")
    dtype = result_dtype(op, dtype)
    return f"cast({text}, {dtype})" if dtype_kind(dtype) in "iu" and text.startswith("(") else text


def arguments(op, dtype):
    if op.name == "where":
        first, second = pairs_of(dtype)
        return [np.resize(values_of("bool"), first.size), first, second]
    if op.arity == 1:
        return [values_of(dtype)]
    first, second = pairs_of(dtype)
    if op.name == "pow" and dtype_kind(dtype) == "i":
        keep = second >= 0  # NumPy raises for the others
        first, second = first[keep], second[keep]
    return [first, second]


def ulps(want, got):
    """Return the distance in units in the last place: 0 for what is the same, inf where only one is finite.

    Of complex numbers, a part may be small by cancellation: the unit is that of the absolute value.
    """
    if want.dtype.kind == "c":
        size = np.hypot(want.real, want.imag)
        return np.maximum(apart(want.real, got.real, size), apart(want.imag, got.imag, size))
    return apart(want, got, np.maximum(np.abs(want), np.abs(got)))


def apart(want, got, size):
    same = (want == got) | (np.isnan(want) & np.isnan(got))
    unit = np.spacing(np.where(np.isfinite(size), size, np.abs(want)))
    distance = np.abs(want.astype("longdouble") - got.astype("longdouble")) / unit
    return np.where(same, 0, np.where(np.isfinite(want) & np.isfinite(got), distance, np.inf))


def cases(op):
    for dtype in DTYPES:
        if in_category(dtype, op.accepts):
            yield dtype, arguments(op, dtype)


@pytest.mark.parametrize("name", OPS)
def test_an_op_is_numpys(name):
    op = OPS[name]
    found = list(cases(op))
    results = evaluate([(spelled(op, dtype), args, result_dtype(op, dtype)) for dtype, args in found])
    for (dtype, args), got in zip(found, results, strict=True):
        kind = dtype_kind(dtype)
        want = getattr(np, op.numpy)(*args)
        if name == "round" and kind in "iu":  # the standard keeps integers, NumPy's rint makes floats of them
            want = args[0]
        assert got.dtype == want.dtype
        if want.dtype.kind in "biu":
            np.testing.assert_array_equal(got, want, err_msg=dtype)
        elif (name, kind) in CANCELS:
            check_close(op, dtype, args, want, got)
        else:
            allowed = COMPLEX_ULP if kind == "c" else 0 if op.exact else LIBM_ULP
            distance = ulps(want, got)
            worst = int(np.argmax(distance))
            where = f"{dtype}: {name}{tuple(a[worst] for a in args)} is {want[worst]}, not {got[worst]}"
            assert distance[worst] <= allowed, where
            if want.dtype.kind == "f":
                np.testing.assert_array_equal(np.signbit(got[want == 0]), np.signbit(want[want == 0]))


def check_close(op, dtype, args, want, got):
    """Compare where terms may cancel: by the size of the arguments' parts, among ordinary numbers."""
    size = np.max([np.abs(part) for a in args for part in (a.real, a.imag)], axis=0)
    ordinary = np.isfinite(want) & (size < 30) & (size > 1e-3)
    distance = np.abs(want - got)[ordinary]
    scale = np.maximum(np.abs(want), size * size if op.name in ("multiply", "square") else size)[ordinary]
    assert ordinary.sum() > 20
    bound = 200 if op.name == "pow" else LIBM_ULP  # cpow's own error grows with the exponent
    assert np.all(distance <= bound * np.finfo(want.dtype).eps * np.maximum(scale, 1)), dtype


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_products_are_rounded_at_every_step(dtype):
    x, y = pairs_of(dtype)
    (got,) = evaluate([("(v0 * v1)", [x, y], dtype)])
    np.testing.assert_array_equal(got.real, x.real * y.real - x.imag * y.imag)
    np.testing.assert_array_equal(got.imag, x.real * y.imag + x.imag * y.real)


@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
@pytest.mark.parametrize("source", DTYPES)
def test_a_cast_is_numpys_unsafe_astype(source):
    values = values_of(source)
    results = evaluate([(f"cast(v0, {target})", [values], target) for target in DTYPES])
    for target, got in zip(DTYPES, results, strict=True):
        given = values
        if dtype_kind(source) in "fc" and dtype_kind(target) in "iu":  # what does not fit is C's to choose
            info = np.iinfo(target)
            fits = (values.real > float(info.min) - 1) & (values.real < float(info.max) + 1)
            fits &= values.real.astype("float64") != float(info.max) + 1
            given, got = values[fits], got[fits]
            assert fits.sum() > 10
        np.testing.assert_array_equal(got, given.astype(target), err_msg=target)


@pytest.mark.parametrize("target", [name for name in DTYPES if dtype_kind(name) in "iu"])
@pytest.mark.parametrize("source", ["float32", "float64"])
def test_a_cast_that_does_not_fit_is_the_same_in_vectors_and_scalars(source, target):
    values = np.resize(np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 3e9, -3e9, 1e19, 1.0], source), 67)
    case = [(f"cast(v0, {target})", [values], target)]
    (whole,) = evaluate(case)
    (single,) = evaluate(case, ranges=[(k, k + 1) for k in range(67)])
    np.testing.assert_array_equal(whole, single)
    assert (whole[values == 1.0] == 1).all()


def test_every_name_of_the_op_table_is_a_function_here():
    from xpaccel.codegen import scalar

    for op in OPS.values():
        for name in re.findall(r"[a-z_]\w*(?=\()", op.numba):
            assert name in scalar.FUNCTIONS, op.name
            assert name in scalar.__all__, op.name


def test_integers_wrap():
    big = np.array([2**62, -(2**63), 2**63 - 1])
    two = np.array([2, -1, 1])
    total, product, negated = evaluate(
        [("(v0 + v1)", [big, two], "int64"), ("(v0 * v1)", [big, two], "int64"), ("(-v0)", [big], "int64")]
    )
    np.testing.assert_array_equal(total, big + two)
    np.testing.assert_array_equal(product, big * two)
    np.testing.assert_array_equal(negated, -big)
