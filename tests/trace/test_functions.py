"""Creation, movement and reductions: NumPy's values, dtypes and shapes."""

from __future__ import annotations

import numpy as np
import pytest
from array_api_compat import array_namespace
from trace_law import holds, trace_call

from xpaccel.errors import TraceError


def grid(shape=(4, 6), dtype="float64"):
    return (np.arange(np.prod(shape)).reshape(shape) % 7).astype(dtype)


def test_creation():
    def kernel(u, n, t):
        xp = array_namespace(u)
        return [
            xp.zeros(u.shape),
            xp.ones((u.shape[0], 2), dtype=xp.int32),
            xp.full((2, n), t),
            xp.full(3, 2, dtype=xp.float32),
            xp.full((2,), True),
            xp.zeros_like(u),
            np.ones_like(u),
            xp.full_like(u, 2.5),
            np.full_like(u, 3, dtype=float),
            xp.arange(n),
            xp.arange(u.shape[0]),
            xp.arange(1, u.shape[1]),
            xp.arange(u.shape[0], 0, -1),
            xp.arange(0, n, 2),
            xp.arange(5.0),
            xp.arange(0.1, 2.0, 0.3),
            xp.arange(t, 3, 0.25),
            xp.arange(3, dtype=xp.float32),
            xp.arange(0, u.shape[1], 2),
            xp.arange(5, 2),
            xp.arange(0.3, 1.7, 0.1, dtype=xp.float32),
            xp.eye(3),
            xp.eye(2, u.shape[0], k=1),
            xp.tril(u),
            np.triu(u, 1),
            xp.tril(u, k=-1),
            xp.asarray(u),
            xp.asarray(3),
            xp.asarray([1.0, 2.0]) * u[0, 0],
            xp.asarray(u, dtype=xp.float32),
            xp.asarray(u, copy=True),
            xp.asarray([u[0, 0], u[1, 1]]),
            *xp.meshgrid(u[0], u[:, 0]),
            *np.meshgrid(u[0], u[:, 0], indexing="ij"),
            xp.zeros((n, 0)),
            xp.zeros(()),
            xp.empty((2, n)).shape,
            xp.empty_like(u).shape,
        ]

    holds(kernel, lambda: [grid(), 3, 0.75])
    holds(kernel, lambda: [grid(dtype="int32"), 4, 1.5])


@pytest.mark.parametrize("start", [0, -1.5, 0.1, 3])
@pytest.mark.parametrize("stop", [1, 2.7, -5])
@pytest.mark.parametrize("num", [0, 1, 2, 7, 50])
@pytest.mark.parametrize("endpoint", [True, False])
def test_linspace_has_the_bits_of_numpys(start, stop, num, endpoint):
    def kernel(u, a, b, n):
        xp = array_namespace(u)
        literal = xp.linspace(start, stop, num, endpoint=endpoint)
        return (
            literal,
            xp.linspace(a, b, n, endpoint=endpoint),
            xp.linspace(a, b, num, dtype=xp.float32, endpoint=endpoint),
        )

    holds(kernel, lambda: [grid(), float(start), stop, num])


def test_linspace_over_a_size():
    holds(lambda u: u * array_namespace(u).linspace(0, 1, u.shape[1]), lambda: [grid()])
    holds(lambda u: u[0] * np.linspace(u[0, 1], u[1, 2], 6), lambda: [grid()])


def test_movement():
    def kernel(u, v, n):
        xp = array_namespace(u)
        return [
            *(xp.roll(u, k, axis=0) for k in (0, 1, -1, 5, -13, n)),
            np.roll(u, 2),
            np.roll(u, (1, -2), (0, 1)),
            np.roll(u, 3, (0, 1)),
            xp.concat([u, v]),
            xp.concat([u, u * 2], axis=1),
            np.concatenate((u, v), axis=None),
            np.concatenate((u[:0], v)),
            xp.stack([u, u + 1]),
            np.stack((u, u), axis=-1),
            np.hstack((u, u[:, :1])),
            np.vstack((u, v[0])),
            np.hstack([u[0], v[0]]),
            np.tile(u, 2),
            np.tile(u[0], (3, 1)),
            np.repeat(u, 2, axis=1),
            np.repeat(u, 3),
            np.diff(u),
            np.diff(u, 2, axis=0),
            np.pad(u, 1),
            np.pad(u, ((1, 2), (0, 3)), constant_values=5),
            np.pad(u, 2, mode="edge"),
            np.pad(u, ((0, 2), (3, 0)), mode="wrap"),
            np.atleast_2d(u[0]),
            u.flatten(),
            u.copy(),
            np.copy(u),
            xp.reshape(u + 0, (2, -1)),
            u.reshape(-1, 3) * 1,
            (u + 1).ravel(),
            u.astype(np.float32),
            xp.astype(u, xp.int64),
            u.astype(bool),
            xp.astype(u, u.dtype, copy=False) + 0,
        ]

    holds(kernel, lambda: [grid(), grid((3, 6), "int16"), 2])
    holds(kernel, lambda: [grid((6, 4)).T, grid((3, 6), "float32"), -2])
    holds(kernel, lambda: [grid((4, 6), "int32"), grid((1, 6)), -2])


def test_reshape_keeps_symbolic_sizes_where_it_can():
    def kernel(u):
        n, m = u.shape
        return (
            u.reshape(n, 1, m),
            u.reshape(n, m // 1, 1),
            u.reshape((-1, m)),
            (u + 1).reshape(n, -1),
            u[:3].reshape(-1, 1),
        )

    traced = trace_call(kernel, grid((4, 6)))
    assert all(guard.relation != "==" or "n0_0" not in str(guard) for guard in traced.graph.guards.recorded)
    split = trace_call(lambda u: np.concatenate([u, u]).reshape(2, -1) + 0, grid((4,)))
    assert str(split.graph.outputs[0].shape[1]) == "n0_0"
    for bad in ((5, 5), (-1, -1), (-1, 0), (4, -2)):
        with pytest.raises(ValueError, match=r"reshape|unknown dimension|negative"):
            trace_call(lambda u, bad=bad: u.reshape(bad), grid((4, 6)))


REDUCTIONS = ["sum", "prod", "max", "min", "any", "all", "mean", "var", "std"]


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float32", "float64"])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name, dtype):
    def kernel(u):
        xp = array_namespace(u)
        numpy, standard = getattr(np, name), getattr(xp, name)
        method = getattr(u, name)
        return [
            numpy(u),
            standard(u),
            method(),
            numpy(u, axis=0),
            method(1),
            standard(u, axis=(0, 2)),
            numpy(u, axis=-1, keepdims=True),
            standard(u, keepdims=True),
            numpy(u, axis=()),
            numpy(u[0, 0, 0]),
            numpy(u[0, 0, 0, ...], keepdims=True),
            numpy(u[1:].T, axis=0),
        ]

    holds(kernel, lambda: [grid((3, 4, 5), dtype)], (1e-6, 0) if dtype == "float32" else (1e-14, 0))


def test_reductions_with_options():
    def kernel(u, i):
        xp = array_namespace(u)
        return [
            np.sum(i, dtype=np.float64),
            xp.sum(u, dtype=xp.float32),
            u.mean(dtype=np.float32),
            np.var(u, ddof=1),
            u.std(0, ddof=1),
            xp.var(u, correction=1.5),
            xp.std(u, axis=1, correction=u.shape[0]),
            np.add.reduce(u),
            np.maximum.reduce(u, axis=1),
            np.logical_and.reduce(u, axis=None),
            np.multiply.reduce(u, axis=(0, 1), keepdims=True),
            xp.count_nonzero(u, axis=0),
            np.amax(u),
        ]

    holds(kernel, lambda: [grid(), grid(dtype="int32")], (1e-6, 1e-12))


def test_reductions_of_nothing():
    def kernel(u):
        return u.sum(), u.prod(), u.any(), u.all(), u.mean(), u.sum(axis=0)

    holds(kernel, lambda: [np.zeros((0, 3))])
    for name in ("maximum", "minimum"):
        with pytest.raises(ValueError, match="zero-size array"):
            trace_call(lambda u, name=name: getattr(u, name[:3])(), np.zeros((0, 3)))


def test_out_arguments():
    def kernel(u, out):
        np.add(u, 1, out=out)
        np.multiply(out, u, out=(out,))
        out2 = np.sum(u, axis=0, out=out[0])
        np.exp(out[1], out=out[2])
        np.clip(out, 0, 5, out=out)
        return out2

    holds(kernel, lambda: [grid(), np.zeros((4, 6))], (1e-14, 0))


def test_plain_numpy_arrays_meet_traced_ones():
    weights = np.linspace(0, 1, 6)

    def kernel(u):
        inner = np.arange(6.0)
        return (
            u * weights,
            weights - u,
            inner + u[0],
            np.maximum(weights, u),
            weights[::-1] * u,
            np.float32(2) * u,
            u * np.float64(2),
        )

    traced = holds(kernel, lambda: [grid()])
    assert any(array is weights for array in traced.constants)
    with pytest.raises(TraceError, match=r"np.zeros_like\(u\)"):
        trace_call(lambda u: np.zeros(6).__setitem__(slice(1, None), u[0, 1:]), grid())

    def changing(u):
        k = np.zeros(6)
        y = u + k
        k[0] = 1
        return y

    with pytest.raises(TraceError, match="after it had met traced arrays"):
        trace_call(changing, grid())


def test_the_namespace_is_the_standards():
    def kernel(u):
        xp = array_namespace(u)
        assert xp.__array_namespace_info__().default_dtypes()["real floating"] == np.float64
        assert xp.__array_namespace_info__().dtypes(kind="bool") == {"bool": np.dtype("bool")}
        assert xp.isdtype(u.dtype, "real floating")
        assert xp.result_type(u, xp.float32) == np.float64
        assert xp.finfo(u.dtype).eps == np.finfo(np.float64).eps
        assert xp.can_cast(xp.float32, u.dtype)
        assert xp.newaxis is None
        assert "sin" in dir(xp)
        assert "in_place" not in dir(xp)
        assert u.ndim == 2
        assert u.itemsize == 8
        assert u.device == "cpu"
        assert not hasattr(xp, "no_such_name")
        return u * xp.pi + xp.e

    holds(kernel, lambda: [grid()])
