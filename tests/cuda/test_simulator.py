"""The numba-cuda target in Numba's simulator: what tests of meaning at small sizes do not reach, and its limits."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import targets

import xpaccel as xpa
from xpaccel import backends, xp
from xpaccel.backends.cuda.grid import Shape
from xpaccel.backends.numba_cuda import plan
from xpaccel.ops import OPS

simulated = pytest.mark.skipif(not targets.is_simulated(), reason="needs NUMBA_ENABLE_CUDASIM=1: nox -s simulator")


@xpa.kernel
def along_rows(u):
    return xp.sum(u, axis=1), xp.max(u, axis=1), xp.mean(u * u), xp.any(u > 0.5), xp.prod(1 + u * 1e-3, axis=1)


@xpa.kernel
def along_columns(u):
    return xp.sum(u, axis=0), xp.min(u, axis=0)


@xpa.kernel
def along_both(u):
    return xp.sum(u, axis=(0, 2)), xp.max(u)


@xpa.kernel
def standard(u):
    d = u - xp.mean(u, axis=1, keepdims=True)
    return d / xp.sqrt(xp.mean(d * d, axis=1, keepdims=True))


@xpa.kernel
def cube(u):
    s = slice(2, -2)
    return u[s, s, s] + 2 * (u[4:, s, s] - u[:-4, s, s] + u[s, 3:-1, s] * u[s, s, :-4] - u[3:-1, s, s])


FLOATS = ("float32", "float64")


@simulated
@pytest.mark.parametrize(
    ("kernel", "shape", "dtype"),
    [
        *((along_rows, (3, 2500), dtype) for dtype in FLOATS),  # blocks of lanes, shared out to the warps of a team
        *((along_rows, (5, 70), dtype) for dtype in FLOATS),  # a warp for each row, of which a block has two
        *((along_rows, (5, 7), dtype) for dtype in FLOATS),  # lanes that are combined in order
        *((along_columns, (40, 5), dtype) for dtype in (*FLOATS, "int16", "uint8", "bool")),
        *((along_both, (3, 2, 1100), dtype) for dtype in FLOATS),
        *((standard, (17, 150), dtype) for dtype in FLOATS),  # a chain: one launch, a block for each row
        *((cube, (13, 6, 7), dtype) for dtype in (*FLOATS, "complex64", "int8")),  # planes, with queues of registers
    ],
)
def test_bits_are_those_of_the_cpu(kernel, shape, dtype):
    u = (np.random.default_rng(0).random(shape) * 100 / 3).astype(dtype)
    results = []
    for name in ("numba", "numba-cuda"):
        with xpa.backend(name):
            found = kernel(u)
        results.append(found if isinstance(found, tuple) else (found,))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, theirs, strict=True)


@pytest.mark.numba
def test_chains_and_columns_are_what_was_meant_above():
    with xpa.backend("numba"):
        assert standard.loops(np.ones((17, 150))).chains
    assert "chunk" in backends.get("numba-cuda").sources(cube.loops(np.ones((13, 6, 7))))[0]


def test_every_function_of_the_op_table_is_there():
    """The process of its own is for either of the two modules that scalar functions stand on."""
    names = {op.numba.partition("(")[0] for op in OPS.values() if not op.numba.startswith("(")}
    code = (
        f"from xpaccel.codegen import cuda_scalar, cuda_complex; print(sorted({names!r} - {{*cuda_scalar.FUNCTIONS}}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_launches_are_small_and_keep_every_plane():
    """A row of planes that a launch cannot walk in several turns is cut into as many as there are blocks."""
    few = plan.few(Shape((9, 7, 100), (64, 4, 1), True, 8, 16))
    assert (few.grid, few.block, few.warps) == ((2, 1, 2), (2, 2, 1), 2)
    assert few.grid[2] * few.chunk >= 100 * 16


@simulated
def test_an_access_outside_of_an_array_is_an_error():
    from xpaccel.codegen import cuda_simulated as basis

    memory = basis.Pointer(np.arange(4.0), 1)
    assert basis.load(memory, 2, np.float64) == 3.0
    for access in (
        lambda: basis.load(memory, 3, np.float64),
        lambda: basis.load(memory, -2, np.float64),
        lambda: basis.store(memory, 3, np.float64(1)),
        lambda: basis.get(np.zeros(2), -1),
    ):
        with pytest.raises(IndexError, match="element"):
            access()
    with pytest.raises(TypeError, match="float32 into memory of float64"):
        basis.store(memory, 0, np.float32(1))


@simulated
def test_an_index_out_of_bounds_is_raised_by_its_own_call():
    u = np.arange(5.0)
    with pytest.raises(IndexError, match="out of bounds for an axis with size 5") as caught:
        xpa.kernel(lambda u, i: u[i])(u, np.array([1, -6]))
    assert not hasattr(caught.value, "__notes__")


def test_without_a_gpu_the_error_says_what_to_do():
    environ = {name: text for name, text in os.environ.items() if name not in ("NUMBA_ENABLE_CUDASIM", "XP_BACKEND")}
    code = "import xpaccel as xpa\nwith xpa.backend('numba-cuda'): pass"
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True)
    if done.returncode == 0:
        pytest.skip("there is a GPU")
    assert "BackendError" in done.stderr
    assert "NUMBA_ENABLE_CUDASIM=1" in done.stderr
