"""What a kernel cannot do is refused with the user's file, line and source, and what to do instead."""

from __future__ import annotations

import re

import numpy as np
import pytest
from array_api_compat import array_namespace
from trace_law import trace_call

from xpaccel.errors import TraceError
from xpaccel.trace.session import is_tracing

KEPT = []

CASES = {
    "truth": (lambda u: 1 if u > 0 else 2, "truth of a traced array", "xp.where"),
    "and": (lambda u: (u > 0) and u, "truth of a traced array", "& | ~"),
    "contains": (lambda u: 3 in u, "`in`", "xp.any"),
    "mask": (lambda u: u[u > 0], "boolean mask", "xp.where"),
    "mask write": (lambda u: u.__setitem__(u > 0, u[:2]), "the elements that a mask selects", "xp.where"),
    "mask and integer": (lambda u: u[:, None].__setitem__((u > 0, 0), 1), "mask together with", "view first"),
    "True": (lambda u: u[True], "boolean mask", "xp.where"),
    "at": (lambda u: np.logaddexp.at(u, [0], 1.0), "np.logaddexp.at", "Supported are add"),
    "at of another kind": (lambda u: np.add.at(u, [0], 1j), "complex128 values", "casts to the array's dtype"),
    "at outside": (lambda u: np.add.at(np.zeros(3), u.astype(int), u), "NumPy array to write to", "argument"),
    "item": (lambda u: u.sum().item(), "number (.item())", "outside of the kernel"),
    "tolist": (lambda u: u.tolist(), "list", "outside of the kernel"),
    "nonzero": (lambda u: array_namespace(u).nonzero(u), "nonzero", "xp.where"),
    "where": (lambda u: np.where(u > 0), "where with a condition alone", "xp.where(condition, a, b)"),
    "JAX's at": (lambda u: u.at[1].set(2), "x.at", "x[1:-1] = values"),
    "flat": (lambda u: list(u.flat), ".flat", "whole-array"),
    "decimals": (lambda u: np.round(u, 2), "decimals", "/ 100"),
    "ufunc where": (lambda u: np.add(u, 1, where=u > 0), "where=", "xp.where"),
    "reduce where": (lambda u: np.sum(u, where=u > 0), "where=", "xp.where(mask, x, 0)"),
    "out": (lambda u: np.add(u, 1, out=np.zeros(4)), "written into a NumPy array", "np.zeros_like"),
    "asarray": (lambda u: np.asarray(u), "plain NumPy asked for the values", "outside of the kernel"),
    "float16": (lambda u: u.astype(np.float16), "float16", "float32"),
    "None": (lambda u: u + None, "met None", "can be combined"),
    "captured write": (
        lambda u: array_namespace(u).asarray(np.zeros(4)).__setitem__(0, u[0]),
        "was not given",
        "argument",
    ),
    "accumulate": (lambda u: np.subtract.accumulate(u), "np.subtract.accumulate", "Known are add"),
    "unknown": (lambda u: np.convolve(u, u), "convolve", "outside of the kernel"),
    "linalg": (lambda u: np.linalg.eig(u[:, None] * u), "eig", "outside of the kernel"),
    "einsum": (lambda u: np.einsum("...i->...", u), "einsum with an ellipsis", "as letters"),
    "unknown ufunc": (lambda u: np.heaviside(u, 1), "np.heaviside", "outside of the kernel"),
    "arange of an array": (lambda u: array_namespace(u).arange(u[0]), "range", "Python numbers"),
}


@pytest.mark.parametrize("name", CASES)
def test_refused(name):
    kernel, what, advice = CASES[name]
    with pytest.raises(TraceError) as caught:
        trace_call(kernel, np.arange(4.0))
    message = str(caught.value)
    first, second = message.split("\n")
    assert what in first
    assert advice in second
    assert re.search(r"\(test_errors\.py:\d+: `.+`\)\.$", first), first
    assert not is_tracing()


def test_the_line_is_the_users_not_that_of_libraries():
    def helper(x):
        return np.mean(x if x.sum() else 0)

    def kernel(u):
        return helper(u)

    line = helper.__code__.co_firstlineno + 1
    with pytest.raises(TraceError, match=rf"test_errors\.py:{line}: `return np\.mean"):
        trace_call(kernel, np.ones(3))


def test_numpys_own_errors_name_the_line():
    with pytest.raises(ValueError, match=r"could not be broadcast together with shapes \(3,\) \(4,\)") as caught:
        trace_call(lambda u, v: u + v, np.ones(3), np.ones(4))
    assert "test_errors.py" in "".join(caught.value.__notes__)
    with pytest.raises(IndexError, match="out of bounds for axis 0 with size 3"):
        trace_call(lambda u: u[3], np.ones(3))
    with pytest.raises(IndexError, match="too many indices"):
        trace_call(lambda u: u[0, 0], np.ones(3))
    with pytest.raises(IndexError, match="too many indices"):
        trace_call(lambda u: u[[0], 0], np.ones(3))
    with pytest.raises(IndexError, match="must be of integer"):
        trace_call(lambda u: u[[0.5]], np.ones(3))
    with pytest.raises(IndexError, match="single ellipsis"):
        trace_call(lambda u: u[..., [0], ...], np.ones(3))
    with pytest.raises(IndexError, match="out of bounds for an axis with size 0"):
        trace_call(lambda u: u[[0]], np.ones(0))
    with pytest.raises(IndexError, match="boolean index did not match"):
        trace_call(lambda u, v: u.__setitem__(v > 0, 0), np.ones(3), np.ones(4))
    with pytest.raises(TypeError, match="does not support item assignment"):
        trace_call(lambda u: u[0].__setitem__((), 1), np.ones(3))


def test_an_array_that_leaks_out_of_its_trace_is_refused():
    def leak(u, t):
        KEPT[:] = [u, t, u + 1]

    with pytest.raises(TraceError, match="not its own"):
        trace_call(leak, np.ones(3), 2.0)
    array, number, made = KEPT
    for use in (
        lambda: array + 1,
        lambda: array[0],
        lambda: made.sum(),
        lambda: number + 1,
        lambda: float(number),
    ):
        with pytest.raises(TraceError, match=r"had ended|no kernel was being traced"):
            use()
    with pytest.raises(TraceError, match="of kernel 'leak' was used after its trace had ended"):
        trace_call(lambda u: u + made, np.ones(3))


def test_nested_traces_come_back():
    def inner(u):
        return u + 1

    def outer(u):
        trace_call(inner, np.ones(3))
        return u * 2

    assert len(trace_call(outer, np.ones(3)).graph.outputs) == 1
