"""Memory of results: reused when nobody sees it any more, and never before."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

from xpaccel.backends import buffers

LARGE = (512, 512)  # of float64: 2 MB


@pytest.fixture(autouse=True)
def _nothing_idle():
    gc.collect()
    buffers.free()
    yield
    buffers.free()


@pytest.mark.parametrize("dtype", ["bool", "int8", "float32", "complex128"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 5), (0, 10**9), (700, 1000), (3, 1, 400_000)])
def test_an_array_is_what_numpy_makes(shape, dtype):
    made, plain = buffers.empty(shape, dtype), np.empty(shape, dtype)
    assert (made.shape, made.dtype, made.strides) == (plain.shape, plain.dtype, plain.strides)
    assert made.flags.c_contiguous
    assert made.flags.writeable
    if made.nbytes >= buffers.POOLED:
        assert made.__array_interface__["data"][0] % buffers.ALIGNMENT == 0


def test_a_block_is_used_again_when_the_array_is_gone():
    first = buffers.empty(LARGE, "float64")
    place = first.__array_interface__["data"][0]
    del first
    second = buffers.empty((2**18,), "float64")
    assert second.__array_interface__["data"][0] == place


def test_a_view_keeps_its_memory():
    array = buffers.empty(LARGE, "float64")
    array[:] = 1.0
    view = array[3:9, ::2].T
    shared = memoryview(array)
    del array
    others = [buffers.empty(LARGE, "float64") for _ in range(3)]
    for other in others:
        other[:] = 2.0
    assert (view == 1.0).all()
    assert shared[0, 0] == 1.0


def test_bytes_are_counted():
    before = buffers.held()
    array = buffers.empty(LARGE, "float64")
    live, idle = buffers.held()
    assert live - before[0] >= array.nbytes
    assert idle == 0
    del array
    live, idle = buffers.held()
    assert live == before[0]
    assert idle >= 8 * 512 * 512
    assert buffers.free() == idle
    assert buffers.held() == (before[0], 0)


def test_idle_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(buffers, "SPARE", 5 * 2**20)
    live = buffers.held()[0]
    arrays = [buffers.empty(LARGE, "float64") for _ in range(8)]
    del arrays
    assert buffers.held()[1] <= live + 5 * 2**20


def test_what_was_used_last_is_kept(monkeypatch):
    monkeypatch.setattr(buffers, "SPARE", 5 * 2**20)
    old, new = buffers.empty((4 * 2**17,), "float64"), buffers.empty(LARGE, "float64")
    place = new.__array_interface__["data"][0]
    del old
    del new
    assert buffers.empty(LARGE, "float64").__array_interface__["data"][0] == place


def test_arrays_in_a_cycle_come_back_with_the_garbage():
    cycle = [buffers.empty(LARGE, "float64")]
    cycle.append(cycle)
    live = buffers.held()[0]
    del cycle
    gc.collect()
    assert buffers.held()[0] < live


def test_threads_never_share_a_block():
    failures = []

    def work(number):
        for _ in range(200):
            array = buffers.empty((40_000,), "float64")
            array[:] = number
            if not (array == number).all():
                failures.append(number)

    crowd = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    assert not failures


def test_impossible_shapes_raise_as_numpy_does():
    with pytest.raises(MemoryError):
        buffers.empty((2**50,), "float64")
