"""What a call puts on the device: counted launches and allocations, and nothing copied to the host."""

from __future__ import annotations

import numpy as np
import pytest
import targets
from cuda import adapter
from cuda.host import host

import xpaccel as xpa
from xpaccel import xp

KERNELS = {
    "softmax": (lambda x: xp.exp(x - xp.max(x, axis=1, keepdims=True)), 1, 2),
    "normalised": (lambda x: x / xp.sqrt(xp.sum(x * x, axis=1, keepdims=True)), 1, 2),
    "several sums": (lambda x: (xp.sum(x, axis=1), xp.max(x, axis=1), xp.sum(x * x, axis=1)), 1, 3),
    "stencil": (lambda x: x[2:, 1:-1] + x[:-2, 1:-1] - 2.0 * x[1:-1, 1:-1], 1, 1),
    "of everything": (lambda x: (xp.sum(x), xp.min(x)), 2, 4),
}


@pytest.fixture(autouse=True)
def cupy():
    if (reason := host.why_unavailable()) is not None:
        pytest.skip(reason)
    found = adapter.install()
    with xpa.backend("cupy"):
        yield found


@pytest.mark.parametrize("name", KERNELS)
def test_launches_and_copies(name, cupy):
    function, launches, allocations = KERNELS[name]
    kernel = xpa.kernel(function)
    x = cupy.asarray(np.random.default_rng(0).random((40, 50)))
    kernel(x)
    counts = cupy._standin.counts
    counts.reset()
    kernel(x)
    assert counts.launches == launches
    assert counts.allocations <= allocations
    assert counts.h2d == counts.d2h == counts.synchronisations == 0


def test_an_update_in_place_allocates_nothing(cupy):
    @xpa.kernel
    def step(u, out):
        out[1:-1] = u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])

    u, v = (cupy.asarray(np.linspace(0, 1, 30)) for _ in range(2))
    step(u, v)
    cupy._standin.counts.reset()
    for _ in range(3):
        step(u, v)
        step(v, u)
    assert cupy._standin.counts.launches == 6
    assert cupy._standin.counts.allocations == 0


@pytest.mark.skipif(targets.TARGET == "cupy", reason="kernels are given NumPy's arrays there, by the adapter")
def test_a_numpy_array_is_refused_with_the_way_out(cupy):
    with pytest.raises(xpa.BackendError, match="asarray"):
        xpa.kernel(lambda u: u + 1)(np.ones(3))
    weights = np.ones(3)
    with pytest.raises(xpa.BackendError, match="before the kernel"):
        xpa.kernel(lambda u: u * weights)(cupy.ones(3))


def test_subnormal_numbers_are_kept(cupy):
    tiny = np.array([1e-40, 3e-45], np.float32)
    np.testing.assert_array_equal(xpa.kernel(lambda u: u * 2)(cupy.asarray(tiny)).get(), tiny * 2)
