"""The CUDA C++ printer: one nest to the source of one kernel.

The source is a translation unit of its own, for NVRTC or any host compiler: it includes nothing. A
kernel takes one argument, a structure by value, so a launch packs one block of bytes. Distances are
`Int`, 32 bits wide unless ``WIDE`` is defined; ``WARPS`` is how many warps reduce a row.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from functools import cache
from importlib.resources import files

from xpaccel.codegen.accumulated import Accumulated, accumulated
from xpaccel.codegen.cuda_spell import cast, spelled
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
_UNSIGNED = {"int8": "uint32", "int16": "uint32", "int32": "uint32", "int64": "uint64"}
_WRAPPING = ("add", "subtract", "multiply", "negative", "square")
_THREAD = {
    axis: (f"blockIdx.{axis} * blockDim.{axis} + threadIdx.{axis}", f"gridDim.{axis} * blockDim.{axis}")
    for axis in "xyz"
}


def print_nest(program: LoopProgram, nest: Nest) -> DeviceCode:
    """Return the CUDA C++ source of a nest of `program`."""
    return _Printer(program, nest).code()


def print_chain(program: LoopProgram, chain: Chain) -> ChainCode | None:
    """Return the source of the nests of a chain as one kernel; None where a grid has too few axes for the rows."""
    if chain.lead > 3:
        return None
    nests = program.nests[chain.first : chain.last]
    printers = [_Printer(program, nest, chain.lead, number) for number, nest in enumerate(nests)]
    shared = set().union(*(written(program, nest) for nest in nests))
    for printer in printers:
        printer.written = shared
    parts = tuple(printer.row() for printer in printers)
    lines = [_unit(printers), *(part.source for part in parts), "struct Args {"]
    lines += [f"    Args{number} n{number};" for number in range(len(parts))]
    lines += ["};", ""]
    kernel = f'extern "C" __global__ void __launch_bounds__({THREADS}, 3) {ENTRY}'
    lines.append(f"{kernel}(const __grid_constant__ Args a) {{")
    rows = range(chain.lead)
    for axis in rows:
        name = "xyz"[chain.lead - 1 - axis]
        first = f"a.n0.lo{axis} + (Int)blockIdx.{name}"
        lines.append(f"    for (Int i{axis} = {first}; i{axis} < a.n0.hi{axis}; i{axis} += (Int)gridDim.{name}) {{")
    for number in range(len(parts)):
        lines.append(f"        part{number}(a.n{number}, {', '.join(f'i{axis}' for axis in rows)});")
        lines.append("        __syncthreads();")
    lines += ["    }" for _ in rows]
    return ChainCode("\n".join(lines) + _END, parts)


#: The end of a translation unit.
_END = f"\n}}\n\n}}  // namespace xp\nusing xp::{ENTRY};\n"


def _unit(printers: Sequence[_Printer]) -> str:
    """Return the beginning of a translation unit: what its nests call."""
    parts = [_part("prelude.cuh")]
    if any(dtype.startswith("complex") for printer in printers for dtype in printer.dtypes()):
        parts.append(_part("complex.cuh"))
    if any(printer.nest.checks for printer in printers):
        parts.append(_part("places.cuh"))
    if any(store.is_atomic for printer in printers for store in printer.nest.stores):
        parts.append(_part("atomics.cuh"))
    if any(printer.form == RUNS for printer in printers):
        parts.append(_part("runs.cuh"))
    if any(printer.form == LANES for printer in printers):
        parts.append(_part("reduce.cuh"))
    parts += [printer.combiners() for printer in printers if printer.form == LANES]
    return "namespace xp {\n" + "\n".join(parts) + "\n\n"


@cache
def _part(name: str) -> str:
    return files("xpaccel.codegen.cuda").joinpath(name).read_text(encoding="utf-8")


def _added(item: Accumulated, part: str) -> str:
    """Spell adding a block's result to the total."""
    k = item.number
    return (
        f"add_exactly(total{k}, carry{k}, {part});" if item.exactly else f"total{k} = R{k}::combine(total{k}, {part});"
    )


class _Printer(KernelPrinter):
    """Prints one nest. The parts of a chain are functions: their names do not meet."""

    END, INDEX = ";", "const Int "

    def __init__(self, program: LoopProgram, nest: Nest, lead: int = 0, part: int = 0) -> None:
        super().__init__(program, nest, lead, "", "a.")
        self.part = part

    def code(self) -> DeviceCode:
        """Return a kernel that runs the nest."""
        arguments = fields(self.program, self.nest, self.layout, bool(self.columns))
        self.body()
        source = (
            _unit([self])
            + f"struct Args {{\n{self.structure()}}};\n\n"
            + f'extern "C" __global__ void {self.bounds()} {ENTRY}(const __grid_constant__ Args a) {{\n'
            + "\n".join(self.lines)
            + _END
        )
        return DeviceCode(source, self.layout, self.form, self.threads, bool(self.columns), arguments)

    def bounds(self) -> str:
        """Bound registers where ptxas would otherwise aim at more blocks than it can give them without spills."""
        return f"__launch_bounds__({THREADS}, 3)" if self.form == LANES else f"__launch_bounds__({THREADS})"

    def row(self) -> DeviceCode:
        """Return a function that runs the nest for one row, by all threads of a block."""
        arguments = fields(self.program, self.nest, self.layout, False)
        self.body()
        rows = ", ".join(f"Int i{axis}" for axis in range(self.lead))
        source = f"struct Args{self.part} {{\n{self.structure()}}};\n\n"
        source += f"FUNCTION void part{self.part}(const Args{self.part}& a, {rows}) {{\n"
        source += "\n".join(self.lines) + "\n}\n\n"
        return DeviceCode(source, self.layout, self.form, self.threads, False, arguments)

    def structure(self) -> str:
        """Declare what the nest is told."""
        arguments = fields(self.program, self.nest, self.layout, bool(self.columns))
        return "".join(f"    {self.declared(name, kind)};\n" for name, kind in arguments)

    def declared(self, name: str, kind: str) -> str:
        """Declare an argument."""
        if name == "status":
            return f"volatile int32* {name}"
        if kind != "pointer":
            return f"{kind} {name}"
        array = self.layout.streams[int(name[1:])].array
        constant = "" if self.program.owners[array] in self.written else "const "
        return f"{constant}{self.program.arrays[array].dtype}* {name}"

    # -- loops ------------------------------------------------------------------------------------

    def body(self) -> None:
        self.values(0, 1)
        for axis in range(self.lead):
            self.enter(axis, 1)
        if self.form == LANES:
            self.reduce_lanes()
            return
        if self.form == RUNS:
            self.combine_runs()
            return
        reduced = self.nest.reduction.axes if self.nest.reduction else ()
        kept = [axis for axis in self.order[self.lead :] if axis not in reduced]
        if self.lead:
            depth = self.open_row(kept)
        else:
            depth = self.march(self.open_threads(kept[:-1], 1)) if self.columns else self.open_threads(kept, 1)
        if self.form == PLAIN:
            for store in self.nest.stores:
                self.put(depth, self.store(store, f"v{store.value}"))
            self.advance(depth)
        else:
            self.reduce_strip(depth)
        self.close(depth)

    def close(self, depth: int, down_to: int = 1) -> None:
        """Close the loops from `depth` out."""
        for level in range(depth - 1, down_to - 1, -1):
            self.put(level, "}")

    def open_row(self, axes: list[int]) -> int:
        """Open the loops over what a row has: the innermost over the threads of the block; return the depth inside."""
        me = "(Int)(threadIdx.y * 32 + threadIdx.x)"
        if not axes:
            self.put(1, f"if ({me} == 0) {{")
            return 2
        for depth, axis in enumerate(axes[:-1], 1):
            self.loop(axis, f"a.lo{axis}", f"a.hi{axis}", f"++i{axis}", depth)
        last = axes[-1]
        step = f"i{last} += 32 * WARPS"
        self.loop(last, f"a.lo{last} + {me}", f"a.hi{last}", step, len(axes))
        return len(axes) + 1

    def open_threads(self, axes: list[int], depth: int) -> int:
        """Open the loops over kept axes, the last three over threads; return the depth inside."""
        for axis in axes:
            if axis in self.threads:
                first, step = _THREAD["xyz"[self.threads.index(axis)]]
                self.put(depth, "#pragma unroll 1")  # it has one turn, as a rule
                self.loop(axis, f"a.lo{axis} + (Int)({first})", f"a.hi{axis}", f"i{axis} += (Int)({step})", depth)
            else:
                self.loop(axis, f"a.lo{axis}", f"a.hi{axis}", f"++i{axis}", depth)
            depth += 1
        return depth

    def march(self, depth: int) -> int:
        """Open the loop over a thread's planes: fill the queues but for their leading elements, then load these."""
        axis = self.order[-1]
        self.put(depth, f"const Int first = a.lo{axis} + (Int)blockIdx.z * a.chunk;")
        self.put(depth, f"const Int end = minimum(a.hi{axis}, (Int)(first + a.chunk));")
        self.put(depth, "if (first < end) {")
        depth += 1
        for number, column in enumerate(self.columns):
            dtype = self.program.arrays[column.array].dtype
            stream, offset = self.layout.places[column.array, column.index]
            ((stride, _),) = self.layout.streams[stream].terms[axis]
            for place in range(column.span - 1):
                plane = f"(first - {column.span - 1 - place})"
                moved = plane if stride < 0 else f"{plane} * a.s{stride}"
                self.put(depth, f"{dtype} q{number}_{place} = load({self.pointer(stream)} + {moved}, {offset});")
        self.put(depth, "#pragma unroll 1")
        self.put(depth, f"for (Int i{axis} = first; i{axis} < end; ++i{axis}) {{")
        self.move(axis, depth + 1)
        for number, column in enumerate(self.columns):
            dtype = self.program.arrays[column.array].dtype
            stream, offset = self.layout.places[column.array, column.index]
            name = f"q{number}_{column.span - 1}"
            self.put(depth + 1, f"const {dtype} {name} = load({self.pointer(stream)}, {offset});")
        self.values(len(self.order), depth + 1)
        return depth + 1

    def loop(self, axis: int, first: str, end: str, step: str, depth: int) -> None:
        self.put(depth, f"for (Int i{axis} = {first}; i{axis} < {end}; {step}) {{")
        self.enter(axis, depth + 1)

    def pointer(self, stream: int) -> str:
        """Return where a stream is now."""
        return f"a.p{stream} + {self.offsets[stream]}" if self.offsets[stream] else f"a.p{stream}"

    def accumulated(self) -> list[Accumulated]:
        """Return what is reduced, one for each store."""
        return accumulated(self.nest, spelled, f"{self.part}_" if self.lead else "")

    def reduce_strip(self, depth: int) -> None:
        """Reduce in order, a thread for each result."""
        assert self.nest.reduction is not None
        totals = self.accumulated()
        targets = [self.store(item.store, f"total{item.number}") for item in totals]
        for item in totals:
            self.put(depth, f"{item.dtype} total{item.number} = {item.neutral};")
        inner = depth
        for axis in self.nest.reduction.axes:
            self.loop(axis, f"a.lo{axis}", f"a.hi{axis}", f"++i{axis}", inner)
            inner += 1
        for item in totals:
            name = f"total{item.number}"
            self.put(inner, f"{name} = {self.applied(item.combine, item.dtype, [name, f'v{item.store.value}'])};")
        self.close(inner, depth)
        for target in targets:
            self.put(depth, target)

    def combine_runs(self) -> None:
        """Combine each run of axis 0 with its element, in order: a thread for each, the one of its first point."""
        (store,) = self.nest.stores
        keys, offset = self.layout.places[self.nest.runs, (Position(Affine(), 0, 1),)]
        key, depth = f"{self.pointer(keys)} + {offset}" if offset else self.pointer(keys), 1
        for axis in range(len(self.nest.extents)):
            first, step = "0", "1"
            low = f"a.lo{axis}"
            if axis in self.threads:
                first, step = _THREAD["xyz"[self.threads.index(axis)]]
                low = f"{low} + (Int)({first})"
            name = f"i{axis}" if axis else "first"
            self.put(depth, "#pragma unroll 1")
            self.put(depth, f"for (Int {name} = {low}; {name} < a.hi{axis}; {name} += (Int)({step})) {{")
            depth += 1
            if axis:
                self.enter(axis, depth)
        self.put(depth, f"if (first > a.lo0 && load({key}, first - 1) == load({key}, first)) continue;")
        self.put(depth, f"const Int end = run_end({key}, first, a.hi0);")
        offsets, inside = list(self.offsets), len(self.order)
        self.put(depth, "const Int i0 = first;")
        self.move(0, depth)
        self.values(inside, depth, self.needed(store.args))
        pointer, index = self.element(store)
        self.put(depth, f"{self.program.arrays[store.array].dtype}* const place = {pointer} + {index};")
        self.put(depth, f"{self.program.arrays[store.array].dtype} element = load_rw(place, 0);")
        self.offsets = offsets
        self.put(depth, "#pragma unroll 4")  # several loads at a time
        self.put(depth, "for (Int i0 = first; i0 < end; ++i0) {")
        self.move(0, depth + 1)
        self.values(inside, depth + 1, self.needed([store.value]))
        self.put(depth + 1, f"element = {self.joined(store, 'element', f'v{store.value}')};")
        self.put(depth, "}")
        self.put(depth, "store(place, 0, element);")
        self.close(depth)

    def combiners(self) -> str:
        """Return what combines two partial results of each reduction."""
        return "\n".join(
            f"struct R{item.number} {{\n    FUNCTION {item.dtype} combine({item.dtype} x, {item.dtype} y) "
            f"{{ return {self.applied(item.combine, item.dtype, ['x', 'y'])}; }}\n}};"
            for item in self.accumulated()
        )

    def reduce_lanes(self) -> None:
        """Reduce the innermost axis: a warp takes a block, `WARPS` warps take turns in a row."""
        reduction = self.nest.reduction
        assert reduction is not None
        last, totals = self.order[-1], self.accumulated()
        self.put(1, "const int warp = threadIdx.y % WARPS;")
        self.put(0, "#if WARPS > 1")
        for item in totals:
            self.put(1, f"__shared__ {item.dtype} parts{item.number}[WARPS];")
        self.put(0, "#endif")
        depth = 1 if self.lead else self.open_rows([axis for axis in self.order if axis not in reduction.axes])
        targets = [self.store(item.store, f"total{item.number}") for item in totals]
        for item in totals:
            self.put(depth, f"{item.dtype} total{item.number} = {item.neutral};")
            if item.exactly:
                self.put(depth, f"{item.dtype} carry{item.number} = {item.neutral};")
        inner = depth
        for axis in reduction.axes[:-1]:
            self.loop(axis, f"a.lo{axis}", f"a.hi{axis}", f"++i{axis}", inner)
            inner += 1
        low, high = f"a.lo{last}", f"a.hi{last}"
        if reduction.block:
            low, high = f"i0 * {reduction.block}", "end"
            self.put(inner, f"const Int end = minimum(a.hi{last}, (Int)({low} + {reduction.block}));")
        self.put(inner, f"for (Int first = {low}; first < {high}; first += WARPS * {BLOCK}) {{")
        self.put(
            inner + 1, f"const Int start = first + warp * {BLOCK}, stop = minimum({high}, (Int)(start + {BLOCK}));"
        )
        for item in totals:
            self.put(inner + 1, f"{item.dtype} part{item.number} = {item.neutral};")
        self.put(inner + 1, "if (start < stop) {")
        for item in totals:
            self.put(inner + 2, f"{item.dtype} lanes{item.number}[2] = {{{item.neutral}, {item.neutral}}};")
        if len(totals) == 1:  # several loads at a time; more totals already have as many
            self.put(inner + 2, "#pragma unroll 4")
        self.put(inner + 2, f"for (Int row = start; row < stop; row += {WIDTH}) {{")
        self.put(inner + 3, "#pragma unroll")
        self.put(inner + 3, "for (int half = 0; half < 2; ++half) {")
        self.put(inner + 4, f"const Int i{last} = row + (Int)(threadIdx.x + 32 * half);")
        self.put(inner + 4, f"if (i{last} < stop) {{")
        self.enter(last, inner + 5)
        for item in totals:
            lane = f"lanes{item.number}[half]"
            self.put(inner + 5, f"{lane} = R{item.number}::combine({lane}, v{item.store.value});")
        self.close(inner + 5, inner + 2)
        self.put(inner + 2, f"const int width = (int)minimum((Int)(stop - start), (Int){WIDTH});")
        for item in totals:
            self.put(inner + 2, f"part{item.number} = combine_lanes<R{item.number}>(lanes{item.number}, width);")
        self.put(inner + 1, "}")
        self.put(0, "#if WARPS == 1")
        for item in totals:
            self.put(inner + 1, _added(item, f"part{item.number}"))
        self.put(0, "#else")
        self.put(inner + 1, "if (threadIdx.x == 0) {")
        for item in totals:
            self.put(inner + 2, f"parts{item.number}[warp] = part{item.number};")
        self.put(inner + 1, "}")
        self.put(inner + 1, "__syncthreads();")
        self.put(inner + 1, f"for (int k = 0; k < WARPS && first + k * {BLOCK} < {high}; ++k) {{")
        for item in totals:
            self.put(inner + 2, _added(item, f"parts{item.number}[k]"))
        self.put(inner + 1, "}")
        self.put(inner + 1, "__syncthreads();")
        self.put(0, "#endif")
        self.put(inner, "}")
        self.close(inner, depth)
        for item in totals:
            if item.exactly:
                k = item.number
                self.put(depth, f"if (isfinite(total{k})) total{k} = total{k} + carry{k};")
        self.put(depth, "if (threadIdx.x == 0 && warp == 0) {")
        for target in targets:
            self.put(depth + 1, target)
        self.put(depth, "}")
        self.close(depth)

    def open_rows(self, kept: list[int]) -> int:
        """Open the loops over rows, which groups of warps take along x; return the depth inside."""
        depth = 1
        for axis in kept:
            low, high = f"a.lo{axis}", f"a.hi{axis}"
            if axis == self.threads[0]:
                rows = "(blockDim.y / WARPS)"
                first = f"{low} + (Int)(blockIdx.x * {rows} + threadIdx.y / WARPS)"
                self.loop(axis, first, high, f"i{axis} += (Int)(gridDim.x * {rows})", depth)
            elif axis in self.threads:
                name = "xyz"[self.threads.index(axis)]
                self.loop(axis, f"{low} + (Int)blockIdx.{name}", high, f"i{axis} += (Int)gridDim.{name}", depth)
            else:
                self.loop(axis, low, high, f"++i{axis}", depth)
            depth += 1
        return depth

    # -- expressions ------------------------------------------------------------------------------

    def values(self, level: int, depth: int, among: Container[int] | None = None) -> None:
        """Print the values that stand inside `level` loops, or some of them."""
        for number, value in enumerate(self.nest.values):
            if self.levels[number] == level and (among is None or number in among):
                if value.op == "place":
                    (check,) = value.data
                    self.put(depth, f"const bool f{number} = outside(v{value.args[0]}, a.n{check});")
                    self.put(depth, f"if (f{number}) report(a.status, a.site + {check});")
                self.put(depth, f"const {value.dtype} v{number} = {self.expression(value, number)};")

    def expression(self, value: Value, number: int) -> str:
        if value.op == "load" and value.data in self.queued:
            return self.queued[value.data]
        if value.op == "load":
            stream, offset = self.layout.places[value.data]
            return f"{self.loader(value.data[0])}({self.pointer(stream)}, {offset})"
        if value.op == "gather":
            array, index, moves = value.data
            stream, offset = self.layout.places[array, index]
            return f"{self.loader(array)}({self.pointer(stream)}, {self.moved(offset, array, moves, value.args)})"
        if value.op == "place":
            return f"place(v{value.args[0]}, a.n{value.data[0]}, f{number})"
        if value.op == "const":
            return spelled(literal(value.data[0]), value.dtype)
        if value.op == "scalar":
            number = value.data[0]
            if dtype_kind(value.dtype) == "c":
                return f"{{a.x{number}_re, a.x{number}_im}}"
            return f"a.x{number}"
        if value.op == "index":
            position = value.data[0]
            start = f"(int64)a.k{self.layout.indices.index(position)}"
            return f"{start} + {position.step} * (int64)i{position.axis}" if position.step else start
        args = [f"v{arg}" for arg in value.args]
        if value.op == "astype":
            return cast(args[0], self.nest.values[value.args[0]].dtype, value.dtype)
        return self.applied(value.op, value.dtype, args)

    def applied(self, op: str, dtype: str, args: list[str]) -> str:
        """Spell an operation. C++ widens small integers, and overflow of signed ones is not defined there."""
        if op in _WRAPPING and dtype in _UNSIGNED:
            args = [f"({_UNSIGNED[dtype]}){arg}" for arg in args]
        text = OPS[op].cuda.format(*args)
        return f"({dtype}){text}" if dtype_kind(dtype) in "biu" and text.startswith("(") else text

    def loader(self, array: int) -> str:
        """Return what loads from an array: past the read-only cache where the launch writes to it."""
        return "load_rw" if self.program.owners[array] in self.written else "load"

    def moved(self, offset: int, array: int, moves: Moves, args: tuple[int, ...]) -> str:
        """Return the index of an element some of whose positions are computed."""
        parts = [str(offset)] if offset or not moves else []
        for (axis, step), arg in zip(moves, args, strict=True):
            factors = [f"(Int)v{arg}"] + ([] if step == 1 else [str(step)])
            if axis != self.program.arrays[array].unit:
                factors.append(f"a.s{self.layout.strides.index((array, axis))}")
            parts.append(" * ".join(factors))
        return " + ".join(parts)

    def element(self, store: Store) -> tuple[str, str]:
        """Return the pointer to, and the index of, the element that a store is to."""
        stream, offset = self.layout.places[store.array, store.index]
        return self.pointer(stream), self.moved(offset, store.array, store.moves, store.args)

    def store(self, store: Store, value: str) -> str:
        pointer, index = self.element(store)
        kept, dtype = self.program.arrays[store.array].dtype, self.nest.values[store.value].dtype
        if store.is_atomic and store.mode != "set":
            text = f"atomic_{store.mode}({pointer} + {index}, {cast(value, dtype, kept)});"
        else:
            if store.mode != "set":
                value = self.joined(store, f"load_rw({pointer}, {index})", value)
            text = f"store({pointer}, {index}, {value});"
        conditions = [f"!f{number}" for number in self.failing(store)]
        conditions += [f"v{store.where}"] if store.where >= 0 else []
        return f"if ({' && '.join(conditions)}) {text}" if conditions else text

    def joined(self, store: Store, there: str, value: str) -> str:
        """Spell what becomes of an element that is there when a value is combined with it."""
        kept, dtype = self.program.arrays[store.array].dtype, self.nest.values[store.value].dtype
        joined = self.applied(COMBINE[store.mode], dtype, [cast(there, kept, dtype), value])
        return cast(joined, dtype, kept)
