"""Vector functions: at most 4 ulp off, and the same bits for the same number, wherever it stands."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from nests import evaluate, source_of

import xpaccel as xpa
from xpaccel.ops import OPS

pytestmark = [pytest.mark.numba, pytest.mark.filterwarnings("ignore::RuntimeWarning")]

NAMES = [op.name for op in OPS.values() if op.libm]
SIZE = 2000


def numbers(dtype, seed):
    """Return numbers of all sizes with special ones scattered among them."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(SIZE) * rng.choice([1e-3, 0.3, 1, 3, 30, 300, 1e5, 1e10], SIZE)
    special = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-310, -1e-40, 88.0, 700.0, -745.0]
    values[rng.random(SIZE) < 0.1] = 0.0
    values = np.where(rng.random(SIZE) < 0.15, rng.choice(special, SIZE), values)
    return values.astype(dtype)


def bits(values):
    """Return the bits of floats, with one NaN."""
    return np.where(np.isnan(values), np.nan, values).astype(values.dtype).view(f"u{values.itemsize}")


def case(name, dtype):
    op = OPS[name]
    return (op.numba.format("v0", "v1"), [numbers(dtype, seed) for seed in range(op.arity)], dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_bits_do_not_depend_on_place_or_neighbours(name, dtype):
    expression, args, _ = case(name, dtype)
    (whole,) = evaluate([(expression, args, dtype)])
    (single,) = evaluate([(expression, args, dtype)], ranges=[(k, k + 1) for k in range(SIZE)])
    np.testing.assert_array_equal(bits(single), bits(whole))
    cuts = np.cumsum(np.random.default_rng(3).integers(1, 60, 300))
    cuts = [0, *cuts[cuts < SIZE].tolist(), SIZE]
    (pieces,) = evaluate([(expression, args, dtype)], ranges=list(pairwise(cuts)))
    np.testing.assert_array_equal(bits(pieces), bits(whole))
    order = np.random.default_rng(4).permutation(SIZE)
    (mixed,) = evaluate([(expression, [a[order] for a in args], dtype)])
    np.testing.assert_array_equal(bits(mixed), bits(whole)[order])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_error_is_at_most_four_ulp(name, dtype):
    wide = np.dtype("float64" if dtype == "float32" else "longdouble")
    if np.finfo(wide).eps >= np.finfo(dtype).eps:
        pytest.skip("no wider floats on this machine to compare with")
    expression, args, _ = case(name, dtype)
    (got,) = evaluate([(expression, args, dtype)])
    want = getattr(np, OPS[name].numpy)(*(a.astype(wide) for a in args))
    rounded = want.astype(dtype)
    same = (rounded == got) | (np.isnan(rounded) & np.isnan(got))
    apart = np.where(same, 0, np.abs(got - want) / np.spacing(np.abs(rounded)).astype(wide))
    worst = int(np.argmax(apart))
    assert apart[worst] <= 4, f"{name}{tuple(a[worst] for a in args)} is {want[worst]}, not {got[worst]}"


@pytest.mark.parametrize(("dtype", "itemsize"), [("float32", 4), ("float64", 8)])
def test_a_loop_calls_one_vector_function(dtype, itemsize):
    from xpaccel.backends.cpu import machine
    from xpaccel.codegen import vector

    symbol = vector.symbol("exp", itemsize, 1)
    if symbol is None:
        pytest.skip("no libmvec here")
    text = machine.inspect(source_of([("exp(v0)", [dtype], dtype)]), "nest")
    assert set(re.findall(r"_ZGV\w+", text)) == {symbol}


def test_floats_of_two_sizes_share_a_loop():
    """Of float32 and float64 a vector holds different numbers, so one of them is computed in other lanes."""
    narrow, wide = numbers("float32", 0), numbers("float64", 1)
    (mixed,) = evaluate([("cast(exp(v0), float64) + exp(v1)", [narrow, wide], "float64")])
    (first,) = evaluate([("exp(v0)", [narrow], "float32")])
    (second,) = evaluate([("exp(v0)", [wide], "float64")])
    np.testing.assert_array_equal(bits(mixed), bits(first + second))


def test_libm_serves_where_there_is_no_vector_function(monkeypatch):
    import math

    from xpaccel.backends.cpu import machine
    from xpaccel.codegen import vector

    monkeypatch.setattr(vector, "symbol", lambda *_: None)
    source = source_of([("exp(v0)", ["float64"], "float64")])
    assert "_ZGV" not in machine.inspect(source, "nest")
    values = np.linspace(-3, 3, 37)
    (got,) = evaluate([("exp(v0) * float64(1.0)", [values], "float64")])  # a source that is compiled here first
    np.testing.assert_array_equal(got, [math.exp(x) for x in values])


def test_a_call_in_a_helper_and_in_a_loop_is_one_function():
    """`logaddexp` is compiled apart and linked; its calls must find the same vector functions."""
    x, y = numbers("float64", 5), numbers("float64", 6)
    case = [("logaddexp(v0, v1) + exp(v0)", [x, y], "float64")]
    (whole,) = evaluate(case)
    (single,) = evaluate(case, ranges=[(k, k + 1) for k in range(SIZE)])
    np.testing.assert_array_equal(bits(whole), bits(single))


def test_a_constant_argument_does_not_keep_a_loop_from_the_vector_function():
    vector = pytest.importorskip("xpaccel.codegen.vector")
    if vector.symbol("pow", 8, 2) is None:
        pytest.skip("libmvec has no pow here")
    kernel = xpa.kernel(lambda u: u ** (1 / 3))
    source = kernel.source(np.ones((4, 5)), backend="numba")
    text = pytest.importorskip("xpaccel.backends.cpu.machine").inspect(source, "nest", "llvm")
    body = text[text.index("define void @nest") :]
    assert f"x double> @{vector.symbol('pow', 8, 2)}(" in body
