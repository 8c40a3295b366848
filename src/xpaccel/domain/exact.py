"""Sums without rounding: the same bits for any order, blocking, number of ranks and number of threads.

A sum is kept as an integer, wide enough for any number of float64 and of products of two of them, in limbs of 32
bits (Kulisch's accumulator; Neal, "Fast exact summation using small and large superaccumulators", arXiv:1505.05571).
It is rounded once, at the end, so results are not only reproducible but as near as a float can be. Rows of numbers
become few sums without error before they meet the integer (`xpaccel.domain.slices`).

A state's `words` are added: across ranks, ``comm.Allreduce(MPI.IN_PLACE, state.words, MPI.SUM)`` and `State` of what
comes back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpaccel.active import asnumpy, get_backend, xp
from xpaccel.domain import slices
from xpaccel.domain.slices import ROW

AnyArray = NDArray[Any]
Words = NDArray[np.int64]

LIMBS = 138
"""Limbs of 32 bits: from 2**-2272, below the last bit of the smallest product, to 2**2144, over any sum."""

LOWEST = -2272
_NAN, _PLUS, _MINUS, _COUNT = range(LIMBS, LIMBS + 4)

WORDS = LIMBS + 4
"""The limbs, and how many nan, inf and -inf there were, and how many numbers in all."""

_FEW = 256  # so many numbers are added one by one
_BATCH = 2**20  # numbers that are added to limbs before these are carried: 2**20 * 2**33 is far from 2**63
# Numbers at a time where each operation makes an array: they stay in cache, and below 128 KiB, from where on the C
# library takes new memory from the system each time (measured: 6 against 19 ns a number).
_CHUNK = 6 * ROW
_FORMATS = {"f": (24, -149), "d": (53, -1074)}  # digits, and the exponent of the last bit there is


@dataclass(frozen=True, eq=False)
class State:
    """A sum, not rounded.

    Attributes
    ----------
    words
        Int64, shape (1, WORDS), of complex numbers (2, WORDS). The words of up to 2**30 states may be added.
    dtype
        That of the result: float32, float64, complex64 or complex128.
    """

    words: Words
    dtype: np.dtype[Any]


def accumulate(array: Any) -> State:
    """Add up an array.

    Parameters
    ----------
    array
        Float32, float64, complex64 or complex128, of any shape and strides, in the memory of the active backend.

    Raises
    ------
    TypeError
        For another dtype.
    """
    dtype = _checked(array)
    parts = (array.real, array.imag) if dtype.kind == "c" else (array,)
    return State(np.stack([_sum(part) for part in parts]), dtype)


def products(a: Any, b: Any) -> State:
    """Add up the products of the elements of two arrays, none of which is rounded; complex ones are not conjugated.

    Parameters
    ----------
    a, b
        As for `accumulate`, of one shape and dtype.

    Raises
    ------
    TypeError, ValueError
        For another dtype; for arrays of two dtypes or shapes.
    """
    dtype = _checked(a)
    if a.dtype != b.dtype or a.shape != b.shape:
        raise ValueError(f"products of {a.dtype} {a.shape} and {b.dtype} {b.shape}: dtype and shape must be the same")
    if dtype.kind != "c":
        return State(_products(a, b)[None], dtype)
    real = _products(a.real, b.real) + _products(-a.imag, b.imag)
    imag = _products(a.real, b.imag) + _products(a.imag, b.real)
    words = np.stack([real, imag])
    words[:, _COUNT] //= 2
    _carry(words)
    return State(words, dtype)


def squares(a: Any) -> State:
    """Add up the squares of the absolute values of an array's elements; `norm` gives the root. See `accumulate`."""
    dtype = _checked(a)
    if dtype.kind != "c":
        return State(_products(a, a)[None], dtype)
    words = _products(a.real, a.real) + _products(a.imag, a.imag)
    words[_COUNT] //= 2
    _carry(words)
    return State(words[None], np.empty(0, dtype).real.dtype)


def merge(states: Iterable[State]) -> State:
    """Add states of one dtype.

    Raises
    ------
    ValueError
        If there is none, or they are of several dtypes.
    """
    states = list(states)
    if len({state.dtype for state in states}) != 1:
        raise ValueError(f"merge takes states of one dtype, not {[str(state.dtype) for state in states]}")
    words = np.sum([state.words for state in states], axis=0)
    _carry(words)
    return State(words, states[0].dtype)


def result(state: State) -> Any:
    """Return the sum, rounded to the nearest number of its dtype (even at a tie). The sum of nothing is 0."""
    return _value(state, lambda total, digits, lowest: _rounded(total, 1, digits, lowest))


def mean(state: State) -> Any:
    """Return the sum divided by how many numbers were added, rounded once. The mean of nothing is nan."""
    count = int(state.words[0, _COUNT])
    if count == 0:
        return state.dtype.type(math.nan)
    return _value(state, lambda total, digits, lowest: _rounded(total, count, digits, lowest))


def norm(state: State) -> Any:
    """Return the square root of a sum that is not negative (`squares`), rounded once; no square overflows."""
    return _value(state, _root)


# -- from arrays to limbs -------------------------------------------------------------------------------------


def _checked(array: Any) -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.dtype(array.dtype)
    if dtype.char not in "fdFD" or not dtype.isnative:
        raise TypeError(f"exact sums are of float32, float64, complex64 or complex128, not of {dtype}")
    return dtype


def _sum(array: Any) -> Words:
    words = np.zeros(WORDS, np.int64)
    words[_COUNT] = array.size
    exact = [np.empty(0)]  # sums of slices
    for (rows,) in _rows(array):
        if rows.ndim == 1:
            _add_numbers(words, rows)
            continue
        with np.errstate(all="ignore"):  # rows for which it shows are added in another way
            top, *sums, left = map(asnumpy, slices.slices(rows))
        done = (top < slices.LARGEST) & (left == 0)
        exact += [column[done] for column in sums]
        if not done.all():
            _add_numbers(words, _picked(rows, ~done))
    _add_numbers(words, np.concatenate(exact))
    return words


def _products(a: Any, b: Any) -> Words:
    words = np.zeros(WORDS, np.int64)
    words[_COUNT] = a.size
    exact = [np.empty(0)]
    short = a.dtype == np.float32
    for one, other in _rows(a, b):
        if one.ndim == 1:
            _add_products(words, one, other)
            continue
        with np.errstate(all="ignore"):
            kernel = slices.slices_of_short_products if short else slices.slices_of_products
            cut = list(map(asnumpy, kernel(one, other)))
        done = np.ones(len(one), bool) if short else cut.pop() >= slices.SMALLEST
        for top, left in zip(cut[::5], cut[4::5], strict=True):
            done &= (top < slices.LARGEST) & (left == 0)
        exact += [column[done] for at, column in enumerate(cut) if at % 5 not in (0, 4)]
        if not done.all():
            _add_products(words, _picked(one, ~done), _picked(other, ~done))
    _add_numbers(words, np.concatenate(exact))
    return words


def _picked(rows: Any, which: NDArray[np.bool_]) -> AnyArray:
    if isinstance(rows, np.ndarray):
        return rows[which]
    return np.asarray(asnumpy(rows[xp.asarray(np.flatnonzero(which))]))


def _rows(*arrays: Any) -> Iterator[tuple[Any, ...]]:
    """Cut arrays alike into rows, shape (some, ROW), and what is left of them, shape (few,), on the host."""
    eager = get_backend() == "numpy"
    for flat in _flat(arrays, _CHUNK if eager else 8 * _CHUNK):
        size = len(flat[0])
        body = size - size % ROW
        step = _CHUNK if eager else max(body, 1)
        for start in range(0, body, step):
            yield tuple(each[start : min(start + step, body)].reshape(-1, ROW) for each in flat)
        rest = [asnumpy(each[body:]) for each in flat]
        if 0 < size - body <= _FEW:
            yield tuple(rest)
        elif size > body:
            # A second row, of zeros: sizes of 1 are compiled for themselves.
            padded = [np.zeros((2, ROW), each.dtype) for each in rest]
            for each, whole in zip(rest, padded, strict=True):
                whole[0, : len(each)] = each
            yield tuple(xp.asarray(whole) for whole in padded)


def _flat(arrays: Sequence[Any], most: int) -> Iterator[tuple[Any, ...]]:
    """Give arrays with one axis: views where memory allows it, else pieces that are copied while they are in cache."""
    if all(each.flags.c_contiguous for each in arrays) or not isinstance(arrays[0], np.ndarray):
        yield tuple(each.reshape(-1) for each in arrays)
    elif arrays[0].size:
        flags = ["external_loop", "buffered"]
        pieces = np.nditer(arrays, flags, [["readonly"]] * len(arrays), order="K", buffersize=most)  # type: ignore[call-overload]
        for piece in pieces:
            yield tuple(piece) if len(arrays) > 1 else (piece,)


def _add_numbers(words: Words, numbers: AnyArray) -> None:
    """Add numbers one by one."""
    flat = numbers.reshape(-1).astype(np.float64)
    for start in range(0, flat.size, _BATCH):
        some = flat[start : start + _BATCH]
        finite = np.isfinite(some)
        if not finite.all():
            _count(words, some[~finite])
            some = some[finite]
        mantissa, exponent = np.frexp(some)
        _add(words, mantissa, exponent)


def _add_products(words: Words, a: AnyArray, b: AnyArray) -> None:
    """Add products one by one: of mantissas, whose products and errors are numbers whatever the exponents are."""
    a, b = a.reshape(-1).astype(np.float64), b.reshape(-1).astype(np.float64)
    for start in range(0, a.size, _BATCH):
        one, other = a[start : start + _BATCH], b[start : start + _BATCH]
        finite = np.isfinite(one) & np.isfinite(other)
        if not finite.all():
            with np.errstate(invalid="ignore"):
                _count(words, one[~finite] * other[~finite])
            one, other = one[finite], other[finite]
        (m1, e1), (m2, e2) = np.frexp(one), np.frexp(other)
        for part in slices.exact_product(m1, m2):
            mantissa, exponent = np.frexp(part)
            _add(words, mantissa, exponent + e1 + e2)


def _count(words: Words, specials: AnyArray) -> None:
    words[_NAN] += np.count_nonzero(np.isnan(specials))
    words[_PLUS] += np.count_nonzero(specials == math.inf)
    words[_MINUS] += np.count_nonzero(specials == -math.inf)


def _add(words: Words, mantissa: AnyArray, exponent: AnyArray) -> None:
    """Add at most `_BATCH` numbers ``mantissa * 2**exponent`` to the limbs, and carry."""
    whole = (mantissa * 2.0**53).astype(np.int64)
    place = exponent.astype(np.int64) - 53 - LOWEST
    limb, shift = place >> 5, place & 31
    sign, size = np.sign(whole), np.abs(whole)
    low, high = (size & 0xFFFFFFFF) << shift, (size >> 32) << shift
    for offset, digits in enumerate((low & 0xFFFFFFFF, (low >> 32) + (high & 0xFFFFFFFF), high >> 32)):
        np.add.at(words, limb + offset, sign * digits)
    _carry(words)


def _carry(words: Words) -> None:
    """Bring limbs below 2**33, whose sums of a billion stay in int64; the last keeps the sign. The sum is the same."""
    limbs = words[..., :LIMBS]
    carried = limbs[..., :-1] >> 32
    limbs[..., :-1] &= 0xFFFFFFFF
    limbs[..., 1:] += carried


# -- from limbs to numbers ------------------------------------------------------------------------------------


def _total(part: Words) -> int:
    """Return the integer that the limbs are."""
    used = np.flatnonzero(part[:LIMBS])
    if not used.size:
        return 0
    total = 0
    for limb in reversed(part[used[0] : used[-1] + 1].tolist()):
        total = (total << 32) + limb
    return total << 32 * int(used[0])


def _value(state: State, rounded: Callable[[int, int, int], float]) -> Any:
    real = np.empty(0, state.dtype).real.dtype
    values = [_special(part) for part in state.words]
    for at, part in enumerate(state.words):
        if values[at] == 0:
            value = rounded(_total(part), *_FORMATS[real.char])
            values[at] = value if abs(value) <= float(np.finfo(real).max) else math.copysign(math.inf, value)
    return state.dtype.type(complex(*values) if len(values) == 2 else values[0])


def _special(part: Words) -> float:
    """Return what the sum is if numbers that are not finite decide, as IEEE arithmetic has it; else 0."""
    nan, plus, minus = (bool(part[at]) for at in (_NAN, _PLUS, _MINUS))
    if nan or (plus and minus):
        return math.nan
    return math.inf if plus else -math.inf if minus else 0.0


def _rounded(total: int, divisor: int, digits: int, lowest: int) -> float:
    """Return ``total * 2**LOWEST / divisor``, rounded to `digits` bits of which none is below ``2**lowest``."""
    size = abs(total)
    unit = max(size.bit_length() - divisor.bit_length() + LOWEST - digits, lowest)  # or one more
    while True:
        shift = LOWEST - unit
        scaled = divisor << max(-shift, 0)
        quotient, rest = divmod(size << max(shift, 0), scaled)
        if quotient < 1 << digits:
            break
        unit += 1
    quotient += 2 * rest > scaled or (2 * rest == scaled and quotient & 1)
    try:
        value = math.ldexp(quotient, unit)
    except OverflowError:
        value = math.inf
    return -value if total < 0 else value


def _root(total: int, digits: int, lowest: int) -> float:
    """Return the square root of ``total * 2**LOWEST``, rounded."""
    if total < 0:
        return math.nan
    more = max(0, 2 * (digits + 2) - total.bit_length())
    more += more % 2
    root = math.isqrt(total << more)
    root = 2 * root + (root * root != total << more)  # a last bit that says whether something is left
    power = (LOWEST - more) // 2 - 1 - LOWEST
    return _rounded(root << max(power, 0), 1 << max(-power, 0), digits, lowest)
