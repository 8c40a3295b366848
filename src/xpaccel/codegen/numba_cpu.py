"""The Numba printer: one nest to the source of one C-ABI function.

The source is Python that Numba compiles; its names are those of `xpaccel.codegen.memory` (typed
pointers) and `xpaccel.codegen.scalar` (scalar functions). Loops, offsets and the order of a
reduction were decided before (`xpaccel.loops`, `xpaccel.codegen.layout`): this only spells them.
"""

from __future__ import annotations

import numpy as np

from xpaccel.codegen.accumulated import Accumulated, accumulated
from xpaccel.codegen.layout import LAST_CHECK, NestCode, layout
from xpaccel.graph.scalar import literal
from xpaccel.loops.program import (
    BLOCK,
    COMBINE,
    IN_ORDER,
    LANES,
    LoopProgram,
    Moves,
    Nest,
    Position,
    Store,
    Value,
)
from xpaccel.ops import OPS, dtype_kind

ENTRY = "nest"
_HEADER = "from xpaccel.codegen.memory import *\nfrom xpaccel.codegen.scalar import *\n\n\n"


def print_nest(program: LoopProgram, nest: Nest) -> NestCode:
    """Return the Numba source of a nest of `program`."""
    printer = _Printer(program, nest)
    return NestCode(_HEADER + printer.text(), printer.layout)


class _Printer:
    def __init__(self, program: LoopProgram, nest: Nest) -> None:
        self.program, self.nest, self.layout = program, nest, layout(program, nest)
        self.lines: list[str] = []
        axes, reduction = range(len(nest.extents)), nest.reduction
        #: The order of the loops. A reduction's loops go inside, but the innermost axis stays inside.
        self.order = list(axes)
        if reduction is not None:
            last = axes[-1]
            kept = [axis for axis in axes if axis not in reduction.axes and axis != last]
            self.order = [*kept, *(axis for axis in reduction.axes if axis != last), last]
        self.depth_of = {axis: depth + 1 for depth, axis in enumerate(self.order)}
        self.levels = self._levels()

    # -- text -------------------------------------------------------------------------------------

    def text(self) -> str:
        lay = self.layout
        self.put(0, f"def {ENTRY}(ints, floats, lo{lay.parallel}, hi{lay.parallel}):")
        for number, stream in enumerate(lay.streams):
            self.put(1, f"p{number} = pointer(ints, {number}, {self.program.arrays[stream.array].dtype})")
        for number in range(len(lay.strides)):
            self.put(1, f"s{number} = integer(ints, {lay.first_stride + number})")
        for number, axis in enumerate(lay.bounds):
            self.put(1, f"lo{axis} = integer(ints, {lay.first_bound + 2 * number})")
            self.put(1, f"hi{axis} = integer(ints, {lay.first_bound + 2 * number + 1})")
        for number in range(len(lay.indices)):
            self.put(1, f"k{number} = integer(ints, {lay.first_index + number})")
        for number in range(len(lay.checks)):
            self.put(1, f"n{number} = integer(ints, {lay.first_check + number})")
        if lay.checks:
            self.put(1, "failed = int64(0)")
        self.pointers = [f"p{number}" for number in range(len(lay.streams))]
        self.values(0, 1)
        if self.nest.reduction is None:
            self.plain()
        elif self.nest.extents and len(self.nest.extents) - 1 in self.nest.reduction.axes:
            self.reduce_lanes()
        else:
            self.reduce_strip()
        if lay.checks:
            self.put(1, f"report(ints, {lay.status}, failed)")
        return "\n".join(self.lines) + "\n"

    def put(self, depth: int, line: str) -> None:
        self.lines.append("    " * depth + line)

    def plain(self) -> None:
        """One loop an axis; values and pointers as far out as they do not vary."""
        depth = self.open_loops(self.order)
        for store in self.nest.stores:
            self.put(depth, self.store(store))

    def open_loops(self, axes: list[int], depth: int = 1) -> int:
        """Open the loops over `axes`; return the depth of what stands inside."""
        for axis in axes:
            self.put(depth, f"for i{axis} in range(lo{axis}, hi{axis}):")
            depth += 1
            self.enter(axis, depth)
        return depth

    def enter(self, axis: int, depth: int) -> None:
        """Move the pointers along `axis` and print what varies with it."""
        if axis != self.order[-1]:
            for number, stream in enumerate(self.layout.streams):
                if stream.terms[axis]:
                    name = f"p{number}_{axis}"
                    self.put(depth, f"{name} = shift({self.pointers[number]}, {self.distance(number, axis)})")
                    self.pointers[number] = name
        self.values(self.depth_of[axis], depth)

    def accumulated(self) -> list[Accumulated]:
        """Return what is reduced, one for each store."""
        assert self.nest.reduction is not None
        return accumulated(self.nest, self.literal)

    def reduce_lanes(self) -> None:
        """Reduce the innermost axis: side by side in lanes, a block at a time."""
        reduction = self.nest.reduction
        assert reduction is not None
        last, totals = self.order[-1], self.accumulated()
        kept = [axis for axis in self.order if axis not in reduction.axes]
        for item in totals:
            self.put(1, f"lanes{item.number} = accumulators({LANES}, {item.dtype})")
        depth = self.open_loops(kept)
        for item in totals:
            self.put(depth, f"total{item.number} = {item.neutral}")
            if item.exactly:
                self.put(depth, f"carry{item.number} = {item.neutral}")
        outer = depth
        depth = self.open_loops([axis for axis in self.order if axis in reduction.axes and axis != last], depth)
        low, high = f"lo{last}", f"hi{last}"
        if reduction.block:
            low = f"i0 * {reduction.block}"
            self.put(depth, f"end = minimum(hi{last}, {low} + {reduction.block})")
            high = "end"
        self.put(depth, f"for block in range({low}, {high}, {BLOCK}):")
        self.put(depth + 1, f"stop = minimum(block + {BLOCK}, {high})")
        self.put(depth + 1, f"width = minimum(stop - block, int64({LANES}))")
        self.clear_lanes(depth + 1, totals)
        # Rows of all lanes have a trip count that LLVM knows; the rest is a loop of its own.
        self.put(depth + 1, f"rest = stop - ((stop - block) & {LANES - 1})")
        self.put(depth + 1, f"for row in range(block, rest, {LANES}):")
        for inner, lanes, first in ((depth + 2, str(LANES), "row"), (depth + 1, "stop - rest", "rest")):
            self.put(inner, f"for lane in range({lanes}):")
            self.put(inner + 1, f"i{last} = {first} + lane")
            self.values(self.depth_of[last], inner + 1)
            for item in totals:
                self.put(inner + 1, self.accumulate(item, f"v{item.store.value}"))
        self.put(depth + 1, f"if width <= {IN_ORDER}:")
        self.put(depth + 2, "for lane in range(1, width):")
        for item in totals:
            self.put(depth + 3, self.accumulate(item, self.lane(item, "lane"), "0"))
        self.put(depth + 2, "width = int64(1)")
        self.put(depth + 1, "while width > 1:")
        self.put(depth + 2, "half = (width + 1) >> 1")
        self.put(depth + 2, "for lane in range(width - half):")
        for item in totals:
            self.put(depth + 3, self.accumulate(item, self.lane(item, "lane + half")))
        self.put(depth + 2, "width = half")
        for item in totals:
            self.add_block(depth + 1, item)
        for item in totals:
            if item.exactly:
                self.put(outer, f"if isfinite(total{item.number}):")
                self.put(outer + 1, f"total{item.number} = total{item.number} + carry{item.number}")
            self.put(outer, self.store(item.store, f"total{item.number}"))

    def add_block(self, depth: int, item: Accumulated) -> None:
        """Add the total of a block to the rest; for sums of floats, exactly (TwoSum, Knuth 1969)."""
        k = item.number
        self.put(depth, f"part{k} = {self.lane(item, '0')}")
        if not item.exactly:
            self.put(depth, f"total{k} = {self.combined(item.combine, item.dtype, f'total{k}', f'part{k}')}")
            return
        self.put(depth, f"new{k} = total{k} + part{k}")
        self.put(depth, f"back{k} = new{k} - total{k}")
        self.put(depth, f"carry{k} = carry{k} + ((total{k} - (new{k} - back{k})) + (part{k} - back{k}))")
        self.put(depth, f"total{k} = new{k}")

    def reduce_strip(self) -> None:
        """Keep the innermost axis: a strip of it at a time, all reduced axes for each strip."""
        reduction = self.nest.reduction
        assert reduction is not None
        last, totals = self.order[-1], self.accumulated()
        kept = [axis for axis in self.order if axis not in reduction.axes and axis != last]
        for item in totals:
            self.put(1, f"lanes{item.number} = accumulators({LANES}, {item.dtype})")
        depth = self.open_loops(kept)
        self.put(depth, f"for strip in range(lo{last}, hi{last}, {LANES}):")
        self.put(depth + 1, f"width = minimum(hi{last} - strip, int64({LANES}))")
        self.clear_lanes(depth + 1, totals)
        saved = list(self.pointers)
        inner = self.open_loops([axis for axis in self.order if axis in reduction.axes], depth + 1)
        self.put(inner, "for lane in range(width):")
        self.put(inner + 1, f"i{last} = strip + lane")
        self.values(self.depth_of[last], inner + 1)
        for item in totals:
            self.put(inner + 1, self.accumulate(item, f"v{item.store.value}"))
        self.pointers = saved
        self.put(depth + 1, "for lane in range(width):")
        self.put(depth + 2, f"i{last} = strip + lane")
        for item in totals:
            self.put(depth + 2, self.store(item.store, self.lane(item, "lane")))

    def clear_lanes(self, depth: int, totals: list[Accumulated]) -> None:
        """Set all lanes to what changes nothing."""
        self.put(depth, "for lane in range(width):")
        for item in totals:
            self.put(depth + 1, f"store(lanes{item.number}, lane, {item.neutral}, {self.lane_scope(item)})")

    # -- expressions ------------------------------------------------------------------------------

    def _levels(self) -> list[int]:
        """For each value, inside how many loops it must stand."""
        levels: list[int] = []
        for value in self.nest.values:
            if value.op in ("load", "gather"):
                moving = [self.depth_of[p.axis] for p in value.data[1] if p.step]
                level = max((*moving, *(levels[arg] for arg in value.args)), default=0)
            elif value.op == "index":
                position = value.data[0]
                level = self.depth_of[position.axis] if position.step else 0
            else:
                level = max((levels[arg] for arg in value.args), default=0)
            levels.append(level)
        return levels

    def values(self, level: int, depth: int) -> None:
        """Print the values that stand inside `level` loops."""
        for number, value in enumerate(self.nest.values):
            if self.levels[number] == level:
                if value.op == "place":
                    (check,) = value.data
                    given = f"v{value.args[0]}, n{check}, {min(check, LAST_CHECK)}"
                    self.put(depth, f"failed = failed | outside({given})")
                self.put(depth, f"v{number} = {self.expression(value)}")

    def expression(self, value: Value) -> str:
        lay = self.layout
        if value.op == "load":
            stream, offset = lay.places[value.data]
            return f"load({self.pointers[stream]}, {self.inner(stream, offset)}, {self.scope(stream)})"
        if value.op == "gather":
            stream, offset = lay.places[value.data[:2]]
            index = self.moved(self.inner(stream, offset), value.data[0], value.data[2], value.args)
            return f"load({self.pointers[stream]}, {index}, {self.scope(stream)})"
        if value.op == "place":
            return f"place(v{value.args[0]}, n{value.data[0]})"
        if value.op == "const":
            return self.literal(literal(value.data[0]), value.dtype)
        if value.op == "scalar":
            number = value.data[0]
            if number in lay.integers:
                return f"integer_scalar(ints, {lay.first_integer + lay.integers.index(number)}, {value.dtype})"
            place = 0
            for other in lay.floats[: lay.floats.index(number)]:
                place += 2 if dtype_kind(self.program.scalars[other][1]) == "c" else 1
            return f"scalar(floats, {place}, {value.dtype})"
        if value.op == "index":
            position: Position = value.data[0]
            start = f"k{lay.indices.index(position)}"
            return f"{start} + {position.step} * i{position.axis}" if position.step else start
        args = [f"v{arg}" for arg in value.args]
        if value.op == "astype":
            return f"cast({args[0]}, {value.dtype})"
        return self.applied(value.op, value.dtype, args)

    def applied(self, op: str, dtype: str, args: list[str]) -> str:
        """Spell an operation. Numba widens integer operators to 64 bits: they are cast back."""
        text = OPS[op].numba.format(*args)
        narrow = dtype_kind(dtype) in "iu" and text.startswith("(")
        return f"cast({text}, {dtype})" if narrow else text

    def combined(self, op: str, dtype: str, left: str, right: str) -> str:
        return self.applied(op, dtype, [left, right])

    def accumulate(self, item: Accumulated, term: str, into: str = "lane") -> str:
        text = self.combined(item.combine, item.dtype, self.lane(item, into), term)
        return f"store(lanes{item.number}, {into}, {text}, {self.lane_scope(item)})"

    def lane(self, item: Accumulated, index: str) -> str:
        return f"load(lanes{item.number}, {index}, {self.lane_scope(item)})"

    def lane_scope(self, item: Accumulated) -> str:
        return f"{self.layout.scopes + item.place}, {self.scopes}"

    def store(self, store: Store, value: str = "") -> str:
        stream, offset = self.layout.places[store.array, store.index]
        text = value or f"v{store.value}"
        index = self.moved(self.inner(stream, offset), store.array, store.moves, store.args)
        if store.mode != "set":
            dtype, kept = self.nest.values[store.value].dtype, self.program.arrays[store.array].dtype
            there = self.cast(f"load({self.pointers[stream]}, {index}, {self.scope(stream)})", kept, dtype)
            text = self.cast(self.combined(COMBINE[store.mode], dtype, there, text), dtype, kept)
        written = f"store({self.pointers[stream]}, {index}, {text}, {self.scope(stream)})"
        conditions = ["failed == 0"] if store.moves and self.nest.checks else []
        conditions += [f"v{store.where}"] if store.where >= 0 else []
        return f"if {' and '.join(conditions)}: {written}" if conditions else written

    def moved(self, index: str, array: int, moves: Moves, args: tuple[int, ...]) -> str:
        """Return the index of an element some of whose positions are computed."""
        parts = [index] if index != "0" else []
        for (axis, step), arg in zip(moves, args, strict=True):
            factors = [] if step == 1 else [str(step)]
            if axis != self.program.arrays[array].unit:
                factors.append(f"s{self.layout.strides.index((array, axis))}")
            parts.append(" * ".join([*factors, f"v{arg}"]))
        return " + ".join(parts) or "0"

    @staticmethod
    def cast(text: str, source: str, target: str) -> str:
        """Spell a conversion, where there is one."""
        return text if source == target else f"cast({text}, {target})"

    @property
    def scopes(self) -> int:
        """How many memories the nest touches, the lanes of its reductions included."""
        return self.layout.scopes + (len(self.nest.stores) if self.nest.reduction is not None else 0)

    def scope(self, stream: int) -> str:
        return f"{self.layout.streams[stream].scope}, {self.scopes}"

    def inner(self, stream: int, offset: int) -> str:
        """Return the index of an element from its row's pointer."""
        distance = self.distance(stream, self.order[-1])
        if not offset:
            return distance or "0"
        return f"{distance} {'+' if offset > 0 else '-'} {abs(offset)}" if distance else str(offset)

    def distance(self, stream: int, axis: int) -> str:
        """Return how far (in elements) loop index `axis` takes a stream."""
        parts = []
        for stride, step in self.layout.streams[stream].terms[axis]:
            text = f"i{axis}" if stride < 0 else f"i{axis} * s{stride}"
            parts.append(text if step == 1 else f"{step} * {text}")
        return " + ".join(parts)

    def literal(self, number: complex, dtype: str) -> str:
        """Spell a number with its dtype, so that no literal widens a kernel."""
        kind = dtype_kind(dtype)
        if kind == "b":
            return "True" if number else "False"
        if kind in "iu":
            return f"{dtype}({int(number.real)})"
        if kind == "c":
            return f"{dtype}(complex({self.real(number.real)}, {self.real(number.imag)}))"
        return f"{dtype}({self.real(float(number.real))})"

    @staticmethod
    def real(number: float) -> str:
        number = float(number)
        return repr(number) if np.isfinite(number) else ("nan" if number != number else "-inf" if number < 0 else "inf")
