"""What becomes memory: which nodes are materialised, where, and in which order.

A `Sink` is one thing that must be stored: an output, a write to an argument, the result of a
reduction, or a value that is cheaper to keep than to compute again. All other nodes are computed
in registers by the sinks that read them. Sinks carry the time at which eager NumPy would have done
the same, and running them in the order of time gives NumPy's meaning:

* A chain of ``update`` nodes lives in one memory, its *home*: the argument's, or a fresh array
  that begins as a copy of the chain's base. Each version is in memory from its own update until the
  next one.
* Where a value is read after the memory it comes from was overwritten, what NumPy would have
  computed before is materialised in time: that value, or a snapshot of the version itself.
* An update whose value reads other elements of its own home is computed aside first.

The cost model counts flops against memory traffic. See `RECOMPUTE_FLOPS`.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import prod

from xpaccel.graph.affine import Affine, Guards
from xpaccel.graph.graph import Graph
from xpaccel.graph.node import Node
from xpaccel.loops.index import (
    Lookup,
    Places,
    along,
    identity,
    lookups,
    move,
    pieces,
    scattered,
    shifted,
    through_box,
    through_gather,
    trivial_reshape,
    varies_with,
)
from xpaccel.loops.program import TASK, Array, Blocks, Extent, Index, Position
from xpaccel.ops import OPS

#: How many flops a point may be computed again rather than stored and loaded: 16 to 24 bytes of
#: traffic cost about 1 ns of a core's share of memory bandwidth, in which its vector units do this many.
RECOMPUTE_FLOPS = 30
#: A value that does not vary along an outer loop is computed again at each of its turns. Above
#: this many flops it is computed once and stored.
INVARIANT_FLOPS = 8
#: What a gather counts for beside the flops of its index: a load from anywhere.
GATHER_FLOPS = 4
#: The value of an ordered nest, which runs on one thread, is computed there up to so many flops.
ORDERED_FLOPS = 16
#: A reduction over an axis of at most this many elements, of at least `MANY` others, is written out as
#: operations, so that it fuses: the components of vectors. The order is that of `IN_ORDER`, the bits are the same.
SHORT_AXIS = 4
MANY = 64
#: A kept axis of at most this many elements is no innermost loop of a reduction.
STRIP = 8
#: How many nodes one nest may compute: compile time grows faster than the length of a body.
BODY_LIMIT = 400

Time = tuple[int, int]
_NEVER: Time = (1 << 62, 0)

Box = tuple[tuple[Affine, Extent], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Sink:
    """One thing to store.

    Parameters
    ----------
    time
        When eager NumPy would have done it: (serial of the node, phase).
    extents
        The index space over which `root` is computed.
    root
        The value that is stored. For a sink that reads a partial result, None (see `source`).
    target
        The number of the array that takes it.
    index
        Where it goes; for a scatter, some positions are computed.
    defines
        The node whose value `target` then holds, if any.
    expand
        Whether `root` is `defines` itself, to be computed rather than loaded.
    reduction
        ``(kind, axes, block)`` or None.
    boxes
        Parts of the index space to run, or None for all of it.
    source
        The number of the array that is read at the identity, for the second stage of a reduction.
    order
        For each axis of `root`, its axis in the index space, or ``-1 - k`` where it stays at place k;
        empty if they are the same.
    mode
        How it is stored: see `xpaccel.loops.program.Store`.
    is_scatter
        Whether its points are run in order, since several may store into one element.
    call
        The ``call`` nodes that are results of one call of a function; such a sink has no nest.
    """

    time: Time
    extents: tuple[Extent, ...]
    root: Node | None
    target: int
    index: Places
    defines: Node | None = None
    expand: bool = False
    reduction: tuple[str, tuple[int, ...], int] | None = None
    boxes: tuple[Box, ...] | None = None
    source: int = -1
    order: tuple[int, ...] = ()
    mode: str = "set"
    is_scatter: bool = False
    call: tuple[Node, ...] | None = None

    @property
    def lookups(self) -> list[Lookup]:
        """The computed positions of the store."""
        return [lookup for _, lookup in lookups(self.index)]

    @property
    def root_index(self) -> Index:
        """At which index the root is read: the point itself, in `order`, less the block number if there is one."""
        if self.reduction is not None and self.reduction[2]:
            return (Position(Affine(), 1, 1),)
        order = self.order or range(len(self.extents))
        return tuple(Position(Affine(), axis, 1) if axis >= 0 else Position(Affine(-1 - axis)) for axis in order)


class Memory:
    """The arrays of a program, and which array holds which node when."""

    def __init__(self, graph: Graph, unit: Mapping[int, int | None]) -> None:
        self.guards: Guards = graph.guards
        self.arrays: list[Array] = []
        self.aliases: dict[int, int] = {}  # array number -> number of the array that owns its memory
        self._home: dict[Node, int] = {}
        self._overwritten: dict[Node, Time] = {}
        self._snapshot: dict[Node, int] = {}
        self._temporaries = 0
        #: Reductions that are written out, with the number of elements.
        self.short: dict[Node, int] = {}
        for node in graph.inputs:
            slot = node.params[0]
            self._home[node] = self.add(Array(f"a{slot}", "argument", slot, node.dtype, node.shape, unit[slot]))

    def add(self, array: Array) -> int:
        """Add an array; return its number."""
        self.arrays.append(array)
        return len(self.arrays) - 1

    def temporary(self, dtype: str, shape: tuple[Extent, ...]) -> int:
        """Add a temporary; return its number."""
        self._temporaries += 1
        number = self._temporaries - 1
        return self.add(Array(f"t{number}", "temporary", number, dtype, shape, _last(shape)))

    def alias(self, array: int, shape: tuple[Extent, ...]) -> int:
        """Add another shape of the same C-contiguous memory; return its number."""
        owner = self.owner(array)
        number = self.add(replace(self.arrays[array], shape=shape, unit=_last(shape)))
        self.aliases[number] = owner
        return number

    def owner(self, array: int) -> int:
        """Return the array that owns the memory of `array`."""
        return self.aliases.get(array, array)

    def has(self, node: Node) -> bool:
        """Whether `node` is in memory at some time."""
        return node in self._home

    def put(self, node: Node, array: int) -> None:
        """Say that `node` is held by `array`, from its time on."""
        self._home[node] = array

    def home(self, node: Node) -> int:
        """Return the array that `node` is made in."""
        return self._home[node]

    def overwrite(self, node: Node, time: Time) -> None:
        """Say that the memory of `node` holds something else after `time`."""
        self._overwritten[node] = time

    def overwritten(self, node: Node) -> Time:
        """Return when the memory of `node` is overwritten."""
        return self._overwritten.get(node, _NEVER)

    def snapshot(self, node: Node, array: int) -> None:
        """Say that `array` keeps `node` after its home is overwritten."""
        self._snapshot[node] = array

    def locate(self, node: Node, time: Time) -> int | None:
        """Return the array that holds `node` for a reader at `time`, None if it is in no memory then."""
        if node in self._snapshot and time >= (self.overwritten(node)[0], 0):
            return self._snapshot[node]
        if node in self._home and time <= self.overwritten(node):
            return self._home[node]
        return None


def _last(shape: tuple[Extent, ...]) -> int | None:
    """Return the contiguous axis of a C-contiguous array."""
    return len(shape) - 1 if shape else None


def expansions(node: Node, index: Places, memory: Memory) -> list[tuple[Node, Places]]:
    """Return what element `index` of `node` is computed from; all pieces, where it is of pieces.

    What is looked up comes after the places where it is.
    """
    if node.op == "gather":
        return [*((place, index) for place in node.inputs[1:]), (node.inputs[0], through_gather(index, node))]
    if node in memory.short:
        return [(node.inputs[0], along(index, node.params[1][0], k)) for k in range(memory.short[node])]
    moved = move(node, index)
    if moved is not None:
        return [moved]
    if node.op in ("concat", "roll"):
        axis = node.params[0]
        return [(source, shifted(index, axis, shift)) for source, _, _, shift in pieces(node)]
    if node.is_elementwise:
        return [(source, index) for source in node.inputs]
    assert node.op in ("const", "scalar", "iota"), node
    return []


class SinkFinder:
    """Turns a graph into sinks. Use `find_sinks`."""

    def __init__(self, graph: Graph, unit: Mapping[int, int | None]) -> None:
        self.graph = graph
        self.memory = Memory(graph, unit)
        self.sinks: list[Sink] = []
        self.notes: dict[str, None] = {}
        self._todo: list[tuple[int, int, int, Sink]] = []
        self._count = itertools.count()
        self._nodes = graph.nodes()
        self.outputs: tuple[int, ...] = ()

    def find(self) -> None:
        """Fill `sinks` (in order of time), `memory` and `outputs`."""
        self._place_updates()
        self._place_rest()
        self._weigh()
        while self._todo:
            sink = heapq.heappop(self._todo)[-1]
            self.sinks.append(sink)
            self._visit(sink)
        self.sinks.sort(key=lambda sink: sink.time)

    def _add(self, sink: Sink) -> None:
        heapq.heappush(self._todo, (-sink.time[0], -sink.time[1], next(self._count), sink))

    # -- what must be in memory -------------------------------------------------------------------

    def _place_updates(self) -> None:
        """Give every update its home, and make its sinks."""
        memory = self.memory
        owned: dict[Node, int] = {}
        for slot, node in self.graph.writes:
            while node.is_update and node not in owned:
                owned[node] = slot
                node = node.inputs[0]
        inputs = {node.params[0]: node for node in self.graph.inputs}
        latest: dict[int, Node] = {memory.home(node): node for node in self.graph.inputs}
        for node in self._nodes:
            if not node.is_update:
                continue
            base, value = node.inputs[:2]
            if node in owned:
                home = memory.home(inputs[owned[node]])
                # An update of the whole array may have cut the chain: what is overwritten is
                # whatever the home held.
                fresh = False
            else:
                fresh = not (base.is_update and base not in owned and latest[memory.home(base)] is base)
                home = memory.temporary(node.dtype, node.shape) if fresh else memory.home(base)
            if fresh:
                self._add(
                    Sink(
                        (node.serial, 0),
                        base.shape,
                        base,
                        home,
                        identity(base.ndim),
                        boxes=self._outside(node),
                    )
                )
            else:
                memory.overwrite(latest[home], (node.serial, 1))
            latest[home] = node
            memory.put(node, home)
            if node.op == "scatter":
                where = scattered(node, identity(value.ndim))
                sink = Sink((node.serial, 1), value.shape, value, home, where, defines=node)
                self._add(replace(sink, mode=node.params[0], is_scatter=True))
                continue
            where = through_box(identity(node.ndim), node.params)
            self._add(Sink((node.serial, 1), value.shape, value, home, where, defines=node))
        self._latest = latest

    def _outside(self, update: Node) -> tuple[Box, ...] | None:
        """Return the parts of the base that the update leaves, None for all where that is no set of boxes."""
        value, guards = update.inputs[1], self.memory.guards
        if update.op == "scatter" or any(abs(step) != 1 for _, step in update.params):
            return None
        region = []
        for (start, step), size in zip(update.params, value.shape, strict=True):
            low = start if step == 1 else start - (size - 1)
            region.append((low, low + size))
        if any(not guards.at_least(high, low + 1) for low, high in region):
            return None
        boxes: list[Box] = []
        for axis, (low, high) in enumerate(region):
            before = region[:axis]
            after = [(Affine(), size) for size in update.shape[axis + 1 :]]
            for part in ((Affine(), low), (high, update.shape[axis])):
                if guards.at_least(part[1], part[0] + 1):
                    boxes.append((*before, part, *after))  # noqa: PERF401 (the order of the questions matters)
        return tuple(boxes)

    def _place_rest(self) -> None:
        """Place outputs, reductions and reshapes."""
        memory = self.memory
        outputs: list[int] = []
        for number, node in enumerate(self.graph.outputs):
            last = memory.has(node) and self._latest.get(memory.home(node)) is node
            if last and memory.arrays[memory.home(node)].role == "temporary":
                array = memory.home(node)  # a fresh chain of updates: its home is the output
                memory.arrays[array] = replace(memory.arrays[array], name=f"o{number}", role="output", slot=number)
            else:
                array = memory.add(Array(f"o{number}", "output", number, node.dtype, node.shape, _last(node.shape)))
                if memory.has(node):
                    self._add(Sink((node.serial, 2), node.shape, node, array, identity(node.ndim)))
                else:
                    self._materialise(node, array)
            outputs.append(array)
        self.outputs = tuple(outputs)
        for node in self._nodes:
            if node.op == "reduce" and not memory.has(node) and self._is_short(node):
                continue
            if not memory.has(node) and (
                node.op in ("reduce", "call") or (node.op == "reshape" and trivial_reshape(node) is None)
            ):
                self._materialise(node)
        self._place_calls()

    def _place_calls(self) -> None:
        """Make the sinks of calls, one for all results of a call, and keep what they are called with."""
        groups: dict[tuple[object, ...], list[Node]] = {}
        for node in self._nodes:
            if node.op == "call":
                groups.setdefault((node.inputs, node.params[:2]), []).append(node)
        for nodes in groups.values():
            self._keep_operands(nodes[0], (0, 0))
            self._add(Sink((nodes[0].serial, 0), (), None, -1, (), call=tuple(nodes)))

    def _keep_operands(self, call: Node, time: Time) -> None:
        """Have what a function is called with in memory at `time`."""
        for operand in call.inputs:
            if not self.memory.has(operand) or self.memory.locate(operand, time) is None:
                self._keep(operand, f"kept in memory, for {call.params[0]}")

    def _materialise(self, node: Node, array: int | None = None) -> None:
        """Make the sink of a node that is not in memory yet."""
        memory, time = self.memory, (node.serial, 0)
        if array is None:
            array = memory.temporary(node.dtype, node.shape)
        memory.put(node, array)
        if node.op == "call":
            return  # its sink is that of all results of the call
        if node.op == "reduce":
            self._reduce(node, array)
        elif node.op == "reshape" and trivial_reshape(node) is None:
            (source,) = node.inputs
            target = memory.alias(array, source.shape)
            self._add(Sink(time, source.shape, source, target, identity(source.ndim)))
        else:
            self._add(Sink(time, node.shape, node, array, identity(node.ndim), defines=node, expand=True))

    def _reduce(self, node: Node, array: int) -> None:
        (source,), (kind, axes) = node.inputs, node.params
        kept = [axis for axis in range(source.ndim) if axis not in axes]
        if kept:
            loops = list(range(source.ndim))
            if self._has_components(source, kept):
                self._reduce_components(node, array)
                return
            if kept[-1] == loops[-1] and not self.memory.guards.at_least(source.shape[-1], STRIP + 1):
                loops = [axis for axis in loops if axis != axes[-1]] + [axes[-1]]  # too short to be the inner loop
            place = {axis: depth for depth, axis in enumerate(loops)}
            index = tuple(Position(Affine(), place[axis], 1) for axis in kept)
            reduction = (kind, tuple(sorted(place[axis] for axis in axes)), 0)
            extents: tuple[Extent, ...] = tuple(source.shape[axis] for axis in loops)
            order = tuple(place[axis] for axis in range(source.ndim))
            self._add(Sink((node.serial, 0), extents, source, array, index, node, False, reduction, order=order))
            return
        first: Position = Position(Affine(), 0, 1)
        if source.ndim == 1:
            blocks = Blocks(source.shape[0], TASK)
            partial = self.memory.temporary(node.dtype, (blocks,))
            extents = (blocks, source.shape[0])
            reduction = (kind, (1,), TASK)
        else:
            partial = self.memory.temporary(node.dtype, (source.shape[0],))
            extents, reduction = source.shape, (kind, tuple(range(1, source.ndim)), 0)
        self._add(Sink((node.serial, 0), extents, source, partial, (first,), reduction=reduction))
        self._add(
            Sink(
                (node.serial, 1),
                (Affine(1), *self.memory.arrays[partial].shape),
                None,
                array,
                (),
                reduction=(kind, (1,), 0),
                source=partial,
                defines=node,
            )
        )

    def _has_components(self, source: Node, kept: list[int]) -> bool:
        """Whether the innermost axis is kept and so short that its elements are the components of vectors."""
        last, guards = source.ndim - 1, self.memory.guards
        if len(kept) < 2 or kept[-1] != last or not 1 < guards.hint(source.shape[-1]) <= SHORT_AXIS:
            return False
        return prod(guards.hint(size) for size in source.shape[:-1]) >= MANY

    def _reduce_components(self, node: Node, array: int) -> None:
        """Reduce each component by a sink of its own: one nest takes them all, and computes once what they share."""
        (source,), (kind, axes) = node.inputs, node.params
        kept = [axis for axis in range(source.ndim - 1) if axis not in axes]
        loops = [axis for axis in range(source.ndim - 1) if axis != axes[-1]] + [axes[-1]]
        place = {axis: depth for depth, axis in enumerate(loops)}
        reduction = (kind, tuple(sorted(place[axis] for axis in axes)), 0)
        extents: tuple[Extent, ...] = tuple(source.shape[axis] for axis in loops)
        for component in range(self.memory.guards.specialise(source.shape[-1])):
            index = (*(Position(Affine(), place[axis], 1) for axis in kept), Position(Affine(component)))
            order = (*(place[axis] for axis in range(source.ndim - 1)), -1 - component)
            self._add(Sink((node.serial, 0), extents, source, array, index, node, False, reduction, order=order))

    def _is_short(self, node: Node) -> bool:
        """Whether a reduction is written out; if so, its length is assumed."""
        (source,), (_, axes) = node.inputs, node.params
        guards = self.memory.guards
        count = guards.hint(source.shape[axes[0]])
        others = prod(guards.hint(size) for size in node.shape)
        if len(axes) > 1 or not 0 < count <= SHORT_AXIS or others < MANY:
            return False
        self.memory.short[node] = guards.specialise(source.shape[axes[0]])
        return True

    def _keep(self, node: Node, why: str) -> None:
        """Materialise `node`, or take a snapshot where it is a version in memory, and note why."""
        memory = self.memory
        self.notes.setdefault(f"{node.line or 'the kernel'}: {why}")
        if not memory.has(node):
            self._materialise(node)
            return
        if memory.locate(node, _NEVER) is None:
            serial = memory.overwritten(node)[0]
            array = memory.temporary(node.dtype, node.shape)
            self._add(Sink((serial, -1), node.shape, node, array, identity(node.ndim)))
            memory.snapshot(node, array)

    # -- what is better in memory -----------------------------------------------------------------

    def _weigh(self) -> None:
        """Find, for every node, the flops of computing it inline and when that stops being possible."""
        self._flops: dict[Node, int] = {}
        self._deadline: dict[Node, Time] = {}
        for node in self._nodes:
            if self.memory.has(node):
                self._flops[node], self._deadline[node] = 0, self.memory.overwritten(node)
                continue
            own = OPS[node.op].flops if node.op in OPS else int(node.op in ("astype", "place"))
            own += GATHER_FLOPS * (node.op == "gather")
            times = self.memory.short.get(node, 1)
            self._flops[node] = min(own + times * (sum(self._flops[x] for x in node.inputs) + (times > 1)), 1 << 20)
            self._deadline[node] = min((self._deadline[x] for x in node.inputs), default=_NEVER)

    def _visit(self, sink: Sink) -> None:
        """Decide, for every node that a sink reads, whether it is computed there or loaded."""
        if sink.call is not None:
            self._keep_operands(sink.call[0], sink.time)
        if sink.root is not None:
            self._visit_root(sink, sink.root, sink.root_index)
        for lookup in sink.lookups:
            self._visit_root(sink, lookup.node, lookup.index)

    def _visit_root(self, sink: Sink, root: Node, index: Places) -> None:
        """Decide, for every node below one that `sink` reads, whether it is computed there or loaded."""
        pending: dict[Node, dict[Places, None]] = {root: {index: None}}
        heap = [(-root.serial, root)]
        expanded = 0
        while heap:
            _, node = heapq.heappop(heap)
            indices = pending.pop(node)
            if not (sink.expand and node is sink.root):
                if self._deadline[node] < sink.time and (node.serial, 0) < self._deadline[node]:
                    if self.memory.locate(node, sink.time) is None:
                        self._keep(node, "kept in memory, since what it reads is written before it is used")
                    continue
                array = self.memory.locate(node, sink.time)
                if array is not None:
                    if self._conflicts(sink, array, indices):
                        self._aside(root)
                        return
                    continue
                why = self._reason(sink, node, indices, expanded)
                if why:
                    self._keep(node, why)
                    continue
            expanded += 1
            for index in indices:
                for source, inner in expansions(node, index, self.memory):
                    if source not in pending:
                        pending[source] = {}
                        heapq.heappush(heap, (-source.serial, source))
                    pending[source].setdefault(inner)

    def _reason(self, sink: Sink, node: Node, indices: Iterable[Places], expanded: int) -> str:
        """Return why `node` is better kept in memory than computed in `sink`; empty if it is not."""
        indices = list(indices)
        if node.op in ("concat", "roll"):
            if sink.is_scatter:
                return f"{node.op} is kept in memory: points that store in order are not cut into boxes"
            along = [index[node.params[0]] for index in indices]
            if any(isinstance(position, Lookup) for position in along):
                return f"{node.op} is kept in memory, since its elements are looked up"
            axes = {axis for r in (sink.reduction,) if r for axis in (*r[1], *((0, 1) if r[2] else ()))}
            if axes & {position.axis for position in along if isinstance(position, Position)}:
                return f"{node.op} is kept in memory, since a reduction runs along its axis"
        if not node.is_elementwise and node.op != "gather" and node not in self.memory.short:
            return ""
        flops = self._flops[node]
        if flops >= INVARIANT_FLOPS and any(lookups(index) for index in indices):
            return f"{node.op} is kept in memory: its elements are looked up and cost {flops} flops"
        if flops > ORDERED_FLOPS and sink.is_scatter:
            return f"{node.op} is kept in memory: it costs {flops} flops, which the scatter would do on one thread"
        if (len(indices) - 1) * flops > RECOMPUTE_FLOPS:
            return f"{node.op} is kept in memory: it is read at {len(indices)} places and costs {flops} flops"
        if flops >= INVARIANT_FLOPS:
            used = varies_with(indices)
            long = (axis for axis in range(max(used, default=0)) if self._is_long(sink.extents[axis]))
            if set(long) - used:
                return f"{node.op} is kept in memory: it costs {flops} flops and does not vary along an outer loop"
        if expanded > BODY_LIMIT:
            return f"{node.op} is kept in memory: the nest has {expanded} operations already"
        return ""

    def _is_long(self, extent: Extent) -> bool:
        """Whether a loop has more turns than it is worth to repeat a computation."""
        return not isinstance(extent, Affine) or self.memory.guards.hint(extent) > STRIP

    def _conflicts(self, sink: Sink, array: int, indices: Iterable[Places]) -> bool:
        """Whether a sink reads elements of its own target that another of its points writes."""
        if self.memory.owner(array) != self.memory.owner(sink.target):
            return False
        return any((sink.is_scatter or index != sink.index) and not self._disjoint(sink, index) for index in indices)

    def _disjoint(self, sink: Sink, index: Places) -> bool:
        """Whether no point of the sink writes what any point reads at `index`."""
        guards = self.memory.guards
        for read, written in zip(index, sink.index, strict=True):
            if isinstance(read, Lookup) or isinstance(written, Lookup):
                continue
            if read.axis == written.axis and abs(read.step) == abs(written.step) and read.step:
                apart = read.start - written.start
                if read.step == written.step and apart.is_const and apart.const % read.step:
                    return True
            (low, high), (first, last) = self._range(sink, read), self._range(sink, written)
            if guards.less(high, first) or guards.less(last, low):
                return True
        return False

    def _range(self, sink: Sink, position: Position) -> tuple[Affine, Affine]:
        """Return the least and the greatest place of `position` over the sink's points."""
        if position.axis < 0:
            return position.start, position.start
        extent = sink.extents[position.axis]
        assert isinstance(extent, Affine)
        end = position.start + position.step * (extent - 1)
        return (position.start, end) if position.step > 0 else (end, position.start)

    def _aside(self, root: Node) -> None:
        """Have what an update reads computed into a temporary, since it reads what the update writes."""
        self._keep(root, "computed aside first, since it reads elements that the same statement writes")


def find_sinks(graph: Graph, unit: Mapping[int, int | None]) -> SinkFinder:
    """Decide what becomes memory.

    Parameters
    ----------
    graph
        What was traced.
    unit
        For each array slot, the contiguous axis of that argument, if there is one.
    """
    finder = SinkFinder(graph, unit)
    finder.find()
    return finder
