"""Sums without rounding: right to the last bit, whatever the order, the blocks, the ranks, the threads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import xpaccel as xpa
from xpaccel.backends.cpu import threads
from xpaccel.domain import exact
from xpaccel.domain.slices import ROW

FLOATS = {"float64": 64, "float32": 32}


def numbers(dtype: str, most: int = 40, **options: Any) -> st.SearchStrategy[np.ndarray]:
    width = FLOATS[dtype]
    return hnp.arrays(dtype, st.integers(0, most), elements=st.floats(width=width, allow_nan=False, **options))  # type: ignore[arg-type]


def overflow(dtype: str) -> Fraction:
    """Give the smallest number that rounds to infinity: half a unit over the largest number."""
    info = np.finfo(dtype)
    return Fraction(float(info.max)) + Fraction(2) ** (info.maxexp - info.nmant - 2)


def nearest(value: Fraction, dtype: str) -> Any:
    """Round as IEEE does: to the nearest, to even at a tie, to infinity from half a unit over the largest number."""
    kind = np.dtype(dtype).type
    largest = Fraction(float(np.finfo(dtype).max))
    if abs(value) >= overflow(dtype):
        return kind(math.inf if value > 0 else -math.inf)
    guess = kind(float(min(max(value, -largest), largest)))
    with np.errstate(over="ignore"):
        near = [kind(np.nextafter(guess, kind(-np.inf))), guess, kind(np.nextafter(guess, kind(np.inf)))]
    finite = [each for each in near if np.isfinite(each)]
    even = [int(each.view(f"u{each.itemsize}")) % 2 for each in finite]
    return min(zip(finite, even, strict=True), key=lambda pair: (abs(Fraction(float(pair[0])) - value), pair[1]))[0]


def fractions(array: np.ndarray) -> list[Fraction]:
    return [Fraction(float(each)) for each in array.ravel()]


def same(a: Any, b: Any) -> bool:
    """Whether two results are the same number of the same dtype; zeros are one number here."""
    return a.dtype == b.dtype and (a == b or bool(np.isnan(a) and np.isnan(b)))


@pytest.mark.parametrize("dtype", FLOATS)
@given(data=st.data())
def test_a_sum_is_the_exact_one_rounded_once(dtype: str, data: st.DataObject) -> None:
    array = data.draw(numbers(dtype, allow_infinity=False))
    state = exact.accumulate(array)
    assert same(exact.result(state), nearest(sum(fractions(array), Fraction(0)), dtype))
    if dtype == "float64":
        try:
            expected = math.fsum(array)
        except OverflowError:  # on the way
            return
        assert exact.result(state) == expected
    if array.size:
        assert same(exact.mean(state), nearest(sum(fractions(array), Fraction(0)) / array.size, dtype))


@pytest.mark.parametrize("dtype", FLOATS)
@given(data=st.data())
def test_a_sum_of_products_is_exact_too(dtype: str, data: st.DataObject) -> None:
    a = data.draw(numbers(dtype, allow_infinity=False))
    b = data.draw(
        hnp.arrays(dtype, a.shape, elements=st.floats(width=FLOATS[dtype], allow_nan=False, allow_infinity=False))
    )  # type: ignore[arg-type]
    total = sum((x * y for x, y in zip(fractions(a), fractions(b), strict=True)), Fraction(0))
    assert same(exact.result(exact.products(a, b)), nearest(total, dtype))
    square = sum((x * x for x in fractions(a)), Fraction(0))
    root = exact.norm(exact.squares(a))
    assert root.dtype == a.dtype
    assert np.isinf(root) == (square >= (overflow(dtype) ** 2))
    if np.isinf(root):
        return
    info = np.finfo(dtype)
    unit = Fraction(2) ** max(math.frexp(root)[1] - info.nmant - 1, info.minexp - info.nmant)
    assert max(Fraction(float(root)) - unit / 2, Fraction(0)) ** 2 <= square <= (Fraction(float(root)) + unit / 2) ** 2


def blocks(kind: str, size: int, dtype: str) -> np.ndarray:
    """Give numbers that take each way: three slices, more bits than these hold, huge, tiny, and mixtures by row."""
    draw = np.random.default_rng(hash_of(kind, size))
    plain = draw.normal(size=size)
    if kind == "wide":
        plain *= 10.0 ** draw.integers(-35, 35, size)
    elif kind == "wider" and dtype == "float64":
        plain *= 10.0 ** draw.integers(-300, 300, size)
    elif kind == "huge":
        plain *= 1e37 if dtype == "float32" else 1e307
    elif kind == "tiny":
        plain *= 1e-44 if dtype == "float32" else 1e-322
    elif kind == "cancelling":
        plain[size // 2 :] = -plain[: size - size // 2][::-1]
        plain[::97] += 1e-30
    return plain.astype(dtype)


def hash_of(kind: str, size: int) -> int:
    return sum(map(ord, kind)) * 10_007 + size


KINDS = ("plain", "wide", "wider", "huge", "tiny", "cancelling")
SIZES = (0, 1, 255, 257, ROW - 1, ROW, ROW + 1, 3 * ROW + 300, 20 * ROW + 5)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kind", KINDS)
def test_rows_and_rests(backend: str, kind: str, dtype: str) -> None:
    for size in SIZES:
        array, other = blocks(kind, size, dtype), blocks("plain", size, dtype)
        assert same(exact.result(exact.accumulate(array)), nearest(sum(fractions(array), Fraction(0)), dtype)), size
        total = sum((x * y for x, y in zip(fractions(array), fractions(other), strict=True)), Fraction(0))
        assert same(exact.result(exact.products(array, other)), nearest(total, dtype)), size


@pytest.mark.parametrize("kind", KINDS)
def test_order_blocks_and_threads_change_no_bit(kind: str) -> None:
    array = blocks(kind, 12 * ROW + 77, "float64")
    expected = exact.result(exact.accumulate(array)).tobytes()
    draw = np.random.default_rng(1)
    for _ in range(3):
        mixed = draw.permutation(array)
        assert exact.result(exact.accumulate(mixed)).tobytes() == expected
        cuts = np.sort(draw.integers(0, array.size, draw.integers(1, 9)))
        states = [exact.accumulate(part) for part in np.split(mixed, cuts)]
        assert exact.result(exact.merge(states)).tobytes() == expected
        wire = exact.State(np.sum([state.words for state in states], axis=0), array.dtype)  # as MPI.SUM adds them
        assert exact.result(wire).tobytes() == expected
        assert exact.mean(wire).tobytes() == exact.mean(exact.accumulate(array)).tobytes()


@pytest.mark.numba
def test_backends_and_threads_give_the_same_states() -> None:
    array = blocks("wide", 40 * ROW + 9, "float64")
    with xpa.backend("numpy"):
        eager = exact.products(array, array[::-1])
    with xpa.backend("numba"):
        for count in (1, 2, 3):
            threads.set_count(count)
            try:
                compiled = exact.products(array, array[::-1].copy())
                assert exact.result(compiled).tobytes() == exact.result(eager).tobytes()
                nothing = exact.merge([compiled, exact.products(-array, array[::-1])])  # not a bit is left
                assert exact.result(nothing) == 0
            finally:
                threads.set_count(None)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_any_strides(dtype: str) -> None:
    whole = blocks("plain", 60 * 70 * 9, "float64").reshape(60, 70, 9).astype(dtype)
    if np.dtype(dtype).kind == "c":
        whole += 1j * whole[::-1]
    for view in (whole[1:-1, 1:-1, 1:-1], whole.T, whole[::-2, 3:, ::3], whole[5], whole[:0], whole[3, 4, 5]):
        copied = exact.accumulate(view.copy())
        np.testing.assert_array_equal(exact.result(exact.accumulate(view)), exact.result(copied))
        np.testing.assert_array_equal(exact.mean(exact.accumulate(view)), exact.mean(copied))
        dot = exact.result(exact.products(view, view[::-1] if view.ndim else view))
        np.testing.assert_array_equal(
            dot, exact.result(exact.products(view.copy(), (view[::-1] if view.ndim else view).copy()))
        )


def test_complex_numbers_are_their_parts() -> None:
    a, b = (blocks(kind, 3000, "float64") + 1j * blocks(kind, 2999 + 1, "float64")[::-1] for kind in ("plain", "wide"))

    def real_sum(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
        return float(
            sum((x * y for one, two in pairs for x, y in zip(fractions(one), fractions(two), strict=True)), Fraction(0))
        )

    assert exact.result(exact.accumulate(a)) == complex(math.fsum(a.real), math.fsum(a.imag))
    expected = complex(real_sum([(a.real, b.real), (-a.imag, b.imag)]), real_sum([(a.real, b.imag), (a.imag, b.real)]))
    assert exact.result(exact.products(a, b)) == expected
    assert exact.norm(exact.squares(a)) == pytest.approx(np.linalg.norm(a), rel=1e-14)
    assert exact.norm(exact.squares(a)).dtype == np.float64
    assert exact.mean(exact.products(a, b)) == pytest.approx(expected / a.size, rel=1e-15)


INF, NAN = math.inf, math.nan


@pytest.mark.parametrize("size", [3, 5 * ROW + 300])
@pytest.mark.parametrize(
    ("specials", "expected"),
    [([INF], INF), ([-INF], -INF), ([INF, INF], INF), ([INF, -INF], NAN), ([NAN], NAN), ([NAN, INF], NAN)],
)
def test_what_is_not_finite_is_as_ieee_has_it(size: int, specials: list[float], expected: float) -> None:
    for dtype in FLOATS:
        array = np.ones(size, dtype)
        array[[size // 2, size - 1][: len(specials)]] = specials
        np.testing.assert_equal(exact.result(exact.accumulate(array)), np.dtype(dtype).type(expected))
        np.testing.assert_equal(
            exact.result(exact.products(array, np.ones_like(array))), np.dtype(dtype).type(expected)
        )
        assert math.isnan(exact.result(exact.products(array, np.zeros_like(array))))


def test_sums_overflow_at_the_end_only() -> None:
    for dtype, most in (("float64", 1.7976931348623157e308), ("float32", 3.4028234663852886e38)):
        largest = np.array([most] * 3, dtype)
        assert exact.result(exact.accumulate(largest)) == INF
        assert exact.result(exact.accumulate(-largest)) == -INF
        assert exact.result(exact.accumulate(np.array([most, most, -most], dtype))) == largest[0]
        assert exact.mean(exact.accumulate(largest)) == largest[0]
        assert exact.norm(exact.squares(largest[:1])) == largest[0]


def test_nothing_and_little() -> None:
    for dtype in ("float32", "float64", "complex64", "complex128"):
        empty = exact.accumulate(np.empty((0, 3), dtype))
        assert exact.result(empty) == 0
        assert exact.result(empty).dtype == dtype
        assert np.isnan(exact.mean(empty))
        assert exact.result(exact.accumulate(np.array(3, dtype))) == 3
    assert not np.signbit(exact.result(exact.accumulate(np.array([-0.0]))))


def test_what_is_refused() -> None:
    for wrong in (np.ones(3, int), np.ones(3, np.float16), np.ones(3, ">f8"), np.ones(3, bool)):
        with pytest.raises(TypeError, match=f"not of {wrong.dtype}"):
            exact.accumulate(wrong)
    with pytest.raises(ValueError, match="must be the same"):
        exact.products(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match="must be the same"):
        exact.products(np.ones(3), np.ones(3, np.float32))
    with pytest.raises(ValueError, match="one dtype"):
        exact.merge([])
    with pytest.raises(ValueError, match="one dtype"):
        exact.merge([exact.accumulate(np.ones(3)), exact.accumulate(np.ones(3, np.float32))])
