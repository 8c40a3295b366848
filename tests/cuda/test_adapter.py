"""Kernels on a device, called with NumPy arrays, keep what a test says of views, aliasing and identity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from cuda import adapter

import xpaccel as xpa
from xpaccel.kernel import Kernel

pytestmark = pytest.mark.usefixtures("compiler", "cp")


@xpa.kernel
def double(u):
    return 2 * u


@xpa.kernel
def raise_inside(u, by):
    u[1:-1] = u[1:-1] + by
    return u


@xpa.kernel
def halves(u):
    return {"low": u[: u.shape[0] // 2], "rest": [u[u.shape[0] // 2 :]]}


@xpa.kernel
def follow(into, source):
    into[1:] = source[:-1] + into[:-1]


@xpa.kernel
def nested(u):
    return double(u) + 1


@dataclass
class State:
    u: np.ndarray
    step: int


@xpa.kernel
def advance(state):
    return State(state.u + state.step, state.step)


@pytest.fixture
def lent(cp):
    with adapter.lending(cp), xpa.backend("cupy"):
        yield


@pytest.mark.usefixtures("lent")
def test_values_come_back(cp):
    u = np.arange(10.0)[::-2]
    cp._standin.counts.reset()
    got = double(u)
    assert type(got) is np.ndarray
    np.testing.assert_array_equal(got, 2 * u)
    assert cp._standin.counts.launches == 1
    np.testing.assert_array_equal(nested(u), 2 * u + 1)  # one kernel traced inside another


@pytest.mark.usefixtures("lent")
def test_an_argument_comes_back_as_itself_written():
    u = np.zeros(5)
    assert raise_inside(u, 2.0) is u
    assert u.tolist() == [0, 2, 2, 2, 0]


@pytest.mark.usefixtures("lent")
def test_views_come_back_as_views():
    u = np.arange(7.0)
    parts = halves(u)
    assert parts["low"].tolist() == [0, 1, 2]
    parts["rest"][0][0] = 100
    assert u[3] == 100


@pytest.mark.usefixtures("lent")
def test_overlapping_arguments_overlap():
    whole = np.arange(8.0)
    wanted = whole.copy()
    follow.python(wanted[2:], wanted[:6])
    follow(whole[2:], whole[:6])
    np.testing.assert_array_equal(whole, wanted)


@pytest.mark.usefixtures("lent")
def test_overlapping_arrays_that_have_no_array_in_common():
    whole = np.arange(8.0)
    wanted = whole.copy()
    parts = [np.lib.stride_tricks.as_strided(whole[k:], (6,), (8,)) for k in (2, 0)]
    follow.python(wanted[2:], wanted[:6])
    follow(*parts)
    np.testing.assert_array_equal(whole, wanted)


@pytest.mark.usefixtures("lent")
def test_only_what_was_written_is_copied_back(cp):
    """While one thread has lent an array, another writes elsewhere to it."""
    u = np.zeros(6)
    loan = adapter.Loan([u], cp)
    loan.devices[id(u)][0] = 1
    u[5] = 2
    loan.copy_back()
    assert u.tolist() == [1, 0, 0, 0, 0, 2]


@pytest.mark.usefixtures("lent")
def test_a_view_outlives_the_call():
    def tail():
        return halves(np.arange(7.0))["rest"][0]

    assert tail().tolist() == [3, 4, 5, 6]


@pytest.mark.usefixtures("lent")
def test_arrays_inside_of_dataclasses():
    got = advance(State(np.zeros(3), 4))
    assert type(got) is State
    assert got.u.tolist() == [4, 4, 4]


@pytest.mark.usefixtures("lent")
def test_what_only_looks_at_a_call():
    u = np.zeros((4, 5))
    assert "__global__" in double.source(u)
    assert "def nest" in double.source(u, backend="numba")
    assert double.graph(u).nodes
    assert double.loops(u).nests
    assert "double" in str(double.explain(u))


def test_the_host_is_left_alone_and_everything_is_put_back(cp):
    before = {name: getattr(Kernel, name) for name in ("__call__", "source")}
    with adapter.lending(cp):
        u = np.zeros(3)
        cp._standin.counts.reset()
        with xpa.backend("numpy"):
            assert double(u).base is None
        assert cp._standin.counts == type(cp._standin.counts)()
    assert {name: getattr(Kernel, name) for name in before} == before


def test_without_it_a_numpy_array_is_refused():
    if hasattr(Kernel.__call__, "__wrapped__"):
        pytest.skip("this session lends NumPy arrays everywhere")
    with xpa.backend("cupy"), pytest.raises(xpa.XpaccelError, match="array"):
        double(np.zeros(3))
