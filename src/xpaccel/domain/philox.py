"""Random numbers that belong to a cell: plain functions of the global index, the same on any number of ranks.

The generator is Philox4x32-10, a cipher that turns a counter into four words of 32 bits (Salmon, Moraes, Dror and Shaw,
"Parallel random numbers: as easy as 1, 2, 3", SC11, 2011). It has no state: a cell's number follows from the seed, the
cell's global index and the stream, and nothing else. Everything is integer arithmetic on uint64 and then + - * / and
sqrt of float64, which all targets round alike, so NumPy, Numba and CUDA C++ give the same bits (a target that
contracts a product and a sum, as Numba's CUDA compiler does, does so for `normal` only).

The functions take arrays of NumPy or of another namespace, and what a kernel is traced with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from array_api_compat import array_namespace

from xpaccel.domain.quantile import quantile

_MULTIPLY = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_WORD = 0xFFFFFFFF


def uniform(seed: Any, *index: Any, stream: Any = 0, dtype: str = "float64") -> Any:
    """Return numbers from 0 up to 1, which is left out, all multiples of 2**-53 (float32: 2**-24) equally likely.

    Parameters
    ----------
    seed
        From 0 to 2**64 - 1.
    *index
        The global index of each cell along one, two or three axes: arrays of integers that broadcast, or integers.
        At least one is an array. A single index has 64 bits, of several each has 32.
    stream
        From 0 to 2**32 - 1: another value is another, independent field of numbers. A time step, for example.
    dtype
        ``"float64"`` or ``"float32"``.

    Returns
    -------
    array
        Of the shape that the indices broadcast to.

    Examples
    --------
    >>> import numpy as np
    >>> i, j = np.ogrid[100:102, 0:3]  # this rank's cells of a grid
    >>> uniform(7, i, j).shape
    (2, 3)
    """
    xp, words = _words(seed, index, stream)
    _check_dtype(dtype)
    if dtype == "float32":
        return xp.astype(words[0] >> 8, xp.float32) * 2.0**-24
    return xp.astype(_long(words), xp.float64) * 2.0**-53


def normal(seed: Any, *index: Any, stream: Any = 0, dtype: str = "float64") -> Any:
    """Return numbers of mean 0 and variance 1, normally distributed, up to 8.2 in size. See `uniform`.

    They are computed in float64; float32 is rounded from that.
    """
    xp, words = _words(seed, index, stream)
    _check_dtype(dtype)
    # 52 bits and a half: never 0 or 1, and as likely below the middle as above.
    half = xp.astype(_long(words) >> 1, xp.float64) + (0.5 - 2.0**51)
    return xp.astype(quantile(half * 2.0**-52, xp), getattr(xp, dtype))


def _long(words: Any) -> Any:
    """Return 53 of the bits of two words."""
    return ((words[0] >> 5) << 26) | (words[1] >> 6)


def _words(seed: Any, index: Sequence[Any], stream: Any) -> tuple[Any, Any]:
    """Return the indices' namespace, and four words for each cell."""
    if not 1 <= len(index) <= 3:
        raise ValueError(f"random numbers have 1 to 3 indices, not {len(index)}")
    for name, value, most in (("seed", seed, 2**64), ("stream", stream, 2**32)):
        if isinstance(value, int) and not 0 <= value < most:
            raise ValueError(f"{name} {value}: it must be from 0 to {most - 1}")
    arrays = [each for each in index if hasattr(each, "dtype")]
    xp = array_namespace(*arrays)
    for each in arrays:
        if not xp.isdtype(each.dtype, "integral"):
            raise TypeError(f"indices of cells are integers, not {each.dtype}")
    places = [xp.astype(each, xp.uint64) if hasattr(each, "dtype") else each for each in index]
    if len(places) == 1:
        places = [places[0] & _WORD, places[0] >> 32]
    counter = [*places, 0, 0][:3]
    return xp, encrypt((*counter, stream), (seed & _WORD, seed >> 32))


def _check_dtype(dtype: str) -> None:
    if dtype not in ("float64", "float32"):
        raise TypeError(f"random numbers are float64 or float32, not {dtype}")


def encrypt(counter: Sequence[Any], key: Sequence[Any]) -> tuple[Any, Any, Any, Any]:
    """Encrypt a counter with Philox4x32-10.

    Parameters
    ----------
    counter
        Four arrays of uint64 (one of them, at least) or integers, each from 0 to 2**32 - 1.
    key
        Two of the same.

    Returns
    -------
    tuple of arrays
        Four of uint64, from 0 to 2**32 - 1.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        high = c0 * _MULTIPLY[0]
        low = c2 * _MULTIPLY[1]
        c0, c1, c2, c3 = (low >> 32) ^ c1 ^ k0, low & _WORD, (high >> 32) ^ c3 ^ k1, high & _WORD
        k0, k1 = (k0 + _WEYL[0]) & _WORD, (k1 + _WEYL[1]) & _WORD
    return c0, c1, c2, c3
