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
from xpaccel.domain import limbs, slices
from xpaccel.domain.slices import ROW

AnyArray = NDArray[Any]

_FEW = 256  # so many numbers are added one by one
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

    words: limbs.Words
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
    words[:, limbs.COUNT] //= 2
    limbs.carry(words)
    return State(words, dtype)


def squares(a: Any) -> State:
    """Add up the squares of the absolute values of an array's elements; `norm` gives the root. See `accumulate`."""
    dtype = _checked(a)
    if dtype.kind != "c":
        return State(_products(a, a)[None], dtype)
    words = _products(a.real, a.real) + _products(a.imag, a.imag)
    words[limbs.COUNT] //= 2
    limbs.carry(words)
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
    limbs.carry(words)
    return State(words, states[0].dtype)


def result(state: State) -> Any:
    """Return the sum, rounded to the nearest number of its dtype (even at a tie). The sum of nothing is 0."""
    return _value(state, lambda total, digits, lowest: limbs.rounded_to(total, 1, digits, lowest))


def mean(state: State) -> Any:
    """Return the sum divided by how many numbers were added, rounded once. The mean of nothing is nan."""
    count = int(state.words[0, limbs.COUNT])
    if count == 0:
        return state.dtype.type(math.nan)
    return _value(state, lambda total, digits, lowest: limbs.rounded_to(total, count, digits, lowest))


def norm(state: State) -> Any:
    """Return the square root of a sum that is not negative (`squares`), rounded once; no square overflows."""
    return _value(state, limbs.root_of)


# -- from arrays to limbs -------------------------------------------------------------------------------------


def _checked(array: Any) -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.dtype(array.dtype)
    if dtype.char not in "fdFD" or not dtype.isnative:
        raise TypeError(f"exact sums are of float32, float64, complex64 or complex128, not of {dtype}")
    return dtype


def _sum(array: Any) -> limbs.Words:
    words = np.zeros(limbs.WORDS, np.int64)
    words[limbs.COUNT] = array.size
    exact = [np.empty(0)]  # sums of slices
    for (rows,) in _rows(array):
        if rows.ndim == 1:
            limbs.add_numbers(words, rows)
            continue
        with np.errstate(all="ignore"):  # rows for which it shows are added in another way
            top, *sums, left = map(asnumpy, slices.slices(rows))
        done = (top < slices.LARGEST) & (left == 0)
        exact += [column[done] for column in sums]
        if not done.all():
            limbs.add_numbers(words, _picked(rows, ~done))
    limbs.add_numbers(words, np.concatenate(exact))
    return words


def _products(a: Any, b: Any) -> limbs.Words:
    words = np.zeros(limbs.WORDS, np.int64)
    words[limbs.COUNT] = a.size
    exact = [np.empty(0)]
    short = a.dtype == np.float32
    for one, other in _rows(a, b):
        if one.ndim == 1:
            limbs.add_products(words, one, other)
            continue
        with np.errstate(all="ignore"):
            kernel = slices.slices_of_short_products if short else slices.slices_of_products
            cut = list(map(asnumpy, kernel(one, other)))
        done = np.ones(len(one), bool) if short else cut.pop() >= slices.SMALLEST
        for top, left in zip(cut[::5], cut[4::5], strict=True):
            done &= (top < slices.LARGEST) & (left == 0)
        exact += [column[done] for at, column in enumerate(cut) if at % 5 not in (0, 4)]
        if not done.all():
            limbs.add_products(words, _picked(one, ~done), _picked(other, ~done))
    limbs.add_numbers(words, np.concatenate(exact))
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


def _value(state: State, rounded: Callable[[int, int, int], float]) -> Any:
    real = np.empty(0, state.dtype).real.dtype
    values = [limbs.special(part) for part in state.words]
    for at, part in enumerate(state.words):
        if values[at] == 0:
            value = rounded(limbs.total_of(part), *_FORMATS[real.char])
            values[at] = value if abs(value) <= float(np.finfo(real).max) else math.copysign(math.inf, value)
    return state.dtype.type(complex(*values) if len(values) == 2 else values[0])
