"""What a printer must know of each reduction of a nest, whatever it prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from xpaccel.loops.program import COMBINE, Nest, Store, identity_of
from xpaccel.ops import dtype_kind


@dataclass(frozen=True, slots=True)
class Accumulated:
    """A reduction of a nest: its place and name, what takes its result, how it combines, from what it begins.

    `exactly` is whether rounding errors are carried along: those of sums of floats.
    """

    place: int
    number: str
    store: Store
    dtype: str
    combine: str
    neutral: str
    exactly: bool


def accumulated(nest: Nest, spelled: Callable[[Any, str], str], prefix: str = "") -> list[Accumulated]:
    """Return what a nest reduces, one for each store.

    Parameters
    ----------
    nest
        A nest with a reduction.
    spelled
        Spells a number of a dtype.
    prefix
        What their names begin with.
    """
    assert nest.reduction is not None
    found = []
    for number, (kind, store) in enumerate(zip(nest.reduction.kinds, nest.stores, strict=True)):
        dtype = nest.values[store.value].dtype
        neutral = spelled(identity_of(kind, np.dtype(dtype)), dtype)
        exactly = kind == "sum" and dtype_kind(dtype) in "fc"
        found.append(Accumulated(number, f"{prefix}{number}", store, dtype, COMBINE[kind], neutral, exactly))
    return found
