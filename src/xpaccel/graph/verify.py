"""Check that a graph is well formed: the rules of each primitive, and the order of its nodes.

A pass that makes a wrong graph is found here, and not by a wrong answer three passes later.
"""

from __future__ import annotations

from collections.abc import Callable

from xpaccel.graph.affine import Affine
from xpaccel.graph.graph import Graph
from xpaccel.graph.node import REDUCTIONS, Node, Shape
from xpaccel.graph.scalar import ScalarExpr
from xpaccel.ops import DTYPES, OPS, dtype_kind, in_category, result_dtype

_ONE = Affine(1)


class GraphError(AssertionError):
    """A graph breaks the rules: a defect of xpaccel, not of the kernel."""


def verify(graph: Graph, *, after: str = "trace") -> Graph:
    """Return `graph` if it keeps all rules.

    Parameters
    ----------
    graph
        The graph.
    after
        What made it, for the message.

    Raises
    ------
    GraphError
        At the first node that breaks a rule; the message names `after`, the node and the rule.
    """

    def fail(node: Node, rule: str) -> None:
        raise GraphError(f"after {after}: {node!r}{f' ({node.line})' if node.line else ''}: {rule}")

    seen: set[Node] = set()
    for node in graph.nodes():
        for item in node.inputs:
            if item not in seen:
                fail(node, f"reads %{item.serial}, which is defined later")
        seen.add(node)
        if node.dtype not in DTYPES:
            fail(node, "has a dtype that kernels do not compute with")
        for size in node.shape:
            if any(symbol not in graph.guards.hints for symbol, _ in size.terms):
                fail(node, f"has a size of unknown symbols: {size}")
            elif graph.guards.hint(size) < 0:
                fail(node, f"has a negative size: {size}")
            elif graph.guards.hint(size) == 1 and size != _ONE:
                fail(node, f"has size 1 that is not a constant: {size}")
        if node.op in OPS:
            rule = _elementwise(node)
        elif node.op in _RULES:
            count, check = _RULES[node.op]
            if count is not None and len(node.inputs) != count:
                fail(node, f"has {len(node.inputs)} inputs, not {count}")
            rule = check(node, graph)
        else:
            rule = "is not a primitive"
        if rule:
            fail(node, rule)
    _check_ends(graph, fail)
    return graph


def _check_ends(graph: Graph, fail: Callable[[Node, str], None]) -> None:
    slots = [node.params[0] for node in graph.inputs]
    for node in graph.inputs:
        if node.op != "input":
            fail(node, "is listed as an input")
    if len(set(slots)) != len(slots):
        fail(graph.inputs[0], "is listed as an input, with two of one slot")
    for node in graph.nodes():
        if node.op == "input" and node not in graph.inputs:
            fail(node, "is an input that is not listed")
    for slot, node in graph.writes:
        base = node
        while base.is_update:
            base = base.inputs[0]
        if not node.is_update or base.op != "input" or base.params[0] != slot:
            fail(node, f"is written to argument {slot} and is no update of it")


def _elementwise(node: Node) -> str:
    op = OPS[node.op]
    if len(node.inputs) != op.arity:
        return f"has {len(node.inputs)} inputs, not {op.arity}"
    if any(item.shape != node.shape for item in node.inputs):
        return "has inputs of another shape"
    values = node.inputs
    if node.op == "where":
        if values[0].dtype != "bool":
            return "has a condition that is not bool"
        values = values[1:]
    if len({item.dtype for item in values}) != 1:
        return "has inputs of different dtypes"
    if not in_category(values[0].dtype, op.accepts):
        return f"takes {op.accepts} arrays"
    if node.dtype != result_dtype(op, values[0].dtype):
        return f"gives {result_dtype(op, values[0].dtype)}"
    return ""


def _leaf(node: Node, graph: Graph) -> str:
    return ""


def _zero_d(node: Node, graph: Graph) -> str:
    if node.op == "scalar" and not isinstance(node.params[0], ScalarExpr):
        return "holds no ScalarExpr"
    return "is not 0-d" if node.shape else ""


def _astype(node: Node, graph: Graph) -> str:
    if dtype_kind(node.inputs[0].dtype) == "c" and dtype_kind(node.dtype) not in "cb":
        return "drops the imaginary part"
    return "changes the shape" if node.shape != node.inputs[0].shape else ""


def _iota(node: Node, graph: Graph) -> str:
    return "" if node.dtype == "int64" and node.ndim == 1 else "is not one axis of int64"


def _same_dtype(node: Node) -> str:
    return "" if all(item.dtype == node.dtype for item in node.inputs) else "changes the dtype"


def _box(node: Node, graph: Graph, base: Shape, counts: Shape) -> str:
    if not len(node.params) == len(base) == len(counts):
        return "has a box of another number of axes"
    hint = graph.guards.hint
    if any(hint(count) == 0 for count in counts):
        return ""
    for (start, step), count, size in zip(node.params, counts, base, strict=True):
        first, last = hint(start), hint(start) + step * (hint(count) - 1)
        if step == 0 or min(first, last) < 0 or max(first, last) >= hint(size):
            return f"goes from {first} to {last} by {step} on an axis of {hint(size)}"
    return ""


def _slice(node: Node, graph: Graph) -> str:
    return _same_dtype(node) or _box(node, graph, node.inputs[0].shape, node.shape)


def _update(node: Node, graph: Graph) -> str:
    base, value = node.inputs
    if node.shape != base.shape:
        return "changes the shape"
    return _same_dtype(node) or _box(node, graph, base.shape, value.shape)


def _axes(node: Node, graph: Graph) -> str:
    source = node.inputs[0].shape
    kept = [axis for axis in node.params if axis is not None]
    if len(set(kept)) != len(kept) or any(not 0 <= axis < len(source) for axis in kept):
        return "names an axis twice, or one that is not there"
    if any(size != _ONE for axis, size in enumerate(source) if axis not in kept):
        return "drops an axis that is not of size 1"
    if node.shape != tuple(_ONE if axis is None else source[axis] for axis in node.params):
        return "has another shape than its axes say"
    return _same_dtype(node)


def _broadcast(node: Node, graph: Graph) -> str:
    source = node.inputs[0].shape
    if len(source) > node.ndim:
        return "drops axes"
    for size, target in zip(reversed(source), reversed(node.shape), strict=False):
        if size not in (_ONE, target):
            return f"stretches an axis of size {size}"
    return _same_dtype(node)


def _count(graph: Graph, shape: Shape) -> int:
    total = 1
    for size in shape:
        total *= graph.guards.hint(size)
    return total


def _reshape(node: Node, graph: Graph) -> str:
    if _count(graph, node.shape) != _count(graph, node.inputs[0].shape):
        return "changes the number of elements"
    return _same_dtype(node)


def _concat(node: Node, graph: Graph) -> str:
    (axis,) = node.params
    total = Affine()
    for item in node.inputs:
        if item.ndim != node.ndim:
            return "has parts of another number of axes"
        if any(a != b for k, (a, b) in enumerate(zip(item.shape, node.shape, strict=True)) if k != axis):
            return "has parts of another shape"
        total = total + item.shape[axis]
    return _same_dtype(node) or ("" if total == node.shape[axis] else "has another size than its parts")


def _roll(node: Node, graph: Graph) -> str:
    axis, shift = node.params
    if not 0 <= graph.guards.hint(shift) < max(graph.guards.hint(node.shape[axis]), 1):
        return "has a shift beyond its axis"
    return _same_dtype(node) or ("changes the shape" if node.shape != node.inputs[0].shape else "")


def _reduce(node: Node, graph: Graph) -> str:
    kind, axes = node.params
    source = node.inputs[0]
    if kind not in REDUCTIONS:
        return "is of an unknown kind"
    if kind in ("any", "all") and source.dtype != "bool":
        return "takes bool arrays"
    if kind in ("sum", "prod", "max", "min") and source.dtype == "bool":
        return "takes numbers"
    if not axes or tuple(sorted(set(axes))) != axes or axes[-1] >= source.ndim:
        return "has no axes, or unsorted or unknown ones"
    if node.shape != tuple(size for axis, size in enumerate(source.shape) if axis not in axes):
        return "has another shape than its axes say"
    return _same_dtype(node)


def _place(node: Node, graph: Graph) -> str:
    if node.dtype != "int64" or node.inputs[0].dtype != "int64":
        return "is not int64"
    if graph.guards.hint(node.params[0]) < 1:
        return "is on an empty axis"
    return "changes the shape" if node.shape != node.inputs[0].shape else ""


def _places(places: tuple[Node, ...], by: list[int | None], shape: Shape) -> str:
    """Check what `gather` and `scatter` have in common: places, and axes of `shape` that are walked."""
    if by.count(None) != len(places):
        return "has another number of places than its axes say"
    if any(place.shape != shape or place.dtype != "int64" for place in places):
        return "has places of another shape or dtype"
    walked = [axis for axis in by if axis is not None and axis >= 0]
    if len(set(walked)) != len(walked) or any(axis >= len(shape) for axis in walked):
        return "names an axis twice, or one that is not there"
    return ""


def _gather(node: Node, graph: Graph) -> str:
    source, *places = node.inputs
    if len(node.params) != source.ndim:
        return "places another number of axes"
    for size, axis in zip(source.shape, node.params, strict=True):
        if axis is not None and (axis >= node.ndim or size != node.shape[axis]):
            return "has another size than its source"
    return _places(tuple(places), list(node.params), node.shape) or (
        "changes the dtype" if node.dtype != source.dtype else ""
    )


def _scatter(node: Node, graph: Graph) -> str:
    (base, value, *places), (mode, *box) = node.inputs, node.params
    if len(box) != base.ndim:
        return "places another number of axes"
    if mode != "set" and mode not in REDUCTIONS:
        return "is of an unknown kind"
    if node.shape != base.shape or node.dtype != base.dtype or (mode == "set" and value.dtype != base.dtype):
        return "changes the shape or the dtype"
    rule = _places(tuple(places), [by for _, _, by in box], value.shape)
    hint = graph.guards.hint
    if rule or any(hint(size) == 0 for size in value.shape):
        return rule
    for (start, step, by), size in zip(box, base.shape, strict=True):
        if by is not None:
            first, last = hint(start), hint(start) + step * (hint(value.shape[by]) - 1 if by >= 0 else 0)
            if step == 0 or min(first, last) < 0 or max(first, last) >= hint(size):
                return f"goes from {first} to {last} by {step} on an axis of {hint(size)}"
    return ""


def _call(node: Node, graph: Graph) -> str:
    return "" if isinstance(node.params[0], str) else "names no function"


_RULES: dict[str, tuple[int | None, Callable[[Node, Graph], str]]] = {
    "input": (0, _leaf),
    "scalar": (0, _zero_d),
    "const": (0, _zero_d),
    "iota": (0, _iota),
    "astype": (1, _astype),
    "slice": (1, _slice),
    "axes": (1, _axes),
    "broadcast": (1, _broadcast),
    "reshape": (1, _reshape),
    "concat": (None, _concat),
    "roll": (1, _roll),
    "reduce": (1, _reduce),
    "update": (2, _update),
    "place": (1, _place),
    "gather": (None, _gather),
    "scatter": (None, _scatter),
    "call": (None, _call),
}
