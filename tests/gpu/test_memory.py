"""Memory of the device: its pool and limit, arrays of others, and more elements than 32 bits can count."""

from __future__ import annotations

import numpy as np
import pytest

import xpaccel as xpa
from xpaccel import xp

pytestmark = pytest.mark.gpu

LIMIT = """
import json, cupy, xpaccel as xpa
from xpaccel.backends.gpu import devices
double = xpa.kernel(lambda u: 2 * u)
with xpa.backend("cupy"):
    u = xpa.xp.zeros(2**20)
    fits = float(double(u)[0])
    try:
        many = [double(u) for _ in range(20)]
        problem = None
    except cupy.cuda.memory.OutOfMemoryError as error:
        problem = str(error)
    print(json.dumps([fits, problem, devices.use_device().memory_limit]))
"""


def test_the_limit_of_the_pool_is_kept(python):
    fits, problem, limit = python(LIMIT, {"XP_GPU_MEMORY": "100MB"})
    assert fits == 0
    assert problem is not None
    assert limit <= 100 * 2**20


def test_nothing_is_kept_of_a_call(device):
    double = xpa.kernel(lambda u: 2 * xp.exp(u) / xp.sum(u))
    u = device.ones(10_000)
    double(u)
    pool = device.get_default_memory_pool()
    before = pool.used_bytes()
    for _ in range(10):
        double(u)
    assert pool.used_bytes() == before


class Shown:
    """Somebody else's array."""

    def __init__(self, array):
        self._array = array
        self.__cuda_array_interface__ = array.__cuda_array_interface__


def test_arrays_of_others_are_taken_as_they_lie(device):
    raised = xpa.kernel(lambda u, by: u.__setitem__(slice(1, None, 2), u[1::2] + by))
    for u in (device.arange(12.0), device.arange(12.0)[::-1], device.arange(24.0)[::2]):
        wanted = u.get()
        wanted[1::2] += 3
        shown = Shown(u)
        with pytest.raises(xpa.BackendError, match="convert it"):
            raised(shown, 3.0)
        raised(device.asarray(shown), 3.0)
        np.testing.assert_array_equal(u.get(), wanted)


@pytest.fixture
def many(hardware):
    """Give more than 2**31 bytes, of which neighbours differ."""
    rows, columns = 2**15 + 1, 2**16
    free, _ = hardware.cuda.Device().mem_info
    if free < 5 * rows * columns:
        pytest.skip(f"{free / 2**30:.1f} GiB are free, and this needs {5 * rows * columns / 2**30:.1f}")
    u = hardware.empty((rows, columns), np.uint8)
    u[...] = (hardware.arange(columns) % 251).astype(np.uint8)
    u += (hardware.arange(rows) % 7).astype(np.uint8)[:, None]
    yield u.reshape(-1)
    del u
    hardware.get_default_memory_pool().free_all_blocks()


def test_more_elements_than_32_bits_count(many, hardware):
    @xpa.kernel
    def around(u, out):
        out[1:-1] = u[2:] - u[:-2]

    out = hardware.zeros_like(many)
    around(many, out)
    assert many.size > 2**31
    piece = 2**26
    for low in range(1, many.size - 1, piece):
        high = min(low + piece, many.size - 1)
        wanted = many[low + 1 : high + 1] - many[low - 1 : high - 1]
        assert bool((out[low:high] == wanted).all()), f"from {low}"


def test_few_elements_far_apart(many, hardware):
    far = many.reshape(2**15 + 1, 2**16)[:: 2**13, :: 2**15]
    np.testing.assert_array_equal(xpa.kernel(lambda u: u + u)(far).get(), (far + far).get())


def test_a_sum_of_more_elements_than_32_bits_count(many, hardware):
    got = int(xpa.kernel(lambda u: xp.sum(u, dtype=xp.int64))(many))
    piece = 2**26
    assert got == sum(int(many[low : low + piece].sum(dtype=np.int64)) for low in range(0, many.size, piece))
