"""What the printers of device code share: which loops are threads, and what stands inside which loop.

A nest's kept axes are spread over threads, the last of them along `x`, so that neighbouring threads
touch neighbouring elements; the two before it along `y` and `z`. Every such loop is a grid-stride
loop, so any launch geometry computes everything. What else there is (more axes, reduced ones) are
loops inside a thread.

A stencil in three dimensions *marches*: a thread takes `chunk` neighbouring planes along `z`, and keeps
what it reads of a column in a queue of registers, so that each element of the column is loaded once.
"""

from __future__ import annotations

from dataclasses import dataclass

from xpaccel.codegen.layout import Layout, NestCode, Stream
from xpaccel.loops.program import Index, LoopProgram, Nest, Position

#: How an element of a nest is run: by a thread; by a thread that walks the reduced axes in order; by the lanes
#: of warps, which reduce the innermost axis; or by a thread that walks a run of axis 0 in order.
PLAIN, STRIP, LANES, RUNS = "plain", "strip", "lanes", "runs"
#: Threads of a block; a kernel may use 64K / THREADS / 2 registers at half of the greatest occupancy.
THREADS = 256
#: A column of more elements than this is no queue of registers.
LONGEST_COLUMN = 16


@dataclass(frozen=True, slots=True)
class DeviceCode(NestCode):
    """The source of a device function, what it must be told, and how it is launched.

    Attributes
    ----------
    form
        `PLAIN`, `STRIP`, `LANES` or `RUNS`.
    threads
        The axes that are spread over threads: along x, y and z.
    marches
        Whether a thread takes neighbouring planes along z.
    fields
        ``(name, type)`` of each argument in order; a type is ``"pointer"``, ``"Int"`` or a dtype. Where the nest has
        checks, ``status`` points to the int32 that a check which fails is reported in, if that is 0, by its number;
        the first one's is ``site`` (`xpaccel.backends.gpu.faults`).
    """

    form: str
    threads: tuple[int, ...]
    marches: bool
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Column:
    """Loads that differ along the z axis alone: a queue of registers, the leading element of which is loaded.

    Attributes
    ----------
    array, index
        The leading load.
    span
        The length of the queue.
    places
        The place in the queue of each load of the column, by its index.
    """

    array: int
    index: Index
    span: int
    places: dict[Index, int]


@dataclass(frozen=True)
class ChainCode:
    """The source of a device function that runs the nests of a chain: a block of threads for each row.

    Attributes
    ----------
    source
        It takes one structure, the arguments of all nests one after the other.
    parts
        What each nest must be told.
    """

    source: str
    parts: tuple[DeviceCode, ...]

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """The arguments of all nests."""
        return tuple(field for part in self.parts for field in part.fields)

    #: As `DeviceCode` has them.
    form = LANES
    marches = False


def form_of(nest: Nest) -> str:
    """Return how an element of a nest is run."""
    assert not nest.ordered or nest.runs >= 0, "xpaccel.loops.scatter was not asked"
    if nest.reduction is None:
        return RUNS if nest.runs >= 0 else PLAIN
    return LANES if len(nest.extents) - 1 in nest.reduction.axes else STRIP


def loop_order(nest: Nest) -> list[int]:
    """Return the axes from the outermost loop in. Reduced ones and runs go inside; lanes keep the innermost inside."""
    axes = range(len(nest.extents))
    if nest.runs >= 0:
        return [*axes[1:], 0]
    if nest.reduction is None:
        return list(axes)
    reduced = nest.reduction.axes
    return [*(axis for axis in axes if axis not in reduced), *reduced]


def thread_axes(nest: Nest) -> tuple[int, ...]:
    """Return the axes that are spread over threads: along x, y and z."""
    reduced = nest.reduction.axes if nest.reduction else ()
    kept = [axis for axis in range(len(nest.extents)) if axis not in reduced]
    return tuple(kept[::-1][:3])


def levels(nest: Nest, depth_of: dict[int, int]) -> list[int]:
    """Return, for each value, inside how many loops it must stand."""
    found: list[int] = []
    for value in nest.values:
        if value.op in ("load", "gather"):
            moving = [depth_of[p.axis] for p in value.data[1] if p.step]
            level = max((*moving, *(found[arg] for arg in value.args)), default=0)
        elif value.op == "index":
            position = value.data[0]
            level = depth_of[position.axis] if position.step else 0
        else:
            level = max((found[arg] for arg in value.args), default=0)
        found.append(level)
    return found


def columns(program: LoopProgram, nest: Nest) -> list[Column]:
    """Return the columns of a nest that is to march along its third thread axis; none if it is not to."""
    threads = thread_axes(nest)
    if nest.reduction is not None or nest.runs >= 0 or len(threads) < 3:
        return []
    along = threads[2]
    groups: dict[tuple[int, int, Index], dict[int, Index]] = {}
    for value in nest.values:
        if value.op == "load" and program.owners[value.data[0]] not in written(program, nest):
            array, index = value.data
            axes = [axis for axis, position in enumerate(index) if position.axis == along and position.step]
            if len(axes) == 1 and index[axes[0]].step == 1:
                (axis,) = axes
                start = index[axis].start
                rest = (*index[:axis], Position(start - start.const, along, 1), *index[axis + 1 :])
                groups.setdefault((array, axis, rest), {})[start.const] = index
    found = []
    for (array, _, _), loads in groups.items():
        low, high = min(loads), max(loads)
        if 0 < high - low < LONGEST_COLUMN:
            places = {index: offset - low for offset, index in loads.items()}
            found.append(Column(array, loads[high], high - low + 1, places))
    return found


def fields(program: LoopProgram, nest: Nest, layout: Layout, marches: bool) -> tuple[tuple[str, str], ...]:
    """Return the arguments of a nest's device function."""
    found = [(f"p{number}", "pointer") for number in range(len(layout.streams))]
    found += [(f"s{number}", "Int") for number in range(len(layout.strides))]
    for axis in range(len(nest.extents)):
        found += [(f"lo{axis}", "Int"), (f"hi{axis}", "Int")]
    if marches:
        found.append(("chunk", "Int"))
    found += [(f"k{number}", "Int") for number in range(len(layout.indices))]
    if layout.checks:
        found += [("status", "pointer"), *((f"n{number}", "Int") for number in range(len(layout.checks)))]
        found.append(("site", "int32"))
    for number in (*layout.integers, *layout.floats):
        dtype = program.scalars[number][1]
        if dtype.startswith("complex"):
            part = "float32" if dtype == "complex64" else "float64"
            found += [(f"x{number}_re", part), (f"x{number}_im", part)]
        else:
            found.append((f"x{number}", dtype))
    return tuple(found)


def written(program: LoopProgram, nest: Nest) -> set[int]:
    """Return the memories that a nest writes, by the number of the array that owns each."""
    return {program.owners[store.array] for store in nest.stores}


def distance(stream: Stream, axis: int, prefix: str = "") -> str:
    """Return how far, in elements, loop index `axis` takes a stream; empty if it does not."""
    parts = []
    for stride, step in stream.terms[axis]:
        text = f"i{axis}" if stride < 0 else f"i{axis} * {prefix}s{stride}"
        parts.append(text if step == 1 else f"{step} * {text}")
    return " + ".join(parts)
