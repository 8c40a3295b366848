"""Reductions over a field: the same bits for any number of ranks and threads, any decomposition, any target.

Sums of floating-point numbers are reproducible because nothing is rounded until the end (`xpaccel.domain.exact`): each
rank's sum is an integer, and so is what all of them add up to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from xpaccel.active import asnumpy, xp
from xpaccel.domain import exact
from xpaccel.kernel import kernel

if TYPE_CHECKING:
    from xpaccel.domain.communicator import Communicator
    from xpaccel.domain.field import Field


@kernel
def _products(x: Any, y: Any) -> Any:
    return x * y


@kernel
def _plain_sum(x: Any) -> Any:
    return xp.sum(x)


def total(comm: Communicator, values: Any, *, reproducible: bool = True) -> Any:
    """Return the sum over all ranks of all values. Collective.

    Parameters
    ----------
    comm
        The ranks.
    values
        An array of this rank's. Sums of integers wrap as NumPy's do.
    reproducible
        Whether the bits must not depend on how values are spread over ranks.

    Returns
    -------
    scalar
        Of the dtype that `numpy.sum` gives.
    """
    dtype = np.sum(np.zeros(0, values.dtype)).dtype
    if dtype.kind in "iu" or not reproducible:
        return np.sum(comm.gather(asnumpy(_plain_sum(values))[()]), dtype=dtype)
    return dtype.type(exact.result(_merged(comm, exact.accumulate(_supported(values)))))


def mean(comm: Communicator, values: Any, size: int, *, reproducible: bool = True) -> Any:
    """Return the mean of all values of all ranks, `size` in number. Collective; see `total`."""
    if not reproducible or values.dtype.kind not in "fc":
        return total(comm, values, reproducible=reproducible) / size
    return values.dtype.type(exact.mean(_merged(comm, exact.accumulate(_supported(values)))))


def dot(one: Field, other: Field, *, reproducible: bool = True) -> Any:
    """Return the sum of products, the first being conjugated. Collective; see `total`."""
    left = one.local.conj() if one.dtype.kind == "c" else one.local
    if not reproducible or left.dtype.kind not in "fc":
        return total(one.grid.comm, _products(left, other.local), reproducible=reproducible)
    state = exact.products(_supported(left), _supported(other.local))
    return left.dtype.type(exact.result(_merged(one.grid.comm, state)))


def norm(field: Field, *, reproducible: bool = True) -> Any:
    """Return the root of the sum of squared magnitudes. Collective; see `total`."""
    if not reproducible or field.dtype.kind not in "fc":
        return np.sqrt(np.real(dot(field, field, reproducible=reproducible)))
    root = exact.norm(_merged(field.grid.comm, exact.squares(_supported(field.local))))
    return np.empty(0, field.dtype).real.dtype.type(root)


def _supported(values: Any) -> Any:
    """Return float16 as float32."""
    return xp.astype(values, np.float32) if values.dtype == np.float16 else values


def _merged(comm: Communicator, state: exact.State) -> exact.State:
    """Return the sum of all ranks."""
    return exact.merge([exact.State(words, state.dtype) for words in comm.gather(state.words)])


def extreme(comm: Communicator, values: Any, function: str) -> Any:
    """Return the largest or smallest value (``"max"``, ``"min"``) of all ranks; NaN if there is one. Collective."""
    found = comm.gather(asnumpy(getattr(xp, function)(values))[()] if values.size else None)
    return getattr(np, function)(np.asarray([value for value in found if value is not None], values.dtype))


def truth(comm: Communicator, values: Any, function: str) -> bool:
    """Return whether any or all values of all ranks (``"any"``, ``"all"``) are not 0. Collective."""
    found: Sequence[Any] = comm.gather(bool(asnumpy(getattr(xp, function)(values))))
    return any(found) if function == "any" else all(found)
