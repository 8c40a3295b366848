"""The named kernels on the device: NumPy's results, and the same from what a user of CuPy would write instead."""

from __future__ import annotations

import numpy as np
import pytest
from cuda.machine.kernels import DTYPES, cases
from gpu import data

import xpaccel as xpa

pytestmark = pytest.mark.gpu

CASES = cases(data.TRIAL)
#: Only + - * / and comparisons, in the order of the source: every bit is NumPy's.
EXACT = ("heat2d", "heat3d", "wave3d", "hdiff")
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


def results(returned, arguments):
    """Return all that a call gave and wrote, on the host."""
    outputs = returned if isinstance(returned, tuple) else (returned,)
    arrays = [array for array in (*outputs, *arguments) if hasattr(array, "shape")]
    return [xpa.asnumpy(array) for array in arrays]


def check(got, wanted, name, dtype):
    assert len(got) == len(wanted)
    for one, other in zip(got, wanted, strict=True):
        if name in EXACT:
            np.testing.assert_array_equal(one, other)
        else:
            scale = max(float(np.max(np.abs(other))), 1.0)
            np.testing.assert_allclose(one, other, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * scale)


def lent(case, dtype, cupy):
    return [cupy.asarray(a) if isinstance(a, np.ndarray) else a for a in case.arguments(dtype)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_kernel_is_numpys(case, dtype, device):
    arguments, there = case.arguments(dtype), lent(case, dtype, device)
    with xpa.backend("numpy"):
        wanted = results(case.kernel(*arguments), arguments)
    check(results(case.kernel(*there), there), wanted, case.name, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_it_is_timed_against_computes_the_same(case, dtype, device):
    from gpu.facts import is_standin
    from gpu.peers import peers

    there = lent(case, dtype, device)
    wanted = results(case.kernel(*there), there)
    for name in peers(case, there):
        again = lent(case, dtype, device)
        try:
            returned = peers(case, again)[name]()
        except Exception as error:
            if is_standin():
                raise
            pytest.skip(f"{name} of this CuPy cannot: {type(error).__name__}: {error}")  # the report says so too
        got = results(returned, again)
        # CuPy contracts products and sums, and adds up in an order of its own
        check(got, wanted, "contracted", dtype)
