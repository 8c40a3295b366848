"""The count of memory traffic, on kernels whose traffic is known."""

from __future__ import annotations

import numpy as np
import pytest
from cuda.machine import traffic

import xpaccel as xpa
from xpaccel import xp

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("compiler")]

N = 4096


@xpa.kernel
def double(u):
    return u * 2


@xpa.kernel
def every_eighth(u):
    return u[::8] * 2


@xpa.kernel
def shifted(u, out):
    out[1:-1] = u[1:-1] * 2


@xpa.kernel
def column(u):
    return u[:, 0] + u[:, -1]


@xpa.kernel
def centred(u):
    return u - xp.sum(u)


@xpa.kernel
def stepped(u):
    u += 1
    return xp.max(u)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_map(dtype):
    found = traffic.record(double, (np.arange(N, dtype=dtype),))
    (launch,) = found.launches
    size = np.dtype(dtype).itemsize * N
    assert (launch.loads, launch.stores, launch.loaded, launch.stored) == (N, N, size, size)
    assert launch.block_bytes == found.moved == found.least == 2 * size
    assert (found.read, found.written) == (N, N)
    np.testing.assert_array_equal(found.outputs[0], 2 * np.arange(N))


def test_what_is_skipped_within_a_line_is_moved_all_the_same():
    found = traffic.record(every_eighth, (np.arange(N, dtype="float32"),))
    assert (found.read, found.written) == (N // 8, N // 8)
    assert found.launches[0].loaded == 4 * N
    assert found.moved == found.least == 4 * N + 4 * N // 8


def test_a_line_of_which_a_part_is_stored_counts_whole():
    found = traffic.record(shifted, (np.arange(N, dtype="float32"), np.zeros(N, "float32")))
    assert (found.read, found.written) == (N - 2, N - 2)
    assert found.moved == 2 * 4 * N


def test_a_column_takes_a_line_for_each_element():
    found = traffic.record(column, (np.ones((64, 128)),))
    assert found.read == 128
    assert found.launches[0].loaded == 128 * traffic.SECTOR


def test_what_two_launches_read_counts_twice_and_is_needed_once():
    """Every element of the result depends on all of `u`, so no launch can both find the sum and use it."""
    found = traffic.record(centred, (np.ones((64, 64), "float32"),))
    size = 4 * 64 * 64
    assert len(found.launches) >= 2
    assert (found.read, found.written, found.least) == (64 * 64, 64 * 64, 2 * size)
    assert 3 * size <= found.moved < 3.2 * size


def test_what_the_call_wrote_itself_is_not_needed():
    found = traffic.record(stepped, (np.ones(N),))
    assert (found.read, found.written) == (N, N + 1)
    assert found.arrays[0][0] == 2


def test_rows_that_neighbouring_blocks_read_are_loaded_by_both():
    @xpa.kernel
    def down(u):
        return u[1:] - u[:-1]

    (launch,) = traffic.record(down, (np.ones((65, 64), "float32"),)).launches
    x, y = launch.shape.grid[:2]
    assert (x, launch.shape.block) == (1, (64, 4, 1))
    assert launch.loaded == 4 * 64 * 65
    assert launch.block_bytes == 4 * 64 * (5 * y + 64)


def test_arguments_stay_as_they_are():
    u = np.ones(N)
    traffic.record(stepped, (u,))
    assert (u == 1).all()


def test_captured_arrays_are_refused():
    weights = np.arange(3.0)

    @xpa.kernel
    def weighted(u):
        return u * weights

    with pytest.raises(ValueError, match="captures arrays"):
        traffic.record(weighted, (np.ones(3),))


def test_a_source_without_store_is_refused():
    with pytest.raises(ValueError, match="does not define store"):
        traffic.recording("nothing")
