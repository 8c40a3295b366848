"""The Numba CUDA printer: one nest, or a chain of them, to the source of one kernel.

The source is Python that Numba compiles for a GPU, and that its simulator runs as it is; its names are those of
`xpaccel.codegen.cuda_scalar`. A kernel's arguments are numbers (`xpaccel.codegen.device.fields`), addresses among
them, and its index arithmetic is in 64 bits. Loops over threads are grid-stride loops, whose steps are opaque to the
compiler: it would divide to count their turns, and unroll them. Where lanes reduce, the threads of one `y` are a
warp, which takes a block of `LANES` lanes; `team` warps share a row, 1 or all of a block's; and all threads of a block
reach the same barriers.
"""

from __future__ import annotations

from collections.abc import Container
from math import isinf, isnan

import numpy as np

from xpaccel.codegen.accumulated import Accumulated, accumulated
from xpaccel.codegen.device import (
    LANES,
    PLAIN,
    RUNS,
    THREADS,
    ChainCode,
    DeviceCode,
    fields,
    written,
)
from xpaccel.codegen.kernel_printer import KernelPrinter
from xpaccel.graph.affine import Affine
from xpaccel.graph.scalar import literal
from xpaccel.loops.program import (
    BLOCK,
    COMBINE,
    IN_ORDER,
    Chain,
    LoopProgram,
    Moves,
    Nest,
    Position,
    Store,
    Value,
)
from xpaccel.loops.program import LANES as WIDTH
from xpaccel.ops import OPS, dtype_kind

ENTRY = "nest"
_HEADER = "from numba import cuda\n\nfrom xpaccel.codegen.cuda_scalar import *\n\n\n"
#: Numba widens integers and has formulas of its own for complex numbers: these are functions then.
_NAMED = {
    "add": "add({0}, {1})",
    "subtract": "subtract({0}, {1})",
    "multiply": "multiply({0}, {1})",
    "square": "multiply({0}, {0})",
    "divide": "divide({0}, {1})",
    "negative": "negative({0})",
}


def print_nest(program: LoopProgram, nest: Nest) -> DeviceCode:
    """Return the Numba CUDA source of a nest of `program`."""
    printer = _Printer(program, nest)
    printer.body()
    source = _kernel([printer], printer.lines)
    return DeviceCode(
        source, printer.layout, printer.form, printer.threads, bool(printer.columns), tuple(printer.fields)
    )


def print_chain(program: LoopProgram, chain: Chain) -> ChainCode | None:
    """Return the source of the nests of a chain as one kernel; None where a grid has too few axes for the rows."""
    if chain.lead > 3:
        return None
    nests = program.nests[chain.first : chain.last]
    printers = [_Printer(program, nest, chain.lead, f"n{number}_") for number, nest in enumerate(nests)]
    shared = set().union(*(written(program, nest) for nest in nests))
    lines = [line for printer in printers for line in printer.preamble()]
    for axis in range(chain.lead):
        name = "xyz"[chain.lead - 1 - axis]
        lines.append(f"{_pad(1 + axis)}i{axis} = n0_lo{axis} + cuda.blockIdx.{name}")
        lines.append(f"{_pad(1 + axis)}while i{axis} < n0_hi{axis}:")
    inner = 1 + chain.lead
    for printer in printers:
        printer.written = shared
        printer.body(inner)
        lines += [*printer.lines, f"{_pad(inner)}cuda.syncthreads()"]
    for axis in reversed(range(chain.lead)):
        lines.append(f"{_pad(2 + axis)}i{axis} += cuda.gridDim.{'xyz'[chain.lead - 1 - axis]}")
    parts = tuple(DeviceCode("", p.layout, p.form, p.threads, False, tuple(p.fields)) for p in printers)
    return ChainCode(_kernel(printers, lines), parts)


def _pad(depth: int) -> str:
    return "    " * depth


def _kernel(printers: list[_Printer], lines: list[str]) -> str:
    """Return a unit that defines one kernel."""
    dtypes = {dtype for printer in printers for dtype in printer.dtypes()}
    header = _HEADER
    if any(dtype.startswith("complex") for dtype in dtypes):
        header = header.replace("\nfrom xpaccel", "\nimport xpaccel.codegen.cuda_complex\nfrom xpaccel")
    names = ", ".join(printer.a + name for printer in printers for name, _ in printer.fields)
    return f"{header}def {ENTRY}({names}):\n" + "\n".join(lines) + "\n"


class _Printer(KernelPrinter):
    """Prints one nest."""

    def __init__(self, program: LoopProgram, nest: Nest, lead: int = 0, a: str = "") -> None:
        super().__init__(program, nest, lead, a, a)
        #: For each open loop, what its index grows by.
        self.steps: list[str] = []

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The arguments of the nest: at its end, how many groups of lanes share a row."""
        found = list(fields(self.program, self.nest, self.layout, bool(self.columns)))
        return [*found, ("team", "Int")] if self.form == LANES else found

    # -- loops ------------------------------------------------------------------------------------

    def preamble(self) -> list[str]:
        """Return what comes once: the arrays that the threads of a block share."""
        if self.form != LANES:
            return []
        return [
            f"    {self.a}lanes{item.number} = cuda.shared.array({THREADS // 32 * WIDTH}, {item.dtype})"
            for item in self.totals()
        ]

    def body(self, depth: int = 1) -> None:
        if not self.lead:
            self.lines += self.preamble()
        self.values(0, depth)
        for axis in range(self.lead):
            self.enter(axis, depth)
        if self.form == LANES:
            self.reduce_lanes(depth)
        elif self.form == RUNS:
            self.combine_runs(depth)
        else:
            self.run_points(depth)

    def run_points(self, depth: int) -> None:
        """Give each point of the kept axes a thread."""
        outside = depth
        reduced = self.nest.reduction.axes if self.nest.reduction else ()
        kept = [axis for axis in self.order[self.lead :] if axis not in reduced]
        if self.lead:
            depth = self.open_row(kept, depth)
        else:
            depth = self.march(self.open_threads(kept[:-1], depth)) if self.columns else self.open_threads(kept, depth)
        if self.form == PLAIN:
            for store in self.nest.stores:
                self.put_store(depth, store, f"{self.a}v{store.value}")
            self.advance(depth)
        else:
            self.reduce_strip(depth)
        self.close(depth, outside)

    def loop(self, axis: int, first: str, end: str, step: str, depth: int) -> int:
        """Open a loop over an axis; return the depth inside."""
        self.put(depth, f"i{axis} = {first}")
        self.put(depth, f"while i{axis} < {end}:")
        self.steps.append(f"i{axis} += {step}")
        self.enter(axis, depth + 1)
        return depth + 1

    def walk(self, axis: int, depth: int) -> int:
        """Open a loop over an axis that every thread walks."""
        return self.loop(axis, f"{self.a}lo{axis}", f"{self.a}hi{axis}", "1", depth)

    def close(self, depth: int, down_to: int) -> None:
        """Close the loops from `depth` out."""
        for level in range(depth, down_to, -1):
            step = self.steps.pop()
            if step:
                self.put(level, step)

    def open_row(self, axes: list[int], depth: int) -> int:
        """Open the loops over what a row has: the innermost over the threads of the block; return the depth inside."""
        me = "cuda.threadIdx.y * cuda.blockDim.x + cuda.threadIdx.x"
        if not axes:
            self.put(depth, f"if {me} == 0:")
            self.steps.append("")
            return depth + 1
        for axis in axes[:-1]:
            depth = self.walk(axis, depth)
        last = axes[-1]
        step = "opaque(cuda.blockDim.x * cuda.blockDim.y)"
        return self.loop(last, f"{self.a}lo{last} + {me}", f"{self.a}hi{last}", step, depth)

    def open_threads(self, axes: list[int], depth: int) -> int:
        """Open the loops over kept axes, the last three over threads; return the depth inside."""
        for axis in axes:
            if axis in self.threads:
                first, step = self.spread(axis)
                depth = self.loop(axis, first, f"hi{axis}", step, depth)
            else:
                depth = self.walk(axis, depth)
        return depth

    def spread(self, axis: int) -> tuple[str, str]:
        """Return where a thread begins along an axis, and its step."""
        name = "xyz"[self.threads.index(axis)]
        first = f"lo{axis} + cuda.blockIdx.{name} * cuda.blockDim.{name} + cuda.threadIdx.{name}"
        return first, f"opaque(cuda.gridDim.{name} * cuda.blockDim.{name})"

    def march(self, depth: int) -> int:
        """Open the loop over a thread's planes: fill the queues but for their leading elements, then load these."""
        axis = self.order[-1]
        self.put(depth, f"first = lo{axis} + cuda.blockIdx.z * chunk")
        self.put(depth, f"end = min(hi{axis}, first + chunk)")
        self.put(depth, "if first < end:")
        self.steps.append("")
        for number, column in enumerate(self.columns):
            dtype = self.program.arrays[column.array].dtype
            stream, offset = self.layout.places[column.array, column.index]
            ((stride, _),) = self.layout.streams[stream].terms[axis]
            for place in range(column.span - 1):
                plane = f"(first - {column.span - 1 - place})"
                moved = plane if stride < 0 else f"{plane} * s{stride}"
                index = self.index(stream, offset, [moved])
                self.put(depth + 1, f"q{number}_{place} = load(p{stream}, {index}, {dtype})")
        self.put(depth + 1, f"i{axis} = first")
        self.put(depth + 1, f"while i{axis} < end:")
        self.steps.append(f"i{axis} += opaque(1)")
        depth += 2
        self.move(axis, depth)
        for number, column in enumerate(self.columns):
            dtype = self.program.arrays[column.array].dtype
            stream, offset = self.layout.places[column.array, column.index]
            self.put(depth, f"q{number}_{column.span - 1} = load(p{stream}, {self.index(stream, offset)}, {dtype})")
        self.values(len(self.order), depth)
        return depth

    # -- points in order --------------------------------------------------------------------------

    def combine_runs(self, depth: int) -> None:
        """Combine each run of axis 0 with its element, in order: a thread for each, the one of its first point."""
        (store,) = self.nest.stores
        stream, offset = self.layout.places[self.nest.runs, (Position(Affine(), 0, 1),)]
        keys, key, outside = f"p{stream}, {offset}", f"load(p{stream}, {offset} + first{{}}, int64)", depth
        for axis in range(len(self.nest.extents)):
            name, first, step = f"i{axis}" if axis else "first", f"lo{axis}", "1"
            if axis in self.threads:
                first, step = self.spread(axis)
            self.put(depth, f"{name} = {first}")
            self.put(depth, f"while {name} < hi{axis}:")
            self.steps.append(f"{name} += {step}")
            depth += 1
            if axis:
                self.enter(axis, depth)
        self.put(depth, f"if first == lo0 or {key.format(' - 1')} != {key.format('')}:")
        self.steps.append("")
        depth += 1
        offsets, inside = list(self.offsets), len(self.order)
        self.put(depth, "i0 = first")
        self.move(0, depth)
        self.values(inside, depth, self.needed(store.args))
        index = self.index(
            *self.layout.places[store.array, store.index], self.moved(store.array, store.moves, store.args)
        )
        kept, pointer = self.program.arrays[store.array].dtype, self.layout.places[store.array, store.index][0]
        self.put(depth, f"place_of_run = {index}")
        self.put(depth, f"element = load_rw(p{pointer}, place_of_run, {kept})")
        self.offsets = offsets
        self.put(depth, f"end = run_end({keys}, first, hi0)")
        self.put(depth, "while i0 < end:")
        self.move(0, depth + 1)
        self.values(inside, depth + 1, self.needed([store.value]))
        self.put(depth + 1, f"element = {self.joined(store, 'element', f'v{store.value}')}")
        self.put(depth + 1, "i0 += 1")
        self.put(depth, f"store(p{pointer}, place_of_run, element)")
        self.close(depth, outside)

    # -- reductions -------------------------------------------------------------------------------

    def totals(self) -> list[Accumulated]:
        """Return what is reduced, one for each store."""
        return accumulated(self.nest, spelled)

    def combined(self, item: Accumulated, x: str, y: str) -> str:
        return self.applied(item.combine, item.dtype, item.dtype, [x, y])

    def reduce_strip(self, depth: int) -> None:
        """Reduce in order, a thread for each result."""
        assert self.nest.reduction is not None
        offsets = list(self.offsets)
        for item in self.totals():
            self.put(depth, f"{self.a}total{item.number} = {item.neutral}")
        inner = depth
        for axis in self.nest.reduction.axes:
            inner = self.walk(axis, inner)
        for item in self.totals():
            name = f"{self.a}total{item.number}"
            self.put(inner, f"{name} = {self.combined(item, name, f'{self.a}v{item.store.value}')}")
        self.close(inner, depth)
        self.offsets = offsets
        for item in self.totals():
            self.put_store(depth, item.store, f"{self.a}total{item.number}")

    def reduce_lanes(self, depth: int) -> None:
        """Reduce the innermost axis: a group of lanes takes a block, the groups of a team take turns in a row.

        The loops that hold barriers are the same for all threads of a block, whatever a group has to do in them.
        """
        reduction = self.nest.reduction
        assert reduction is not None
        a, last, totals, outside = self.a, self.order[-1], self.totals(), depth
        self.put(depth, f"{a}member = cuda.threadIdx.y if {a}team > 1 else 0")
        self.put(depth, f"{a}mine = cuda.threadIdx.y * {WIDTH}")
        self.put(depth, f"{a}first = {a}mine - {a}member * {WIDTH}")
        is_last = "cuda.threadIdx.x == 0 and " + f"{a}member == 0"
        if not self.lead:
            depth = self.open_rows([axis for axis in self.order if axis not in reduction.axes], depth)
            is_last += " and has_row"
        offsets = list(self.offsets)
        for item in totals:
            self.put(depth, f"{a}total{item.number} = {item.neutral}")
            if item.exactly:
                self.put(depth, f"{a}carry{item.number} = {item.neutral}")
        inner = depth
        for axis in reduction.axes[:-1]:
            inner = self.walk(axis, inner)
        self.put(inner, f"{a}end = {a}hi{last}")
        self.put(inner, f"{a}turn = {a}lo{last}")
        self.put(inner, f"{a}span = {a}hi{last} - {a}lo{last}")
        if reduction.block:
            self.put(inner, f"{a}turn = i0 * {reduction.block}")
            self.put(inner, f"{a}end = min({a}end, {a}turn + {reduction.block})")
            self.put(inner, f"{a}span = {reduction.block}")
        self.put(inner, f"{a}turns = 0")
        self.put(inner, f"while {a}turns < {a}span:")
        self.steps.append(f"{a}turns += opaque({a}team * {BLOCK})")
        self.reduce_block(inner + 1, totals)
        self.put(inner + 1, "cuda.syncthreads()")
        self.put(inner + 1, f"for k in range({a}team):")
        self.put(inner + 2, f"if {a}turn + k * {BLOCK} < {a}end:")
        for item in totals:
            self.put(inner + 3, f"{a}part{item.number} = get({a}lanes{item.number}, {a}first + k * {WIDTH})")
            self.add(inner + 3, item)
        self.put(inner + 1, "cuda.syncthreads()")
        self.put(inner + 1, f"{a}turn += {a}team * {BLOCK}")
        self.close(inner + 1, depth)
        self.offsets = offsets
        for item in totals:
            if item.exactly:
                total, carry = f"{a}total{item.number}", f"{a}carry{item.number}"
                self.put(depth, f"if isfinite({total}):")
                self.put(depth + 1, f"{total} = {self.combined(item, total, carry)}")
        self.put(depth, f"if {is_last}:")
        for item in totals:
            self.put_store(depth + 1, item.store, f"{a}total{item.number}")
        self.close(depth, outside)

    def reduce_block(self, depth: int, totals: list[Accumulated]) -> None:
        """Reduce a group's block to the first of its lanes."""
        a, last = self.a, self.order[-1]
        self.put(depth, f"{a}start = {a}turn + {a}member * {BLOCK}")
        self.put(depth, f"{a}stop = min({a}start + {BLOCK}, {a}end)")
        self.put(depth, f"{a}width = min({a}stop - {a}start, {WIDTH})")
        self.put(depth, f"{a}lane = 0 + cuda.threadIdx.x")
        self.put(depth, f"while {a}lane < {a}width:")
        for item in totals:
            self.put(depth + 1, f"{a}part{item.number} = {item.neutral}")
        self.put(depth + 1, f"i{last} = {a}start + {a}lane")
        self.put(depth + 1, f"while i{last} < {a}stop:")
        self.enter(last, depth + 2)
        for item in totals:
            part = f"{a}part{item.number}"
            self.put(depth + 2, f"{part} = {self.combined(item, part, f'{a}v{item.store.value}')}")
        # several loads at a time; more totals already have as many, and rows of a chain too many registers
        unrolls = len(totals) == 1 and not self.lead
        self.put(depth + 2, f"i{last} += {WIDTH if unrolls else f'opaque({WIDTH})'}")
        for item in totals:
            self.put(depth + 1, f"put({a}lanes{item.number}, {a}mine + {a}lane, {a}part{item.number})")
        self.put(depth + 1, f"{a}lane += cuda.blockDim.x")
        self.put(depth, "cuda.syncthreads()")
        self.put(depth, f"if {a}width <= {IN_ORDER}:")
        self.put(depth + 1, "if cuda.threadIdx.x == 0:")
        self.put(depth + 2, f"for k in range(1, {a}width):")
        for item in totals:
            self.fold(depth + 3, item, f"{a}mine", f"{a}mine + k")
        self.put(depth + 1, f"{a}width = 1")
        # what is left after the first halving lies in one warp
        self.put(depth, f"for k in range({WIDTH.bit_length() - 1}):")
        self.put(depth + 1, f"{a}half = ({a}width + 1) >> 1")
        self.put(depth + 1, f"{a}lane = {a}mine + cuda.threadIdx.x")
        self.put(depth + 1, f"while {a}lane < {a}mine + {a}width - {a}half:")
        for item in totals:
            self.fold(depth + 2, item, f"{a}lane", f"{a}lane + {a}half")
        self.put(depth + 2, f"{a}lane += cuda.blockDim.x")
        self.put(depth + 1, "warp_barrier()")
        self.put(depth + 1, f"{a}width = {a}half")

    def fold(self, depth: int, item: Accumulated, into: str, other: str) -> None:
        """Combine a lane with another."""
        lanes = f"{self.a}lanes{item.number}"
        text = self.combined(item, f"get({lanes}, {into})", f"get({lanes}, {other})")
        self.put(depth, f"put({lanes}, {into}, {text})")

    def add(self, depth: int, item: Accumulated) -> None:
        """Add a block's result to the total; of floats with the rounding error (TwoSum, Knuth 1969)."""
        total, carry, part = (f"{self.a}{name}{item.number}" for name in ("total", "carry", "part"))
        if item.exactly:
            new, back = f"{self.a}new{item.number}", f"{self.a}back{item.number}"
            self.put(depth, f"{new} = {total} + {part}")
            self.put(depth, f"{back} = {new} - {total}")
            self.put(depth, f"{carry} = {carry} + (({total} - ({new} - {back})) + ({part} - {back}))")
            self.put(depth, f"{total} = {new}")
        else:
            self.put(depth, f"{total} = {self.combined(item, total, part)}")

    def open_rows(self, kept: list[int], depth: int) -> int:
        """Open the loops over rows, which teams of groups take along x; return the depth inside.

        A team without a row of its own computes the last row once more and keeps quiet.
        """
        for axis in kept:
            if axis == self.threads[0]:
                self.put(depth, "rows = 1 if team > 1 else cuda.blockDim.y")
                self.put(depth, f"row = lo{axis} + cuda.blockIdx.x * rows")
                self.put(depth, f"while row < hi{axis}:")
                depth += 1
                self.steps.append("row += opaque(cuda.gridDim.x * rows)")
                self.put(depth, f"has_row = row + cuda.threadIdx.y - member < hi{axis}")
                self.put(depth, f"i{axis} = min(row + cuda.threadIdx.y - member, hi{axis} - 1)")
                self.enter(axis, depth)
            elif axis in self.threads:
                name = "xyz"[self.threads.index(axis)]
                depth = self.loop(
                    axis, f"lo{axis} + cuda.blockIdx.{name}", f"hi{axis}", f"opaque(cuda.gridDim.{name})", depth
                )
            else:
                depth = self.walk(axis, depth)
        return depth

    # -- expressions ------------------------------------------------------------------------------

    def values(self, level: int, depth: int, among: Container[int] | None = None) -> None:
        """Print the values that stand inside `level` loops, or some of them."""
        for number, value in enumerate(self.nest.values):
            if self.levels[number] == level and (among is None or number in among):
                if value.op == "place":
                    (check,) = value.data
                    self.put(depth, f"{self.a}f{number} = outside({self.a}v{value.args[0]}, {self.a}n{check})")
                    self.put(depth, f"if {self.a}f{number}:")
                    self.put(depth + 1, f"report({self.a}status, {self.a}site, {check})")
                self.put(depth, f"{self.a}v{number} = {self.expression(value, number)}")

    def expression(self, value: Value, number: int) -> str:
        a = self.a
        if value.op == "load" and value.data in self.queued:
            return self.queued[value.data]
        if value.op in ("load", "gather"):
            array, index = value.data[:2]
            stream, offset = self.layout.places[array, index]
            moved = self.moved(array, value.data[2], value.args) if value.op == "gather" else []
            return self.load(stream, self.index(stream, offset, moved), array)
        if value.op == "place":
            return f"place({a}v{value.args[0]}, {a}n{value.data[0]}, {a}f{number})"
        if value.op == "const":
            return spelled(literal(value.data[0]), value.dtype)
        if value.op == "scalar":
            name = f"{a}x{value.data[0]}"
            return f"join({name}_re, {name}_im)" if dtype_kind(value.dtype) == "c" else name
        if value.op == "index":
            position = value.data[0]
            start = f"{a}k{self.layout.indices.index(position)}"
            return f"int64({start} + {position.step} * i{position.axis})" if position.step else f"int64({start})"
        args = [f"{a}v{arg}" for arg in value.args]
        given = self.nest.values[value.args[0]].dtype
        if value.op == "astype":
            return self.cast(args[0], given, value.dtype)
        return self.applied(value.op, given, value.dtype, args)

    @staticmethod
    def applied(op: str, given: str, dtype: str, args: list[str]) -> str:
        """Spell an operation on arguments of dtype `given`. Numba widens integer operators to 64 bits."""
        if op in _NAMED and dtype_kind(given) in "iuc":
            return _NAMED[op].format(*args)
        text = OPS[op].numba.format(*args)
        return f"cast({text}, {dtype})" if dtype_kind(dtype) in "iu" and text.startswith("(") else text

    @staticmethod
    def cast(text: str, source: str, target: str) -> str:
        """Spell a conversion, where there is one."""
        return text if source == target else f"cast({text}, {target})"

    def load(self, stream: int, index: str, array: int) -> str:
        shared = self.program.owners[array] in self.written
        dtype = self.program.arrays[array].dtype
        return f"{'load_rw' if shared else 'load'}({self.a}p{stream}, {index}, {dtype})"

    def index(self, stream: int, offset: int, more: list[str] | None = None) -> str:
        """Return where an element of a stream is, in elements from the stream's start."""
        parts = [*filter(None, [self.offsets[stream]]), *(more or []), *([str(offset)] if offset else [])]
        return " + ".join(parts).replace("+ -", "- ") or "0"

    def moved(self, array: int, moves: Moves, args: tuple[int, ...]) -> list[str]:
        """Return what computed positions add to an index."""
        parts = []
        for (axis, step), arg in zip(moves, args, strict=True):
            factors = [] if step == 1 else [str(step)]
            if axis != self.program.arrays[array].unit:
                factors.append(f"{self.a}s{self.layout.strides.index((array, axis))}")
            parts.append(" * ".join([*factors, f"{self.a}v{arg}"]))
        return parts

    def put_store(self, depth: int, store: Store, value: str) -> None:
        """Print a store, which nothing that failed a check reaches."""
        stream, offset = self.layout.places[store.array, store.index]
        index = self.index(stream, offset, self.moved(store.array, store.moves, store.args))
        conditions = [f"not {self.a}f{number}" for number in self.failing(store)]
        conditions += [f"{self.a}v{store.where}"] if store.where >= 0 else []
        if conditions:
            self.put(depth, f"if {' and '.join(conditions)}:")
            depth += 1
        if store.mode == "set":
            self.put(depth, f"store({self.a}p{stream}, {index}, {value})")
        elif store.is_atomic:
            self.put_atomic(depth, store, f"{self.a}p{stream}, {index}", value)
        else:
            value = self.joined(store, self.load(stream, index, store.array), value)
            self.put(depth, f"store({self.a}p{stream}, {index}, {value})")

    def put_atomic(self, depth: int, store: Store, at: str, value: str) -> None:
        """Print combining with an element that other threads combine with too, in one indivisible step.

        What the hardware has no operation for is tried until nobody came between reading and writing.
        """
        kept, kind = self.program.arrays[store.array].dtype, dtype_kind(self.program.arrays[store.array].dtype)
        value = self.cast(value, self.nest.values[store.value].dtype, kept)
        if store.mode in ("any", "all"):  # all who write here write the same
            self.put(depth, f"if {'' if store.mode == 'any' else 'not '}{value}:")
            self.put(depth + 1, f"store({at}, {spelled(store.mode == 'any', 'bool')})")
        elif store.mode == "sum" or (kind in "iu" and store.mode != "prod"):
            self.put(depth, f"atomic_{store.mode}({at}, {value})")
        else:
            a, joined = self.a, {"prod": "multiply", "max": "largest", "min": "smallest"}[store.mode]
            self.put(depth, f"{a}seen = load_rw({at}, {kept})")
            self.put(depth, "while True:")
            self.put(depth + 1, f"{a}wanted = {joined}({a}seen, {value})")
            self.put(depth + 1, f"{a}before = {a}seen if same({a}seen, {a}wanted) else swap({at}, {a}seen, {a}wanted)")
            self.put(depth + 1, f"if same({a}before, {a}seen):")
            self.put(depth + 2, "break")
            self.put(depth + 1, f"{a}seen = {a}before")

    def joined(self, store: Store, there: str, value: str) -> str:
        """Spell what becomes of an element that is there when a value is combined with it."""
        kept, dtype = self.program.arrays[store.array].dtype, self.nest.values[store.value].dtype
        joined = self.applied(COMBINE[store.mode], dtype, dtype, [self.cast(there, kept, dtype), value])
        return self.cast(joined, dtype, kept)


def spelled(number: complex, dtype: str) -> str:
    """Spell a number with its dtype, so that no literal widens a kernel."""
    kind = dtype_kind(dtype)
    if kind == "b":
        return f"cast({int(bool(number))}, bool)"
    if kind in "iu":
        return f"{dtype}({int(number.real)})"
    if kind == "c":
        part = "float32" if dtype == "complex64" else "float64"
        return f"join({spelled(number.real, part)}, {spelled(number.imag, part)})"
    real = float(np.dtype(dtype).type(number.real))
    if isnan(real):
        return f"{dtype}(nan)"
    return f"{dtype}({'-' if real < 0 else ''}inf)" if isinf(real) else f"{dtype}({real!r})"
