"""What generated source says about memory: every dtype, every way to load and store, no run-time checks."""

from __future__ import annotations

import re

import numpy as np
import pytest
from nests import HEAD, address, call, evaluate, source_of, values_of

from xpaccel.ops import DTYPES, dtype_kind

pytestmark = pytest.mark.numba


def compiled(body):
    from xpaccel.backends.cpu import machine

    return machine.get_function(HEAD + body, "nest")


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_copy_keeps_every_bit(dtype):
    values = values_of(dtype)
    (copy,) = evaluate([("v0", [values], dtype)])
    assert copy.tobytes() == values.tobytes()


def test_any_byte_but_0_is_true_and_true_is_1():
    flags = np.array([0, 1, 2, 255], np.uint8).view(bool)
    (copy,) = evaluate([("v0", [flags], "bool")])
    assert copy.view(np.uint8).tolist() == [0, 1, 1, 1]


def test_a_store_casts():
    (stored,) = evaluate([("v0 + v0", [np.array([1.5, 2.5])], "float32")])
    assert stored.dtype == np.float32
    assert stored.tolist() == [3.0, 5.0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_scalars_arrive_in_their_dtype(dtype):
    result = np.zeros(1, dtype)
    kind = dtype_kind(dtype)
    read = f"{'integer_scalar(ints' if kind in 'biu' else 'scalar(floats'}, 1, {dtype})"
    function = compiled(f"def nest(ints, floats, low, high):\n    store(pointer(ints, 0, {dtype}), 0, {read}, 0, 1)\n")
    if kind in "biu":
        number = np.dtype(dtype).type(1 if kind == "b" else 2 ** (8 * result.itemsize - 1) - 3)
        call(function, [address(result), int(number)])
    else:
        number = np.dtype(dtype).type(0.1 + (0.7j if kind == "c" else 0))
        call(function, [address(result), 0], [9.0, 0.1, 0.7])
    assert result[0] == number


def test_a_uint64_scalar_beyond_int64_travels_as_its_bits():
    result = np.zeros(1, np.uint64)
    function = compiled(
        "def nest(ints, floats, low, high):\n"
        "    store(pointer(ints, 0, uint64), 0, integer_scalar(ints, 1, uint64), 0, 1)\n"
    )
    call(function, [address(result), -5])
    assert int(result[0]) == 2**64 - 5


def test_pointers_walk_both_ways():
    values = np.arange(12.0)
    result = np.zeros(4)
    function = compiled(
        "def nest(ints, floats, low, high):\n"
        "    p = pointer(ints, 0, float64)\n"
        "    q = pointer(ints, 1, float64)\n"
        "    s = integer(ints, 2)\n"
        "    for i in range(low, high):\n"
        "        r = shift(p, i * s)\n"
        "        store(q, i, load(r, -1, 0, 2), 1, 2)\n"
    )
    call(function, [address(values[::-1]), address(result), -3], low=0, high=4)
    assert result.tolist() == [10.0, 7.0, 4.0, 1.0]


def test_literals_are_spelled_with_their_dtype():
    result = np.zeros(3, np.complex64)
    function = compiled(
        "def nest(ints, floats, low, high):\n"
        "    p = pointer(ints, 0, complex64)\n"
        "    store(p, 0, complex64(complex(0.1, -inf)), 0, 1)\n"
        "    store(p, 1, cast(uint64(18446744073709551615), complex64), 0, 1)\n"
        "    store(p, 2, cast(float32(nan), complex64), 0, 1)\n"
    )
    call(function, [address(result)])
    np.testing.assert_array_equal(result, np.array([complex(0.1, -np.inf), 2**64, np.nan], np.complex64))


def test_accumulators_are_memory_of_the_call():
    values = np.arange(1000.0)
    result = np.zeros(1)
    function = compiled(
        "def nest(ints, floats, low, high):\n"
        "    p = pointer(ints, 0, float64)\n"
        "    lanes = accumulators(8, float64)\n"
        "    for lane in range(8):\n"
        "        store(lanes, lane, float64(0.0), 2, 3)\n"
        "    for row in range(low, high, 8):\n"
        "        for lane in range(8):\n"
        "            store(lanes, lane, load(lanes, lane, 2, 3) + load(p, row + lane, 0, 3), 2, 3)\n"
        "    for lane in range(1, 8):\n"
        "        store(lanes, 0, load(lanes, 0, 2, 3) + load(lanes, lane, 2, 3), 2, 3)\n"
        "    store(pointer(ints, 1, float64), 0, load(lanes, 0, 2, 3), 1, 3)\n"
    )
    call(function, [address(values), address(result)], high=1000)
    assert result[0] == values.sum()


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "bool", "complex128"])
@pytest.mark.parametrize("start", range(4))
def test_stores_past_the_caches_begin_at_a_cache_line(dtype, start):
    values, result = (np.zeros(300, dtype) for _ in range(2))
    values[:] = np.resize(values_of(dtype)[:10], 300)
    function = compiled(
        "def nest(ints, floats, low, high):\n"
        f"    p = pointer(ints, 0, {dtype})\n"
        f"    q = pointer(ints, 1, {dtype})\n"
        "    cut = min(high, low + until_aligned(q, low))\n"
        "    for i in range(low, cut):\n"
        "        store(q, i, load(p, i, 0, 2), 1, 2)\n"
        "    for i in range(cut, high):\n"
        "        prefetch(p, i + 100000)\n"
        "        store_nt(q, i, load(p, i, 0, 2), 1, 2)\n"
        "    fence()\n"
    )
    call(function, [address(values), address(result)], low=start, high=290)
    assert result[start:290].tobytes() == values[start:290].tobytes()
    assert not result[:start].any()
    assert not result[290:].any()


STENCIL = (
    "def nest(ints, floats, low, high):\n"
    "    p = pointer(ints, 0, float64)\n"
    "    q = pointer(ints, 1, float64)\n"
    "    for i in range(low, high):\n"
    "        store(q, i, load(p, i - 1, 0, {scopes}) + load(p, i + 1, 0, {scopes}), {mine}, {scopes})\n"
)


def test_scopes_spare_the_run_time_checks():
    from xpaccel.backends.cpu import machine

    apart = machine.inspect(HEAD + STENCIL.format(mine=1, scopes=2), "nest", "llvm")
    unknown = machine.inspect(HEAD + STENCIL.format(mine=0, scopes=1), "nest", "llvm")
    assert "vector.body" in apart
    assert "vector.memcheck" not in apart
    assert "vector.memcheck" in unknown  # so the name is right


def test_one_scope_allows_memory_to_overlap():
    values = np.arange(20.0)
    want = values.copy()
    for i in range(1, 18):
        want[i + 1] = want[i - 1] + want[i + 1]
    call(compiled(STENCIL.format(mine=0, scopes=1)), [address(values), address(values[1:])], low=1, high=18)
    np.testing.assert_array_equal(values, want)


def test_arithmetic_is_not_contracted():
    """A product is rounded before it is added, on processors that could do without as well."""
    from xpaccel.backends.cpu import machine

    text = machine.inspect(source_of([("v0 * v1 + v2", ["float64"] * 3, "float64")]), "nest")
    assert not re.search(r"\bv?f[n]?m(add|sub|la|ls)", text)
