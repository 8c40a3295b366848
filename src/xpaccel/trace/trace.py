"""Trace a function: call it with traced arguments and keep the array program that it builds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from xpaccel.errors import TraceError
from xpaccel.graph.affine import Affine, Guards, Symbol
from xpaccel.graph.graph import Graph
from xpaccel.graph.node import Node
from xpaccel.graph.scalar import ScalarExpr
from xpaccel.trace import namespace as _namespace
from xpaccel.trace.captured import Captured, capture
from xpaccel.trace.leaves import (
    Argument,
    ArgumentView,
    ArrayLeaf,
    Leaf,
    Number,
    OutLeaf,
    ScalarLeaf,
    Static,
    StaticLeaf,
    Value,
)
from xpaccel.trace.scalar import Number as TracedNumber
from xpaccel.trace.scalar import argument_number
from xpaccel.trace.session import (
    HOST,
    Arrays,
    Session,
    activate,
    check_session,
    checked_dtype,
    is_tracing,
    memory_of,
)
from xpaccel.trace.sizes import ONE
from xpaccel.trace.source import noted
from xpaccel.trace.tracer import Tracer, fresh
from xpaccel.trace.tree import TreeDef, flatten
from xpaccel.trace.view import Buffer, View

__all__ = ["Traced", "is_tracing", "trace"]

_namespace.fill()


@dataclass(frozen=True, slots=True)
class Traced:
    """What a trace gives.

    Attributes
    ----------
    graph
        The array program.
    result
        What each leaf of the kernel's result is.
    result_tree
        How they are nested.
    constants
        Captured arrays: array inputs with the slots after those of the arguments, by reference.
    captured
        What the kernel read from outside that is part of the program; to be checked at each call.
    """

    graph: Graph
    result: tuple[OutLeaf, ...]
    result_tree: TreeDef
    constants: tuple[Any, ...]
    captured: Captured


def trace(
    function: Callable[..., Any],
    leaves: Sequence[Leaf],
    rebuild: Callable[[list[Any]], tuple[tuple[Any, ...], dict[str, Any]]],
    name: str,
    memory: Arrays = HOST,
) -> Traced:
    """Call `function` on traced arguments and return the program that it is.

    Parameters
    ----------
    function
        The user's function.
    leaves
        What its arguments are made of.
    rebuild
        Makes ``(args, kwargs)`` of one object for each of `leaves`.
    name
        The kernel's name, for messages.
    memory
        What arrays from outside of the kernel must lie in.

    Raises
    ------
    TraceError
        Where the function does what cannot be traced; the message names the user's line.
    """
    objects = [leaf.value for leaf in leaves if isinstance(leaf, StaticLeaf)]
    captured = capture(function, objects, memory)
    state = captured.check(), _attributes(objects)
    snapshots = [memory_of(place.value, memory).snapshot(place.value) for place in captured.arrays]
    guards = Guards(_hints(leaves))
    session = Session(name, guards, sum(isinstance(leaf, ArrayLeaf) for leaf in leaves), memory)
    arguments, buffers = _arguments(session, leaves)
    before, noted.errors = activate(session), []
    try:
        args, kwargs = rebuild(arguments)
        given = flatten((args, kwargs))
        returned = function(*args, **kwargs)
        if noted.errors:
            raise noted.errors[0]
        session.builder.line = ""
        untouched = state == (captured.check(), _attributes(objects))
        for place, before_trace in zip(captured.arrays, snapshots, strict=True):
            untouched = untouched and not memory_of(place.value, memory).differs(place.value, before_trace)
        _check_effects(name, given, flatten((args, kwargs)), untouched)
        result_leaves, tree = flatten(returned)
        tree = _known_keys(tree)
        outputs: list[Node] = []
        result = _results(session, result_leaves, outputs)
        _check_constants(session)
        for buffer in buffers:
            buffer.check()
    finally:
        activate(before)
        noted.errors = None
    writes = tuple((b.slot, b.node) for b in buffers if b.slot is not None and b.node.op != "input")
    inputs = (*(_input_of(b) for b in buffers), *session.constant_nodes)
    graph = Graph(inputs, tuple(outputs), writes, guards, tuple(session.scalar_guards.items()))
    return Traced(graph, tuple(result), tree, tuple(session.constants), captured.used(session))


def _hints(leaves: Sequence[Leaf]) -> dict[Symbol, int]:
    arrays = [leaf for leaf in leaves if isinstance(leaf, ArrayLeaf)]
    return {
        (slot, axis): size
        for slot, leaf in enumerate(arrays)
        if leaf.same_as is None and leaf.view_of is None
        for axis, size in enumerate(leaf.shape)
        if size != 1
    }


def _input_of(buffer: Buffer) -> Node:
    node = buffer.node
    while node.is_update:
        node = node.inputs[0]
    return node


def _arguments(session: Session, leaves: Sequence[Leaf]) -> tuple[list[Any], list[Buffer]]:
    """Return one object for each leaf, and the buffers of the array arguments by slot."""
    arrays = [leaf for leaf in leaves if isinstance(leaf, ArrayLeaf)]
    buffers: dict[int, Buffer] = {}
    for slot, array in enumerate(arrays):
        if array.same_as is None and array.view_of is None:
            shape = [ONE if size == 1 else Affine.symbol(slot, axis) for axis, size in enumerate(array.shape)]
            buffers[slot] = Buffer(session.builder.input(slot, checked_dtype(array.dtype), shape), slot)
    tracers: dict[int, Tracer] = {}

    def tracer(slot: int) -> Tracer:
        leaf = arrays[slot]
        if slot in tracers:
            return tracers[slot]
        if leaf.same_as is not None:
            view = tracer(leaf.same_as)._view
        elif leaf.view_of is None:
            view = View.whole(buffers[slot])
        else:
            view = _argument_view(session, leaf, tracer(leaf.view_of.slot)._view)
        tracers[slot] = Tracer(session, view, argument=slot)
        return tracers[slot]

    objects: list[Any] = []
    slot = scalar_slot = 0
    for leaf in leaves:
        if isinstance(leaf, StaticLeaf):
            objects.append(leaf.value)
        elif isinstance(leaf, ArrayLeaf):
            objects.append(tracer(slot))
            slot += 1
        elif isinstance(leaf, ScalarLeaf):
            objects.append(argument_number(session, scalar_slot, leaf.value))
            scalar_slot += 1
        else:
            node = session.builder.scalar(ScalarExpr.arg(scalar_slot), checked_dtype(leaf.dtype))
            objects.append(fresh(session, node, scalar=True))
            scalar_slot += 1
    return objects, list(buffers.values())


def _argument_view(session: Session, leaf: ArrayLeaf, base: View) -> View:
    """Return the view of `base` (all of a buffer) that an argument is; the sizes are specialised."""
    assert leaf.view_of is not None
    assert base.is_whole
    for size in base.shape:
        session.guards.specialise(size)
    box = tuple((Affine(start), step, Affine(size)) for start, step, size in leaf.view_of.box)
    return View(base.buffer, box, tuple(leaf.view_of.axes), tuple(map(Affine, leaf.shape)))


def _results(session: Session, leaves: Sequence[Any], outputs: list[Node]) -> list[OutLeaf]:
    """Return what each leaf of the result is, and put new arrays into `outputs`."""
    made: dict[int, int] = {}
    result: list[OutLeaf] = []
    for leaf in leaves:
        if isinstance(leaf, TracedNumber):
            leaf._check()
            result.append(Number(leaf._expr))
        elif isinstance(leaf, Tracer):
            result.append(_array_result(session, leaf, outputs, made))
        elif session.is_array(leaf):
            outputs.append(session.constant(leaf).node)
            result.append(Value(len(outputs) - 1, False))
        else:
            result.append(Static(leaf))
    return result


def _known_keys(tree: TreeDef) -> TreeDef:
    """Return `tree` with traced numbers among a dict's keys as what they are: hashing specialised them."""
    keys = tuple(key._known() if isinstance(key, TracedNumber) else key for key in tree.keys)
    return tree if tree.type is None else TreeDef(tree.type, keys, tuple(map(_known_keys, tree.children)))


def _array_result(session: Session, leaf: Tracer, outputs: list[Node], made: dict[int, int]) -> OutLeaf:
    check_session(leaf._session, "a traced array")
    if leaf._argument is not None:
        return Argument(leaf._argument)
    view = leaf._view
    plain = all(size == ONE for axis, size in zip(view.axes, view.shape, strict=True) if axis is None)
    if view.buffer.slot is not None and plain and not view.is_read_only:
        return ArgumentView(view.buffer.slot, view.box, view.axes)
    if id(leaf) not in made:
        made[id(leaf)] = len(outputs)
        outputs.append(leaf._read())
    return Value(made[id(leaf)], leaf._scalar)


def _attributes(objects: Sequence[Any]) -> list[dict[str, int]]:
    """Return what attributes the arguments have, which must be the same before and after a trace."""
    return [{k: id(v) for k, v in vars(thing).items()} for thing in objects if hasattr(thing, "__dict__")]


def _check_effects(name: str, before: Any, after: Any, untouched: bool) -> None:
    """Refuse what eager NumPy does at every call and a compiled kernel would do once, while it is traced."""
    same = before[1] == after[1] and all(a is b for a, b in zip(before[0], after[0], strict=True))
    if not same:
        raise TraceError(
            f"kernel {name!r} puts another object into an argument that is a container.\n    "
            "Write into the array (state['h'][...] = ...), or return the new one."
        )
    if not untouched:
        raise TraceError(
            f"kernel {name!r} changes what is not its own: a global, an attribute, a list, a captured array.\n    "
            "A compiled kernel would do so only once. Pass arrays as arguments, and return what is new."
        )


def _check_constants(session: Session) -> None:
    """Refuse captured arrays that plain NumPy changed after the kernel had used them."""
    for array, before in zip(session.constants, session.snapshots, strict=True):
        if memory_of(array, session.memory).differs(array, before):
            raise TraceError(
                f"kernel {session.name!r} changed an array from outside after it had met traced arrays.\n    "
                "Make such an array like a traced one (xp.zeros_like(u)), or finish it before it is used."
            )
    session.snapshots.clear()
