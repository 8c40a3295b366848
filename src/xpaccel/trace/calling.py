"""Library functions in a kernel: a function of NumPy's on whole arrays becomes a ``call`` node.

Shapes follow the function's own rule, which is written down where it is called here. Dtypes are
NumPy's own answer, asked of NumPy with a small sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from xpaccel.graph.calls import evaluate
from xpaccel.graph.node import Node, Shape
from xpaccel.trace.session import checked_dtype, current
from xpaccel.trace.source import trace_error
from xpaccel.trace.tracer import Tracer, fresh

#: ``(keyword, value)`` pairs; the values are hashable.
Arguments = tuple[tuple[str, Any], ...]


def call(
    function: str, inputs: Sequence[Node], shapes: Sequence[Shape], *, dtypes: Sequence[str] = (), **arguments: Any
) -> tuple[Tracer, ...]:
    """Return the results of a function of the namespace.

    Parameters
    ----------
    function
        Its dotted name: ``"linalg.solve"``.
    inputs
        Its array arguments.
    shapes
        Of its results.
    dtypes
        Of its results; asked of NumPy where they are left out.
    **arguments
        Its keyword arguments, but for those that are None.
    """
    session = current()
    given = tuple((keyword, value) for keyword, value in arguments.items() if value is not None)
    kinds = tuple((node.dtype, node.ndim) for node in inputs)
    names = [checked_dtype(dtype) for dtype in dtypes or sampled(function, kinds, given)]
    nodes = session.builder.call(function, inputs, given, list(zip(names, shapes, strict=True)))
    return tuple(fresh(session, node, scalar=True) for node in nodes)


@cache
def sampled(function: str, kinds: tuple[tuple[str, int], ...], arguments: Arguments) -> tuple[str, ...]:
    """Return the dtypes of the results of a function of NumPy's for arrays of ``(dtype, axes)``.

    Raises
    ------
    TypeError
        Where NumPy refuses these dtypes.
    """
    samples = [
        np.broadcast_to(np.eye(2, dtype=dtype), (2,) * ndim) if ndim > 1 else np.ones((2,) * ndim, dtype)
        for dtype, ndim in kinds
    ]
    with np.errstate(all="ignore"):
        return tuple(np.asarray(result).dtype.name for result in evaluate(np, function, samples, arguments))


def refused(name: str, what: str, advice: str) -> Callable[..., Any]:
    """Return a function that cannot be compiled, and says why."""

    def function(*args: Any, **kwargs: Any) -> Any:
        raise trace_error(f"{name} {what}", advice)

    function.__name__ = name
    return function
