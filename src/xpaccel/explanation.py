"""What was made of a kernel: graph, loops, source, cost, guards, and what was not fused and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from xpaccel.backends.base import Backend
from xpaccel.graph import show as graph_show
from xpaccel.graph.affine import Symbol
from xpaccel.graph.graph import Graph
from xpaccel.loops import show as loops_show
from xpaccel.loops.cost import cost
from xpaccel.loops.program import LoopProgram


@dataclass(frozen=True, slots=True)
class NestCost:
    """The cost of one nest for the sizes that were asked about.

    Attributes
    ----------
    points
        How many points it runs.
    bytes_per_point, flops_per_point
        Memory traffic at the least, and floating-point operations.
    lines
        Where in the user's source it comes from.
    """

    points: int
    bytes_per_point: float
    flops_per_point: float
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was made of a kernel for one kind of call. `str` of it is the text for people.

    Attributes
    ----------
    name, backend
        The kernel and the target.
    graph, loops, source
        The array program, the loop program and the generated source, as text.
    nests
        The cost of each nest.
    bytes, flops
        Of a whole call.
    guards
        What was assumed; another call for which it holds uses the same program.
    notes
        What was not fused, and why.
    """

    name: str
    backend: str
    graph: str
    loops: str
    source: str
    nests: tuple[NestCost, ...]
    bytes: int
    flops: int
    guards: tuple[str, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        data: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        data["nests"] = [{f.name: getattr(nest, f.name) for f in fields(nest)} for nest in self.nests]
        return data

    def __str__(self) -> str:
        counts = [
            f"nest {k}: {n.points} points, {n.bytes_per_point:.4g} bytes and {n.flops_per_point:.4g} flops a point"
            + (f"  # {', '.join(n.lines)}" if n.lines else "")
            for k, n in enumerate(self.nests)
        ]
        parts = [
            ("graph", self.graph),
            ("loops", self.loops),
            ("source", self.source),
            (
                "cost",
                "\n".join([*counts, f"a call moves {self.bytes} bytes at the least and computes {self.flops} flops"]),
            ),
            ("guards", "\n".join(self.guards) or "none: one program serves every size"),
            ("not fused", "\n".join(self.notes) or "nothing: everything that could be fused was"),
        ]
        body = "\n\n".join(f"-- {title} --\n{text}" for title, text in parts)
        return f"{self.name} on {self.backend}\n\n{body}\n"


def sources(loops: LoopProgram, backend: Backend) -> str:
    """Return the generated source of every distinct function."""
    return "\n\n".join(dict.fromkeys(backend.sources(loops)))


def explain(name: str, graph: Graph, loops: LoopProgram, backend: Backend, sizes: Mapping[Symbol, int]) -> Explanation:
    """Explain a lowered kernel for given sizes."""
    costs = [cost(loops, nest, sizes) for nest in loops.nests]
    nests = tuple(
        NestCost(c.points, c.bytes / max(c.points, 1), c.flops / max(c.points, 1), nest.lines)
        for c, nest in zip(costs, loops.nests, strict=True)
    )
    guards = [str(guard) for guard in graph.guards.recorded]
    guards += [f"{expr} is {value!r}" for expr, value in graph.scalar_guards]
    return Explanation(
        name,
        backend.name,
        graph_show.show(graph),
        loops_show.show(loops),
        sources(loops, backend),
        nests,
        sum(c.bytes for c in costs),
        sum(c.flops for c in costs),
        tuple(guards),
        loops.notes,
    )
