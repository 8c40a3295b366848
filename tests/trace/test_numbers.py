"""Python numbers and sizes stay run-time until the kernel asks for their value; then they are guards."""

from __future__ import annotations

import math

import numpy as np
import pytest
from trace_law import holds, run, trace_call

from xpaccel.errors import TraceError
from xpaccel.graph.scalar import ScalarExpr, compile_scalars
from xpaccel.trace.leaves import Number


def asked(traced):
    return {str(expr): value for expr, value in traced.graph.scalar_guards}


def test_arithmetic_of_numbers_is_pythons():
    def kernel(u, t, n, z):
        return [
            t + 1,
            2 - t,
            t * n,
            n / 3,
            n // 2,
            -n % 5,
            n**2,
            t**0.5,
            -t,
            +n,
            abs(-t),
            ~n,
            n & 6,
            n | 1,
            n ^ 3,
            n << 2,
            n >> 1,
            divmod(n, 3),
            divmod(7, n),
            n * 1.0,
            t == t,
            n < t,
            n >= 7,
            z * 2,
            z + t,
            2**n,
            u.shape[0] / n,
            u.shape[0] * t,
            (t > 1) + n,
            t.real,
            n.conjugate(),
            u * (t > 1),
        ]

    traced = holds(kernel, lambda: [np.ones(3), 1.5, 7, 1 + 2j])
    assert set(asked(traced).values()) == {True, False}  # what decides the types of 2**n and t**0.5
    assert "a[0]" not in asked(traced)
    found = run(traced, np.ones(4), 0.25, 9, 2j)
    expected = kernel(np.ones(4), 0.25, 9, 2j)
    for a, b in zip(found[:-1], expected[:-1], strict=True):
        assert a == b
        assert type(a) is type(b)


def test_asking_for_the_value_specialises():
    def kernel(u, t, n, m, k):
        for _ in range(n):
            u = u + 1
        if t > 0.5:
            u = u * math.sin(t)
        return u[k] + {3: 10}[m], f"{n}", round(t, 1), int(t), math.floor(t)

    traced = holds(kernel, lambda: [np.ones(9), 0.75, 2, 3, -2])
    assert asked(traced) == {
        "a[1]": 2,
        "(a[0] > (0.5))": True,
        "a[0]": 0.75,
        "a[3]": -2,
        "a[2]": 3,
        "(a[2] == (3))": True,
    }


def test_a_number_that_is_only_used_is_no_guard():
    traced = trace_call(lambda u, t, n: (u * t + n, max(t, 0.0) * u, xp_sqrt(t) * u), np.ones(3), 0.5, 2)
    assert asked(traced) == {"(a[0] < (0.0))": False}


def xp_sqrt(t):
    return np.sqrt(t)


def test_a_numpy_function_of_a_number_gives_a_float64_value():
    def kernel(u, t, n):
        return (
            np.sqrt(t),
            np.sqrt(t) * u,
            np.add(n, 1),
            np.float64(2) * t,
            t * np.float32(2),
            np.exp(n),
            np.ones(3) * t,
            np.where(t > 1, t, 0),
        )

    holds(kernel, lambda: [np.ones(3, "float32"), 2.25, 3], (1e-15, 0))


def test_numpy_scalars_are_strongly_typed():
    def kernel(u, s, t):
        return u * s, s + 1, s * t, s, u + s.astype("float32"), -s, s.sum(), s.T, s.copy()

    holds(kernel, lambda: [np.ones(3, "float32"), np.float64(1.5), 2])
    holds(kernel, lambda: [np.ones(3, "float32"), np.int8(5), 2])
    holds(lambda u, s: (u * s, abs(s), s.real), lambda: [np.ones(3, "float32"), np.complex64(5 + 1j)])


def test_sizes():
    def kernel(u, v):
        n, m = u.shape
        assert n == 6
        assert u.shape == (6, 8)
        assert n != m
        assert n < m
        assert len(u) == 6
        return (
            u[: n - 2],
            u[n // 2 :],
            u[-(n - 1) :, m % 3 :],
            u[:: n // 3],
            u[n - 1],
            v[: n + m - 10],
            u * n / m,
            1.0 / n,
            n * 2 + 1,
            n * m,
            u.size,
            u.nbytes,
            np.zeros(n),
            list(range(m)),
            float(n),
            min(n, m),
            n**2,
            {n: 1},
            str(n),
            hash(n),
        )

    holds(kernel, lambda: [np.ones((6, 8)), np.ones(9)])


def test_sizes_stay_symbolic_in_arithmetic():
    def kernel(u):
        n = u.shape[0]
        return u[1 : n - 1] - u[: n - 2], u.sum() / n, (2 * n - 1) * u, n - 1

    traced = trace_call(kernel, np.ones(10))
    assert all(guard.relation == ">=" for guard in traced.graph.guards.recorded)
    assert traced.result[-1] == Number(ScalarExpr.size(traced.graph.outputs[0].shape[0] + 1))


@pytest.mark.parametrize("kind", ["float", "int", "bool", "complex"])
def test_a_value_of_an_array_is_not_known(kind):
    with pytest.raises(TraceError, match=r"known.*test_numbers.py:\d+: `"):
        trace_call(
            lambda u: {"float": float, "int": int, "bool": bool, "complex": complex}[kind](u.sum()),
            np.ones(3),
        )


def test_long_chains_of_numbers_and_arrays_do_not_recurse():
    def kernel(u, t):
        for _ in range(4000):
            t = t * 0.5 + 1
        for _ in range(4000):
            u = u * 0.5 + t
        return u, t

    holds(kernel, lambda: [np.ones(3), 3.0])


def test_scalar_expressions_keep_odd_literals():
    odd = [float("inf"), -float("inf"), float("nan"), -0.0, 1, True, complex("nan+infj"), 10**30]
    values = compile_scalars([ScalarExpr.const(value) for value in odd])([], {})
    assert [repr(value) for value in values] == [repr(value) for value in odd]
    assert len({ScalarExpr.const(value) for value in (0.0, -0.0, 0, False)}) == 4


def test_numbers_raise_as_in_python():
    with pytest.raises(ZeroDivisionError):
        trace_call(lambda u, n: u / (1 // (n - 2)), np.ones(3), 2)
    with pytest.raises(TypeError):
        trace_call(lambda u, n: range(n), np.ones(3), 1.5)
