"""Reading and writing at computed places equals NumPy's, whatever the indices: repeated, negative, none, outside."""

from __future__ import annotations

import zlib

import hypothesis.strategies as st
import numpy as np
import pytest
import targets
from hypothesis import given, settings
from laws import check_compiled, check_interpreters

import xpaccel as xpa
from xpaccel import xp
from xpaccel.ops import DTYPES, dtype_kind

pytestmark = pytest.mark.compiled

ATS = ("add", "subtract", "multiply", "maximum", "minimum")
BOOL_ATS = ("add", "logical_or", "logical_and")
MODES = ("set", *ATS)


@pytest.fixture(autouse=True)
def active(monkeypatch):
    monkeypatch.setenv("XP_SYNC", "1")  # so that a call raises its own errors
    with targets.active():
        yield


def modes_of(dtype):
    """Return the ways of storing into an array of a dtype."""
    if dtype == "bool":
        return ("set", *BOOL_ATS)
    return tuple(mode for mode in MODES if dtype_kind(dtype) != "c" or mode not in ("maximum", "minimum"))


CASES = [(mode, dtype, dtype) for dtype in DTYPES for mode in modes_of(dtype)]
#: What NumPy computes in another dtype than the array's, and casts back each time.
MIXED = [
    ("add", "float32", "float64"),
    ("multiply", "float32", "int16"),
    ("add", "int16", "int64"),
    ("multiply", "int32", "int64"),
    ("maximum", "int8", "int64"),
    ("add", "complex64", "float32"),
    ("set", "int16", "float64"),
]


def values(rng, shape, dtype):
    """Return numbers, some of them special, and few enough different ones that extremes meet."""
    if dtype == "bool":
        return rng.random(shape) < 0.7
    found = rng.integers(-9 if np.dtype(dtype).kind != "u" else 0, 9, shape).astype(dtype)
    if np.dtype(dtype).kind in "fc":
        found = found * np.float32(1.1) + rng.standard_normal(shape).astype(np.float32)
    return found.astype(dtype)


def rows(mode):
    """Return a kernel that stores rows at places along the first axis."""

    def put(u, index, v):
        if mode == "set":
            u[index] = v
        else:
            getattr(np, mode).at(u, index, v)

    return put


_kernels = {}


def kernel(mode, body=rows, **options):
    """Return a kernel, the same one each time."""
    key = (mode, body, *options.items())
    if key not in _kernels:
        _kernels[key] = xpa.kernel(body(mode), **options)
    return _kernels[key]


def seed_of(*what):
    return zlib.crc32(repr(what).encode())


@pytest.mark.parametrize(("mode", "dtype", "other"), [*CASES, *MIXED], ids="-".join)
def test_rows_are_put_as_numpy_puts_them(mode, dtype, other):
    def make(size, count, width):
        rng = np.random.default_rng(seed_of(mode, dtype, size, count))
        return values(rng, (size, width), dtype), rng.integers(-size, size, count), values(rng, (count, width), other)

    for sizes in ((5, 40, 3), (300, 500, 2), (7, 0, 3), (2, 30, 2), (4, 2, 5)):
        check_compiled(kernel(mode), lambda sizes=sizes: make(*sizes))


@st.composite
def scattered(draw):
    """Return the sizes of an array, how many places there are, and a seed."""
    size, width = draw(st.integers(1, 9)), draw(st.integers(0, 4))
    counts = draw(st.integers(0, 7)), draw(st.integers(0, 5))
    return size, width, counts, draw(st.integers(0, 2**31)), draw(st.sampled_from(["int64", "int32", "uint8"]))


def make_of(what, dtype, outside=False):
    size, width, counts, seed, kind = what

    def make():
        rng = np.random.default_rng(seed)
        index = rng.integers(0 if kind == "uint8" else -size, size, counts).astype(kind)
        if outside and index.size:
            index.flat[rng.integers(index.size)] = rng.choice([size, size + 3, 100])
        return values(rng, (size, width), dtype), index, values(rng, (*counts, width), dtype)

    return make


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "complex128"])
@pytest.mark.parametrize("mode", ["set", "add", "multiply"])
def test_several_axes_of_places(mode, dtype):
    @settings(max_examples=15)
    @given(scattered())
    def law(what):
        check_interpreters(rows(mode), make_of(what, dtype))
        check_compiled(kernel(mode), make_of(what, dtype))

    law()


def both(mode):
    """Return a kernel that stores at places along two axes, of which a slice lies between."""

    def put(u, i, j, v):
        if mode == "set":
            u[i, 1:, j] = v
        else:
            getattr(np, mode).at(u, (i, slice(1, None), j), v)

    return put


def columns(mode):
    """Return a kernel that stores at places along the last axis, backwards."""

    def put(u, i, j, v):
        if mode == "set":
            u[0, ::-1, j] = v[:, 0, None]
        else:
            getattr(np, mode).at(u, (0, slice(None, None, -1), j), v[:, 0, None])
        np.subtract.at(u, (slice(None, None, 2), i), 1)

    return put


def along(mode):
    """Return a kernel that stores at a place of its own in each row, and at pieces put together."""

    def put(u, i, j, v):
        np.put_along_axis(u[0], (i[None, :] + j[:, None]) % 4 - 4, v[:, :1] * u[1], axis=1)
        if mode == "set":
            u[i, 1, j] = np.roll(v[:, 0], 1)
        else:
            getattr(np, mode).at(u, (i[:, None], i, j), np.concatenate([v, v], axis=1)[:, 1:5])

    return put


@pytest.mark.parametrize("dtype", ["float64", "int32"])
@pytest.mark.parametrize("mode", ["set", "add", "maximum"])
@pytest.mark.parametrize("body", [both, columns, along])
def test_places_along_several_axes(body, mode, dtype):
    def make(count):
        rng = np.random.default_rng(count)
        u = values(rng, (4, 4, 4), dtype)
        i, j = (rng.integers(-3, 3, count) for _ in range(2))
        return u, i, j, values(rng, (count, 3), dtype)

    for count in (4, 3, 20) if body is both else (4,):
        check_compiled(kernel(mode, body), lambda count=count: make(count))
        check_interpreters(body(mode), lambda count=count: make(count))


def test_what_is_put_together_of_pieces_is_stored_in_order():
    """A nest that is cut into boxes would run the points of one box before those of the other."""

    @xpa.kernel
    def put(u, index, v):
        u[index] = np.roll(v, 1, axis=1)
        np.add.at(u, index, np.concatenate([v[:, :2], 2 * v[:, 2:]], axis=1))

    def make():
        rng = np.random.default_rng(0)
        return np.zeros(4, np.float32), rng.integers(0, 4, (6, 5)), rng.random((6, 5)).astype(np.float32)

    check_compiled(put, make)


def test_fused_places_are_found_again_after_sorting():
    """What is added is gathered itself, and depends on its own place."""

    @xpa.kernel
    def put(u, index, v, nodes):
        np.add.at(u, index, v[nodes] * (1.0 + xp.arange(index.shape[0])[::-1]) - v[nodes[::-1]])

    def make():
        rng = np.random.default_rng(3)
        return rng.random(6), rng.integers(-6, 6, 50), rng.random(9), rng.integers(-9, 9, 50)

    given, wanted = make(), make()
    put(*given)
    with xpa.backend("numpy"):
        put.python(*wanted)
        check_interpreters(put.python, make)
    np.testing.assert_array_equal(given[0], wanted[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", ["maximum", "minimum"])
def test_extremes_of_special_numbers(mode, dtype):
    special = np.array([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1.5, 7.0], dtype)

    def make():
        rng = np.random.default_rng(1)
        return rng.choice(special[2:], 20), rng.integers(0, 20, 60), rng.choice(special, 60)

    (u, index, v), (wanted, *_) = make(), make()
    with np.errstate(invalid="ignore"):
        kernel(mode).python(wanted, index, v)
    kernel(mode)(u, index, v)
    np.testing.assert_array_equal(u, wanted)  # -0.0 equals 0.0: NumPy itself does not say which one it is
    assert np.isnan(u).any()


@pytest.mark.parametrize("mode", ["set", "add", "maximum", "multiply"])
@pytest.mark.parametrize("dtype", ["float64", "int64", "uint8"])
def test_a_place_outside_raises(mode, dtype):
    @settings(max_examples=15)
    @given(scattered())
    def law(what):
        size, width, counts, *_ = what
        make = make_of(what, dtype, outside=True)
        if not (width and np.prod(counts)):
            return
        with pytest.raises(IndexError):
            kernel(mode).python(*make())
        with pytest.raises(IndexError, match=rf"axis with size {size} \(test_scatter.py:\d+"):
            kernel(mode)(*make())
        check_compiled(kernel(mode), make_of(what, dtype))  # and the next call is as always

    law()


def test_places_that_are_read():
    @xpa.kernel
    def read(u, i, j):
        picked = u[i, :, j]
        return picked, np.take(u, i, axis=1) * 2, np.sum(u[i], axis=0), np.max(u[:, :, j], axis=2), u[i[0]], u[::-2, j]

    def make():
        rng = np.random.default_rng(0)
        return rng.random((5, 6, 7)), rng.integers(-5, 5, 8), rng.integers(-6, 6, 8).astype(np.int32)

    check_compiled(read, make, tolerance=(1e-14, 0.0))

    def outside():
        u, i, j = make()
        return u, i, np.where(j == j.max(), 7, j)

    with pytest.raises(IndexError, match="size 7"):
        read(*outside())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", ["add", "multiply", "maximum"])
def test_without_reproducibility_sums_are_sums(mode, dtype):
    if mode not in modes_of(dtype):
        mode = "logical_or" if dtype == "bool" else "add"

    def make():
        rng = np.random.default_rng(seed_of(mode, dtype))
        return values(rng, (5, 2), dtype), rng.integers(-5, 5, (6, 3)), values(rng, (6, 3, 2), dtype)

    loose = None
    if dtype_kind(dtype) in "fc" and mode != "maximum":
        eps = np.finfo(dtype).eps
        loose = (50 * eps, 500 * eps)
    check_compiled(kernel(mode, reproducible=False), make, tolerance=loose)


def test_a_view_at_a_traced_place_is_written_through():
    @xpa.kernel
    def put(u, k, v):
        row = u[k[1]]
        row[1:] = v
        row += 1.0

    def make():
        return np.arange(12.0).reshape(4, 3), np.array([9, -2]), np.array([7.0, 8.0])

    check_compiled(put, make)


def test_an_empty_list_names_no_place():
    @xpa.kernel
    def none(u):
        u[[]] = 7.0
        np.add.at(u, [], 7.0)
        return u[[]], np.take(u, [], axis=1), u[[1, -1]]

    check_compiled(none, lambda: [np.arange(12.0).reshape(4, 3)])
