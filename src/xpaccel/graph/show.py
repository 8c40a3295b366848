"""A graph as text: one line a node, with where in the user's source it came from."""

from __future__ import annotations

from xpaccel.graph.affine import Affine
from xpaccel.graph.graph import Graph
from xpaccel.graph.node import Node
from xpaccel.ops import OPS


def show(graph: Graph) -> str:
    """Return a graph as text.

    Parameters
    ----------
    graph
        The graph.

    Returns
    -------
    str
        A line for each node in order, then the outputs, the writes and the guards.
    """
    names = {node: f"%{position}" for position, node in enumerate(graph.nodes())}
    rows = [
        (
            f"{names[node]} = {_text(node, names)}",
            f"{node.dtype}[{', '.join(map(str, node.shape))}]",
            node.line,
        )
        for node in names
    ]
    left = max((len(row[0]) for row in rows), default=0)
    middle = max((len(row[1]) for row in rows), default=0)
    lines = [f"{text:<{left}}  {kind:<{middle}}  {line}".rstrip() for text, kind, line in rows]
    if graph.outputs:
        lines.append("returns " + ", ".join(names[node] for node in graph.outputs))
    lines += [f"writes argument {slot}: {names[node]}" for slot, node in graph.writes]
    lines += [f"guard {guard}" for guard in graph.guards.recorded]
    lines += [f"guard {expr} is {value!r}" for expr, value in graph.scalar_guards]
    return "\n".join(lines)


def _text(node: Node, names: dict[Node, str]) -> str:
    inputs = [names[item] for item in node.inputs]
    if node.op in OPS and OPS[node.op].symbol:
        symbol = OPS[node.op].symbol
        return f"{symbol}{inputs[0]}" if len(inputs) == 1 else f"{inputs[0]} {symbol} {inputs[1]}"
    if node.op == "input":
        return f"input {node.params[0]}"
    if node.op == "const":
        return str(node.params[0])
    if node.op == "scalar":
        return f"number {node.params[0]}"
    if node.op == "iota":
        return "iota"
    if node.op == "slice":
        return f"{inputs[0]}[{_box(node.params, node)}]"
    if node.op == "update":
        return f"{inputs[0]} with [{_box(node.params, node.inputs[1])}] = {inputs[1]}"
    if node.op == "gather":
        return f"{inputs[0]}[{_at(list(node.params), inputs[1:])}]"
    if node.op == "scatter":
        mode, *box = node.params
        remaining = iter(inputs[2:])
        at = ", ".join(
            _moving(start, step, next(remaining) if by is None else f"i{by}") if by != -1 else str(start)
            for start, step, by in box
        )
        return f"{inputs[0]} with [{at}] {'' if mode == 'set' else f'{mode} '}= {inputs[1]}"
    if node.op == "call":
        function, arguments, number = node.params
        given = [f"{keyword}={value!r}" for keyword, value in arguments]
        return f"call {function}({', '.join([*inputs, *given])})[{number}]"
    params = {
        "place": lambda: [f"size={node.params[0]}"],
        "axes": lambda: ["new" if axis is None else str(axis) for axis in node.params],
        "reduce": lambda: [f"axes={','.join(map(str, node.params[1]))}"],
        "roll": lambda: [f"axis={node.params[0]}", f"shift={node.params[1]}"],
        "concat": lambda: [f"axis={node.params[0]}"],
    }.get(node.op, list)()
    name = node.params[0] if node.op == "reduce" else node.op
    return f"{name}({', '.join([*inputs, *params])})"


def _at(by: list[int | None], places: list[str]) -> str:
    remaining = iter(places)
    return ", ".join(next(remaining) if axis is None else f"i{axis}" for axis in by)


def _moving(start: Affine, step: int, index: str) -> str:
    text = index if step == 1 else f"{step}*{index}"
    return text if start == Affine() else f"{start} + {text}"


def _box(box: tuple[tuple[Affine, int], ...], counts: Node) -> str:
    parts = []
    for (start, step), count in zip(box, counts.shape, strict=True):
        if count == Affine(1):
            parts.append(str(start))
            continue
        stop = start + count * step
        text = f"{start if start != Affine() else ''}:{stop}"
        parts.append(text if step == 1 else f"{text}:{step}")
    return ", ".join(parts)
