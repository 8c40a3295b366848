"""Loops of launches that are recorded: each call is one run of the function, on every backend."""

from __future__ import annotations

import numpy as np
import pytest
import targets

import xpaccel as xpa

pytestmark = pytest.mark.compiled


@xpa.kernel
def smooth(u, out):
    out[1:-1] = 0.5 * (u[2:] + u[:-2])


def two_steps(u, v):
    smooth(u, v)
    smooth(v, u)


def test_every_call_is_one_run():
    u, v = np.arange(9.0) ** 2, np.zeros(9)
    a, b = targets.array(u.copy()), targets.array(v.copy())
    with targets.active():
        steps = xpa.capture(two_steps, a, b)
        assert "not called" in repr(steps)
        for _ in range(5):
            steps()
    for _ in range(5):
        smooth.python(u, v)
        smooth.python(v, u)
    np.testing.assert_array_equal(xpa.asnumpy(a), u)
    np.testing.assert_array_equal(xpa.asnumpy(b), v)
    if targets.is_host():
        assert not steps.is_recorded
        assert "no launches" in steps.reason
    else:
        assert steps.is_recorded
        assert steps.reason is None


def test_what_it_returns_is_the_result_of_that_call():
    double = xpa.kernel(lambda u: u * 2)

    def grow(u):
        u += 1
        return double(u)

    u = targets.array(np.zeros(4))
    with targets.active():
        step = xpa.capture(grow, u) if targets.is_host() else xpa.capture(lambda x: double(x), u)
        for k in range(1, 5):
            if not targets.is_host():
                u += 1
            np.testing.assert_array_equal(xpa.asnumpy(step()), np.full(4, 2.0 * k))


def test_another_backend_begins_anew():
    u, v = np.arange(5.0), np.zeros(5)
    steps = xpa.capture(two_steps, u, v)
    with xpa.backend("numpy"):
        steps()
        steps()
    assert "'numpy'" in steps.reason
    if targets.is_host():
        with targets.active():
            steps()
        assert steps.reason is None


def test_an_error_of_the_function_is_raised():
    def wrong():
        raise ValueError("on purpose")

    with targets.active():
        step = xpa.capture(wrong)
        for _ in range(3):
            with pytest.raises(ValueError, match="on purpose"):
                step()
