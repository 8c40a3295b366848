"""What the printers of kernels share: the order of the loops, what stands inside which, and where streams are."""

from __future__ import annotations

from collections.abc import Container, Sequence

from xpaccel.codegen.device import columns, distance, form_of, levels, loop_order, thread_axes, written
from xpaccel.codegen.layout import layout
from xpaccel.loops.program import LoopProgram, Nest, Store


class KernelPrinter:
    """Prints one nest: a kernel of its own, or (where `lead` is not 0) a part of a chain, for one row.

    Parameters
    ----------
    program, nest
        What is printed.
    lead
        How many axes the rows of a chain have.
    a
        What all names of the nest begin with.
    told
        What the names of its arguments begin with.
    """

    #: What a statement ends with, and what a variable that is never written again is declared with.
    END, INDEX = "", ""

    def __init__(self, program: LoopProgram, nest: Nest, lead: int, a: str, told: str) -> None:
        self.program, self.nest, self.layout = program, nest, layout(program, nest)
        self.lead, self.a, self.told = lead, a, told
        self.lines: list[str] = []
        self.form, self.threads = form_of(nest), thread_axes(nest)
        self.columns = [] if lead else columns(program, nest)
        self.order = loop_order(nest)
        if self.columns:  # planes are walked innermost
            self.order.remove(self.threads[2])
            self.order.append(self.threads[2])
        self.queued = {
            (column.array, index): f"{a}q{number}_{place}"
            for number, column in enumerate(self.columns)
            for index, place in column.places.items()
        }
        self.levels = levels(nest, {axis: depth + 1 for depth, axis in enumerate(self.order)})
        self.written = written(program, nest)
        #: How far the open loops have taken each stream, as text.
        self.offsets = [""] * len(self.layout.streams)

    def dtypes(self) -> set[str]:
        """Return the dtypes that the nest meets."""
        stored = {self.program.arrays[store.array].dtype for store in self.nest.stores}
        return stored | {value.dtype for value in self.nest.values}

    def put(self, depth: int, line: str) -> None:
        """Print a line."""
        self.lines.append("    " * depth + line)

    def enter(self, axis: int, depth: int) -> None:
        """Move all streams along `axis` and print what varies with it."""
        self.move(axis, depth)
        self.values(self.order.index(axis) + 1, depth)

    def move(self, axis: int, depth: int) -> None:
        """Move all streams along `axis`. Those that move alike share a distance."""
        names: dict[tuple[str, str], str] = {}
        for number, stream in enumerate(self.layout.streams):
            text = distance(stream, axis, self.told)
            if text:
                key = (self.offsets[number], text)
                if key == ("", f"i{axis}"):
                    names[key] = text
                elif key not in names:
                    names[key] = f"{self.a}x{axis}_{len(names)}"
                    self.put(depth, f"{self.INDEX}{names[key]} = {' + '.join(filter(None, key))}{self.END}")
                self.offsets[number] = names[key]

    def advance(self, depth: int) -> None:
        """Move the queues on by a plane."""
        for number, column in enumerate(self.columns):
            for place in range(column.span - 1):
                self.put(depth, f"q{number}_{place} = q{number}_{place + 1}{self.END}")

    def values(self, level: int, depth: int, among: Container[int] | None = None) -> None:
        """Print the values that stand inside `level` loops, or some of them."""
        raise NotImplementedError

    def needed(self, numbers: Sequence[int]) -> set[int]:
        """Return the numbers of the values that some values are computed from, and their own."""
        found, left = set[int](), list(numbers)
        while left:
            number = left.pop()
            found.add(number)
            left += self.nest.values[number].args
        return found

    def failing(self, store: Store) -> list[int]:
        """Return the numbers of the places that may fail a check, with which nothing is stored then."""
        return [number for number, value in enumerate(self.nest.values) if store.moves and value.op == "place"]
