"""Computed places on a device: in which launches, when a wrong index is raised, and that nobody waits for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cuda import adapter
from cuda.host import host

import xpaccel as xpa
from xpaccel.backends.gpu import faults
from xpaccel.loops.scatter import is_atomic
from xpaccel.ops import DTYPES, dtype_kind


@pytest.fixture(autouse=True)
def cupy(monkeypatch):
    if (reason := host.why_unavailable()) is not None:
        pytest.skip(reason)
    found = adapter.install()
    monkeypatch.delenv("XP_SYNC", raising=False)
    with xpa.backend("cupy"):
        yield found
        try:
            faults.look()
        except IndexError as error:
            pytest.fail(f"the test left an error behind: {error}")


def take(u, index):
    return u[index] * 2


def put(u, index, v):
    u[index] = v


def add(u, index, v):
    np.add.at(u, index, v)


def largest(u, index, v):
    np.maximum.at(u, index, v)


def rows(rng, cupy, dtype="float64", count=50):
    """Return device arrays: rows, places among them, and as many rows."""
    made = rng.random((10, 3)), rng.integers(-10, 10, count), rng.random((count, 3))
    return [cupy.asarray(array.astype(dtype) if array.dtype.kind == "f" else array) for array in made]


#: Function, dtype, whether it is reproducible, launches, and calls of CuPy's functions (the sort).
FORMS = {
    "taken": (take, "float64", True, 1, 0),
    "the last one wins": (put, "float64", True, 3, 0),
    "integers": (add, "int32", True, 1, 0),
    "extremes of floats": (largest, "float32", True, 1, 0),
    "narrow integers": (add, "uint8", True, 3, 1),
    "floats in order": (add, "float32", True, 3, 1),
    "floats in any order": (add, "float32", False, 1, 0),
    "complex numbers in any order": (add, "complex128", False, 1, 0),
}


@pytest.mark.parametrize("name", FORMS)
def test_launches(name, cupy):
    function, dtype, reproducible, launches, calls = FORMS[name]
    kernel = xpa.kernel(function, reproducible=reproducible)
    u, index, v = rows(np.random.default_rng(0), cupy, dtype)
    arguments = (u, index) if function is take else (u, index, v)
    kernel(*arguments)
    counts = cupy._standin.counts
    counts.reset()
    kernel(*arguments)
    assert counts.launches == launches
    assert (counts.calls > 0) == (calls > 0)
    assert counts.h2d == counts.d2h == counts.synchronisations == 0


def test_one_place_needs_no_order(cupy):
    """A row at a place that is computed, and a diagonal, are stores of which no two meet."""

    def row(u, k, v):
        u[k[0]] += v

    u, index, v = rows(np.random.default_rng(0), cupy)
    kernel = xpa.kernel(row)
    kernel(u, index, v[0])
    nests = kernel.loops(u, index, v[0]).nests
    assert not any(nest.ordered or store.is_atomic for nest in nests for store in nest.stores)

    @xpa.kernel
    def diagonal(u):
        k = np.arange(1, 3) if isinstance(u, np.ndarray) else xpa.xp.arange(1, u.shape[1])
        u[2 * k, k - 1] = 1.0

    diagonal(u)
    wanted = np.array(u.get())
    diagonal.python(wanted)
    np.testing.assert_array_equal(u.get(), wanted)
    assert [(nest.ordered, nest.stores[0].where) for nest in diagonal.loops(u).nests] == [(False, -1)]


def test_what_is_atomic():
    for dtype in DTYPES:
        kind, narrow = dtype_kind(dtype), np.dtype(dtype).itemsize < 4
        for mode in ("any", "all") if kind == "b" else ("sum", "prod", "max", "min"):
            if kind == "c" and mode in ("max", "min"):
                continue
            exact = is_atomic(mode, dtype, dtype, reproducible=True)
            assert exact == (kind == "b" or (not narrow and (kind in "iu" or mode in ("max", "min"))))
            assert exact <= is_atomic(mode, dtype, dtype, reproducible=False)
    assert is_atomic("sum", "float32", "float32", reproducible=False)
    assert not is_atomic("sum", "float32", "float64", reproducible=False)  # each sum is rounded
    assert not is_atomic("max", "int32", "int64", reproducible=False)  # what does not fit wraps


@pytest.mark.parametrize("function", [np.maximum, np.minimum])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extremes_have_the_same_bits_in_every_order(function, dtype, cupy, monkeypatch):
    rng = np.random.default_rng(0)
    special = np.array([np.nan, -np.nan, 0.0, -0.0, 1.0], dtype)
    u, index = rng.choice(special[2:], 40), rng.integers(0, 40, 200)
    v = rng.choice(special, 200, p=[0.02, 0.02, 0.4, 0.4, 0.16])
    kernel = xpa.kernel(lambda u, index, v: function.at(u, index, v))
    found = []
    for order in ("forward", "reverse"):
        monkeypatch.setenv(host.ORDER, order)
        given = [cupy.asarray(array) for array in (u, index, v)]
        kernel(*given)
        found.append(given[0].get())
    assert found[0].tobytes() == found[1].tobytes()
    wanted = u.copy()
    with np.errstate(invalid="ignore"):
        function.at(wanted, index, v)
    np.testing.assert_array_equal(found[0], wanted)


def test_long_runs_are_one_sum_each(cupy):
    """Runs of every length around the steps of the search for their ends."""
    lengths = np.arange(70)
    index = np.repeat(np.arange(70), lengths)
    rng = np.random.default_rng(0)
    order = rng.permutation(index.size)
    u, v = rng.random(70).astype(np.float32), rng.random(index.size).astype(np.float32)
    given = [cupy.asarray(array) for array in (u, index[order], v)]
    xpa.kernel(add)(*given)
    np.add.at(u, index[order], v)
    np.testing.assert_array_equal(given[0].get(), u)


# -- when a wrong index is raised ---------------------------------------------------------------------

LINE = take.__code__.co_firstlineno + 1
OUTSIDE = rf"axis with size 10 \(test_lookups\.py:{LINE}"


def wrong(cupy):
    """Return what raises sooner or later."""
    return cupy.zeros((10, 3)), cupy.asarray(np.array([0, 10]))


def test_a_later_call_raises(cupy):
    kernel, other = xpa.kernel(take), xpa.kernel(lambda u: u + 1)
    result = kernel(*wrong(cupy))
    assert result.shape == (2, 3)
    with pytest.raises(IndexError, match=OUTSIDE) as caught:
        other(result)
    assert "XP_SYNC=1" in caught.value.__notes__[0]
    np.testing.assert_array_equal(other(result).get(), np.ones((2, 3)))  # it is raised once


def test_who_waits_anyway_raises(cupy):
    kernel = xpa.kernel(take)
    result = kernel(*wrong(cupy))
    with pytest.raises(IndexError, match=OUTSIDE):
        xpa.asnumpy(result)
    kernel(*wrong(cupy))
    with pytest.raises(IndexError, match=OUTSIDE):
        xpa.synchronize()
    xpa.synchronize()


def test_a_call_that_waits_raises(cupy, monkeypatch):
    monkeypatch.setenv("XP_SYNC", "1")
    kernel = xpa.kernel(take)
    u, index = wrong(cupy)
    for _ in range(2):
        with pytest.raises(IndexError, match=OUTSIDE):
            kernel(u, index)
    kernel(u, index - 1)
    xpa.synchronize()


def test_the_first_of_several_is_raised(cupy):
    @xpa.kernel
    def twice(u, index):
        return xpa.xp.sum(u[index]) + u[0, index]

    twice(*wrong(cupy))
    with pytest.raises(IndexError, match="size 10"):
        xpa.synchronize()


def test_memory_is_safe_and_nothing_is_stored_at_a_wrong_place(cupy):
    u, index = wrong(cupy)
    for function in (add, largest):
        xpa.kernel(function, reproducible=False)(u, index[1:], u[:1] + 1)
        with pytest.raises(IndexError, match="size 10"):
            xpa.synchronize()
        assert not u.get().any()


def test_recordings(cupy):
    """Kernels with places are recorded, none of them waits, and a wrong index is raised by the next replay."""
    rng = np.random.default_rng(0)
    u, index, v = rows(rng, cupy)
    w = u.copy()
    for reproducible in (True, False):
        kernel, last, taken = xpa.kernel(add, reproducible=reproducible), xpa.kernel(put), xpa.kernel(take)

        def step(kernel=kernel, last=last, taken=taken):
            kernel(u, index, v)
            last(w, index, taken(u, index))

        steps, wanted, other = xpa.capture(step), u.get(), w.get()
        steps()
        steps()
        assert steps.is_recorded, steps.reason
        cupy._standin.counts.reset()
        steps()
        assert cupy._standin.counts.graph_launches == 1
        assert cupy._standin.counts.synchronisations == 0
        for _ in range(3):
            np.add.at(wanted, index.get(), v.get())
            other[index.get()] = wanted[index.get()] * 2
        np.testing.assert_allclose(u.get(), wanted, rtol=0 if reproducible else 1e-13)
        np.testing.assert_allclose(w.get(), other, rtol=0 if reproducible else 1e-13)
        before = index.copy()
        index[3] = 10
        steps()
        with pytest.raises(IndexError, match="size 10"):
            steps()
        index[...] = before


def test_a_recording_that_waits(cupy, monkeypatch):
    monkeypatch.setenv("XP_SYNC", "1")
    u, index, v = rows(np.random.default_rng(0), cupy)
    kernel = xpa.kernel(put)
    steps = xpa.capture(kernel, u, index, v)
    for _ in range(3):
        steps()
    assert steps.is_recorded, steps.reason
    index[3] = 10
    with pytest.raises(IndexError, match="size 10"):
        steps()


PROGRAM = """
import sys
from cuda import adapter
cupy = adapter.install()
import numpy as np
import xpaccel as xpa

@xpa.kernel
def take(u, index):
    return u[index]

print(take(cupy.zeros(3), cupy.asarray(np.array([3]))).get())
"""


def test_at_the_end_it_is_said_at_least(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    paths = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    ran = subprocess.run(
        [sys.executable, program],
        env=os.environ | {"XP_BACKEND": "cupy", "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "xpaccel: IndexError: an index is out of bounds for an axis with size 3 (program.py:10" in ran.stderr


# -- large arrays -------------------------------------------------------------------------------------


def test_indices_are_wide_where_a_place_may_be_far():
    """The points are few; the array that they look into has more elements than 32 bits count."""
    from xpaccel.backends.base import Geometry
    from xpaccel.backends.cuda.plan import kernels, plan
    from xpaccel.compiled import symbols

    seen: list[tuple[int, str]] = []

    def report(sites):
        seen.extend(sites)
        return 4096, 7

    u, index = np.zeros((10, 3)), np.array([0, 9])
    loops = xpa.kernel(take).loops(u, index)
    for rows_, wide in ((10, False), (2**30, True)):
        sizes = symbols((u, index)) | {(0, 0): rows_}
        shapes = [tuple(extent.value(sizes) for extent in array.shape) for array in loops.arrays]
        strides = [(shape[1], 1) if len(shape) == 2 else (1,) for shape in shapes]
        (planned,) = plan(loops, kernels(loops), Geometry(sizes, shapes, strides), report)
        assert planned.shape.wide == wide
    assert [size for size, _ in seen] == [10, 2**30]
