"""Reductions that share a nest, and nests that run row by row: found where they are legal, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

import xpaccel as xpa
from xpaccel import xp
from xpaccel.loops.program import Chain


def loops(function, *args):
    return xpa.kernel(function).loops(*args)


X = np.ones((64, 100))


def test_reductions_of_one_operand_share_a_nest():
    found = loops(lambda x: (xp.sum(x, axis=1), xp.max(x, axis=1), xp.sum(x * x, axis=1)), X)
    assert [nest.reduction.kinds for nest in found.nests] == [("sum", "max", "sum")]
    found = loops(lambda x: (xp.sum(x, axis=1), xp.sum(x, axis=0)), X)
    assert len(found.nests) == 2


def test_all_pairs_compute_a_distance_once():
    def acceleration(r, m):
        d = r[None] - r[:, None]
        weight = m / ((d * d).sum(-1) + 1e-3) ** 1.5
        return (d * weight[:, :, None]).sum(1)

    (nest,) = loops(acceleration, np.ones((50, 3)), np.ones(50)).nests
    assert nest.reduction.kinds == ("sum", "sum", "sum")
    assert sum(value.op == "pow" for value in nest.values) == 1


@pytest.mark.parametrize(
    "function",
    [
        lambda x: xp.exp(x - xp.max(x, axis=1, keepdims=True)) / xp.sum(xp.exp(x), axis=1, keepdims=True),
        lambda x: x / xp.sqrt(xp.sum(x * x, axis=1, keepdims=True)),
        lambda x: x - xp.mean(x, axis=1, keepdims=True),
    ],
)
def test_rows_follow_each_other(function):
    found = loops(function, X)
    assert found.chains == (Chain(0, len(found.nests), 1),)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x / xp.sum(x, axis=0),  # no axis leads
        lambda x: x - xp.max(x),  # every row needs all rows
        lambda x: x[1:] - xp.max(x, axis=1, keepdims=True)[:-1],  # a row needs another row's result
        lambda x: x - xp.max(x, axis=1, keepdims=True)[::-1],
    ],
)
def test_what_needs_other_rows_is_no_chain(function):
    assert not loops(function, X).chains


def test_few_or_long_rows_are_no_chain():
    assert not loops(lambda x: x - xp.max(x, axis=1, keepdims=True), np.ones((4, 100))).chains
    assert not loops(lambda x: x - xp.max(x, axis=1, keepdims=True), np.ones((64, 100_000))).chains


@pytest.mark.numba
def test_a_chain_changes_no_bit(monkeypatch):
    def softmax(x):
        e = xp.exp(x - xp.max(x, axis=1, keepdims=True))
        return e / xp.sum(e, axis=1, keepdims=True)

    x = np.random.default_rng(0).random((301, 1700))
    with xpa.backend("numba"):
        rows = xpa.kernel(softmax)(x)
        monkeypatch.setattr("xpaccel.loops.lower.find_chains", lambda *_: ())
        np.testing.assert_array_equal(xpa.kernel(softmax)(x), rows)
