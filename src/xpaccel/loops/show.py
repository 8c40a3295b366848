"""A loop program as text that a person can read."""

from __future__ import annotations

from collections.abc import Sequence

from xpaccel.graph.affine import Affine
from xpaccel.loops.program import Call, Index, LoopProgram, Moves, Nest, Value
from xpaccel.ops import OPS


def show(program: LoopProgram) -> str:
    """Return the loops of a program as text."""
    lines = []
    for number, array in enumerate(program.arrays):
        shape = ", ".join(map(str, array.shape))
        owner = program.owners[number]
        kind = array.role if owner == number else f"{program.arrays[owner].name} in another shape"
        lines.append(f"{_name(program, number)}: {array.dtype}[{shape}]  {kind}")
    for number, (expr, dtype) in enumerate(program.scalars):
        lines.append(f"c{number}: {dtype} = {expr}")
    number = 0
    for step in program.steps:
        if isinstance(step, Call):
            lines += ["", _call(program, step) + (f"  # {step.line}" if step.line else "")]
            continue
        for nest in step:
            kind = " (points in order)" if nest.ordered else ""
            if nest.runs >= 0:
                kind = f" (runs of equal {_name(program, nest.runs)}, each in order)"
            for chain in program.chains:
                if chain.first == number:
                    rows = ", ".join(f"i{axis}" for axis in range(chain.lead))
                    lines += ["", f"nests {chain.first} to {chain.last - 1} row by row, for each {rows}:"]
            lines += [
                "",
                f"nest {number}{kind}:" + (f"  # {', '.join(nest.lines)}" if nest.lines else ""),
                *_nest(program, nest),
            ]
            number += 1
    return "\n".join(lines)


def _name(program: LoopProgram, number: int) -> str:
    owner = program.owners[number]
    return program.arrays[number].name + ("'" if owner != number else "")


def _call(program: LoopProgram, call: Call) -> str:
    outputs = ", ".join(_name(program, number) for _, number in call.outputs)
    given = [*(_name(program, number) for number in call.inputs), *(f"{k}={v!r}" for k, v in call.arguments)]
    return f"{outputs} = {call.function}({', '.join(given)})"


def _element(program: LoopProgram, array: int, index: Index, moves: Moves = (), args: Sequence[int] = ()) -> str:
    places = list(map(str, index))
    for (axis, step), arg in zip(moves, args, strict=True):
        moved = f"v{arg}" if step == 1 else f"{step}*v{arg}"
        places[axis] = moved if index[axis].start == Affine() else f"{places[axis]} + {moved}"
    return f"{_name(program, array)}[{', '.join(places)}]"


def _value(program: LoopProgram, nest: Nest, value: Value) -> str:
    args = [f"v{arg}" for arg in value.args]
    if value.op in ("load", "gather"):
        array, index, *moves = value.data
        return _element(program, array, index, moves[0] if moves else (), value.args)
    if value.op == "place":
        return f"place({args[0]}, size={nest.checks[value.data[0]].size})"
    if value.op == "const":
        return f"{value.dtype}({value.data[0]})"
    if value.op == "scalar":
        return f"c{value.data[0]}"
    if value.op == "index":
        return str(value.data[0])
    if value.op in OPS and OPS[value.op].symbol and len(args) == 2:
        return f" {OPS[value.op].symbol} ".join(args)
    return f"{value.op if value.op != 'astype' else value.dtype}({', '.join(args)})"


def _nest(program: LoopProgram, nest: Nest) -> list[str]:
    lines = []
    reduced = nest.reduction.axes if nest.reduction else ()
    for axis, ((low, high), extent) in enumerate(zip(nest.box, nest.extents, strict=True)):
        whole = low == Affine() and high == extent
        mark = "  (reduced)" if axis in reduced else ""
        lines.append("  " * (axis + 1) + f"for i{axis} in {low} .. {high}{'' if whole else f' of {extent}'}:{mark}")
    pad = "  " * (len(nest.box) + 1)
    lines += [f"{pad}v{number} = {_value(program, nest, value)}" for number, value in enumerate(nest.values)]
    for number, store in enumerate(nest.stores):
        value = f"v{store.value}" if nest.reduction is None else f"{nest.reduction.kinds[number]}(v{store.value})"
        target = _element(program, store.array, store.index, store.moves, store.args)
        how = f"{'atomic ' if store.is_atomic else ''}{'' if store.mode == 'set' else store.mode}="
        lines.append(f"{pad}{target} {how} {value}{f' where v{store.where}' if store.where >= 0 else ''}")
    return lines
