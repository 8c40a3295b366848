"""What a compiled kernel must not get wrong without a word: memory that is shared or odd, types that are asked for."""

from __future__ import annotations

import dataclasses
import decimal
import enum
import functools
import itertools
import numbers
import random
import time

import numpy as np
import pytest
import targets
from numpy.lib.stride_tricks import as_strided

import xpaccel as xpa
from xpaccel import xp

pytestmark = pytest.mark.compiled

COUNTER = itertools.count()


@pytest.fixture(autouse=True)
def _target():
    with targets.active():
        yield


@pytest.mark.parametrize(
    "function",
    [
        lambda v, u: xp.concat([v, u]),
        lambda v, u: np.pad(u, 1, mode="edge"),
        lambda v, u: xp.tile(u, (3,)),
        lambda v, u: v + u,
        lambda v, u: u[::-1] * 2,
    ],
)
@pytest.mark.parametrize("one", [np.array(7.0)[None], np.arange(9.0)[3::8], np.arange(8.0)[::-8]])
def test_the_stride_of_a_single_element_does_not_matter(function, one):
    v = np.zeros(3)
    with xpa.backend("numpy"):
        wanted = function(v, one)
    np.testing.assert_array_equal(xpa.kernel(function)(v, one), wanted)


def test_views_of_one_array_are_known_by_their_strides():
    @xpa.kernel
    def shift(a, b):
        a += 1
        return b * 1

    for strip in (np.zeros(10)[::-1], np.zeros(20)[::-2], np.zeros(30)[::3]):
        wanted = strip.copy()
        want = shift.python(wanted[:-1], wanted[1:])
        np.testing.assert_array_equal(shift(strip[:-1], strip[1:]), want)
        np.testing.assert_array_equal(strip, wanted)
        assert np.count_nonzero(strip.base) == len(strip) - 1


@pytest.mark.host("CuPy has no structured arrays and no subclasses")
def test_arrays_from_outside_are_held_to_what_arguments_are():
    records = np.zeros(3, [("a", "f8"), ("b", "i4")])
    field, masked = records["a"], np.ma.masked_array([1.0, 2.0, 3.0], [True, False, False])
    for kernel in (xpa.kernel(lambda u: u + field), xpa.kernel(lambda u: u + masked)):
        with pytest.raises(xpa.TraceError, match="from outside"):
            kernel(np.zeros(3))


def test_an_array_from_outside_that_is_written_as_an_argument_is_refused():
    constant = targets.array(np.arange(3.0))

    @xpa.kernel
    def add(u):
        u += 10
        return constant * 1

    with pytest.raises(xpa.TraceError, match="shares memory"):
        add(constant)
    other = np.zeros(3)
    np.testing.assert_array_equal(add(other), np.arange(3.0))


@pytest.mark.parametrize("strides", [(8, 8), (0, 8), (8, 0)])
def test_writing_to_an_array_that_overlaps_itself_is_refused(strides):
    @xpa.kernel
    def add(a):
        a += 1

    with pytest.raises(xpa.TraceError, match="same memory"):
        add(as_strided(np.zeros(4), (3, 2), strides))
    apart = np.zeros((4, 6))
    add(apart[::2, ::-3])
    np.testing.assert_array_equal(np.nonzero(apart.ravel())[0], [2, 5, 14, 17])


def test_alignment_is_asked_for_at_every_call():
    double = xpa.kernel(lambda u: u * 2)
    double(np.zeros(5))
    crooked = np.frombuffer(bytearray(48), np.uint8)[4:44].view(np.float64)
    crooked = crooked if not crooked.flags.aligned else np.frombuffer(bytearray(48), np.uint8)[3:43].view(np.float64)
    with pytest.raises(xpa.TraceError, match="aligned"):
        double(crooked)


def test_a_dtype_is_a_result():
    assert xpa.kernel(lambda u: u.dtype)(np.zeros(2)) == np.float64


def test_an_error_that_the_kernel_catches_is_raised():
    @xpa.kernel
    def guess(u):
        try:
            positive = bool(xp.min(u) > 0)
        except Exception:
            positive = False
        return u * 2 if positive else u * 0

    with pytest.raises(xpa.TraceError):
        guess(np.ones(3))


@pytest.mark.parametrize("number", [2, 2.0, True, 2j])
def test_numbers_have_their_types(number):
    kinds = (int, float, complex, bool, numbers.Number, numbers.Real, numbers.Integral)
    kernel = xpa.kernel(lambda u, c: [isinstance(c, kind) for kind in kinds])
    assert kernel(np.ones(1), number) == [isinstance(number, kind) for kind in kinds]
    assert xpa.kernel(lambda u: isinstance(u.shape[0], int))(np.ones(3))


GENERATOR = np.random.default_rng(0)


@pytest.mark.parametrize(
    "function",
    [
        lambda u: u * random.random(),
        lambda u: u + time.perf_counter_ns(),
        lambda u: u + next(COUNTER),
        lambda u: (u, random.random()),
    ],
)
def test_what_differs_from_call_to_call_is_refused(function):
    with pytest.raises(xpa.TraceError, match="differs"):
        xpa.kernel(function)(np.ones(3))


@pytest.mark.host("NumPy's arrays do not meet CuPy's")
@pytest.mark.parametrize(
    "function",
    [
        lambda u: u + np.random.rand(3),  # noqa: NPY002 (it is what users write)
        lambda u: u + GENERATOR.random(3),
    ],
)
def test_random_arrays_are_refused(function):
    with pytest.raises(xpa.TraceError, match="differs"):
        xpa.kernel(function)(np.ones(3))


class Kind(enum.IntEnum):
    ONE = 1


class Name(enum.StrEnum):
    A = "a"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (True, Kind.ONE),
        ("a", Name.A),
        (frozenset({1, 2}), frozenset({1.0, 2.0})),
        (decimal.Decimal("1.0"), decimal.Decimal("1.00")),
        ((True, "x"), (Kind.ONE, "x")),
    ],
)
def test_equal_values_of_other_types_are_other_arguments(first, second):
    kernel = xpa.kernel(lambda u, s: (u, type(s).__name__, str(s), repr(s)))
    for value in (first, second, first):
        assert kernel(np.ones(1), value)[1:] == (type(value).__name__, str(value), repr(value))


def test_equal_keys_of_other_types_are_other_dicts():
    kernel = xpa.kernel(lambda d: d[1] * next(iter(d)))
    counts = np.arange(3)
    for key in (1, 1.0, True):
        wanted = counts * key
        assert kernel({key: counts}).dtype == wanted.dtype


@dataclasses.dataclass
class Scaled:
    a: np.ndarray
    factor = 1.0

    def __post_init__(self):
        self.factor = 5.0


def test_what_a_dataclass_holds_besides_its_fields():
    kernel = xpa.kernel(lambda d: d.a * d.factor)
    held = Scaled(np.ones(2))
    np.testing.assert_array_equal(kernel(held), [5.0, 5.0])
    held.factor = 7.0
    np.testing.assert_array_equal(kernel(held), [7.0, 7.0])


class Scale:
    shared = 2.0

    def __init__(self, k):
        self.k = k

    def __call__(self, u):
        return self.k * u * self.shared

    def __getitem__(self, item):
        return self.k

    def __float__(self):
        return self.k


class Narrower(Scale):
    pass


SCALE = Scale(2.0)
FACTOR = 3.0


def by_factor(u, more):
    return u * FACTOR * more


@pytest.mark.parametrize(
    "function",
    [
        lambda u: SCALE(u),
        lambda u: u * SCALE[0],
        lambda u: u * float(SCALE),
        lambda u: u * getattr(SCALE, "k"),  # noqa: B009 (it is what is tested)
        lambda u: u * vars(SCALE)["k"],
    ],
)
def test_changes_of_objects_from_outside_are_seen(function, monkeypatch):
    kernel = xpa.kernel(function)
    for k in (2.0, 5.0):
        monkeypatch.setattr(SCALE, "k", k)
        np.testing.assert_array_equal(kernel(np.ones(2)), function(np.ones(2)))


def test_changes_of_what_is_inherited_or_bound_are_seen(monkeypatch):
    kernels = [
        xpa.kernel(lambda u: u * Narrower.shared),
        xpa.kernel(Narrower(1.0)),
        xpa.kernel(functools.partial(by_factor, more=1.0)),
        xpa.kernel(lambda u: functools.partial(by_factor, more=1.0)(u)),
        xpa.kernel(lambda u: u * globals()["FACTOR"]),
    ]
    for shared, factor in ((2.0, 3.0), (7.0, 11.0)):
        monkeypatch.setattr(Scale, "shared", shared)
        monkeypatch.setitem(globals(), "FACTOR", factor)
        found = [float(xpa.asnumpy(kernel(np.ones(1)))[0]) for kernel in kernels]
        assert found == [shared, shared, factor, factor, factor]
