"""Reductions and random numbers of fields: correct, and the same bits for any number of ranks."""

from __future__ import annotations

import math
from fractions import Fraction

import hypothesis
import numpy as np
import pytest
from domain.team import Team
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import xpaccel as xpa
from xpaccel.domain.random import philox

NUMBERS = st.floats(width=64, allow_subnormal=True)
FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)


def on_ranks(ranks, whole, work, **options):
    """Run ``work(field)`` on some ranks; return what each gives."""

    def rank(comm):
        grid = xpa.Grid(whole.shape, comm=comm)
        return work(grid.field(whole.dtype, init=whole, **options))

    return Team(ranks).run(rank)


@hypothesis.given(arrays.arrays(np.float64, st.integers(6, 40), elements=FINITE), st.sampled_from([1, 2, 3, 4, 6]))
def test_a_sum_is_the_exact_one_but_for_what_is_far_below_the_largest(whole, ranks):
    found = on_ranks(ranks, whole, lambda field: field.sum())
    assert len({number.tobytes() for number in found}) == 1
    exact = sum(map(Fraction, whole.tolist()), Fraction(0))
    slack = Fraction(2) ** -78 * Fraction(np.abs(whole).max()) * len(whole) + Fraction(2) ** -1074
    low, high = (_rounded(exact - slack), _rounded(exact + slack))
    assert low <= found[0] <= high


def _rounded(number):
    try:
        return number.numerator / number.denominator
    except OverflowError:
        return math.inf if number > 0 else -math.inf


@hypothesis.given(
    arrays.arrays(st.sampled_from([np.float64, np.float32, np.complex64, np.int32, np.bool_]), (7, 6)), st.data()
)
def test_any_number_of_ranks_gives_the_bits_of_one(whole, data):
    ranks = data.draw(st.sampled_from([2, 3, 4, 6]))
    works = [lambda f: f.sum(), lambda f: f.mean(), lambda f: f.any(), lambda f: f.all()]
    if whole.dtype.kind != "c":
        works += [lambda f: f.max(), lambda f: f.min()]
    if whole.dtype.kind != "b":
        works += [lambda f: f.dot(f), lambda f: f.norm()]
    with np.errstate(all="ignore"):
        for work in works:
            (one,) = on_ranks(1, whole, work)
            for other in on_ranks(ranks, whole, work):
                assert type(one) is type(other)
                np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([1.0, math.inf, 2.0], math.inf),
        ([-math.inf, 1.0, 2.0], -math.inf),
        ([math.inf, 1.0, -math.inf], math.nan),
        ([math.nan, 1.0, math.inf], math.nan),
        ([1e308, 1e308, 1e308], math.inf),
        ([1e308, 1e308, -1e308], 1e308),
        ([1e16, 1.0, -1e16], 1.0),
        ([5e-324, 5e-324, 5e-324], 1.5e-323),
    ],
)
def test_what_is_special(values, wanted):
    for ranks in (1, 3):
        np.testing.assert_array_equal(on_ranks(ranks, np.array(values), lambda f: f.sum())[0], wanted)


def test_what_is_faster_agrees():
    whole = np.random.default_rng(0).random(10_000)
    (fast,) = on_ranks(1, whole, lambda f: f.sum(reproducible=False))
    np.testing.assert_allclose(fast, math.fsum(whole), rtol=1e-14)


@pytest.mark.parametrize(
    ("counter", "key", "wanted"),
    [
        ((0,) * 4, (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_its_authors_numbers(counter, key, wanted):
    """The known answers of Random123, the authors' own library."""
    assert tuple(int(word) for word in philox(counter, key)) == wanted


@pytest.mark.parametrize("at", ["cell", "face x", "node"])
def test_random_fields_are_the_same_on_any_number_of_ranks(at):
    def work(field):
        draw = field.grid.random(7)
        return [draw.uniform(-1, 1, at=at).gather(), draw.normal(at=at).gather(), draw.uniform(at=at).gather()]

    one = on_ranks(1, np.zeros((40, 30)), work)[0]
    for ranks in (2, 4, 6):
        for other in on_ranks(ranks, np.zeros((40, 30)), work)[-1:]:
            np.testing.assert_array_equal(one, other)
    even, normal, again = one
    assert even.min() >= -1
    assert even.max() < 1
    assert abs(even.mean()) < 4 * math.sqrt(1 / 3 / even.size)
    assert abs(normal.mean()) < 4 / math.sqrt(normal.size)
    assert abs(normal.std() - 1) < 4 / math.sqrt(2 * normal.size)
    assert not np.array_equal(even, again)
    assert len(np.unique(again)) == again.size


def test_a_seed_must_be_one():
    with pytest.raises(xpa.DomainError, match="whole number"):
        xpa.Grid(4).random(-1)
