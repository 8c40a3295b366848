"""What a call of a kernel is made of, and what its result is made of, leaf by leaf.

Array slots number the `ArrayLeaf` in order; scalar slots number `ScalarLeaf` and `GenericLeaf`
together in order. Captured arrays take the array slots after those of the arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xpaccel.graph.affine import Affine
from xpaccel.graph.scalar import ScalarExpr


@dataclass(frozen=True, slots=True)
class ViewOf:
    """Where an array argument lies inside another one.

    Parameters
    ----------
    slot
        The array slot of the base.
    box
        ``(start, step, size)`` for each axis of the base.
    axes
        The axis of the base for each axis of the view. An axis of the base left out has size 1.
    """

    slot: int
    box: tuple[tuple[int, int, int], ...]
    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ArrayLeaf:
    """An array argument.

    Parameters
    ----------
    dtype
        NumPy's name of its dtype.
    shape
        Its sizes in this call.
    same_as
        The slot of an earlier argument that is the very same memory.
    view_of
        Where it lies inside another argument, which it overlaps; its sizes are specialised.
    """

    dtype: str
    shape: tuple[int, ...]
    same_as: int | None = None
    view_of: ViewOf | None = None


@dataclass(frozen=True, slots=True)
class ScalarLeaf:
    """A Python number (not a bool): weakly typed, its value is a run-time argument."""

    value: complex


@dataclass(frozen=True, slots=True)
class GenericLeaf:
    """A NumPy scalar: of a definite dtype, its value is a run-time argument."""

    dtype: str


@dataclass(frozen=True, slots=True)
class StaticLeaf:
    """Anything else: it belongs to the call's key and is handed to the function as it is."""

    value: Any


Leaf = ArrayLeaf | ScalarLeaf | GenericLeaf | StaticLeaf


@dataclass(frozen=True, slots=True)
class Value:
    """Result ``graph.outputs[index]``; `scalar`: eager NumPy gives a NumPy scalar, not a 0-d array."""

    index: int
    scalar: bool


@dataclass(frozen=True, slots=True)
class Argument:
    """The very array that was given as argument `slot`."""

    slot: int


@dataclass(frozen=True, slots=True)
class ArgumentView:
    """A view of array argument `slot`.

    Parameters
    ----------
    slot
        The array slot of the base.
    box
        ``(start, step, size)`` for each axis of the base.
    axes
        The axis of the base for each axis of the view, None for a new axis of size 1. An axis of
        the base left out has size 1.
    """

    slot: int
    box: tuple[tuple[Affine, int, Affine], ...]
    axes: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Number:
    """A Python number, computed once a call."""

    expr: ScalarExpr


@dataclass(frozen=True, slots=True)
class Static:
    """A value that does not depend on run-time arguments."""

    value: Any


OutLeaf = Value | Argument | ArgumentView | Number | Static
