"""From the graph to the loop program: sinks are put into nests, nests into order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from xpaccel.graph.affine import Affine
from xpaccel.graph.graph import Graph
from xpaccel.graph.node import Node
from xpaccel.loops.body import Body, Cut, Empty, Scalars
from xpaccel.loops.chains import find_chains
from xpaccel.loops.index import Places
from xpaccel.loops.order import along_memory
from xpaccel.loops.program import Call, Extent, LoopProgram, Nest, Position, Reduction
from xpaccel.loops.sinks import Box, Memory, Sink, expansions, find_sinks

#: How many sinks share a nest: each adds streams of memory, of which a core follows some ten.
SINKS_IN_A_NEST = 8
#: How many values the sinks of a nest may have together: compile time grows faster than their number.
VALUES_IN_A_NEST = 600


@dataclass(frozen=True, slots=True)
class Access:
    """A read or write of an array by a sink."""

    array: int
    index: Places
    writes: bool


@dataclass(slots=True, eq=False)
class Group:
    """Sinks that become one nest (or one for each box)."""

    extents: tuple[Extent, ...]
    sinks: list[Sink] = field(default_factory=list)
    touches: set[int] = field(default_factory=set)
    values: int = 0
    alone: bool = False
    reduction: tuple[tuple[int, ...], int] | None = None  # the axes, and the length of a block


def lower(graph: Graph, unit: Mapping[int, int | None]) -> LoopProgram:
    """Lower a graph to loops.

    Parameters
    ----------
    graph
        What was traced. Its guards may grow: questions about sizes are asked here too.
    unit
        For each array slot, the contiguous axis of that argument, if there is one.

    Returns
    -------
    LoopProgram
        Valid for every call for which the graph's guards hold.
    """
    finder = find_sinks(graph, unit)
    memory, scalars = finder.memory, Scalars()
    nests: list[Nest] = []
    calls: list[Call] = []
    for group in _schedule(finder.sinks, memory):
        (sink, *_) = group.sinks
        if sink.call is not None:
            calls.append(_call(sink, memory, len(nests)))
        else:
            nests.extend(_nests(group, memory, scalars))
    arrays = tuple(memory.arrays)
    nests = [along_memory(arrays, nest) for nest in nests]
    owners = tuple(memory.owner(number) for number in range(len(arrays)))
    chains = find_chains(arrays, owners, nests, [call.nests for call in calls], memory.guards)
    return LoopProgram(
        arrays, owners, tuple(nests), tuple(scalars.numbers), finder.outputs, tuple(finder.notes), tuple(calls), chains
    )


def _call(sink: Sink, memory: Memory, nests: int) -> Call:
    """Return the call that a sink makes, after so many nests."""
    assert sink.call is not None
    (node, *_) = sink.call
    inputs = []
    for operand in node.inputs:
        array = memory.locate(operand, sink.time)
        assert array is not None, operand
        inputs.append(array)
    outputs = tuple((item.params[2], memory.home(item)) for item in sink.call)
    return Call(node.params[0], node.params[1], tuple(inputs), outputs, nests, node.line)


def _accesses(sink: Sink, memory: Memory) -> tuple[list[Access], int]:
    """Return what a sink reads and writes (all pieces of a ``concat`` or ``roll``), and how many values it has."""
    if sink.call is not None:
        found = [Access(memory.home(node), (), True) for node in sink.call]
        operands = (memory.locate(node, sink.time) for node in sink.call[0].inputs)
        return [*found, *(Access(array, (), False) for array in operands if array is not None)], 0
    found = [Access(sink.target, sink.index, True)]
    if sink.root is None:
        return [*found, Access(sink.source, (Position(Affine(), 1, 1),), False)], 1
    seen: set[tuple[Node, Places]] = set()
    stack: list[tuple[Node, Places]] = [(sink.root, sink.root_index)]
    if sink.expand:
        stack = expansions(*stack[0], memory)
    stack += [(lookup.node, lookup.index) for lookup in sink.lookups]
    while stack:
        item = stack.pop()
        if item in seen:
            continue
        seen.add(item)
        array = memory.locate(item[0], sink.time)
        if array is None:
            stack.extend(expansions(*item, memory))
        else:
            found.append(Access(array, item[1], False))
    return found, len(seen)


def _schedule(sinks: list[Sink], memory: Memory) -> list[Group]:
    """Put sinks (in order of time) into groups, in order of execution.

    A sink joins a group whose index space it shares if each memory that one writes and the other
    touches is touched at the same element by the same point. Reductions join others over the same axes
    that they do not depend on: their results are there when all points have run. A sink comes after
    every other group that touched what it writes, or wrote what it touches.
    """
    groups: list[Group] = []
    history: dict[int, list[tuple[int, Access]]] = {}
    for sink in sinks:
        accesses, values = _accesses(sink, memory)
        alone = sink.boxes is not None or sink.is_scatter or sink.call is not None
        reduction = sink.reduction[1:] if sink.reduction is not None else None
        earliest = 0
        for access in accesses:
            for number, other in history.get(memory.owner(access.array), ()):
                if (access.writes or other.writes) and not _apart(access, other):
                    same = (
                        not alone
                        and not groups[number].alone
                        and reduction is None
                        and groups[number].reduction is None
                        and access.array == other.array
                        and access.index == other.index
                        and _same(groups[number].extents, sink.extents, memory)
                    )
                    earliest = max(earliest, number if same else number + 1)
        touched = {memory.owner(access.array) for access in accesses}
        chosen = len(groups)
        if not alone:
            for number in range(earliest, len(groups)):
                group = groups[number]
                if (
                    (group.touches & touched or (sink.root is None and reduction is not None))
                    and not group.alone
                    and group.reduction == reduction
                    and len(group.sinks) < SINKS_IN_A_NEST
                    and group.values + values <= VALUES_IN_A_NEST
                    and _same(group.extents, sink.extents, memory)
                ):
                    chosen = number
                    break
        if chosen == len(groups):
            groups.append(Group(sink.extents, alone=alone, reduction=reduction))
        groups[chosen].sinks.append(sink)
        groups[chosen].values += values
        if not alone:  # what stands alone is not to be joined: it shows no memory to share
            groups[chosen].touches |= touched
        for access in accesses:
            history.setdefault(memory.owner(access.array), []).append((chosen, access))
    return groups


def _apart(one: Access, other: Access) -> bool:
    """Whether two accesses stay at different places of an axis: those of the components of a vector."""
    if one.array != other.array or not one.index or not other.index:  # a call touches all of it
        return False
    return any(
        p.axis < 0 and q.axis < 0 and (p.start - q.start).is_const and p.start != q.start
        for p, q in zip(one.index, other.index, strict=True)
        if isinstance(p, Position) and isinstance(q, Position)
    )


def _same(left: tuple[Extent, ...], right: tuple[Extent, ...], memory: Memory) -> bool:
    """Whether two index spaces are known to be equal."""
    return len(left) == len(right) and all(
        a == b or (isinstance(a, Affine) and isinstance(b, Affine) and memory.guards.known_equal(a, b))
        for a, b in zip(left, right, strict=True)
    )


def _nests(group: Group, memory: Memory, scalars: Scalars) -> list[Nest]:
    """Make the nests of a group: one for each box that needs a body of its own."""
    extents = group.extents
    boxes = group.sinks[0].boxes
    todo: list[Box] = list(boxes) if boxes is not None else [tuple((Affine(), extent) for extent in extents)]
    todo.reverse()
    nests = []
    while todo:
        box = todo.pop()
        body = Body(memory, scalars, box)
        try:
            stores = tuple(map(body.store, group.sinks))
        except Cut as cut:
            low, high = box[cut.axis]
            before, after = box[: cut.axis], box[cut.axis + 1 :]
            todo += [(*before, (cut.at, high), *after), (*before, (low, cut.at), *after)]
            continue
        except Empty:
            continue
        lines = tuple(dict.fromkeys(s.root.line for s in group.sinks if s.root is not None and s.root.line))
        kinds = tuple(sink.reduction[0] for sink in group.sinks if sink.reduction is not None)
        reduction = Reduction(kinds, *group.reduction) if group.reduction is not None else None
        nest = Nest(
            extents,
            box,
            tuple(body.values),
            stores,
            reduction,
            lines,
            tuple(body.checks),
            group.sinks[0].is_scatter,
        )
        nests.append(nest if extents else _with_axis(nest))
    return nests


def _with_axis(nest: Nest) -> Nest:
    """Give the nest of a single point an axis of extent 1."""
    one = Affine(1)
    return replace(nest, extents=(one,), box=((Affine(), one),))
