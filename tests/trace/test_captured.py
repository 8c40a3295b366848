"""What a kernel reads from outside is compared at each call, so that no change is ignored."""

from __future__ import annotations

import types
from dataclasses import dataclass

import numpy as np
import pytest
from trace_law import holds, run, trace_call

from xpaccel.errors import TraceError

NUMBER = 2.0
SMALL = np.arange(3.0)
LARGE = np.arange(3000.0)
TABLE = {"a": 1.0, "rest": [1, 2, (3, 4)]}
PARAMS = types.SimpleNamespace(kappa=1.0, unused=2.0)
MODULE = types.ModuleType("constants_of_the_user")
MODULE.g = 9.81


@dataclass
class Model:
    scale: float = 2.0

    factor = 3.0

    @property
    def double(self):
        return self.scale * NUMBER

    def apply(self, u):
        return u * self.scale


MODEL = Model()


def helper(u):
    return u * PARAMS.kappa


def kernel(u, power=2):
    local = [NUMBER * x for x in TABLE["rest"][:2]]
    return helper(u) + MODULE.g * local[0] + MODEL.apply(u) + MODEL.double + MODEL.factor + SMALL.sum() + TABLE["a"]


def changes():
    this = globals()
    yield "a global", lambda v: this.update(NUMBER=v), 2.0, 3.0
    yield "its type", lambda v: this.update(NUMBER=v), 2.0, 2
    yield "its sign", lambda v: PARAMS.__setattr__("kappa", v), 1.0, -1.0
    yield "an array's content", lambda v: SMALL.__setitem__(0, v), 0.0, 1.0
    yield "a table", lambda v: TABLE.__setitem__("a", v), 1.0, 1.5
    yield "an inner list", lambda v: TABLE["rest"].__setitem__(0, v), 1, 5
    yield "a module", lambda v: setattr(MODULE, "g", v), 9.81, 1.62
    yield "an attribute", lambda v: setattr(MODEL, "scale", v), 2.0, 4.0
    yield "a class attribute", lambda v: setattr(Model, "factor", v), 3.0, 4.0
    yield "a function", lambda v: this.update(helper=v), helper, lambda u: u
    yield "a method", lambda v: setattr(Model, "apply", v), Model.apply, lambda self, u: u


@pytest.mark.parametrize(
    ("what", "change", "before", "after"), list(changes()), ids=lambda v: v if isinstance(v, str) else ""
)
def test_a_change_is_seen(what, change, before, after):
    captured = trace_call(kernel, np.ones(3)).captured
    assert captured.check()
    try:
        change(after)
        assert not captured.check(), what
    finally:
        change(before)
    assert captured.check()


def test_what_is_not_read_may_change():
    captured = trace_call(kernel, np.ones(3)).captured
    PARAMS.unused = 5.0
    assert captured.check()


def test_closures():
    value, rows = 2.0, np.zeros(3)

    def inner(u):
        return (lambda: u * value + rows)()

    captured = trace_call(inner, np.ones(3)).captured
    rows[0] = 1
    assert not captured.check()
    rows[0] = 0
    assert captured.check()
    value = 3.0
    assert not captured.check()


def test_a_large_array_is_an_input_by_reference():
    array = LARGE.copy()

    def by_reference(u):
        return u * array

    traced = holds(by_reference, lambda: [np.ones(3000)])
    assert traced.constants[0] is array
    array[0] = 99
    assert traced.captured.check()
    assert run(traced, np.ones(3000))[0] == 99
    array = array[::-1]
    assert not traced.captured.check()


def test_values_read_from_a_large_array_are_compared():
    array = LARGE.copy()

    def by_value(u):
        return u * float(array[1])

    def by_both(u):
        return u * array + array[1]

    for function in (by_value, by_both):
        captured = trace_call(function, np.ones(3000)).captured
        array[1] += 1
        assert not captured.check()


def test_containers_too_large_to_compare_are_refused():
    table = list(range(20_000))
    with pytest.raises(TraceError, match="list of 20000 items"):
        trace_call(lambda u: u * table[1], np.ones(3))
