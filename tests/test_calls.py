"""Library functions in kernels (products, linear algebra, Fourier transforms, sorting) do what NumPy's do."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from targets import TARGET

import xpaccel as xpa
from xpaccel import backends
from xpaccel.errors import TraceError
from xpaccel.loops.program import Call

pytestmark = pytest.mark.compiled


@pytest.fixture(autouse=True)
def _compiled():
    with xpa.backend(TARGET):
        yield


_random = np.random.default_rng(0)
A, B = _random.random((20, 30)), _random.random((30, 25))
SQUARE = _random.random((12, 12)) + 12 * np.eye(12)
STACK = _random.random((4, 12, 12)) + 12 * np.eye(12)
SYMMETRIC = SQUARE @ SQUARE.T
VECTOR, SHORT = _random.random(30), _random.random(12)
COMPLEX = A + 1j * _random.random((20, 30))
WHOLE = _random.integers(-5, 9, (20, 30))
SIGNAL = _random.random((6, 16))
TRIPLES = _random.random((5, 3))


def attention(q, k, v):
    scores = q @ k.T
    weights = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
    return (weights / np.sum(weights, axis=-1, keepdims=True)) @ v


def sorted_in_place(u):
    copy = u.copy()
    copy.sort()
    return copy


CASES = {
    "matmul": (lambda a, b: a @ b, A, B),
    "matmul of float32": (lambda a, b: a @ b, A.astype("f4"), B.astype("f4")),
    "matrix by vector": (lambda a, b: a @ b, A, VECTOR),
    "vector by matrix": (lambda a, b: a @ b, VECTOR, B),
    "vector by vector": (lambda a: a @ a, VECTOR),
    "transposed": (lambda a, b: a.T @ b.T, B, A),
    "same operand": (lambda a: a.T @ a, A),
    "whole numbers": (lambda a: a @ a.T, WHOLE),
    "complex": (lambda a: a @ np.conj(a).T, COMPLEX),
    "stack by matrix": (lambda a, b: a @ b, STACK, SQUARE),
    "strided": (lambda a, b: a[::2] @ b[:, ::-1], A, B),
    "mixed dtypes": (lambda a, b: a @ b, A.astype("f4"), B),
    "vecdot": (lambda a: np.vecdot(a, a), A),
    "vecdot of complex": (lambda a: np.vecdot(a, a), COMPLEX),
    "dot": (np.dot, A, B),
    "inner": (np.inner, A, A),
    "outer": (np.outer, VECTOR, SHORT),
    "vdot": (np.vdot, VECTOR, VECTOR),
    "tensordot": (lambda a, b: np.tensordot(a, b, 1), A, B),
    "tensordot over two axes": (lambda a, b: np.tensordot(a, b, ((1, 0), (0, 1))), A, B[:, :20].copy()),
    "einsum": (lambda a, b: np.einsum("ij,jk->ik", a, b), A, B),
    "einsum, a sum": (lambda a: np.einsum("ij->j", a), A),
    "einsum, stacks": (lambda a, b: np.einsum("bij,jk->bik", a, b), STACK, SQUARE),
    "einsum, three": (lambda a, b, v: np.einsum("ij,jk,k->i", a, b, v), A, B, VECTOR[:25].copy()),
    "einsum, trace": (lambda a: np.einsum("ii", a), SQUARE),
    "attention": (attention, A, _random.random((40, 30)), _random.random((40, 30))),
    "solve": (np.linalg.solve, SQUARE, SHORT),
    "solve, stacks": (np.linalg.solve, STACK, _random.random((4, 12, 3))),
    "inv": (np.linalg.inv, SQUARE),
    "det": (np.linalg.det, STACK),
    "slogdet": (lambda a: tuple(np.linalg.slogdet(a)), SQUARE),
    "cholesky": (np.linalg.cholesky, SYMMETRIC),
    "eigh": (lambda a: np.linalg.eigh(a)[0], SYMMETRIC),
    "eigvalsh": (np.linalg.eigvalsh, SYMMETRIC),
    "svd": (lambda a: np.linalg.svd(a, full_matrices=False)[1], A),
    "svdvals": (np.linalg.svdvals, A),
    "qr": (lambda a: np.abs(np.linalg.qr(a)[1]), A),
    "pinv": (np.linalg.pinv, A),
    "matrix_rank": (np.linalg.matrix_rank, A),
    "matrix_power": (lambda a: np.linalg.matrix_power(a, 3), SQUARE),
    "norm": (np.linalg.norm, A),
    "norm of rows": (lambda a: np.linalg.norm(a, axis=1), A),
    "nuclear norm": (lambda a: np.linalg.matrix_norm(a, ord="nuc"), A),
    "vector norm": (lambda a: np.linalg.vector_norm(a, axis=0, ord=3), A),
    "cross": (np.linalg.cross, TRIPLES, TRIPLES[::-1].copy()),
    "diagonal": (np.linalg.diagonal, SQUARE),
    "trace": (np.linalg.trace, SQUARE),
    "fft": (np.fft.fft, SIGNAL),
    "fft of float32": (np.fft.fft, SIGNAL.astype("f4")),
    "fft of fewer points": (lambda a: np.fft.fft(a, n=8, norm="ortho"), SIGNAL),
    "ifft": (lambda a: np.fft.ifft(a, axis=0), SIGNAL),
    "rfft": (np.fft.rfft, SIGNAL),
    "irfft": (np.fft.irfft, SIGNAL),
    "fft2": (np.fft.fft2, SIGNAL),
    "fftn": (np.fft.fftn, SIGNAL),
    "rfftn and back": (lambda a: np.fft.irfftn(np.fft.rfftn(a)), SIGNAL),
    "hfft": (np.fft.hfft, SIGNAL),
    "ihfft": (np.fft.ihfft, SIGNAL),
    "fftshift": (np.fft.fftshift, SIGNAL),
    "derivative": (lambda a: np.fft.ifft(np.fft.fft(a) * 2j * np.arange(16)).real, SIGNAL),
    "sort": (np.sort, A),
    "sort, along the first axis": (lambda a: np.sort(a, axis=0), WHOLE),
    "sort, in place": (sorted_in_place, A),
    "argsort": (lambda a: np.argsort(a, axis=1, kind="stable"), WHOLE),
    "searchsorted": (np.searchsorted, np.sort(VECTOR), A),
    "argmax": (np.argmax, A),
    "argmin": (lambda a: np.argmin(a, axis=1), WHOLE),
    "cumsum": (np.cumsum, A),
    "cumsum, along an axis": (lambda a: np.cumsum(a, axis=1), WHOLE),
    "cumprod": (lambda a: np.cumprod(a, axis=0), A),
    "cumulative_sum": (lambda a: np.cumulative_sum(a, axis=1, include_initial=True), A),
    "maximum.accumulate": (lambda a: np.maximum.accumulate(a, axis=1), A),
    "interp": (np.interp, A, np.sort(VECTOR), VECTOR),
    "take_along_axis": (lambda a: np.take_along_axis(a, np.argsort(a, axis=1), 1), A),
}
#: Functions of NumPy's that work on NumPy's arrays alone when no traced array is among their arguments.
OF_THE_HOST = {"derivative"}


def tolerances(dtype):
    return {"rtol": 2e-5, "atol": 1e-5} if dtype.name in ("float32", "complex64") else {"rtol": 1e-11, "atol": 1e-11}


def agrees(got, want):
    """Assert that results have the same dtypes and shapes, and values up to the library's rounding."""
    got, want = (x if isinstance(x, tuple) else (x,) for x in (got, want))
    for one, other in zip(got, want, strict=True):
        one, other = xpa.asnumpy(one), np.asarray(other)
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_allclose(one, other, **tolerances(other.dtype))


@pytest.mark.parametrize("name", CASES)
def test_what_numpy_does(name):
    function, *args = CASES[name]
    if name in OF_THE_HOST and not backends.get(TARGET).memory.is_host:
        pytest.skip("np.arange(16) is an array of the host, which a device does not take silently")
    agrees(xpa.kernel(function)(*args), function(*args))


@hypothesis.given(st.data())
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_products_of_any_shapes(data):
    sizes = st.integers(0, 12)
    m, k, n = data.draw(sizes), data.draw(sizes), data.draw(sizes)
    batches = data.draw(st.sampled_from([((), ()), ((3,), ()), ((), (2,)), ((2,), (2,)), ((3, 1), (2,)), ((1,), (0,))]))
    dtype = data.draw(st.sampled_from(["float64", "float32", "complex128", "int64", "uint8", "bool"]))
    left = (_random.random((*batches[0], m, k)) * 4).astype(dtype)
    right = (_random.random((*batches[1], k, n)) * 4).astype(dtype)
    if data.draw(st.booleans()):
        left = left.swapaxes(-1, -2).copy().swapaxes(-1, -2)
    agrees(xpa.kernel(lambda a, b: a @ b)(left, right), left @ right)


def test_one_compilation_serves_all_sizes():
    kernel = xpa.kernel(lambda a, b: np.exp(a @ b) + 1)
    for size in (20, 31, 47):
        a, b = _random.random((size, size + 3)) / size, _random.random((size + 3, size + 1))
        agrees(kernel(a, b), np.exp(a @ b) + 1)
    assert kernel.stats.compilations == 1


def test_what_stands_around_a_product_fuses():
    loops = xpa.kernel(attention).loops(*CASES["attention"][1:])
    kinds = ["call" if isinstance(step, Call) else "nests" for step in loops.steps]
    assert kinds == ["nests", "call", "nests", "call"]  # first of all k.T is laid out for the library
    assert {call.function for call in loops.calls} == {"matmul"}


def test_products_that_never_lie_in_memory():
    """A vector times a computed matrix, and stacks of small matrices, are nests."""
    assert not xpa.kernel(lambda a, v: np.exp(-a) @ v).loops(A, VECTOR).calls
    assert not xpa.kernel(lambda a, b: np.sqrt(a @ b)).loops(STACK[:, :3, :3].copy(), STACK[:, :3, :3].copy()).calls
    assert xpa.kernel(lambda a, v: np.sqrt(a @ v)).loops(A, VECTOR).calls


def test_a_singular_matrix_is_the_users():
    with pytest.raises(np.linalg.LinAlgError):
        xpa.kernel(np.linalg.inv)(np.zeros((3, 3)))


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (lambda a, b: a @ b, (A, A)),
        (np.linalg.solve, (SQUARE, VECTOR)),
        (lambda a, b: np.tensordot(a, b, 1), (A, A)),
        (np.linalg.cholesky, (A,)),
    ],
)
def test_wrong_shapes_raise_what_numpy_raises(function, args):
    with pytest.raises((ValueError, np.linalg.LinAlgError)) as theirs:
        function(*args)
    with pytest.raises(theirs.type):
        xpa.kernel(function)(*args)


@pytest.mark.parametrize("name", ["unique", "nonzero", "flatnonzero", "bincount"])
def test_sizes_that_depend_on_values_are_refused(name):
    with pytest.raises(TraceError, match="known only when the kernel runs"):
        xpa.kernel(lambda u: getattr(np, name)(u))(WHOLE)
