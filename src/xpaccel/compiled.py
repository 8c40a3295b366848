"""A kernel compiled for one kind of call: its trace, its loops, its machine code, its guards.

What a compilation depends on: the nesting of the arguments, their dtypes and numbers of
axes, which sizes are 1, which axes are contiguous, and which arrays share memory. Sizes
themselves are covered by guards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from xpaccel import debug
from xpaccel.backends.base import Backend, Memory
from xpaccel.errors import BackendError, TraceError
from xpaccel.graph import show as graph_show
from xpaccel.graph.affine import Symbol, compile_guards
from xpaccel.graph.graph import Graph
from xpaccel.graph.scalar import ScalarExpr, compile_scalars
from xpaccel.loops import show as loops_show
from xpaccel.loops.lower import lower
from xpaccel.loops.program import LoopProgram
from xpaccel.ops import DTYPES
from xpaccel.program import Program
from xpaccel.trace.leaves import (
    Argument,
    ArgumentView,
    ArrayLeaf,
    GenericLeaf,
    Leaf,
    Number,
    OutLeaf,
    ScalarLeaf,
    Static,
    StaticLeaf,
    Value,
)
from xpaccel.trace.session import array_name, memory_of
from xpaccel.trace.trace import Traced, trace


def leaf_of(value: Any, position: str, memory: Memory) -> Leaf:
    """Return what a tracer needs to know of one argument.

    Raises
    ------
    BackendError
        If it is an array that this backend does not work on.
    TraceError
        If it is an array that cannot be compiled for, or a value that cannot be compared.
    """
    cls = type(value)
    if isinstance(value, memory.array_type):
        dtype = value.dtype
        if dtype.name not in DTYPES or not dtype.isnative:
            raise TraceError(
                f"{position} has dtype {dtype!r}; kernels compute with {', '.join(DTYPES)} in native byte order. "
                "Convert it first: .astype(...)."
            )
        problem = memory.problem(value)
        if problem is not None:
            raise TraceError(f"{position} {problem}")
        return ArrayLeaf(dtype.name, value.shape)
    if isinstance(value, np.generic):
        if value.dtype.name not in DTYPES:
            raise TraceError(
                f"{position} is a NumPy scalar of dtype {value.dtype!r}; kernels compute with {', '.join(DTYPES)}."
            )
        return GenericLeaf(value.dtype.name)
    if cls in (int, float, complex):
        return ScalarLeaf(value)
    if isinstance(value, np.ndarray):
        raise BackendError(
            f"{position} is a NumPy array, and this backend works on {array_name(memory)} arrays. Nothing is copied "
            "silently: convert it (cupy.asarray(...)), or choose the backend 'numba' or 'numpy'."
        )
    if hasattr(value, "__array_namespace__") or hasattr(value, "__cuda_array_interface__"):
        raise BackendError(
            f"{position} is a {cls.__module__}.{cls.__name__}, which does not lie in this backend's memory. "
            "Nothing is copied silently: convert it, or choose the backend that its memory belongs to."
        )
    try:
        hash(value)
    except TypeError:
        raise TraceError(
            f"{position} is a {cls.__name__}, which is neither an array, a number, a nesting of them, nor hashable."
        ) from None
    return StaticLeaf(value)


def symbols(arrays: Sequence[Any]) -> dict[Symbol, int]:
    """Return the value of every size symbol for these array arguments."""
    return {(slot, axis): size for slot, array in enumerate(arrays) for axis, size in enumerate(array.shape)}


def unit_axes(arrays: Sequence[Any]) -> dict[int, int | None]:
    """Return, for each array, the axis that is contiguous; the last one of those that are."""
    found: dict[int, int | None] = {}
    for slot, array in enumerate(arrays):
        found[slot] = None
        for axis, (size, stride) in enumerate(zip(array.shape, array.strides, strict=True)):
            if stride == array.itemsize and size > 1:
                found[slot] = axis
        if array.ndim and found[slot] is None and array.shape[-1] <= 1:
            found[slot] = array.ndim - 1
    return found


class Compiled:
    """A kernel, traced, lowered and compiled for one kind of call.

    Parameters
    ----------
    function
        The plain Python function.
    name
        What messages call it.
    leaves
        The call's leaves, with how arrays alias; extra leaves at the end stand for virtual bases.
    rebuild
        Makes ``(args, kwargs)`` from as many traced leaves.
    arrays
        The array arguments, then the virtual bases.
    backend
        The target.
    memory
        What the arrays lie in: the target's memory, but where the program is only looked at.
    reproducible
        Whether the bits of every result must be the same each time.
    rewrite
        What is done to the graph before it is lowered.

    Raises
    ------
    TraceError
        If the kernel does something that cannot be compiled.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        leaves: Sequence[Leaf],
        rebuild: Callable[[list[Any]], tuple[tuple[Any, ...], dict[str, Any]]],
        arrays: Sequence[Any],
        backend: Backend,
        memory: Memory,
        *,
        reproducible: bool = True,
        rewrite: Callable[[Graph], Graph] | None = None,
    ) -> None:
        self.name, self.backend = name, backend
        self.traced: Traced = trace(function, leaves, rebuild, name, memory)
        if not _same(self.traced, trace(function, leaves, rebuild, name, memory), memory):
            raise TraceError(
                f"kernel {name!r} differs from one call to the next: it uses random numbers, the clock or a counter, "
                "which a compiled kernel would ask for only once.\n    Pass such values as arguments."
            )
        if rewrite is not None:
            self.traced = replace(self.traced, graph=rewrite(self.traced.graph))
        graph = self.traced.graph
        #: Captured arrays. What the kernel made itself, of a list of numbers, is put into the target's memory.
        self.constants = tuple(
            array if isinstance(array, memory.array_type) else memory.upload(array) for array in self.traced.constants
        )
        self.loops: LoopProgram = backend.arrange(
            lower(graph, unit_axes([*arrays, *self.constants])), reproducible=reproducible
        )
        self.writes = tuple(slot for slot, _ in graph.writes)
        #: Arrays that the kernel may read besides its arguments: none of them may share memory with what it writes.
        self.outside = [*self.constants, *self.traced.captured.outside(memory)] if self.writes else []
        self.guards = graph.guards.recorded
        self._sizes_fit = compile_guards(self.guards)
        self._asked = compile_scalars([expr for expr, _ in graph.scalar_guards])
        self._answers = tuple(value for _, value in graph.scalar_guards)
        self._program: Program | None = None
        self.tree = self.traced.result_tree
        #: Gives the numbers among the results; 0 for those that are none.
        self.numbers = compile_scalars([_expr(leaf) for leaf in self.traced.result])
        self._is_host = memory.is_host
        self._plain = _plain_result(self.traced, memory.is_host)
        if debug.level() >= 1:
            debug.say(f"{name}: traced for {backend.name}: {len(graph.nodes())} values, {len(self.loops.nests)} nests")
        if debug.level() >= 3:
            debug.say(graph_show.show(graph))
            debug.say(loops_show.show(self.loops))
            for note in self.loops.notes:
                debug.say(f"not fused: {note}")

    @property
    def is_built(self) -> bool:
        """Whether there is machine code already."""
        return self._program is not None

    @property
    def program(self) -> Program:
        """The machine code; compiled when it is first asked for."""
        if self._program is None:
            self._program = Program(self.loops, self.backend, self.name)
        return self._program

    def fits_sizes(self, sizes: Mapping[Symbol, int]) -> bool:
        """Whether everything that was assumed about sizes holds."""
        return self._sizes_fit(sizes)

    def fits_values(self, scalars: Sequence[Any], sizes: Mapping[Symbol, int]) -> bool:
        """Whether everything that was assumed about Python numbers and captured values holds."""
        if self._answers:
            try:
                found = self._asked(scalars, sizes)
            except (ArithmeticError, TypeError, ValueError):
                return False
            for answer, value in zip(found, self._answers, strict=True):
                if type(answer) is not type(value) or repr(answer) != repr(value):  # 0.0 is not -0.0; nan is nan
                    return False
        return self.traced.captured.check()

    def result(
        self,
        outputs: Sequence[Any],
        arrays: Sequence[Any],
        scalars: Sequence[Any],
        sizes: Mapping[Symbol, int],
    ) -> Any:
        """Nest the results as the kernel did."""
        if self._plain is not None:
            return self._plain(outputs)
        numbers = self.numbers(scalars, sizes)
        leaves = [
            _result(leaf, number, outputs, arrays, sizes, self._is_host)
            for leaf, number in zip(self.traced.result, numbers, strict=True)
        ]
        return self.tree.unflatten(leaves)


def _same(first: Traced, second: Traced, memory: Memory) -> bool:
    """Whether two traces are one program: the same operations, literals, arrays from outside and plain results."""
    if len(first.constants) != len(second.constants) or len(first.result) != len(second.result):
        return False
    for one, other in zip(first.constants, second.constants, strict=True):
        if one is not other:
            lies_in = memory_of(one, memory)
            if one.shape != other.shape or lies_in.differs(other, lies_in.snapshot(one)):
                return False
    for leaf, again in zip(first.result, second.result, strict=True):
        if type(leaf) is not type(again):
            return False
        if isinstance(leaf, Static) and isinstance(leaf.value, bool | int | float | complex | str | bytes):
            assert isinstance(again, Static)
            if repr(leaf.value) != repr(again.value):
                return False
    return graph_show.show(first.graph) == graph_show.show(second.graph)


def _plain_result(traced: Traced, is_host: bool) -> Callable[[Sequence[Any]], Any] | None:
    """Return a quick way to the result where it is one thing: None, an array, or a tuple of arrays."""
    result = traced.result
    if any(not isinstance(leaf, Value) or (leaf.scalar and is_host) for leaf in result):
        nothing = len(result) == 1 and isinstance(result[0], Static) and result[0].value is None
        return (lambda outputs: None) if nothing and traced.result_tree.type is None else None
    indices = [leaf.index for leaf in result if isinstance(leaf, Value)]
    if traced.result_tree.type is None:
        only = indices[0]
        return lambda outputs: outputs[only]
    if traced.result_tree.type is tuple and all(child.type is None for child in traced.result_tree.children):
        return lambda outputs: tuple([outputs[index] for index in indices])
    return None


def _expr(leaf: OutLeaf) -> ScalarExpr:
    return leaf.expr if isinstance(leaf, Number) else ScalarExpr.const(0)


def _result(
    leaf: OutLeaf,
    number: Any,
    outputs: Sequence[Any],
    arrays: Sequence[Any],
    sizes: Mapping[Symbol, int],
    is_host: bool,
) -> Any:
    """Return one leaf of the result, as the eager namespace would have returned it (CuPy has no scalars)."""
    if isinstance(leaf, Value):
        return outputs[leaf.index][()] if leaf.scalar and is_host else outputs[leaf.index]
    if isinstance(leaf, Argument):
        return arrays[leaf.slot]
    if isinstance(leaf, ArgumentView):
        box: list[Any] = []
        for (start, step, size), axis in zip(leaf.box, range(len(leaf.box)), strict=True):
            first, count = start.value(sizes), size.value(sizes)
            if axis not in leaf.axes:
                box.append(first)
            else:
                end = first + step * count
                box.append(slice(first, end if end >= 0 else None, step) if count else slice(0, 0))
        view = arrays[leaf.slot][(*box, Ellipsis)]  # the ellipsis keeps a 0-d view an array
        kept = [axis for axis in range(len(leaf.box)) if axis in leaf.axes]
        order = [kept.index(axis) for axis in leaf.axes if axis is not None]
        view = view.transpose(order)
        return view[(*(np.newaxis if axis is None else slice(None) for axis in leaf.axes), Ellipsis)]
    if isinstance(leaf, Number):
        return number
    assert isinstance(leaf, Static)
    return leaf.value
