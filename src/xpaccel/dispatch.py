"""From a call to the program that serves it: keys, guards, aliasing.

A call is looked up three times, each time less exactly: by dtypes, sizes and strides (a *site*, where
everything is bound already); by what a compilation depends on, with its guards on sizes and numbers
(the program is bound to the new sizes); and else the function is traced and compiled.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xpaccel import active, aliasing, backends
from xpaccel.backends.base import Backend, Memory
from xpaccel.backends.host import MEMORY
from xpaccel.compiled import Compiled, leaf_of, symbols, unit_axes
from xpaccel.errors import BackendError, TraceError
from xpaccel.graph.affine import Symbol
from xpaccel.options import Options
from xpaccel.program import Bound
from xpaccel.stats import Stats
from xpaccel.trace import session
from xpaccel.trace.leaves import ArrayLeaf, Leaf, ScalarLeaf, StaticLeaf
from xpaccel.trace.tree import TreeDef, flatten

#: A kernel compiled this often for one kind of call warns: something is specialised again and again.
MANY = 8


@dataclass(frozen=True, slots=True, eq=False)
class _Variant:
    """A compiled program, bound to the sizes and strides of one kind of call."""

    made: _Made
    bound: Bound
    has_bases: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    """A compiled kernel and what it takes for granted about memory.

    `alias` is None where no written argument overlaps another one, else `Aliasing.key`; `writes`
    are the slots of the arguments that the kernel writes to.
    """

    compiled: Compiled
    alias: Any
    writes: tuple[int, ...]

    def serves(self, memory: Memory, arrays: Sequence[Any], pairs: Sequence[tuple[int, int]]) -> bool:
        """Whether these arguments share memory as was taken for granted."""
        if not _touched(pairs, self.writes):
            return self.alias is None
        return self.alias is not None and bool(self.alias == aliasing.resolve(memory, arrays, pairs, self.writes).key)


class _Site:
    """What is known of calls with the same dtypes, sizes and strides."""

    __slots__ = ("bounds", "variants")

    def __init__(self, arrays: Sequence[Any]) -> None:
        self.bounds = [aliasing.byte_bounds(array) for array in arrays]
        self.variants: list[_Variant] = []


class Dispatcher:
    """Finds, or makes, the program that serves a call of one kernel.

    Parameters
    ----------
    function
        The plain Python function.
    name
        What messages call it.
    stats
        Counts what is done here.
    options
        What the user said of the kernel.
    """

    def __init__(self, function: Callable[..., Any], name: str, stats: Stats, options: Options) -> None:
        self.python, self.stats, self.name, self.options = function, stats, name, options
        #: What runs calls on arguments that bring a driver of their own, by its name.
        self.drivers: dict[str, Any] = {}
        self._sites: dict[Any, _Site] = {}
        self._made: dict[Any, list[_Made]] = {}
        self._lock = threading.RLock()

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the kernel on the active backend."""
        if session.is_tracing():
            return self.python(*args, **kwargs)
        backend = active.current()
        if backend.eager:
            if _are_flat(args) and _are_flat(kwargs.values()):
                return self.python(*args, **kwargs)
            driven = self._driven(*flatten((args, kwargs)))
            return driven() if driven is not None else self.python(*args, **kwargs)
        memory = backend.memory
        leaves, tree = flatten((args, kwargs)) if kwargs else _flatten_flat(args)
        key, arrays, scalars = key_of_call(backend, memory, leaves, tree)
        if key is None:
            driven = self._driven(leaves, tree)
            assert driven is not None
            return driven()
        site = self._sites.get(key)
        if site is None:
            site = self._sites[key] = _Site(arrays)
        addresses = [memory.address(array) for array in arrays]
        pairs = aliasing.overlaps(addresses, site.bounds)
        for variant in site.variants:
            made = variant.made
            if made.serves(memory, arrays, pairs) and made.compiled.fits_values(scalars, variant.bound.sizes):
                break
        else:
            variant = self._bind(backend, site, leaves, tree, arrays, scalars, pairs)
            made = variant.made
        compiled = made.compiled
        for slot in made.writes:
            if not memory.is_writeable(arrays[slot]):
                raise ValueError(f"{self.name}: assignment destination is read-only (array argument {slot + 1})")
        for address, array in zip(addresses, arrays, strict=True):
            if address & 15 and (problem := memory.problem(array)):  # sizes and strides are those of aligned ones
                raise TraceError(f"an array argument of {self.name} {problem}")
        if compiled.outside:
            self._keep_apart(memory, [arrays[slot] for slot in made.writes], compiled.outside)
        if variant.has_bases or compiled.constants:
            bases = aliasing.resolve(memory, arrays, pairs, made.writes).bases if variant.has_bases else ()
            more = [*bases, *compiled.constants]
            arrays = [*arrays, *more]
            addresses += [memory.address(array) for array in more]
        outputs = variant.bound.run(arrays, addresses, scalars)
        return compiled.result(outputs, arrays, scalars, variant.bound.sizes)

    def _driven(self, leaves: list[Any], tree: TreeDef) -> Callable[[], Any] | None:
        """Return the call, where an argument brings a driver of its own (``__xpaccel_kernel__``): a field does."""
        for leaf in leaves:
            driver = getattr(leaf, "__xpaccel_kernel__", None)
            if driver is not None:
                return lambda: driver(self, leaves, tree)
        return None

    def _keep_apart(self, memory: Memory, written: Sequence[Any], outside: Sequence[Any]) -> None:
        """Refuse to write to an argument that an array from outside, which the kernel may read, shares memory with."""
        both = [*written, *outside]
        bounds = [aliasing.byte_bounds(array) for array in both]
        for i, j in aliasing.overlaps([memory.address(array) for array in both], bounds):
            if i < len(written) <= j:
                raise TraceError(
                    f"{self.name} writes to an array argument that shares memory with an array which it takes from "
                    "outside (a global or an attribute). Pass that one as an argument too."
                )

    # -- finding and making programs --------------------------------------------------------------

    def _bind(
        self,
        backend: Backend,
        site: _Site,
        leaves: Sequence[Any],
        tree: TreeDef,
        arrays: Sequence[Any],
        scalars: Sequence[Any],
        pairs: Sequence[tuple[int, int]],
    ) -> _Variant:
        """Bind a program that was compiled for other sizes, or compile one."""
        with self._lock:
            made, bases = self._make(backend, backend.memory, leaves, tree, arrays, scalars, pairs)
            compiled = made.compiled
            if not compiled.is_built:
                self.stats.compilations += 1
            given = (*arrays, *bases, *compiled.constants)
            strides = {
                slot: tuple(stride // array.itemsize for stride in array.strides) for slot, array in enumerate(given)
            }
            for slot in made.writes:
                if aliasing.overlaps_itself(arrays[slot]):
                    raise TraceError(
                        f"{self.name} writes to array argument {slot + 1}, elements of which are the same memory "
                        "(it was broadcast, or made by as_strided). Pass a copy of it: its .copy()."
                    )
            variant = _Variant(made, compiled.program.bind(symbols(given), strides), bool(bases))
            site.variants.append(variant)
            return variant

    def _make(
        self,
        backend: Backend,
        memory: Memory,
        leaves: Sequence[Any],
        tree: TreeDef,
        arrays: Sequence[Any],
        scalars: Sequence[Any],
        pairs: Sequence[tuple[int, int]],
    ) -> tuple[_Made, tuple[Any, ...]]:
        """Return a compiled kernel for this call, and the arrays of which overlapping arguments are views."""
        described = _describe(leaves, memory)
        loose = (
            backend.name,
            memory.array_type,
            tree,
            tuple(map(_loose, described)),
            tuple(unit_axes(arrays).values()),
        )
        known = self._made.setdefault(loose, [])
        for made in known:
            if not made.serves(memory, arrays, pairs):
                continue
            bases = aliasing.resolve(memory, arrays, pairs, made.writes).bases if made.alias is not None else ()
            sizes = symbols((*arrays, *bases, *made.compiled.constants))
            if made.compiled.fits_sizes(sizes) and made.compiled.fits_values(scalars, sizes):
                return made, bases
        if len(known) == MANY:
            self._warn(known)
        compiled = self._trace(backend, memory, described, tree, arrays)
        made, bases = _Made(compiled, None, compiled.writes), ()
        if _touched(pairs, compiled.writes):
            found = aliasing.resolve(memory, arrays, pairs, compiled.writes)
            bases = found.bases
            aliased = self._trace(backend, memory, _aliased(described, found), tree, [*arrays, *bases])
            made = _Made(aliased, found.key, compiled.writes)
        known.append(made)
        return made, bases

    def _warn(self, known: Sequence[_Made]) -> None:
        """Say that something is specialised again and again, and what."""
        graph = known[-1].compiled.traced.graph
        values = [f"{guard}" for guard in graph.guards.recorded if guard.relation == "=="]
        values += [f"{expr} is {value!r}" for expr, value in graph.scalar_guards]
        warnings.warn(
            f"{self.name} was compiled {len(known)} times for arguments that differ in values or sizes alone. "
            f"What it asks for the value of is compiled for anew; last: {'; '.join(values)}",
            RuntimeWarning,
            stacklevel=5,
        )

    def _trace(
        self, backend: Backend, memory: Memory, leaves: Sequence[Leaf], tree: TreeDef, arrays: Sequence[Any]
    ) -> Compiled:
        self.stats.traces += 1

        def rebuild(traced: list[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
            args, kwargs = tree.unflatten(traced[: tree.size])
            return args, kwargs

        return Compiled(
            self.python, self.name, leaves, rebuild, arrays, backend, memory, reproducible=self.options.reproducible
        )

    def inspect(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], backend: str | None
    ) -> tuple[Compiled, dict[Symbol, int]]:
        """Trace and lower for a call, without compiling or running it; return that and the sizes.

        Raises
        ------
        BackendError
            If `backend` is named and compiles nothing.
        """
        target = backends.get(backend or active.get_backend())
        if target.eager:
            if backend is not None:
                raise BackendError(
                    f"backend {backend!r} runs kernels as they are written; ask for one that compiles, such as 'numba'"
                )
            target = backends.get("numba")
        leaves, tree = flatten((args, kwargs))
        # What is generated for a device can be read where there is none, with NumPy's arrays for its own.
        memory = MEMORY if any(isinstance(leaf, np.ndarray) for leaf in leaves) else target.memory
        key, arrays, scalars = key_of_call(target, memory, leaves, tree)
        if key is None:
            raise TraceError(
                f"{self.name}: the graph, loops and source of a kernel are shown for arrays, not for fields.\n    Give "
                "an array of a part of the domain: field.local."
            )
        pairs = aliasing.overlaps(
            [memory.address(array) for array in arrays],
            [aliasing.byte_bounds(array) for array in arrays],
        )
        with self._lock:
            made, bases = self._make(target, memory, leaves, tree, arrays, scalars, pairs)
        return made.compiled, symbols((*arrays, *bases, *made.compiled.constants))


_FLAT_TYPES = frozenset((np.ndarray, float, int, complex, bool, np.float64, np.float32, np.int64, type(None), str))
_flat_trees: dict[int, TreeDef] = {}


def _are_flat(args: Iterable[Any]) -> bool:
    """Whether arguments are arrays and numbers alone: nothing is nested, and none has a driver of its own."""
    return _FLAT_TYPES.issuperset(map(type, args))


def _flatten_flat(args: tuple[Any, ...]) -> tuple[list[Any], TreeDef]:
    """Flatten positional arguments; most calls nest nothing, and their tree is known by its length."""
    if not _are_flat(args):
        return flatten((args, {}))
    tree = _flat_trees.get(len(args))
    if tree is None:
        tree = _flat_trees[len(args)] = flatten((args, {}))[1]
    return list(args), tree


def key_of_call(
    backend: Backend,
    memory: Memory,
    leaves: Sequence[Any],
    tree: TreeDef,
    described: Callable[[Any], Any] | None = None,
) -> tuple[Any, list[Any], list[Any]]:
    """Return the key of a call, its array arguments and its run-time numbers.

    Parameters
    ----------
    backend, memory, leaves, tree
        What is called, and on what.
    described
        Gives what a compilation depends on of an argument that brings a driver of its own, which then counts as an
        array. Without it the key is None where there is one.

    Raises
    ------
    TraceError
        If an argument cannot be compared with those of other calls.
    """
    parts: list[Any] = [backend.name, tree]
    array_type = memory.array_type
    arrays: list[Any] = []
    scalars: list[Any] = []
    for leaf in leaves:
        cls = leaf.__class__
        if cls is array_type:
            parts.append((leaf.dtype, leaf.shape, leaf.strides))
            arrays.append(leaf)
        elif cls is float or cls is int or cls is complex:
            parts.append(cls)
            scalars.append(leaf)
        elif isinstance(leaf, array_type):
            parts.append((cls, leaf.dtype, leaf.shape, leaf.strides))
            arrays.append(leaf)
        elif isinstance(leaf, np.generic):
            parts.append(leaf.dtype)
            scalars.append(leaf.item())
        elif cls in _PLAIN:
            parts.append((cls, leaf))
        elif hasattr(cls, "__xpaccel_kernel__"):
            if described is None:
                return None, arrays, scalars
            parts.append(described(leaf))
            arrays.append(leaf)
        else:
            parts.append((cls, exactly(leaf)))
    try:
        key = tuple(parts)
        hash(key)
    except TypeError:
        for number, leaf in enumerate(leaves):
            leaf_of(leaf, f"argument {number + 1}", memory)  # says which one it is
        raise
    return key, arrays, scalars


_PLAIN = frozenset((str, bool, type(None), bytes))


def exactly(value: Any) -> Any:
    """Return a key that equals another's only if both values are the same, types and signs of zero included.

    Values of types with an equality of their own are the same if they are one object.
    """
    cls = type(value)
    if cls in _PLAIN or cls is int or isinstance(value, np.dtype | type) or cls.__eq__ is object.__eq__:  # type: ignore[comparison-overlap]
        return cls, value
    if cls in (float, complex):
        return cls, repr(value)
    if cls is tuple:
        return cls, tuple(map(exactly, value))
    if cls is frozenset:
        return cls, frozenset(map(exactly, value))
    return cls, id(value), value  # the last keeps it alive


def _describe(leaves: Sequence[Any], memory: Memory) -> list[Leaf]:
    """Return what a tracer needs to know of the arguments."""
    return [leaf_of(leaf, f"argument {number + 1}", memory) for number, leaf in enumerate(leaves)]


def _aliased(leaves: Sequence[Leaf], found: aliasing.Aliasing) -> list[Leaf]:
    """Return `leaves` with how arrays share memory, and a leaf more for each virtual base."""
    aliased: list[Leaf] = []
    slot = 0
    for leaf in leaves:
        if isinstance(leaf, ArrayLeaf):
            leaf = replace(leaf, same_as=found.same_as[slot], view_of=found.view_of[slot])
            slot += 1
        aliased.append(leaf)
    return [*aliased, *(ArrayLeaf(base.dtype.name, base.shape) for base in found.bases)]


def _loose(leaf: Leaf) -> Any:
    """Return what a compilation depends on of a leaf: not sizes, and not the values of numbers."""
    if isinstance(leaf, ArrayLeaf):
        return leaf.dtype, tuple(size == 1 for size in leaf.shape)
    if isinstance(leaf, ScalarLeaf):
        return type(leaf.value)
    return exactly(leaf.value) if isinstance(leaf, StaticLeaf) else leaf


def _touched(pairs: Sequence[tuple[int, int]], writes: Sequence[int]) -> bool:
    """Whether a written array overlaps another one."""
    return any(i in writes or j in writes for i, j in pairs)
