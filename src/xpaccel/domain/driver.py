"""Kernels that are called on fields: what is found out once for a kind of call, and what is done at each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xpaccel import active, debug
from xpaccel.backends.base import Backend, Geometry, Launches
from xpaccel.compiled import Compiled, leaf_of, symbols
from xpaccel.dispatch import Dispatcher, key_of_call
from xpaccel.domain import edges
from xpaccel.domain.exchange import Exchange
from xpaccel.domain.field import Field, Ghosts
from xpaccel.domain.footprint import Footprint, OnGrid, footprint
from xpaccel.domain.grid import Grid
from xpaccel.domain.location import Location
from xpaccel.domain.part import Box, Part, Ranges, interior, part, strips
from xpaccel.domain.placement import Pads, Placed, Setting, origin_of, placed, wanted_pads
from xpaccel.domain.rolls import as_offsets
from xpaccel.errors import BackendError, DomainError, TraceError
from xpaccel.graph.affine import Symbol
from xpaccel.loops.program import Call
from xpaccel.program import Program, contiguous, unit_strides
from xpaccel.trace.leaves import Argument, ArgumentView, ArrayLeaf, Leaf, Number, Value
from xpaccel.trace.tree import TreeDef

#: Pads change what a kernel covers, and may change what it does. This often they are tried.
TRIES = 8
#: Cells along each axis with which no slice of an ordinary stencil is empty or a single point.
ROOMY = 64
#: A block of fewer points is not cut into an interior and strips: its messages are there before that pays.
LEAST_INTERIOR = 4096


@dataclass(frozen=True, slots=True)
class _Whole:
    """Stands for the array of a whole field, which is in no memory."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def strides(self) -> tuple[int, ...]:
        return tuple(step * self.itemsize for step in contiguous(self.shape))


def run(dispatcher: Dispatcher, leaves: Sequence[Any], tree: TreeDef) -> Any:
    """Run a kernel that was called on fields. Collective over the ranks of their grid.

    Raises
    ------
    TraceError
        If the kernel does something that has no meaning on a part of the domain, or where its result sits is in
        doubt.
    DomainError
        If the fields do not fit each other, or lack a boundary condition.
    """
    driver = dispatcher.drivers.get("field")
    if driver is None:
        driver = dispatcher.drivers.setdefault("field", Driver(dispatcher))
    return driver.call(leaves, tree)


class Driver:
    """Finds, or makes, what serves calls of one kernel on fields."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._kernel = dispatcher
        self._sites: dict[Any, list[Variant]] = {}

    def call(self, leaves: Sequence[Any], tree: TreeDef) -> Any:
        """Run the kernel."""
        backend = active.current()
        memory = backend.memory
        order: dict[int, int] = {}
        grids: list[Grid] = []

        def described(field: Field) -> Any:
            grids.append(field.grid)
            if field.grid is not grids[0]:
                raise DomainError(
                    f"{self._kernel.name} is called on fields of two grids: {grids[0]!r} and {field.grid!r}"
                )
            if field.memory is not memory:
                raise BackendError(
                    f"{field!r} does not lie in the memory of the backend {backend.name!r}. Nothing is copied "
                    "silently: make the field while that backend is active."
                )
            return field.at, field.dtype, field.boundary, order.setdefault(id(field), len(order))

        key, arrays, scalars = key_of_call(backend, memory, leaves, tree, described)
        grid = grids[0]
        key = (id(grid), key)  # which lives as long as what is made for it
        site = self._sites.setdefault(key, [])
        for variant in site:
            if variant.compiled.fits_values(scalars, variant.sizes):
                break
        else:
            variant = Variant(self._kernel, grid, backend, leaves, tree, arrays)
            site.append(variant)
        return variant.run(arrays, scalars)


class Variant:
    """A kernel, compiled for a kind of call on fields of one grid."""

    def __init__(
        self,
        kernel: Dispatcher,
        grid: Grid,
        backend: Backend,
        leaves: Sequence[Any],
        tree: TreeDef,
        arrays: Sequence[Any],
    ) -> None:
        self.grid, self._kernel, self._backend = grid, kernel, backend
        self._memory = backend.memory
        # None of the fields is kept: later calls have others.
        fields = {slot: array for slot, array in enumerate(arrays) if isinstance(array, Field)}
        self._locations = {slot: field.at for slot, field in fields.items()}
        self._names = _names(leaves, self._memory.array_type)
        self.setting, self.compiled, self.sizes, outputs = self._settle(leaves, tree)
        self._check()
        loops = replace(self.compiled.loops, chains=())
        known: dict[int, OnGrid] = {}
        self._slots: dict[int, int] = {}
        halves: dict[int, Location] = {}
        for number, array in enumerate(loops.arrays):
            if array.role == "argument" and array.slot in fields and loops.owners[number] == number:
                self._slots[number] = array.slot
                halves[number] = fields[array.slot].at
                known[number] = self._on_grid(halves[number], [low for low, _ in self.setting.pads])
        self._made: dict[int, Placed] = {}
        for output, where in outputs.items():
            number = loops.outputs[output]
            self._made[number] = where
            halves[number] = where.at
            known[number] = self._on_grid(where.at, [-first for first in where.first])
        covers = {number: grid.points(halves[number]) for number in self._slots}
        self.found: Footprint = footprint(loops, self.sizes, known, self._grown(), grid.ndim, covers)
        self._refuse_reshapes()
        self._whole = self._part(lambda at: tuple((0, points) for points in grid.points(at)), halves, True)
        self.part = self._part(grid.owned, halves, False)
        self._beyond = {number: self._ghosts_beyond(number, halves[number]) for number in self._slots}
        for number, slot in self._slots.items():
            edges.check(fields[slot], self._beyond[number], self._names[slot])
        reads = {number: self.found.reads.get(number, set()) for number in self._slots}
        examples = {number: fields[slot] for number, slot in self._slots.items()}
        self.exchange = Exchange(grid, examples, reads)
        self._ghosts = {number: self._ghosts_of(number, halves[number], reads.get(number, set())) for number in known}
        for number in known:
            for axis, (low, high) in enumerate(self._ghosts[number]):
                grid.ghosts[axis][0] = max(grid.ghosts[axis][0], low)
                grid.ghosts[axis][1] = max(grid.ghosts[axis][1], high)
        self._written = {number for nest in loops.nests for number in (store.array for store in nest.stores)}
        self._program = Program(loops, backend, kernel.name)
        kernel.stats.compilations += 1
        self._halves = halves
        self._bound: dict[Any, Bound] = {}
        if debug.level() >= 1:
            debug.say(f"{kernel.name} on {grid!r}: halo {self.halo()}")

    # -- what is found out ------------------------------------------------------------------------

    def halo(self) -> dict[str, Ghosts]:
        """Return how far beyond its own points a rank needs each field, by the argument's name."""
        found: dict[str, Ghosts] = {}
        for number, slot in self._slots.items():
            offsets = self.found.reads.get(number) or {(0,) * self.grid.ndim}
            found[self._names[slot]] = tuple(
                (max(0, -min(axis)), max(0, max(axis))) for axis in zip(*offsets, strict=True)
            )
        return found

    def _grown(self) -> frozenset[Symbol]:
        """Return the sizes that are sizes of the grid."""
        return frozenset((slot, axis) for slot in self._locations for axis in range(self.grid.ndim))

    def _settle(
        self, leaves: Sequence[Any], tree: TreeDef
    ) -> tuple[Setting, Compiled, dict[Symbol, int], dict[int, Placed]]:
        """Find the pads with which the kernel's results cover the domain, and no more.

        They are looked for on a grid that is large enough for no slice to be empty or a single point; where the kernel
        cannot be traced for that one (it has other arrays of the domain's size), on this one.
        """
        shape = self.grid.shape
        for cells in (tuple(max(size, ROOMY) for size in shape), shape):
            pads: Pads = ((0, 0),) * len(shape)
            for _ in range(TRIES):
                try:
                    setting, compiled, sizes, outputs = self._traced(leaves, tree, cells, pads)
                except (TraceError, ValueError, IndexError):
                    if cells == shape:
                        raise
                    break
                wanted = wanted_pads(compiled, outputs, setting, sizes)
                if wanted == pads:
                    return self._confirmed(leaves, tree, setting, compiled, sizes, outputs)
                pads = wanted
        raise TraceError(
            f"kernel {self._kernel.name!r}: no number of ghosts beyond the edges makes its result cover the domain of "
            f"{self.grid!r}.\n    Does it compute another number of points where an axis is longer?"
        )

    def _confirmed(
        self,
        leaves: Sequence[Any],
        tree: TreeDef,
        setting: Setting,
        compiled: Compiled,
        sizes: dict[Symbol, int],
        outputs: dict[int, Placed],
    ) -> tuple[Setting, Compiled, dict[Symbol, int], dict[int, Placed]]:
        """Return what was found for a grid for this one."""
        if setting.cells == self.grid.shape:
            return setting, compiled, sizes, outputs
        mine, compiled, sizes, again = self._traced(leaves, tree, self.grid.shape, setting.pads)
        if {number: (where.at, where.first) for number, where in again.items()} != {
            number: (where.at, where.first) for number, where in outputs.items()
        }:
            raise TraceError(
                f"kernel {self._kernel.name!r}: where its result sits depends on the size of the grid; {self.grid!r} "
                "is too small to tell.\n    Say it: @xpa.kernel(origin=...)."
            )
        return mine, compiled, sizes, again

    def _traced(
        self, leaves: Sequence[Any], tree: TreeDef, cells: tuple[int, ...], pads: Pads
    ) -> tuple[Setting, Compiled, dict[Symbol, int], dict[int, Placed]]:
        """Trace the kernel on a grid of so many cells, with fields that are continued by so many ghosts."""
        grid = self.grid
        origin = origin_of(self._kernel.options.origin, grid.ndim, self._kernel.name)
        setting = Setting(cells, grid.periodic, self._locations, pads, origin)
        described: list[Leaf] = []
        arrays: list[Any] = []
        slots: dict[int, int] = {}
        for position, leaf in enumerate(leaves):
            if isinstance(leaf, Field):
                whole = _Whole(setting.shape(leaf.at), leaf.dtype)
                described.append(ArrayLeaf(leaf.dtype.name, whole.shape, slots.get(id(leaf))))
                slots.setdefault(id(leaf), len(arrays))
                arrays.append(whole)
            else:
                described.append(leaf_of(leaf, f"argument {position + 1}", self._memory))
                if isinstance(leaf, self._memory.array_type):
                    arrays.append(leaf)

        def rebuild(traced: list[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
            args, kwargs = tree.unflatten(traced[: tree.size])
            return args, kwargs

        self._kernel.stats.traces += 1
        compiled = Compiled(
            self._kernel.python,
            self._kernel.name,
            described,
            rebuild,
            arrays,
            self._backend,
            self._memory,
            reproducible=self._kernel.options.reproducible,
            rewrite=lambda graph: as_offsets(graph, self._grown(), grid.periodic),
        )
        sizes = symbols([*arrays, *compiled.constants])
        outputs = {
            leaf.index: placed(compiled, leaf.index, setting, sizes)
            for leaf in compiled.traced.result
            if isinstance(leaf, Value) and not leaf.scalar and self._lies_on_grid(compiled, leaf.index)
        }
        return setting, compiled, sizes, outputs

    def _lies_on_grid(self, compiled: Compiled, output: int) -> bool:
        """Whether an output is as large as the grid: every axis of it grows with one of a field."""
        node = compiled.traced.graph.outputs[output]
        return (
            node.ndim > 0 and any(symbol[0] in self._locations for size in node.shape for symbol, _ in size.terms)
        ) or (node.ndim == self.grid.ndim and max(self.grid.shape) == 1)

    def _check(self) -> None:
        """Refuse what has no meaning on a part of the domain."""
        name = self._kernel.name
        for step in self.compiled.loops.steps:
            if isinstance(step, Call):
                raise TraceError(
                    f"kernel {name!r} calls {step.function} ({step.line or 'no line'}), which needs whole arrays: on "
                    "fields that is not supported."
                )
        for slot in self.compiled.writes:
            if slot not in self._locations:
                raise TraceError(
                    f"kernel {name!r} is called on fields and writes to array argument {slot + 1}, which every rank "
                    "holds. Pass a field, or return what is new."
                )
        for leaf in self.compiled.traced.result:
            if isinstance(leaf, ArgumentView) and leaf.slot in self._locations:
                at = self._locations[leaf.slot]
                for axis, (start, stride, size) in enumerate(leaf.box):
                    whole = (self.setting.pads[axis][0], 1, self.setting.points(at, axis))
                    if (start.value(self.sizes), stride, size.value(self.sizes)) != whole or leaf.axes[axis] != axis:
                        raise TraceError(
                            f"kernel {name!r} returns a part of a field, which is no field: return a copy of all of "
                            "it, or use the field itself."
                        )

    def _refuse_reshapes(self) -> None:
        loops = self.found.loops
        for number, owner in enumerate(loops.owners):
            if owner != number and owner in self.found.arrays:
                raise TraceError(f"kernel {self._kernel.name!r} reshapes a field, which is not supported on fields.")

    def _on_grid(self, at: Location, bases: Sequence[int]) -> OnGrid:
        """Say how an array lies on the grid. An axis of a single point cannot be cut and is like any other."""
        single = [self.setting.shape(at)[axis] == 1 for axis in range(self.grid.ndim)]
        return OnGrid([None if single[axis] else (axis, base) for axis, base in enumerate(bases)])

    def _part(self, owned: Any, halves: Mapping[int, Location], whole: bool) -> Part:
        """Return what a rank that owns such points has to run; `whole` for one that had all."""
        writable: dict[int, Ranges] = {}
        for number in self._slots:
            ranges = []
            for axis, (low, high) in enumerate(owned(halves[number])):
                first, last = (True, True) if whole else self.grid.edges[axis]
                before, after = self.setting.pads[axis]
                closed = not self.grid.periodic[axis]
                ranges.append((low - before * (first and closed), high + after * (last and closed)))
            writable[number] = tuple(ranges)
        return part(self.found, {number: owned(where.at) for number, where in self._made.items()}, writable)

    def _ghosts_beyond(self, number: int, at: Location) -> Ghosts:
        """Return how far beyond the edges of the domain an argument is read, whichever rank does."""
        reads = self._whole.reads.get(number)
        if reads is None:
            return ((0, 0),) * self.grid.ndim
        return tuple(
            (0, 0) if wraps else (max(0, -low), max(0, high - points))
            for (low, high), points, wraps in zip(reads, self.grid.points(at), self.grid.periodic, strict=True)
        )

    def _ghosts_of(self, number: int, at: Location, offsets: set[tuple[int, ...]]) -> Ghosts:
        """Return how many ghosts a field needs, on every rank the same."""
        holds = self._whole.holds.get(number)
        found = []
        for axis, points in enumerate(self.grid.points(at)):
            reach = [offset[axis] for offset in offsets]
            low, high = max([0, *(-step for step in reach)]), max([0, *reach])
            if holds is not None:
                low, high = max(low, -holds[axis][0]), max(high, holds[axis][1] - points)
            mine = self.part.holds.get(number)
            if mine is not None:
                first, end = self.grid.owned(at)[axis]
                low, high = max(low, first - mine[axis][0]), max(high, mine[axis][1] - end)
            found.append((low, high))
        return tuple(found)

    # -- a call -----------------------------------------------------------------------------------

    def run(self, arrays: Sequence[Any], scalars: Sequence[Any]) -> Any:
        """Exchange halos, run the kernel, and return its result."""
        fields = {number: arrays[slot] for number, slot in self._slots.items()}
        for number, field in fields.items():
            field.widen(self._ghosts[number])
        ghosts = tuple(field.ghosts for field in fields.values())
        new = tuple(map(tuple, self.grid.ghosts))
        bound = self._bound.get((ghosts, new))
        if bound is None:
            bound = self._bound[ghosts, new] = Bound(self, fields, arrays)
        values = self._program.scalars(scalars, self.sizes)
        memory, addresses = bound.memory(arrays, fields)
        if self.exchange.is_needed:
            self.exchange.start(fields)
            if bound.first is not None:
                bound.first.run(memory, addresses, values)
            self.exchange.finish(fields)
        for number, field in fields.items():
            edges.fill(field, self._beyond[number])
        (bound.rest if self.exchange.is_needed else bound.whole).run(memory, addresses, values)
        made = {number: bound.field(number, memory[number], fields) for number in self._made}
        still = ((0, 0),) * self.grid.ndim
        for number, field in [*fields.items(), *made.items()]:
            if number in self._written:
                edges.fill(field, still)
        outputs = [made.get(number, memory[number]) for number in self.found.loops.outputs]
        return self._result(outputs, arrays, scalars)

    def _result(self, outputs: Sequence[Any], arrays: Sequence[Any], scalars: Sequence[Any]) -> Any:
        """Nest the results as the kernel did."""
        numbers: Sequence[Any] | None = None
        leaves = []
        for place, leaf in enumerate(self.compiled.traced.result):
            if isinstance(leaf, Value):
                leaves.append(outputs[leaf.index][()] if leaf.scalar else outputs[leaf.index])
            elif isinstance(leaf, Argument | ArgumentView):
                leaves.append(arrays[leaf.slot])
            else:
                if numbers is None:
                    numbers = self.compiled.numbers(scalars, self.sizes)
                leaves.append(numbers[place] if isinstance(leaf, Number) else leaf.value)
        return self.compiled.tree.unflatten(leaves)


class Bound:
    """What a variant launches for fields with certain ghosts.

    Attributes
    ----------
    first
        What is run while messages fly; None where nothing is.
    rest
        What is run after them.
    whole
        All of it, where there are none.
    """

    def __init__(self, variant: Variant, fields: Mapping[int, Field], arrays: Sequence[Any]) -> None:
        self._variant, self._memory = variant, variant._memory
        loops, grid, found = variant.found.loops, variant.grid, variant.found
        self._ghosts = tuple((low, high) for low, high in grid.ghosts)
        shapes: list[tuple[int, ...]] = []
        strides: list[tuple[int, ...]] = []
        firsts: list[tuple[int, ...]] = []
        self._new: list[tuple[int, tuple[int, ...], np.dtype[Any]]] = []
        self._arguments: list[tuple[int, int]] = []
        for number, array in enumerate(loops.arrays):
            shape = tuple(extent.value(variant.sizes) for extent in array.shape)
            held = shape
            first = (0,) * len(shape)
            on = found.arrays.get(number)
            if number in fields:
                field = fields[number]
                first = self._firsts(on, field.owned, field.ghosts)
                held = field.array.shape
            elif number in variant._made:
                owned = grid.owned(variant._halves[number])
                first = self._firsts(on, owned, self._ghosts)
                held = tuple(high - low + a + b for (low, high), (a, b) in zip(owned, self._ghosts, strict=True))
            elif on is not None:
                ranges = variant.part.holds.get(number, ((0, 0),) * grid.ndim)
                held = tuple(
                    shape[axis] if tie is None else ranges[tie[0]][1] - ranges[tie[0]][0]
                    for axis, tie in enumerate(on.axes)
                )
                first = tuple(0 if tie is None else ranges[tie[0]][0] + tie[1] for tie in on.axes)
            shapes.append(shape)
            firsts.append(first)
            if array.role == "argument" and loops.owners[number] == number and number not in fields:
                given = (*arrays, *variant.compiled.constants)[array.slot]
                strides.append(unit_strides(tuple(step // given.itemsize for step in given.strides), array.unit))
                self._arguments.append((number, array.slot))
            else:
                strides.append(contiguous(held))
                if array.role != "argument" and loops.owners[number] == number:
                    self._new.append((number, held, np.dtype(array.dtype)))
        self._aliases = [(k, owner) for k, owner in enumerate(loops.owners) if owner != k]
        self._shapes, self._strides, self._firsts_of = shapes, strides, firsts
        everything = [[box] if box is not None else [] for box in variant.part.boxes]
        self.whole = self._launches(everything)
        self.first: Launches | None = None
        self.rest = self.whole
        cut = self._cut(fields)
        if cut is not None:
            self.first, self.rest = map(self._launches, cut)

    def _cut(self, fields: Mapping[int, Field]) -> tuple[list[list[Box]], list[list[Box]]] | None:
        """Return the boxes that need no ghosts, and the others; None where that would not pay.

        Points of a nest are independent, so the first nest that reads a field may begin with any of them. The nests
        after it wait for all of it.
        """
        variant = self._variant
        if not variant.exchange.has_messages:
            return None
        owned = {number: field.owned for number, field in fields.items()}
        walks, boxes = variant.found.walks, variant.part.boxes
        for number, walk in enumerate(walks):
            box = boxes[number]
            if walk is None:
                continue
            if box is None:
                return None
            inner = interior(variant.found, number, box, owned)
            points = 1
            for low, high in inner:
                points *= high - low
            if points < LEAST_INTERIOR:
                return None
            before = [[one] if one is not None else [] for one in boxes[:number]]
            after = [[one] if one is not None else [] for one in boxes[number + 1 :]]
            none: list[list[Box]] = [[] for _ in before]
            return [*before, [inner], *([] for _ in after)], [*none, strips(box, inner), *after]
        return None

    def _launches(self, boxes: Sequence[Sequence[Box]]) -> Launches:
        geometry = Geometry(self._variant.sizes, self._shapes, self._strides, self._firsts_of, boxes)
        steps = self._variant._program.steps
        if not steps:
            return _Nothing()
        (engine,) = steps
        assert not isinstance(engine, Call)
        return engine.bind(geometry)

    def _firsts(self, on: OnGrid | None, owned: Ranges, ghosts: Ghosts) -> tuple[int, ...]:
        """Return which element of the whole array the first one in memory is."""
        assert on is not None
        return tuple(
            -before if tie is None else low - before + tie[1]
            for tie, (low, _), (before, _) in zip(on.axes, owned, ghosts, strict=True)
        )

    def memory(self, arrays: Sequence[Any], fields: Mapping[int, Field]) -> tuple[list[Any], list[int]]:
        """Return the arrays of the program by number, new ones among them, and their addresses."""
        memory = self._memory
        found: list[Any] = [None] * len(self._shapes)
        addresses = [0] * len(self._shapes)
        for number, field in fields.items():
            found[number] = field.array
        for number, slot in self._arguments:
            found[number] = arrays[slot] if slot < len(arrays) else self._variant.compiled.constants[slot - len(arrays)]
        for number, shape, dtype in self._new:
            found[number] = memory.empty(shape, dtype)
        for number, array in enumerate(found):
            if array is not None:
                addresses[number] = memory.address(array)
        for number, owner in self._aliases:
            addresses[number] = addresses[owner]
        return found, addresses

    def field(self, number: int, array: Any, fields: Mapping[int, Field]) -> Field:
        """Return a field that holds a new array; its boundary is that of the first argument at its location."""
        grid, at = self._variant.grid, self._variant._halves[number]
        boundary = next((field.boundary for field in fields.values() if field.at == at), ((None, None),) * grid.ndim)
        return Field(grid, array.dtype, at, boundary, memory=self._memory, array=array)


class _Nothing:
    """The launches of a program that has none."""

    def run(self, arrays: Sequence[Any], addresses: Sequence[int], scalars: Sequence[Any]) -> None:
        """Do nothing."""


def _names(leaves: Sequence[Any], array_type: type[Any]) -> dict[int, str]:
    """Return what messages call the array arguments, by slot."""
    found: dict[int, str] = {}
    for position, leaf in enumerate(leaves, 1):
        if isinstance(leaf, Field | array_type):
            named = isinstance(leaf, Field) and leaf.name
            found[len(found)] = f"field {leaf.name!r}" if named else f"argument {position}"
    return found
