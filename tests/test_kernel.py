"""From call to program: one compilation for many sizes, guards, aliasing, captured values, results."""

from __future__ import annotations

import dataclasses
import math
import pickle
import threading

import numpy as np
import pytest
import targets

import xpaccel as xpa
from xpaccel import xp

pytestmark = pytest.mark.compiled

SCALE = 2.0


@pytest.fixture(autouse=True)
def _target():
    with targets.active():
        yield


def eager(kernel, *args, **kwargs):
    with xpa.backend("numpy"), np.errstate(all="ignore"):
        return kernel(*args, **kwargs)


def test_one_compilation_serves_every_size():
    @xpa.kernel
    def diffuse(u, k):
        return u[1:-1] + k * (u[2:] - 2 * u[1:-1] + u[:-2])

    for n in (4, 5, 10, 1000, 100_000):
        u = np.random.default_rng(n).random(n)
        np.testing.assert_array_equal(diffuse(u, 0.1), eager(diffuse, u, 0.1))
    assert diffuse.stats.compilations == 1
    assert diffuse.stats.traces == 1


def test_a_size_that_breaks_a_guard_is_compiled_for():
    @xpa.kernel
    def ends(u):
        return u[:3] + 1.0

    for n in (5, 9, 2, 1, 0, 7):
        u = np.arange(float(n))
        np.testing.assert_array_equal(ends(u), u[:3] + 1.0)
    assert ends.stats.compilations <= 4


def test_python_numbers_are_run_time_arguments():
    @xpa.kernel
    def scale(u, a, n):
        return a * u + n

    u = np.arange(4, dtype=np.float32)
    for a, n in ((0.5, 1), (1e-3, 2), (math.inf, -7), (math.nan, 0)):
        got = scale(u, a, n)
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, eager(scale, u, a, n))
    assert scale.stats.compilations == 1


@pytest.mark.parametrize("number", [complex(0, math.nan), complex(1, -0.0), complex(-math.inf, 2), -0.0, math.nan])
def test_literals_keep_their_bits(number):
    @xpa.kernel
    def scale(u):
        return u * number + number

    u = np.array([1 + 1j, -2.0])
    got, wanted = scale(u), eager(scale, u)
    np.testing.assert_array_equal(got, wanted)
    np.testing.assert_array_equal(np.signbit(got.imag), np.signbit(wanted.imag))


def test_number_that_is_asked_for_is_a_guard():
    @xpa.kernel
    def power(u, n):
        out = u
        for _ in range(n):
            out = out * u
        return out

    u = np.linspace(0.5, 1.5, 7)
    for n in (0, 1, 3, 1, 0):
        np.testing.assert_array_equal(power(u, n), eager(power, u, n))
    assert power.stats.compilations == 3


def test_what_is_compiled_again_and_again_warns():
    @xpa.kernel
    def power(u, n):
        return u * float(range(n)[-1])

    def run():
        for n in range(1, 11):
            power(np.ones(2), n)

    with pytest.warns(RuntimeWarning, match="compiled 8 times"):
        run()


def test_integers_out_of_range_raise_as_numpy_does():
    @xpa.kernel
    def add(u, n):
        return u + n

    u = np.zeros(3, np.uint8)
    np.testing.assert_array_equal(add(u, 255), eager(add, u, 255))
    for n in (256, -1):
        with pytest.raises(OverflowError):
            eager(add, u, n)
        with pytest.raises(OverflowError):
            add(u, n)


def test_changed_globals_and_closures_are_seen(monkeypatch):
    @xpa.kernel
    def scale(u):
        return SCALE * u

    np.testing.assert_array_equal(scale(np.ones(2)), [2.0, 2.0])
    monkeypatch.setitem(globals(), "SCALE", 5.0)
    np.testing.assert_array_equal(scale(np.ones(2)), [5.0, 5.0])
    weights = targets.array(np.array([1.0, 2.0]))

    @xpa.kernel
    def weigh(u):
        return weights * u

    np.testing.assert_array_equal(weigh(np.ones(2)), [1.0, 2.0])
    weights[:] = 7.0
    np.testing.assert_array_equal(weigh(np.ones(2)), [7.0, 7.0])


def test_arguments_that_share_memory():
    @xpa.kernel
    def shift(a, b):
        a[...] = b * 2.0
        b += 1.0

    base = np.arange(12.0)
    for pick in (
        lambda x: (x, x),
        lambda x: (x[1:], x[:-1]),
        lambda x: (x[:-1], x[1:]),
        lambda x: (x[::-1], x),
        lambda x: (x[::2], x[1::2]),
        lambda x: (x[:6], x[6:]),
        lambda x: (x.reshape(3, 4)[1:], x.reshape(3, 4)[:-1]),
        lambda x: (x.reshape(3, 4).T[:3, :], x.reshape(3, 4)[:, 1:]),
        lambda x: (x[:9].reshape(3, 3).T, x[:9].reshape(3, 3).T[1:2]),
        lambda x: (x[None, 1:], x[None, :-1]),
        lambda x: (x[:4], x[3:4]),
        lambda x: (x.reshape(3, 4)[1:2, 1:], x.reshape(3, 4)[1:2, :3]),
    ):
        want, got = base.copy(), base.copy()
        eager(shift, *pick(want))
        shift(*pick(got))
        np.testing.assert_array_equal(got, want)
        shift(*pick(got))
        eager(shift, *pick(want))
        np.testing.assert_array_equal(got, want)


def test_overlap_without_writes_needs_no_new_program():
    @xpa.kernel
    def total(a, b):
        return a + b

    x = np.arange(9.0)
    total(np.ones(8), np.ones(8))
    np.testing.assert_array_equal(total(x[1:], x[:-1]), x[1:] + x[:-1])
    assert total.stats.compilations == 1


@pytest.mark.host("CuPy has no read-only arrays")
def test_read_only_arrays_are_not_written():
    @xpa.kernel
    def clear(a):
        a[...] = 0.0

    a = np.ones(3)
    a.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        clear(a)
    np.testing.assert_array_equal(a, 1.0)


@dataclasses.dataclass
class State:
    h: np.ndarray
    q: tuple


def test_nested_arguments_and_results():
    @xpa.kernel
    def step(state, params):
        h = state.h * params["a"] + state.q[0]
        return State(h, (state.q[0] + h, params["a"] * 2)), {"mean": xp.mean(h), "name": params["name"]}, None

    state = State(np.arange(3.0), (np.ones(3), 4))
    params = {"a": 0.5, "name": "x"}
    got, want = step(state, params), eager(step, state, params)
    np.testing.assert_array_equal(got[0].h, want[0].h)
    np.testing.assert_array_equal(got[0].q[0], want[0].q[0])
    assert got[0].q[1] == want[0].q[1] == 1.0
    assert type(got[0]) is State
    assert got[1]["name"] == "x"
    assert got[1]["mean"] == want[1]["mean"]
    assert type(got[1]["mean"]) is type(targets.scalar(np.float64()))
    assert got[2] is None


def test_results_that_are_arguments_or_their_views():
    @xpa.kernel
    def views(u):
        u += 1.0
        return u, u[1:], u[::-2], u[None, 0], u.T

    u = np.arange(6.0).reshape(2, 3)
    out = views(u)
    assert out[0] is u
    np.testing.assert_array_equal(u, np.arange(6.0).reshape(2, 3) + 1)
    for got, want in zip(out[1:], (u[1:], u[::-2], u[None, 0], u.T), strict=True):
        np.testing.assert_array_equal(got, want)
        assert got.shape == want.shape
        assert np.shares_memory(got, u)


def test_kernels_in_kernels_and_helpers_are_one_program():
    @xpa.kernel
    def square(u):
        return u * u

    def helper(u):
        return square(u) + 1.0

    @xpa.kernel
    def outer(u):
        return helper(u) + square(u)

    u = np.arange(5.0)
    np.testing.assert_array_equal(outer(u), 2 * u * u + 1)
    assert len(outer.loops(u).nests) == 1
    assert square.stats.compilations == 0


@pytest.mark.parametrize("order", ["C", "F", "strided", "reversed", "transposed"])
def test_layouts(order):
    @xpa.kernel
    def step(u, v):
        v[1:] += u[:-1] * 0.5
        return u.T + v.T

    base = np.random.default_rng(0).random((8, 12))
    pick = {
        "C": lambda x: x.copy(),
        "F": np.asfortranarray,
        "strided": lambda x: np.repeat(np.repeat(x, 2, 0), 3, 1)[::2, ::3],
        "reversed": lambda x: x.copy()[::-1, ::-1],
        "transposed": lambda x: x.T.copy().T,
    }[order]
    u, v, w = pick(base), pick(base + 1), pick(base + 1)
    np.testing.assert_array_equal(step(u, v), eager(step, u, w))
    np.testing.assert_array_equal(v, w)


@pytest.mark.cpu("a device has no threads to count")
def test_bits_do_not_depend_on_threads(monkeypatch):
    from xpaccel.backends.cpu import threads

    @xpa.kernel
    def mixed(u):
        return xp.exp(xp.sin(u)) / (1 + u), xp.sum(u), xp.sum(u, axis=0), xp.max(u, axis=1), xp.mean(u * u)

    u = np.random.default_rng(1).random((300, 401))
    line = np.random.default_rng(1).random(300_001)
    results = []
    for count in (1, 2, 3, 7):
        monkeypatch.setattr(threads, "count", lambda count=count: count)
        fresh = xpa.kernel(mixed.python)
        results.append([*fresh(u), fresh(line[:, None])[1]])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_calls_from_many_threads_at_once():
    @xpa.kernel
    def work(u, a):
        return xp.sum(a * u), a * u

    u = np.random.default_rng(2).random(targets.size(200_000, simulated=50))
    rounds = targets.size(20, simulated=1)
    want = {a: eager(work, u, float(a))[1] for a in range(8)}
    failures = []

    def run(a):
        with targets.active():
            failures.extend(a for _ in range(rounds) if not np.array_equal(work(u, float(a))[1], want[a]))

    crowd = [threading.Thread(target=run, args=(a,)) for a in range(8)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    assert not failures


def test_zero_division_of_python_numbers_raises_as_python_does():
    @xpa.kernel
    def divide(u, a, b):
        return u * (a / b)

    np.testing.assert_array_equal(divide(np.ones(2), 1.0, 4.0), [0.25, 0.25])
    with pytest.raises(ZeroDivisionError):
        divide(np.ones(2), 1.0, 0.0)
    np.testing.assert_array_equal(divide(np.ones(2), np.float64(1.0), 4.0), [0.25, 0.25])


def test_wrong_arguments_are_refused_with_the_way_out():
    @xpa.kernel
    def double(u):
        return u * 2

    with pytest.raises(xpa.TraceError, match="float16"):
        double(np.ones(2, np.float16))
    with pytest.raises(xpa.XpaccelError, match="asarray"):
        double(np.ma.masked_array([1.0, 2.0], [True, False]))
    with pytest.raises(xpa.TraceError, match="byte order"):
        double(np.ones(2, ">f8"))

    class Device:
        __cuda_array_interface__ = None

    with pytest.raises(xpa.BackendError, match="memory"):
        double(Device())


def test_methods_and_pickling():
    class Solver:
        factor = 3.0

        @xpa.kernel
        def step(self, u):
            return self.factor * u

    np.testing.assert_array_equal(Solver().step(np.ones(2)), [3.0, 3.0])
    bound = Solver().step
    assert bound.stats is Solver.step.stats
    np.testing.assert_array_equal(bound.python(np.ones(2)), [3.0, 3.0])
    assert len(bound.loops(np.ones(2)).nests) == 1
    assert "step" in bound.explain(np.ones(2)).name
    assert "Solver" in repr(bound)
    assert pickle.loads(pickle.dumps(module_kernel)) is module_kernel


@xpa.kernel
def module_kernel(u):
    return u + 1


def test_unknown_backend_is_refused():
    with pytest.raises(xpa.BackendError, match="numba"), xpa.backend("cuda"):
        pass


def test_empty_and_single_sized_axes():
    @xpa.kernel
    def step(u):
        v = xp.zeros_like(u)
        v[1:-1] = u[2:] - u[:-2]
        return v, xp.sum(u, axis=0), xp.sum(u), xp.any(u > 0, axis=1)

    for shape in ((0, 3), (1, 3), (2, 1), (3, 0), (4, 4), (1, 1), (2, 3)):
        u = np.random.default_rng(3).random(shape)
        for got, want in zip(step(u), eager(step, u), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-15)
            assert got.dtype == want.dtype


class Model:
    scale = 1.0

    def __init__(self):
        self.factor, self.weights, self.state = 2.0, targets.array(np.array([1.0, 2.0])), targets.array(np.ones(2))

    @xpa.kernel
    def step(self, u):
        return self.factor * u * self.scale + self.weights

    @xpa.kernel
    def write(self):
        self.state[...] = 5.0

    @xpa.kernel
    def assign(self, u):
        self.factor = 3.0
        return u


def test_attributes_of_self_are_guards(monkeypatch):
    model = Model()
    np.testing.assert_array_equal(model.step(np.ones(2)), [3.0, 4.0])
    model.factor = 5.0
    np.testing.assert_array_equal(model.step(np.ones(2)), [6.0, 7.0])
    model.weights[:] = 0.0
    np.testing.assert_array_equal(model.step(np.ones(2)), [5.0, 5.0])
    monkeypatch.setattr(Model, "scale", 2.0)
    np.testing.assert_array_equal(model.step(np.ones(2)), [10.0, 10.0])


def test_what_would_happen_only_while_tracing_is_refused():
    calls = []

    @xpa.kernel
    def count(u):
        calls.append(1)
        return u

    @xpa.kernel
    def replace(state):
        state["h"] = state["h"] * 2.0

    for kernel, args in ((Model().write, ()), (Model().assign, (np.ones(2),)), (count, (np.ones(2),))):
        with pytest.raises(xpa.TraceError, match="not its own"):
            kernel(*args)
    with pytest.raises(xpa.TraceError, match="container"):
        replace({"h": np.ones(2)})
