"""Nested arguments and results: flattened and put together again."""

from __future__ import annotations

import pickle
from collections import OrderedDict, namedtuple
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from trace_law import holds

from xpaccel.trace.tree import flatten

Point = namedtuple("Point", "x y")


@dataclass
class State:
    depth: object
    flow: object = None
    name: str = "state"
    cells: object = field(init=False, default=0)

    def __post_init__(self):
        self.cells = np.shape(self.depth)


@dataclass(frozen=True, slots=True)
class Frozen:
    a: object


LEAVES = st.one_of(st.none(), st.integers(), st.text(max_size=3), st.booleans())
NESTED = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=3), inner, max_size=3),
        st.dictionaries(st.text(max_size=3), inner, max_size=3).map(OrderedDict),
        st.tuples(inner, inner).map(lambda pair: Point(*pair)),
        inner.map(Frozen),
    ),
    max_leaves=12,
)


@given(NESTED)
def test_round_trip(value):
    leaves, tree = flatten(value)
    again = tree.unflatten(leaves)
    assert again == value
    assert type(again) is type(value)
    assert tree.size == len(leaves)
    same = flatten(again)[1]
    assert same == tree
    assert hash(same) == hash(tree)
    assert pickle.loads(pickle.dumps(tree)) == tree


def test_other_nesting_is_another_tree():
    trees = [
        flatten(value)[1]
        for value in (1, (1,), [1], {"a": 1}, {"b": 1}, Point(1, 2), (1, 2), Frozen(1), OrderedDict(a=1))
    ]
    assert len(set(trees)) == len(trees)


def test_kernels_of_nested_arguments():
    def kernel(state, options):
        xp = state.depth.__array_namespace__()
        flow = {"x": state.flow.x + options["dt"], "y": [state.flow.y]}
        state.depth[...] = state.depth * 2
        return (
            Point(State(state.depth, flow), None),
            options["name"],
            xp.sum(state.depth),
            True,
            Frozen(options["dt"]),
        )

    def make():
        return [State(np.ones(3), Point(np.arange(3.0), np.zeros(2))), {"dt": 0.5, "name": "run"}]

    def unpacked(*args):
        point, name, total, flag, frozen = kernel(*args)
        state = point.x
        return [state.depth, state.flow, state.name, name, total, flag, frozen.a, point.y]

    traced = holds(unpacked, make)
    assert traced.graph.writes
