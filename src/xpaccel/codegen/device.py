"""What the printers of device code share: which loops are threads, and what stands inside which loop.

A nest's kept axes are spread over threads, the last of them along `x`, so that neighbouring threads
touch neighbouring elements; the two before it along `y` and `z`. Every such loop is a grid-stride
loop, so any launch geometry computes everything. What else there is (more axes, reduced ones) are
loops inside a thread.
"""

from __future__ import annotations

from dataclasses import dataclass

from xpaccel.codegen.layout import Layout, NestCode, Stream
from xpaccel.loops.program import LoopProgram, Nest

#: How an element of a nest is run: by a thread; by a thread that walks the reduced axes in order; or by
#: the lanes of warps, which reduce the innermost axis.
PLAIN, STRIP, LANES = "plain", "strip", "lanes"


@dataclass(frozen=True, slots=True)
class DeviceCode(NestCode):
    """The source of a device function, what it must be told, and how it is launched.

    Attributes
    ----------
    form
        `PLAIN`, `STRIP` or `LANES`.
    threads
        The axes that are spread over threads: along x, y and z.
    fields
        ``(name, type)`` of each argument in order; a type is ``"pointer"``, ``"Int"`` or a dtype.
    """

    form: str
    threads: tuple[int, ...]
    fields: tuple[tuple[str, str], ...]


def form_of(nest: Nest) -> str:
    """Return how an element of a nest is run."""
    if nest.reduction is None:
        return PLAIN
    return LANES if len(nest.extents) - 1 in nest.reduction.axes else STRIP


def loop_order(nest: Nest) -> list[int]:
    """Return the axes from the outermost loop in. Reduced ones go inside; lanes keep the innermost inside."""
    axes = range(len(nest.extents))
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
        if value.op == "load":
            level = max((depth_of[p.axis] for p in value.data[1] if p.step), default=0)
        elif value.op == "index":
            position = value.data[0]
            level = depth_of[position.axis] if position.step else 0
        else:
            level = max((found[arg] for arg in value.args), default=0)
        found.append(level)
    return found


def fields(program: LoopProgram, nest: Nest, layout: Layout) -> tuple[tuple[str, str], ...]:
    """Return the arguments of a nest's device function."""
    found = [(f"p{number}", "pointer") for number in range(len(layout.streams))]
    found += [(f"s{number}", "Int") for number in range(len(layout.strides))]
    for axis in range(len(nest.extents)):
        found += [(f"lo{axis}", "Int"), (f"hi{axis}", "Int")]
    found += [(f"k{number}", "Int") for number in range(len(layout.indices))]
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
