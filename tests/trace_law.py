"""The law of tracing: a trace, interpreted, is the eager run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from programs import same

from xpaccel import aliasing
from xpaccel.backends.host import MEMORY
from xpaccel.graph.interpret import interpret
from xpaccel.graph.scalar import compile_scalars
from xpaccel.graph.verify import verify
from xpaccel.trace.leaves import (
    Argument,
    ArgumentView,
    ArrayLeaf,
    GenericLeaf,
    Leaf,
    Number,
    ScalarLeaf,
    Static,
    StaticLeaf,
    Value,
)
from xpaccel.trace.trace import Traced, trace
from xpaccel.trace.tree import flatten


def leaves_of(values: Sequence[Any]) -> tuple[list[Leaf], list[Any], list[Any]]:
    """Return leaves for flat arguments, the arrays by slot (virtual bases last), and the numbers."""
    arrays = [v for v in values if isinstance(v, np.ndarray)]
    addresses = [a.__array_interface__["data"][0] for a in arrays]
    pairs = aliasing.overlaps(addresses, [aliasing.byte_bounds(a) for a in arrays])
    found = aliasing.resolve(MEMORY, arrays, pairs, range(len(arrays)))
    leaves: list[Leaf] = []
    slot = 0
    for value in values:
        if isinstance(value, np.ndarray):
            leaves.append(ArrayLeaf(value.dtype.name, value.shape, found.same_as[slot], found.view_of[slot]))
            slot += 1
        elif isinstance(value, np.generic):
            leaves.append(GenericLeaf(value.dtype.name))
        elif type(value) in (int, float, complex):
            leaves.append(ScalarLeaf(value))
        else:
            leaves.append(StaticLeaf(value))
    leaves += [ArrayLeaf(base.dtype.name, base.shape) for base in found.bases]
    numbers = [
        v.item() if isinstance(v, np.generic) else v
        for v in values
        if isinstance(v, np.generic) or type(v) in (int, float, complex)
    ]
    return leaves, [*arrays, *found.bases], numbers


def trace_call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Traced:
    """Trace `function` for these arguments."""
    flat, tree = flatten((args, kwargs))
    leaves, _, _ = leaves_of(flat)
    return trace(
        function,
        leaves,
        lambda objects: tree.unflatten(objects[: tree.size]),
        getattr(function, "__name__", "kernel"),
    )


def run(traced: Traced, *args: Any, **kwargs: Any) -> Any:
    """Interpret a trace on arguments, which are changed as the kernel changes them; return the result."""
    flat, _ = flatten((args, kwargs))
    _, arrays, numbers = leaves_of(flat)
    given = [*arrays, *traced.constants]
    outputs, writes = interpret(traced.graph, given, numbers)
    for slot, content in writes.items():
        given[slot][...] = content
    sizes = {s: given[s[0]].shape[s[1]] for s in traced.graph.guards.hints}
    result: list[Any] = []
    for leaf in traced.result:
        if isinstance(leaf, Value):
            result.append(outputs[leaf.index][()] if leaf.scalar else outputs[leaf.index])
        elif isinstance(leaf, Argument):
            result.append(given[leaf.slot])
        elif isinstance(leaf, ArgumentView):
            result.append(_view(given[leaf.slot], leaf, sizes))
        elif isinstance(leaf, Number):
            result.append(compile_scalars([leaf.expr])(numbers, sizes)[0])
        else:
            assert isinstance(leaf, Static)
            result.append(leaf.value)
    return traced.result_tree.unflatten(result)


def _view(base: Any, leaf: ArgumentView, sizes: Any) -> Any:
    strides = [base.strides[axis] * step for axis, (_, step, _) in enumerate(leaf.box)]
    counts = [size.value(sizes) for _, _, size in leaf.box]
    start = tuple(slice(b[0].value(sizes), None) if c else slice(0, 0) for b, c in zip(leaf.box, counts, strict=True))
    return np.lib.stride_tricks.as_strided(
        base[start],
        [1 if axis is None else counts[axis] for axis in leaf.axes],
        [0 if axis is None else strides[axis] for axis in leaf.axes],
    )


def holds(
    function: Callable[..., Any],
    make: Callable[[], Sequence[Any]],
    tolerance: tuple[float, float] | None = None,
) -> Traced:
    """Check the law for ``function(*make())``: results and what became of the arguments."""
    eager, traced_args = make(), make()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        expected = function(*eager)
    traced = trace_call(function, *traced_args)
    verify(traced.graph)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = run(traced, *traced_args)
    same(expected, found, tolerance)
    same(flatten(eager)[0], flatten(traced_args)[0], tolerance, "arguments")
    return traced
