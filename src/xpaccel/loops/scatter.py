"""Scatters for many threads: what replaces a nest whose points must run in order, because some store into one element.

Four forms, all decided here, above the printers of devices. Each is a nest, or several, of an ordinary program:

* Points that store into different elements in any case need no order.
* *Atomic*: each point combines with its element in one indivisible step. The result is the same in every order for
  integers, bools and extremes; for other sums and products only if the kernel gives up reproducibility.
* *The last one wins*: three nests find the last point of each element, by an atomic maximum of points' numbers, and
  let it alone store.
* *Sorted*: points are sorted by their elements, by the namespace's stable sort, so that those of one element are a run,
  which a thread combines in order (`xpaccel.loops.program.Nest.runs`). The bits are those of the points in order.

Only axes that decide the element by a computed position, or not at all, take part in a sort: where rows are
scattered, the sort is of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from xpaccel.graph.affine import Affine
from xpaccel.loops.dependence import dependences, walked
from xpaccel.loops.order import along_memory
from xpaccel.loops.program import Array, Call, Chain, LoopProgram, Nest, Position, Product, Store, Value
from xpaccel.loops.transplant import Transplant
from xpaccel.ops import dtype_kind

ONE = Affine(1)


def spread(program: LoopProgram, *, reproducible: bool = True) -> LoopProgram:
    """Return a program that does the same with no nest of points in order, but for those that have runs.

    Parameters
    ----------
    program
        As it was lowered.
    reproducible
        Whether the bits of every result must be those of the points in order. Otherwise sums and products of floats
        are atomic where the hardware has that.
    """
    if not any(nest.ordered for nest in program.nests):
        return program
    return _Spreader(program, reproducible).program()


def is_atomic(mode: str, dtype: str, value: str, *, reproducible: bool) -> bool:
    """Whether values of one dtype are combined into elements of another by atomic operations.

    Parameters
    ----------
    mode
        A kind of `REDUCTIONS`.
    dtype, value
        Of the element and of the value.
    reproducible
        Whether the result must be the same in every order.
    """
    kind = dtype_kind(dtype)
    if mode in ("any", "all"):
        return True  # writing True, or False, over whatever is there
    if np.dtype(dtype).itemsize < 4:
        return False  # it shares a word with its neighbours
    if kind in "iu" and dtype_kind(value) in "iu" and mode in ("sum", "prod"):
        return True  # modulo a power of two, which that of the wider dtype is a multiple of
    if dtype != value:
        return False
    if kind == "c":
        return mode == "sum" and not reproducible  # part by part
    return kind in "iu" or mode in ("max", "min") or not reproducible


class _Spreader:
    """Builds the other program."""

    def __init__(self, program: LoopProgram, reproducible: bool) -> None:
        self.old, self.reproducible = program, reproducible
        self.arrays, self.owners = list(program.arrays), list(program.owners)
        self.nests: list[Nest] = []
        self.calls: list[Call] = []

    def program(self) -> LoopProgram:
        """Return it."""
        starts: list[int] = []
        for number, nest in enumerate(self.old.nests):
            self.calls += [replace(call, nests=len(self.nests)) for call in self.old.calls if call.nests == number]
            starts.append(len(self.nests))
            if nest.ordered:
                self.scatter(nest)
            else:
                self.nests.append(nest)
        ends = len(self.old.nests)
        self.calls += [replace(call, nests=len(self.nests)) for call in self.old.calls if call.nests == ends]
        chains = tuple(Chain(starts[c.first], starts[c.last - 1] + 1, c.lead) for c in self.old.chains)
        return replace(
            self.old,
            arrays=tuple(self.arrays),
            owners=tuple(self.owners),
            nests=tuple(self.nests),
            calls=tuple(self.calls),
            chains=chains,
        )

    def temporary(self, dtype: str, shape: Sequence[Affine | Product], owner: int = -1) -> int:
        """Add a temporary, or another shape of one; return its number."""
        number = len(self.arrays)
        slot = sum(array.role == "temporary" for array in self.arrays)
        self.arrays.append(Array(f"t{slot}", "temporary", slot, dtype, tuple(shape), len(shape) - 1))
        self.owners.append(number if owner < 0 else owner)
        return number

    def scatter(self, nest: Nest) -> None:
        """Add what does the work of a nest of points in order."""
        (store,) = nest.stores
        assert nest.box == tuple((Affine(), extent) for extent in nest.extents), nest.box
        varies = dependences(nest)
        apart = {position.axis for position in store.index if position.step}
        apart |= {axis for arg in store.args if (axis := walked(nest, arg)) >= 0}
        by_place = set().union(*(varies[arg] for arg in store.args))
        together = [axis for axis, extent in enumerate(nest.extents) if axis not in apart and extent != ONE]
        if not together:
            self.add(replace(nest, ordered=False))
            return
        dtype, value = self.arrays[store.array].dtype, nest.values[store.value].dtype
        if store.mode != "set" and is_atomic(store.mode, dtype, value, reproducible=self.reproducible):
            self.add(replace(nest, ordered=False, stores=(replace(store, is_atomic=True),)))
            return
        keyed = sorted(by_place | set(together))
        if store.mode == "set":
            self.last_wins(nest, store, keyed, together)
        else:
            self.sort(nest, store, keyed)

    def add(self, nest: Nest) -> None:
        """Add a nest, of points in any order."""
        self.nests.append(along_memory(self.arrays, nest))

    # -- the last one wins ------------------------------------------------------------------------

    def last_wins(self, nest: Nest, store: Store, keyed: Sequence[int], together: Sequence[int]) -> None:
        """Find the last point of each element, and let it store.

        What is found is kept beside the array along `keyed` axes; points of one element differ along `together`.
        """
        axes = _keyed_axes(store, keyed)
        shape = [extent for axis in axes if isinstance(extent := self.arrays[store.array].shape[axis], Affine)]
        last = self.temporary("int64", shape)
        index = tuple(store.index[axis] for axis in axes)
        moves = tuple((axes.index(axis), step) for axis, step in store.moves)
        for mode in ("set", "max"):
            body = Transplant(nest, {axis: Position(Affine(), place, 1) for place, axis in enumerate(keyed)})
            args = tuple(map(body.pull, store.args))
            mine = body.const(-1) if mode == "set" else body.number(nest, together)
            into = Store(last, body.moved(index), mine, mode, args, moves, is_atomic=True)
            self.add(
                Nest(
                    tuple(nest.extents[axis] for axis in keyed),
                    tuple(nest.box[axis] for axis in keyed),
                    tuple(body.values),
                    (into,),
                    lines=nest.lines,
                    checks=nest.checks,
                )
            )
        body = Transplant(nest, {axis: Position(Affine(), axis, 1) for axis in range(len(nest.extents))})
        value, args = body.pull(store.value), tuple(map(body.pull, store.args))
        found = body.add(Value("gather", args, "int64", (last, index, moves)))
        wins = body.add(Value("equal", (found, body.number(nest, together)), "bool"))
        stores = (replace(store, value=value, args=args, where=wins),)
        self.add(replace(nest, values=tuple(body.values), stores=stores, ordered=False))

    # -- sorted -----------------------------------------------------------------------------------

    def sort(self, nest: Nest, store: Store, keyed: Sequence[int]) -> None:
        """Sort the points of the `keyed` axes by where they store, then combine each run in order."""
        extents = [extent for axis in keyed if isinstance(extent := nest.extents[axis], Affine)]
        count = extents[0] if len(keyed) == 1 else Product(tuple(extents))
        keys = self.keys(nest, store, keyed, count)
        order, found = self.temporary("int64", (count,)), self.temporary("int64", (count,))
        self.calls.append(Call("argsort", (("stable", True),), (keys,), ((0, order),), len(self.nests), _line(nest)))
        along = (Position(Affine(), 0, 1),)
        at, nowhere = Value("load", (), "int64", (order, along)), (Position(Affine()),)
        key = Value("gather", (0,), "int64", (keys, nowhere, ((0, 1),)))
        whole = ((Affine(), count),)
        self.nests.append(Nest((count,), whole, (at, key), (Store(found, along, 1),), lines=nest.lines))

        free = [axis for axis in range(len(nest.extents)) if axis not in keyed]
        others = {axis: Position(Affine(), place, 1) for place, axis in enumerate(free, 1)}
        inline = len(keyed) == 1 or not dependences(nest)[store.value] & set(keyed)
        held = -1 if inline else self.held(nest, store, keyed, free, count)
        body = Transplant(nest, others)
        args = self.places(body, Value("load", (), "int64", (found, along)), store, keyed)
        at_number = body.add(at)
        body.computed = {keyed[0]: at_number} if inline and len(keyed) == 1 else {}
        if inline:
            value = body.pull(store.value)
        else:
            rows = (Position(Affine()), *others.values())
            value = body.add(Value("gather", (at_number,), self.arrays[held].dtype, (held, rows, ((0, 1),))))
        axes = _keyed_axes(store, keyed)
        index = tuple(
            Position(Affine()) if axis in axes else position for axis, position in enumerate(body.moved(store.index))
        )
        moves = tuple((axis, 1) for axis in axes)
        self.nests.append(
            Nest(
                (count, *(nest.extents[axis] for axis in free)),
                (*whole, *(nest.box[axis] for axis in free)),
                tuple(body.values),
                (replace(store, index=index, value=value, args=args, moves=moves),),
                lines=nest.lines,
                checks=nest.checks if inline else (),
                ordered=True,
                runs=found,
            )
        )

    def keys(self, nest: Nest, store: Store, keyed: Sequence[int], count: Affine | Product) -> int:
        """Add a nest that numbers the element of each point of the `keyed` axes; return the array, of one axis."""
        array = self.arrays[store.array]
        flat = self.temporary("int64", (count,))
        extents = tuple(nest.extents[axis] for axis in keyed)
        keys = flat
        if len(keyed) > 1:
            keys = self.temporary("int64", [e for e in extents if isinstance(e, Affine)], flat)
        body = Transplant(nest, {axis: Position(Affine(), place, 1) for place, axis in enumerate(keyed)})
        computed = dict(zip([axis for axis, _ in store.moves], store.args, strict=True))
        steps = dict(store.moves)
        key = -1
        for axis in _keyed_axes(store, keyed):
            (position,) = body.moved((store.index[axis],))
            if axis in computed:
                place = body.affine(body.pull(computed[axis]), steps[axis], position.start)
            else:
                place = body.add(Value("index", (), "int64", (position,)))
            key = place if key < 0 else body.horner(key, array.shape[axis], place)
        into = Store(keys, tuple(Position(Affine(), place, 1) for place in range(len(keyed))), key)
        box = tuple(nest.box[axis] for axis in keyed)
        self.nests.append(Nest(extents, box, tuple(body.values), (into,), lines=nest.lines, checks=nest.checks))
        return flat

    def places(self, body: Transplant, key: Value, store: Store, keyed: Sequence[int]) -> tuple[int, ...]:
        """Return the numbers of the places along the keyed axes of an array that a key is made of."""
        rest, places = body.add(key), []
        for axis in reversed(_keyed_axes(store, keyed)[1:]):
            extent = self.arrays[store.array].shape[axis]
            assert isinstance(extent, Affine), extent
            size = body.size(extent)
            places.append(body.add(Value("remainder", (rest, size), "int64")))
            rest = body.add(Value("floor_divide", (rest, size), "int64"))
        return (rest, *reversed(places))

    def held(self, nest: Nest, store: Store, keyed: Sequence[int], free: Sequence[int], count: Affine | Product) -> int:
        """Add a nest that keeps the values, those of the `keyed` axes in a row; return the array."""
        axes = [*keyed, *free]
        extents = tuple(nest.extents[axis] for axis in axes)
        sizes = [extent for extent in extents if isinstance(extent, Affine)]
        dtype = nest.values[store.value].dtype
        rows = self.temporary(dtype, (count, *sizes[len(keyed) :]))
        into = self.temporary(dtype, sizes, rows)
        body = Transplant(nest, {axis: Position(Affine(), place, 1) for place, axis in enumerate(axes)})
        value = body.pull(store.value)
        index = tuple(Position(Affine(), place, 1) for place in range(len(axes)))
        box = tuple(nest.box[axis] for axis in axes)
        self.add(Nest(extents, box, tuple(body.values), (Store(into, index, value),), None, nest.lines, nest.checks))
        return rows


def _keyed_axes(store: Store, keyed: Sequence[int]) -> list[int]:
    """Return the axes of the array along which a store's place follows `keyed` axes of the nest."""
    computed = {axis for axis, _ in store.moves}
    return [axis for axis, p in enumerate(store.index) if axis in computed or (p.step and p.axis in keyed)]


def _line(nest: Nest) -> str:
    return nest.lines[0] if nest.lines else ""
