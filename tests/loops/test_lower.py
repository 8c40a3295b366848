"""What the lowering decides: counts of nests, temporaries and loads for kernels that people write."""

from __future__ import annotations

import numpy as np
import pytest

import xpaccel as xpa
from xpaccel import xp


def lowered(function, *args):
    """Return the loop program of a plain function."""
    return xpa.kernel(function).loops(*args)


def roles(program, role):
    return [array.name for array in program.arrays if array.role == role]


def loads(nest):
    return sum(value.op == "load" for value in nest.values)


@pytest.fixture
def u():
    return np.linspace(0.0, 1.0, 8 * 9).reshape(8, 9)


def test_elementwise_chain_is_one_nest(u):
    program = lowered(lambda a, b: xp.sqrt(a * a + b * b) / (a + b + 1.0), u, u.copy())
    (nest,) = program.nests
    assert loads(nest) == 2
    assert not roles(program, "temporary")


def test_stencil_of_stencil_is_one_nest(u):
    def biharmonic(a):
        lap = a[2:, 1:-1] + a[:-2, 1:-1] + a[1:-1, 2:] + a[1:-1, :-2] - 4 * a[1:-1, 1:-1]
        return lap[2:, 1:-1] + lap[:-2, 1:-1] + lap[1:-1, 2:] + lap[1:-1, :-2] - 4 * lap[1:-1, 1:-1]

    program = lowered(biharmonic, u)
    (nest,) = program.nests
    assert loads(nest) == 13
    assert not roles(program, "temporary")


def test_costly_value_read_at_several_places_is_stored_once(u):
    two = lowered(lambda a: (lambda e: e[1:] + e[:-1])(xp.exp(a)), u)
    assert not roles(two, "temporary")
    three = lowered(lambda a: (lambda e: e[2:] + e[1:-1] + e[:-2])(xp.exp(a)), u)
    assert roles(three, "temporary") == ["t0"]
    assert sum(value.op == "exp" for nest in three.nests for value in nest.values) == 1
    assert any("exp is kept in memory" in note for note in three.notes)


def test_several_outputs_of_one_shape_share_a_nest(u):
    program = lowered(lambda a, b: (a + b, a - b, (a + b) * 2), u, u.copy())
    (nest,) = program.nests
    assert len(nest.stores) == 3
    assert loads(nest) == 2


def test_in_place_stencil_into_another_array_stores_directly(u):
    def step(a, out):
        out[1:-1, 1:-1] = a[2:, 1:-1] + a[:-2, 1:-1]

    program = lowered(step, u, u.copy())
    assert len(program.nests) == 1
    assert not roles(program, "temporary")


def test_in_place_stencil_on_itself_is_computed_aside(u):
    def step(a):
        a[1:-1] = a[2:] + a[:-2]

    program = lowered(step, u)
    assert len(program.nests) == 2
    assert roles(program, "temporary") == ["t0"]
    assert any("aside" in note for note in program.notes)


def test_pointwise_in_place_update_needs_no_temporary(u):
    def step(a, b):
        a += 2.0 * b
        a[0] = a[1]

    program = lowered(step, u, u.copy())
    assert not roles(program, "temporary")
    assert len(program.nests) == 2


def test_value_computed_before_a_write_is_kept(u):
    def step(a, b):
        lap = a[2:] - a[:-2]
        a[1:-1] += lap
        b[1:-1] += lap

    program = lowered(step, u, u.copy())
    assert roles(program, "temporary") == ["t0"]
    assert len(program.nests) == 2  # lap and b, which uses it at once; then a
    assert [len(nest.stores) for nest in program.nests] == [2, 1]


def test_zeros_then_interior_writes_each_element_once(u):
    def step(a):
        out = xp.zeros_like(a)
        out[1:-1, 1:-1] = a[1:-1, 1:-1] * 2
        return out

    program = lowered(step, u)
    sizes = {(0, axis): size for axis, size in enumerate(u.shape)}
    points = 0
    for nest in program.nests:
        points += np.prod([high.value(sizes) - low.value(sizes) for low, high in nest.box])
    assert points == u.size


def test_roll_peels_edges_and_keeps_the_interior_free(u):
    program = lowered(lambda a: xp.roll(a, 1, axis=0) + xp.roll(a, -1, axis=0), u)
    assert len(program.nests) == 3
    assert all(op.op in ("load", "add") for nest in program.nests for op in nest.values)


def test_all_pairs_is_never_a_matrix_in_memory():
    x = np.linspace(0.0, 1.0, 50)
    program = lowered(lambda a: xp.sum(1.0 / (xp.abs(a[:, None] - a[None, :]) + 0.1), axis=1), x)
    assert all(len(array.shape) == 1 for array in program.arrays)
    assert len(program.nests) == 1


def test_swap_through_copies():
    def swap(a, b):
        a[...], b[...] = b.copy(), a.copy()

    program = lowered(swap, np.ones(4), np.zeros(4))
    assert len(roles(program, "temporary")) <= 1


def test_long_chains_are_lowered_in_linear_depth(u):
    def chain(a):
        for k in range(5000):
            a = a * 1.0001 + float(k)
        return a

    program = lowered(chain, u)
    assert all(len(nest.values) < 1000 for nest in program.nests)


@pytest.mark.parametrize("make", [np.ascontiguousarray, np.asfortranarray], ids=["C", "F"])
def test_the_innermost_loop_walks_along_memory(u, make):
    def step(a, out):
        out[1:-1] = a[2:] - a[:-2]

    (nest,) = lowered(step, make(u), make(u + 1)).nests
    axis = 1 if make is np.ascontiguousarray else 0
    (store,) = nest.stores
    assert store.index[axis].axis == 1  # the inner one of two loops


def test_components_of_vectors_are_summed_in_registers():
    r = np.random.default_rng(0).random((100, 3))
    m = np.ones(100)

    def attract(r, m):
        d = r[None] - r[:, None]
        r2 = xp.sum(d * d, axis=-1) + 1e-3
        return xp.sum((m / (r2 * xp.sqrt(r2)))[..., None] * d, axis=1)

    program = lowered(attract, r, m)
    assert len(program.nests) == 1
    assert all(len(array.shape) <= 2 for array in program.arrays)
    assert not roles(program, "temporary")
