"""Guards: a program that says it fits a call gives NumPy's answer there, whatever it was made for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from laws import numbers_of, same

from xpaccel import xp
from xpaccel.backends.host import MEMORY
from xpaccel.compiled import leaf_of, symbols, unit_axes
from xpaccel.graph.affine import Affine, Guard, Guards, compile_guards
from xpaccel.loops.interpret import interpret
from xpaccel.loops.lower import lower
from xpaccel.trace.leaves import Value
from xpaccel.trace.trace import trace
from xpaccel.trace.tree import flatten


def ends(u, v):
    return u[:3] + v[-1:], u[-4:-1], v[::2]


def interior(u, v):
    out = xp.zeros_like(u)
    out[1:-1] = u[2:] - u[:-2]
    out[:2] += 1.0
    return out


def rolls(u, v):
    return xp.roll(u, 2) + xp.roll(u, -3), xp.roll(v, 7)


def pieces(u, v):
    whole = xp.concat([u, v, u[1:3]])
    return whole[::-1] * 2.0, whole[3:6], xp.sum(whole)


def broadcasts(u, v):
    return u[:, None] - v[None, :], xp.max(u[:, None] * v[None, :] + 1.0, axis=0, keepdims=True) if u.shape[
        0
    ] > 0 else u


def in_place(u, v):
    u[::2] *= 3.0
    u[1:] += u[:-1]
    u[: v.shape[0] - 2] = 7.0
    return u[::-1] + 0.0


def branches(u, v):
    if u.shape[0] > v.shape[0]:
        return u[: v.shape[0]] - v
    return u * float(v.shape[0] - u.shape[0])


def counts(u, v):
    return (
        xp.arange(u.shape[0]) + 1,
        xp.mean(v) if v.shape[0] else None,
        xp.linspace(0.0, 1.0, 5) * u.shape[0],
    )


FUNCTIONS = (ends, interior, rolls, pieces, broadcasts, in_place, branches, counts)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_a_program_that_fits_is_right(function):
    known = {}
    shapes = list(itertools.product(range(9), range(9)))
    np.random.default_rng(0).shuffle(shapes)
    traces = 0
    for n, m in shapes:
        u, v = np.arange(1.0, n + 1), np.arange(2.0, m + 2)
        want_args = (u.copy(), v.copy())
        with np.errstate(all="ignore"):
            try:
                want = flatten(function(*want_args))[0]
            except ValueError:
                continue
        leaves, tree = flatten(((u, v), {}))
        sizes = symbols((u, v))
        kind = (n == 1, m == 1)
        fitting = [(found, program) for fits, found, program in known.get(kind, []) if fits(sizes)]
        if fitting:
            found, program = fitting[0]
        else:
            traces += 1
            found = trace(function, [leaf_of(leaf, "argument", MEMORY) for leaf in leaves], tree.unflatten, "f")
            program = lower(found.graph, unit_axes((u, v)))
            fits = compile_guards(found.graph.guards.recorded)
            assert fits(sizes)
            known.setdefault(kind, []).append((fits, found, program))
        outputs = interpret(program, [u, v], numbers_of((u, v)), sizes)
        for leaf, value in zip(found.result, want, strict=True):
            if isinstance(leaf, Value):
                same(outputs[leaf.index], value, (1e-12, 1e-12))
        for got, value in zip((u, v), want_args, strict=True):
            same(got, value)
    assert traces < len(shapes)


def test_known_answers_are_not_recorded_again():
    n, m = Affine.symbol(0, 0), Affine.symbol(1, 0)
    guards = Guards({(0, 0): 10, (1, 0): 10})
    assert guards.at_least(n, 3)
    assert guards.at_least(n, 2)
    assert guards.at_least(n + 1, 0)
    assert not guards.less(n * 2, 6)
    assert guards.recorded == (Guard(n - 3, ">="),)
    assert guards.equal(n, m)
    assert guards.known_equal(n - 2, m - 2)
    assert guards.equal(n * 2, m * 2)
    assert len(guards.recorded) == 2
    assert not guards.equal(n, 7)
    assert not guards.equal(n, 7)
    assert len(guards.recorded) == 3


@pytest.mark.parametrize("n", range(6))
@pytest.mark.parametrize("m", range(6))
def test_compiled_guards_are_the_guards(n, m):
    symbols_ = {(0, 0): n, (1, 0): m}
    guards = Guards({(0, 0): 3, (1, 0): 4})
    a, b = Affine.symbol(0, 0), Affine.symbol(1, 0)
    guards.at_least(a + b, 5)
    guards.equal(a * 2, b + 2)
    guards.less(a, b)
    guards.equal(a, b)
    compiled = compile_guards(guards.recorded)
    assert compiled(symbols_) == all(guard.holds(symbols_) for guard in guards.recorded)
