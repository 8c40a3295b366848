"""Functions of a namespace by their dotted names: what ``call`` nodes and steps name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any


def evaluate(
    namespace: Any, function: str, inputs: Sequence[Any], arguments: Iterable[tuple[str, Any]]
) -> tuple[Any, ...]:
    """Call a function of a namespace, such as ``"linalg.solve"``; return its results, however many there are.

    What it raises is the user's to see: nothing is caught.
    """
    result = attrgetter(function)(namespace)(*inputs, **dict(arguments))
    return result if isinstance(result, tuple) else (result,)
