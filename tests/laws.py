"""The law that every part is held to: what comes out equals eager NumPy on copies of the arguments."""

from __future__ import annotations

import numpy as np
import targets
from programs import agree

from xpaccel import aliasing
from xpaccel.backends.host import MEMORY
from xpaccel.compiled import leaf_of, symbols, unit_axes
from xpaccel.graph import interpret as graph_interpreter
from xpaccel.loops import interpret as loop_interpreter
from xpaccel.loops import scatter
from xpaccel.loops.lower import lower
from xpaccel.trace.leaves import Static, Value
from xpaccel.trace.trace import trace
from xpaccel.trace.tree import flatten


def arrays_of(args):
    """Return the arrays among nested arguments."""
    return [leaf for leaf in flatten((tuple(args), {}))[0] if isinstance(leaf, np.ndarray)]


def numbers_of(args):
    """Return the run-time numbers among nested arguments."""
    leaves = flatten((tuple(args), {}))[0]
    return [
        leaf.item() if isinstance(leaf, np.generic) else leaf
        for leaf in leaves
        if isinstance(leaf, int | float | complex | np.generic) and not isinstance(leaf, bool)
    ]


def traced(function, args):
    """Trace a function for these arguments, arrays that share memory included."""
    from xpaccel.dispatch import _aliased

    leaves, tree = flatten((tuple(args), {}))
    described = [leaf_of(leaf, "argument", MEMORY) for leaf in leaves]
    arrays = arrays_of(args)

    def rebuild(values):
        return tree.unflatten(values[: tree.size])

    plain = trace(function, described, rebuild, "program")
    pairs = aliasing.overlaps(
        [a.__array_interface__["data"][0] for a in arrays], [aliasing.byte_bounds(a) for a in arrays]
    )
    writes = tuple(slot for slot, _ in plain.graph.writes)
    if not any(i in writes or j in writes for i, j in pairs):
        return plain, []
    found = aliasing.resolve(MEMORY, arrays, pairs, writes)
    return trace(function, _aliased(described, found), rebuild, "program"), list(found.bases)


def same(got, want, tolerance=None):
    """Assert that two values agree: bit for bit (NaN equals NaN), or within ``(relative, absolute)``."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, (got.shape, want.shape)
    assert got.dtype == want.dtype, (got.dtype, want.dtype)
    assert agree(want, got, tolerance), f"{got!r}\nexpected\n{want!r}"


def check_interpreters(function, make, tolerance=None):
    """Hold the graph and the loops of a function, both interpreted, against eager NumPy.

    `make` makes the arguments, the same ones each time (views of one array included).
    """
    wanted = make()
    with np.errstate(all="ignore"):
        eager = function(*wanted)
    leaves, _ = flatten(eager)
    for which in ("graph", "forward", "backward", "spread forward", "spread backward"):
        given = make()
        found, bases = traced(function, given)
        arrays = [*arrays_of(given), *bases, *found.constants]
        numbers, sizes = numbers_of(given), symbols(arrays)
        if which == "graph":
            outputs, writes = graph_interpreter.interpret(found.graph, arrays, numbers)
            for slot, value in dict(writes).items():
                arrays[slot][...] = value
        else:
            program = lower(found.graph, unit_axes(arrays))
            if "spread" in which:
                program = scatter.spread(program)
            outputs = loop_interpreter.interpret(program, arrays, numbers, sizes, backward="backward" in which)
        for got, want in zip(arrays_of(given), arrays_of(wanted), strict=True):
            same(got, want, tolerance)
        for leaf, want in zip(found.result, leaves, strict=True):
            if isinstance(leaf, Value):
                same(outputs[leaf.index], want, tolerance)
            elif isinstance(leaf, Static):
                assert leaf.value == want


def check_compiled(kernel, make, tolerance=None):
    """Hold a kernel on the active backend against its own function run eagerly."""
    wanted, given = make(), make()
    with np.errstate(all="ignore"):
        eager = kernel.python(*wanted)
    got = kernel(*given)
    for a, b in zip(arrays_of(given), arrays_of(wanted), strict=True):
        same(a, b, tolerance)
    for a, b in zip(flatten(got)[0], map(targets.scalar, flatten(eager)[0]), strict=True):
        if isinstance(b, np.ndarray | np.generic):
            assert type(a) is type(b), (type(a), type(b))
            same(a, b, tolerance)
        else:
            assert a == b
            assert type(a) is type(b)
