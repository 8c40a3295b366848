"""Random kernels that are valid by construction, for the laws that every pass and target must keep.

A program is built statement by statement: each is run on NumPy as soon as it is written, so what it
may use is known (names, shapes, dtypes, whether it can be written), and a statement that NumPy
refuses is left out. `programs()` is a Hypothesis strategy; a failing one shrinks to a few lines and
prints as a function that can be pasted into a file.
"""

from __future__ import annotations

import dataclasses
import linecache
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

PREAMBLE = '''\
import numpy as np
from array_api_compat import array_namespace


def whole(x):
    """Convert to int64 what is in its range."""
    xp = array_namespace(x)
    return xp.astype(xp.where((x > -1000) & (x < 1000), x, xp.zeros_like(x)), xp.int64)


def smooth(x, weight):
    """Average neighbours along the first axis."""
    return weight * x[1:] + (1 - weight) * x[:-1]

'''

FLOATS = ("float32", "float64")
DTYPES = ("float32", "float64", "float64", "int32", "int64", "uint8", "bool")
LAYOUTS = ("plain", "plain", "strided", "reversed", "transposed", "fortran", "offset")


@dataclasses.dataclass(frozen=True)
class Arg:
    """One argument.

    Parameters
    ----------
    name
        Its name in the program.
    dtype
        Its dtype; ``"int"`` and ``"float"`` are Python numbers.
    shape
        Its shape.
    layout
        How it lies in memory.
    same_as
        The earlier argument that is the very same array.
    view_of
        ``(argument, index)``: the view of an earlier argument that it is.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] = ()
    layout: str = "plain"
    same_as: str | None = None
    view_of: tuple[str, str] | None = None


@dataclasses.dataclass(frozen=True)
class Program:
    """A random kernel.

    Parameters
    ----------
    body
        The statements of the function.
    arguments
        What it is called with.
    exact
        Whether every target must give NumPy's bits.
    """

    body: tuple[str, ...]
    arguments: tuple[Arg, ...]
    exact: bool

    @property
    def tolerance(self) -> tuple[float, float] | None:
        """The relative and absolute difference to allow, as `same` takes it; None for not a bit."""
        if self.exact:
            return None
        single = any(a.dtype == "float32" for a in self.arguments) or "float32" in "".join(self.body)
        # where last bits may differ, values stay below 1e3
        return (1e-3, 1e-2) if single else (1e-8, 1e-8)

    @property
    def source(self) -> str:
        """The text of the module that holds the kernel ``program``."""
        names = ", ".join(a.name for a in self.arguments)
        lines = "".join(f"    {line}\n" for line in self.body)
        return f"{PREAMBLE}\ndef program({names}):\n{lines}"

    @property
    def function(self) -> Callable[..., Any]:
        """The kernel as a plain function, whose source lines can be shown in messages."""
        path = f"<program {abs(hash(self.source)):x}>"
        linecache.cache[path] = (len(self.source), None, self.source.splitlines(keepends=True), path)
        names: dict[str, Any] = {"__name__": "random_program"}
        exec(compile(self.source, path, "exec"), names)
        function: Callable[..., Any] = names["program"]
        return function

    def make_args(self, rng: np.random.Generator) -> list[Any]:
        """Return arguments of these kinds; equal generators give equal arguments in other memory."""
        made: dict[str, Any] = {}
        for a in self.arguments:
            if a.same_as is not None:
                made[a.name] = made[a.same_as]
            elif a.view_of is not None:
                made[a.name] = eval(f"base[{a.view_of[1]}]", {"base": made[a.view_of[0]], "np": np})
            elif a.dtype in ("int", "float"):
                made[a.name] = int(rng.integers(1, 4)) if a.dtype == "int" else float(rng.uniform(0.1, 2.0))
            else:
                made[a.name] = _laid_out(_random(rng, a.dtype, a.shape), a.layout)
        return [made[a.name] for a in self.arguments]

    def __str__(self) -> str:
        given = "\n".join(f"# {a}" for a in self.arguments)
        return f"{given}\n{self.source}"

    __repr__ = __str__

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("\n" + str(self))


def _random(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> Any:
    if dtype == "bool":
        return np.asarray(rng.random(shape) < 0.5)
    if dtype in FLOATS:
        values = np.asarray(np.round(rng.uniform(-2, 2, shape), 3)).astype(dtype)
        special = rng.random(shape)
        values[special < 0.05] = 0.0
        values[special < 0.03] = -0.0
        return values
    low = 0 if dtype.startswith("u") else -5
    return np.asarray(rng.integers(low, 9, shape)).astype(dtype)


def _laid_out(values: Any, layout: str) -> Any:
    """Return an array of equal content that lies in memory in another way."""
    if not values.ndim or layout == "plain":
        return values
    if layout == "fortran":
        return np.asfortranarray(values)
    if layout == "transposed":
        return np.ascontiguousarray(values.T).T
    if layout == "reversed":
        return np.ascontiguousarray(values[::-1])[::-1]
    if layout == "offset":
        whole = np.zeros(tuple(n + 2 for n in values.shape), values.dtype)
        view = whole[tuple(slice(1, n + 1) for n in values.shape)]
    else:
        whole = np.zeros(tuple(2 * n for n in values.shape), values.dtype)
        view = whole[tuple(slice(None, None, 2) for _ in values.shape)]
    view[...] = values
    return view


class _Writer:
    """Writes a program statement by statement, running each as it goes."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any], exact: bool) -> None:
        self.draw = draw
        self.exact = exact
        self.lines: list[str] = []
        self.names: dict[str, Any] = {}
        self.scalars: list[str] = []
        #: Variables whose last bits may differ between targets.
        self.rough: set[str] = set()
        #: Everything that a statement may name.
        self.scope: dict[str, Any] = {}
        self.count = 0

    # choices

    def pick(self, items: Sequence[Any]) -> Any:
        return items[self.draw(st.integers(0, len(items) - 1))]

    def number(self, low: int, high: int) -> int:
        return int(self.draw(st.integers(low, high)))

    def arrays(self, wanted: Callable[[Any], bool] = lambda _: True, *, rough: bool = True) -> list[str]:
        return [
            n
            for n, v in self.names.items()
            if isinstance(v, np.ndarray | np.generic) and wanted(v) and (rough or n not in self.rough)
        ]

    def any_array(self, wanted: Callable[[Any], bool] = lambda _: True, *, rough: bool = True) -> str:
        found = self.arrays(wanted, rough=rough)
        return str(self.pick(found)) if found else "a0"

    # running

    def run(self, line: str, uses: Sequence[str] = (), *, rough: bool = False, target: str = "") -> bool:
        """Add a statement if NumPy can do it on values that stay in bounds."""
        trial = dict(self.scope)
        before = {n: np.array(v) for n, v in self.names.items() if isinstance(v, np.ndarray)}
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                exec(line, trial)
            fine = all(self._bounded(v) for v in trial.values() if isinstance(v, np.ndarray | np.generic))
        except Exception:
            fine = False
        if not fine:
            for name, content in before.items():
                if self.names[name].flags.writeable:
                    self.names[name][...] = content
            return False
        self.lines.append(line)
        target = target or line.split(" ")[0].split("[")[0]
        for name, value in trial.items():
            if (
                name.startswith(("v", "a", "t", "n"))
                and isinstance(value, np.ndarray | np.generic | int | float)
                and name != "np"
            ):
                self.names[name] = value
                self.scope[name] = value
        if rough or any(u in self.rough for u in uses):
            self.rough.add(target)
            shared = self.names.get(target)
            for name, value in self.names.items():
                if (
                    isinstance(value, np.ndarray)
                    and isinstance(shared, np.ndarray)
                    and np.may_share_memory(value, shared)
                ):
                    self.rough.add(name)
        return True

    def _bounded(self, value: Any) -> bool:
        if value.dtype.kind not in "fiub" or value.dtype.name in ("float16", "longdouble") or value.size > 4000:
            return False
        return not (self.rough and value.dtype.kind == "f" and value.size and not bool(np.all(np.abs(value) < 1e3)))

    def new(self) -> str:
        self.count += 1
        return f"v{self.count}"

    # pieces of source

    def index(self, shape: tuple[int, ...], *, view: bool = True) -> str:
        """Return basic indexing of an array of that shape."""
        parts: list[str] = []
        for n in shape[: self.number(0, len(shape))]:
            kind = self.number(0, 7)
            if kind == 0 and n:
                parts.append(str(self.number(-n, n - 1)))
            elif kind == 1:
                parts.append("::-1")
            elif kind == 2:
                parts.append(f"::{self.number(2, 3)}")
            elif kind == 3:
                parts.append(f"{self.number(0, 2)}:{-self.number(1, 2)}")
            elif kind == 4:
                ends = [self.pick(["", str(self.number(-4, 6))]) for _ in range(2)]
                parts.append(f"{ends[0]}:{ends[1]}:{self.pick([1, 2, -1, -2])}")
            elif kind == 5:
                parts.append("1:")
            elif kind == 6:
                parts.append(":-1")
            else:
                parts.append(":")
        if view and self.number(0, 5) == 0:
            parts.insert(self.number(0, len(parts)), "np.newaxis")
        if self.number(0, 5) == 0:
            parts.insert(self.number(0, len(parts)), "...")
        return ", ".join(parts) or "..."

    def operand(self, like: Any = None, *, rough: bool = True) -> tuple[str, list[str]]:
        """Return an expression to combine with `like`, and the variables that it uses."""
        kind = self.number(0, 9)
        if kind == 0:
            return str(self.pick([2, 3, 0.5, -1.5, 1])), []
        if kind == 1 and self.scalars:
            return self.pick([*self.scalars, f"({self.scalars[0]} * 2)", f"({self.scalars[0]} + 0.5)"]), []
        name = self.any_array(lambda v: like is None or _broadcasts(v.shape, like.shape), rough=rough)
        if kind == 2:
            return f"{name}[{self.index(np.shape(self.names[name]))}]", [name]
        return name, [name]

    # statements

    def statement(self) -> None:
        makers = [
            self.binary,
            self.binary,
            self.unary,
            self.select,
            self.view,
            self.view,
            self.write,
            self.write,
            self.write,
            self.augment,
            self.augment,
            self.overlap,
            self.move,
            self.move,
            self.reduce,
            self.create,
            self.convert,
            self.helper,
            self.loop,
            self.size,
            self.compare,
            self.gather,
            self.gather,
            self.scatter,
            self.scatter,
        ]
        self.pick(makers)()

    def binary(self) -> None:
        a = self.any_array()
        b, used = self.operand(self.names[a])
        op = self.pick(["+", "-", "*", "/", "+", "-", "*"])
        if self.number(0, 6) == 0 and not {a, *used} & self.rough:
            op = self.pick(["//", "%"])
        line = f"{self.new()} = {a} {op} {b}" if self.number(0, 3) else f"{self.new()} = {b} {op} {a}"
        if self.number(0, 5) == 0:
            function = self.pick(
                ["xp.maximum", "np.minimum", "xp.add", "np.multiply", "np.hypot", "xp.atan2", "np.copysign"]
            )
            if self.exact and function in ("np.hypot", "xp.atan2"):
                function = "np.subtract"
            if {a, *used} & self.rough and function == "np.copysign":
                function = "np.add"
            self.run(
                f"v{self.count} = {function}({a}, {b})",
                [a, *used],
                rough=function in ("np.hypot", "xp.atan2"),
            )
            return
        self.run(line, [a, *used])

    def compare(self) -> None:
        a = self.any_array(rough=False)
        if a in self.rough:
            return
        b, used = self.operand(self.names[a], rough=False)
        if set(used) & self.rough:
            return
        op = self.pick(["<", "<=", ">", ">=", "==", "!="])
        self.run(f"{self.new()} = {a} {op} {b}", [a, *used])

    def unary(self) -> None:
        a = self.any_array()
        exact = [
            "-{0}",
            "abs({0})",
            "np.abs({0})",
            "xp.square({0})",
            "{0}**2",
            "np.sqrt(abs({0}))",
            "xp.sqrt({0} * {0})",
            "+{0}",
        ]
        steps = [
            "np.floor({0})",
            "xp.ceil({0})",
            "xp.trunc({0})",
            "np.sign({0})",
            "xp.round({0})",
            "np.isnan({0})",
            "xp.isfinite({0})",
            "xp.signbit({0} * 1.0)",
            "np.clip({0}, 0, 1)",
        ]
        smooth = [
            "np.sin({0})",
            "xp.cos({0})",
            "np.tanh({0})",
            "xp.atan({0})",
            "xp.exp(-abs({0}))",
            "np.log1p(abs({0}))",
            "xp.expm1(-abs({0}))",
            "(abs({0}) + 1)**0.3",
            "({0})**3",
            "np.cbrt({0} + 3)",
            "xp.logaddexp({0}, {0})",
        ]
        if self.number(0, 4) == 0 and a not in self.rough:
            self.run(f"{self.new()} = {self.pick(steps).format(a)}", [a])
        elif not self.exact and self.number(0, 1):
            self.run(f"{self.new()} = {self.pick(smooth).format(a)}", [a], rough=True)
        else:
            self.run(f"{self.new()} = {self.pick(exact).format(a)}", [a])

    def select(self) -> None:
        conditions = self.arrays(lambda v: v.dtype == np.bool_, rough=False)
        if conditions:
            c = str(self.pick(conditions))
        else:
            x = self.any_array(rough=False)
            if x in self.rough:
                return
            c = f"({x} > 0)"
        a = self.any_array()
        b, used = self.operand(self.names[a])
        self.run(f"{self.new()} = {self.pick(['np', 'xp'])}.where({c}, {a}, {b})", [a, *used])

    def view(self) -> None:
        a = self.any_array(lambda v: isinstance(v, np.ndarray))
        n = np.ndim(self.names[a])
        order = ", ".join(str(k) for k in self.draw(st.permutations(range(n))))
        kind = self.number(0, 9)
        text = f"{a}[{self.index(np.shape(self.names[a]))}]"
        if kind == 0:
            text = f"{a}.T"
        elif kind == 1 and n:
            text = f"xp.permute_dims({a}, ({order},))"
        elif kind == 2 and n:
            text = f"np.flip({a}, axis={self.number(0, n - 1)})"
        elif kind == 3:
            text = f"xp.expand_dims({a}, axis={self.number(0, n)})"
        elif kind == 4 and n > 1:
            text = f"np.moveaxis({a}, {self.number(0, n - 1)}, {self.number(0, n - 1)})"
        self.run(f"{self.new()} = {text}", [a])

    def _writable(self) -> str:
        return self.any_array(lambda v: isinstance(v, np.ndarray) and v.flags.writeable)

    def write(self) -> None:
        a = self._writable()
        if not isinstance(self.names[a], np.ndarray):
            return
        index = self.index(self.names[a].shape, view=False)
        try:
            target = eval(f"x[{index}]", {"x": self.names[a], "np": np})
        except Exception:
            return
        b, used = self.operand(target)
        if target.dtype.kind in "iub" and any(self.names[u].dtype.kind == "f" for u in used):
            return  # what a float that does not fit becomes is not defined
        if self.number(0, 2) == 0:
            b = f"{b} {self.pick(['+', '*', '-'])} 1" if target.dtype.kind != "b" else b
        if target.dtype.kind == "b" and not used:
            b = "True"
        if target.dtype.kind == "u" and "-" in b:
            return
        self.run(f"{a}[{index}] = {b}", used)

    def augment(self) -> None:
        a = self._writable()
        if not isinstance(self.names[a], np.ndarray):
            return
        op = self.pick(["+=", "-=", "*=", "+=", "*=", "/="])
        if self.number(0, 2) == 0:
            b, used = self.operand(self.names[a])
            self.run(f"{a} {op} {b}", [a, *used])
            return
        index = self.index(self.names[a].shape, view=False)
        try:
            target = eval(f"x[{index}]", {"x": self.names[a], "np": np})
        except Exception:
            return
        b, used = self.operand(target)
        self.run(f"{a}[{index}] {op} {b}", [a, *used])

    def overlap(self) -> None:
        """Write to what the same statement reads elsewhere."""
        a = self.any_array(lambda v: isinstance(v, np.ndarray) and v.flags.writeable and v.ndim and v.shape[0] > 1)
        if not isinstance(self.names[a], np.ndarray) or not self.names[a].ndim:
            return
        k = self.number(1, 3)
        texts = [
            "{0}[1:] = {0}[:-1]",
            "{0}[:-1] += {0}[1:]",
            "{0}[...] = {0}[::-1]",
            "{0}[:{1}] += np.flip({0}[:{1}], axis=0)",
            "{0}[1:-1] = {0}[2:] + {0}[:-2]",
            "{0}[::2] = {0}[::-1][::2]",
            "{0}[...] = {0}.T",
            "{0}[1:-1] -= {0}[2:] * {0}[:-2]",
            "{0}[0], {0}[-1] = {0}[-1], {0}[0]",
            "{0} += {0}[0]",
            "{0} += xp.roll({0}, 1, axis=0)",
        ]
        self.run(self.pick(texts).format(a, k), [a])

    def move(self) -> None:
        a = self.any_array()
        x = self.names[a]
        n = np.ndim(x)
        kind = self.number(0, 7)
        axis = self.number(0, n - 1) if n else 0
        used = [a]
        if kind == 0 and n:
            text = f"xp.roll({a}, {self.number(-7, 7)}, axis={axis})"
        elif kind == 1 and n:
            text = self.pick(
                [
                    f"np.roll({a}, {self.number(-3, 3)})",
                    f"np.roll({a}, (1, {self.number(-3, 3)}), axis=({axis}, {n - 1}))",
                ]
            )
        elif kind in (2, 3):
            b = self.any_array(
                lambda v: (
                    v.ndim == n
                    and n > 0
                    and v.shape[:axis] + v.shape[axis + 1 :] == x.shape[:axis] + x.shape[axis + 1 :]
                )
            )
            used.append(b)
            text = self.pick([f"xp.concat([{a}, {b}], axis={axis})", f"np.concatenate(({a}, {b}, {a}), axis={axis})"])
        elif kind == 4:
            b = self.any_array(lambda v: v.shape == x.shape)
            used.append(b)
            text = f"xp.stack([{a}, {b}], axis={self.number(0, n)})"
        elif kind == 5:
            shapes = _factorings(int(np.size(x)))
            text = (
                f"xp.reshape({a} + 0, {self.pick(shapes)})"
                if self.number(0, 1)
                else f"xp.reshape({a}, {self.pick(shapes)}, copy=True)"
            )
        elif kind == 6:
            text = self.pick(
                [
                    f"{a}.flatten()",
                    f"np.copy({a})",
                    f"{a}.copy()",
                    f"np.pad({a}, 1)",
                    f"np.diff({a}, axis={axis})",
                ]
            )
        else:
            text = f"np.broadcast_to({a}, {(self.number(1, 3), *np.shape(x))})"
        self.run(f"{self.new()} = {text}", used)

    def reduce(self) -> None:
        a = self.any_array(rough=not self.exact)
        x = self.names[a]
        n = np.ndim(x)
        axis = self.pick([None, *range(n)] + ([tuple(range(n))] if n else []))
        keep = self.pick(["", ", keepdims=True"])
        if x.dtype.kind == "f":
            kinds = [] if self.exact else ["xp.sum", "np.mean", "xp.max", "np.min", "xp.std", "np.var", "xp.prod"]
        else:
            kinds = ["xp.sum", "np.max", "xp.min", "np.prod"] + ([] if self.exact else ["xp.mean", "np.std"])
        if a not in self.rough:
            kinds += ["xp.any", "np.all"]
        if kinds:
            kind = self.pick(kinds)
            rough = x.dtype.kind == "f" or kind[3:] in ("mean", "std", "var")
            self.run(
                f"{self.new()} = {kind}({a}, axis={axis}{keep})",
                [a],
                rough=rough and kind[3:] not in ("any", "all"),
            )

    def create(self) -> None:
        a = self.any_array()
        n = np.ndim(self.names[a])
        size = f"{a}.shape[{self.number(0, n - 1)}]" if n else str(self.number(1, 4))
        dtype = self.pick(["", ", dtype=xp.float32", ", dtype=xp.float64", ", dtype=xp.int64"])
        fill = self.scalars[0] if self.scalars else 2
        text = self.pick(
            [
                f"xp.zeros_like({a})",
                f"np.ones_like({a})",
                f"np.full_like({a}, 3)",
                f"xp.zeros({a}.shape{dtype})",
                f"xp.ones(({size}, 2){dtype})",
                f"xp.full(({size},), {fill})",
                f"xp.arange({size})",
                f"xp.arange(1, {size} + 2) * 0.5",
                f"xp.linspace(0, 1, {size})",
                f"xp.linspace(-1, 2, 2 * {size} + 1)[1:]",
                f"xp.arange({size}, 0, -1)",
                f"xp.arange(0.5, 4.0, 0.7{dtype})",
                f"xp.eye({size})",
            ]
        )
        if dtype.endswith("int64") and "0.7" in text:
            return
        self.run(f"{self.new()} = {text}", [])

    def convert(self) -> None:
        a = self.any_array()
        x = self.names[a]
        if x.dtype.kind == "f" and self.number(0, 1) and a not in self.rough:
            self.run(f"{self.new()} = whole({a})", [a])
            return
        targets = FLOATS if x.dtype.kind == "f" else (*FLOATS, "int32", "int64", "uint8")
        dtype = self.pick(targets)
        self.run(f"{self.new()} = {self.pick([f'xp.astype({a}, xp.{dtype})', f'{a}.astype(np.{dtype})'])}", [a])

    def helper(self) -> None:
        a = self.any_array(lambda v: v.ndim > 0)
        weight = self.pick(["0.25", *self.scalars])
        self.run(f"{self.new()} = smooth({a}, {weight})", [a])

    def loop(self) -> None:
        a = self.any_array(lambda v: isinstance(v, np.ndarray) and v.flags.writeable and v.ndim > 0)
        self.run(f"for k in range(1, {a}.shape[0]): {a}[k] = {a}[k] + {a}[k - 1]", [a], rough=a in self.rough)

    def lookup(self, size: str, count: int) -> tuple[str, list[str]]:
        """Return a vector of indices into an axis of `size`, here `count`, and the variables that it uses."""
        if self.number(0, 2) == 0:
            return str([self.number(-count, count - 1) for _ in range(self.number(0, 5))]), []
        b = self.any_array(lambda v: v.size > 0 and v.dtype.kind != "b", rough=False)
        dtype = self.pick(["int64", "int64", "int32", "uint8"])
        sign = self.pick(["", "-1 - "]) if dtype != "uint8" else ""
        return f"({sign}xp.astype(whole({b}) % {size}, xp.{dtype})).flatten()", [b]

    def gather(self) -> None:
        """Read at places that are computed."""
        a = self.any_array(lambda v: v.ndim > 0 and v.size > 0)
        x = self.names[a]
        if not x.ndim or not x.size:
            return
        axis = self.number(0, x.ndim - 1)
        i, used = self.lookup(f"{a}.shape[{axis}]", x.shape[axis])
        before = ":, " * axis
        texts = [
            f"{a}[{before}{i}]",
            f"{a}[{before}{i}]",
            f"xp.take({a}, {i if i[0] != '[' else f'xp.asarray({i})'}, axis={axis})",
            f"np.take({a}, {i if i[0] != '[' else f'xp.asarray({i})'} + {self.number(-9, 9)}, "
            f"axis={axis}, mode='wrap')",
            f"{a}[::-1][{before}{i}] * 2",
            f"{a}[{before}{i}, ..., None]",
            f"np.take_along_axis({a}, xp.astype(whole({a}) % {a}.shape[{axis}], xp.int64), axis={axis})",
            f"xp.sum(whole({a}[{before}{i}]), axis={axis})",
            f"{a}[{before}{i}][..., 1:]",
        ]
        if i[0] != "[":
            texts += [f"{a}[{before}{i}[0]]", f"{a}[{before}{i}[:, None]]", f"{a}[{before}{i}[0], ...]"]
        if x.ndim > 1:
            j, others = self.lookup(f"{a}.shape[{1 - min(axis, 1)}]", x.shape[1 - min(axis, 1)])
            both = [f"xp.asarray({k})" if k[0] == "[" else k for k in ((i, j) if axis == 0 else (j, i))]
            used += others
            texts += [f"{a}[{both[0]}[:, None], {both[1]}]", f"{a}[{both[0]}[:2], {both[1]}[:2]]"]
        self.run(f"{self.new()} = {self.pick(texts)}", [a, *used])

    def scatter(self) -> None:
        """Write at places that are computed."""
        a = self.any_array(
            lambda v: (
                isinstance(v, np.ndarray) and v.flags.writeable and v.ndim > 0 and v.size > 0 and v.dtype.kind != "b"
            )
        )
        x = self.names[a]
        if not isinstance(x, np.ndarray) or not x.flags.writeable or not x.ndim or not x.size or x.dtype.kind == "b":
            return
        axis = self.number(0, x.ndim - 1)
        i, used = self.lookup(f"{a}.shape[{axis}]", x.shape[axis])
        if i[0] == "[":
            i = f"xp.asarray({i}, dtype=xp.int64)"
        key = f"{':, ' * axis}{i}"
        b, others = self.operand(x if not axis else None)
        if x.dtype.kind in "iu" and (others or "." in b or "t" in b or "-" in b):
            b, others = "2", []
        number = self.pick(["1", "3"])
        kind = self.number(0, 7)
        if kind == 0:
            text = f"{a}[{key}] = {number}"
        elif kind == 1:
            text = f"{a}[{key}] += {b}"
            used += others
        elif kind == 2:
            text = f"np.maximum.at({a}, ({key},), {number})" if x.dtype.kind == "f" else f"{a}[{key}] *= 2"
        elif kind == 3:
            column = f"xp.reshape(xp.arange({i}.shape[0]), (-1,{' 1,' * (x.ndim - 1)}))"
            text = f"{a}[{i}] = xp.astype({column}, xp.{x.dtype.name})"
        elif kind == 4:
            text = f"{a}[{a} > {number}] = {number}"
        elif kind == 5:
            text = f"{a}[{i}] = {a}[::-1][{i}]"
        elif kind == 6:
            text = f"{a}[{i}[0]] += {a}[0]"
        else:
            text = f"np.add.at({a}, ({key},), xp.asarray({b if others else number}, dtype=xp.{x.dtype.name}))"
            used += others
        self.run(text, [a, *used], rough=a in self.rough, target=a)

    def size(self) -> None:
        a = self.any_array()
        b = self.pick([f"{a}.size", f"(1.0 / ({a}.size + 1))", f"{a}.ndim", *(f"({s} * {s})" for s in self.scalars)])
        self.run(f"{self.new()} = {a} * {b}", [a])


def _broadcasts(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    try:
        np.broadcast_shapes(a, b)
    except ValueError:
        return False
    return True


def _factorings(size: int) -> list[Any]:
    shapes: list[Any] = [(-1,), (1, size), (size, 1)] if size else [(0,), (0, 3), (2, 0)]
    shapes += [(k, size // k) for k in range(2, size) if size % k == 0]
    shapes += [(k, -1) for k in range(2, size) if size % k == 0]
    return shapes


@st.composite
def programs(
    draw: Callable[[st.SearchStrategy[Any]], Any],
    exact_only: bool = False,
    statements: int = 10,
    aliased: bool = True,
) -> Program:
    """Draw a random kernel.

    Parameters
    ----------
    exact_only
        Only operations whose bits are NumPy's on every target.
    statements
        The most statements to try.
    aliased
        Whether arguments may share memory.
    """
    writer = _Writer(draw, exact_only)
    shape = tuple(draw(st.lists(st.integers(0, 6), min_size=0, max_size=3)))
    arguments = [Arg("a0", writer.pick(DTYPES), shape, writer.pick(LAYOUTS))]
    for k in range(1, writer.number(1, 3)):
        kind = writer.number(0, 5)
        if kind == 0 and aliased:
            arguments.append(dataclasses.replace(arguments[0], name=f"a{k}", same_as="a0"))
        elif kind == 1 and aliased and shape and min(shape) > 2:
            index = writer.pick(["1:", ":-1", "::-1", "..., 1:", "::2", "1:-1"])
            viewed = np.empty(shape)[eval(f"np.s_[{index}]", {"np": np})].shape
            arguments.append(Arg(f"a{k}", arguments[0].dtype, viewed, view_of=("a0", index)))
        elif kind == 2:
            other = tuple(draw(st.lists(st.integers(0, 6), min_size=0, max_size=3)))
            arguments.append(Arg(f"a{k}", writer.pick(DTYPES), other, writer.pick(LAYOUTS)))
        else:
            cut = tuple(writer.pick([n, n, n, 1]) for n in shape[writer.number(0, len(shape)) if kind == 3 else 0 :])
            arguments.append(Arg(f"a{k}", writer.pick(DTYPES), cut, writer.pick(LAYOUTS)))
    for name, dtype in (("t", "float"), ("n", "int")):
        if writer.number(0, 1):
            arguments.append(Arg(name, dtype))
            writer.scalars.append(name)
    empty = Program((), tuple(arguments), exact_only)
    exec(PREAMBLE, writer.scope)
    for argument, value in zip(arguments, empty.make_args(np.random.default_rng(0)), strict=True):
        writer.names[argument.name] = writer.scope[argument.name] = value
    exec("xp = array_namespace(a0)", writer.scope)
    writer.lines.append("xp = array_namespace(a0)")
    for _ in range(statements - writer.number(0, statements - 1)):
        writer.statement()
    results = [str(writer.pick(list(writer.names))) for _ in range(writer.number(1, 4))]
    if writer.count and f"v{writer.count}" in writer.names:
        results.append(f"v{writer.count}")
    last = writer.pick(
        [
            ", ".join(results) + ",",
            f"[{', '.join(results)}]",
            f"{{'x': {results[0]}, 'rest': ({', '.join(results)},)}}",
            results[-1],
        ]
    )
    return Program((*writer.lines, f"return {last}"), tuple(arguments), exact_only)


def same(expected: Any, found: Any, tolerance: tuple[float, float] | None = None, where: str = "result") -> None:
    """Raise AssertionError unless two results agree: structure, types, dtypes, shapes and values.

    Values agree bit for bit without a tolerance (any NaN is as good as another), else within that
    relative and absolute difference, which covers another order of summation and other last bits of
    transcendental functions.
    """
    if isinstance(expected, dict):
        assert type(found) is dict, f"{where}: {found!r}, expected {expected!r}"
        assert list(found) == list(expected), f"{where}: {found!r}, expected {expected!r}"
        for key in expected:
            same(expected[key], found[key], tolerance, f"{where}[{key!r}]")
    elif isinstance(expected, tuple | list):
        assert type(found) is type(expected), f"{where}: {found!r}, expected {expected!r}"
        assert len(found) == len(expected), f"{where}: {found!r}, expected {expected!r}"
        for k, (a, b) in enumerate(zip(expected, found, strict=True)):
            same(a, b, tolerance, f"{where}[{k}]")
    elif isinstance(expected, np.ndarray | np.generic):
        kinds = f"{where}: {type(found)}, expected {type(expected)}"
        assert isinstance(found, np.ndarray) == isinstance(expected, np.ndarray), kinds
        assert found.dtype == expected.dtype, f"{where}: {found.dtype}, expected {expected.dtype}"
        assert found.shape == expected.shape, f"{where}: shape {found.shape}, expected {expected.shape}"
        values = np.asarray(expected), np.asarray(found)
        assert agree(*values, tolerance), f"{where}:\n{found!r}\nexpected\n{expected!r}"
    else:
        assert type(found) is type(expected), f"{where}: {found!r}, expected {expected!r}"
        both_nan = found != found and expected != expected
        assert found == expected or both_nan, f"{where}: {found!r}, expected {expected!r}"


def agree(
    expected: np.ndarray[Any, Any], found: np.ndarray[Any, Any], tolerance: tuple[float, float] | None = None
) -> bool:
    """Whether two arrays of one shape and dtype agree, as `same` says."""
    if expected.dtype.kind not in "fc":
        return bool(np.array_equal(expected, found))
    nans = np.isnan(expected)
    if not np.array_equal(nans, np.isnan(found)):
        return False
    if tolerance is not None:
        return bool(np.allclose(found, expected, rtol=tolerance[0], atol=tolerance[1], equal_nan=True))
    a, b = expected[~nans], found[~nans]
    parts = [(a.real, b.real), (a.imag, b.imag)] if expected.dtype.kind == "c" else [(a, b)]
    return all(np.array_equal(x, y) and np.array_equal(np.signbit(x), np.signbit(y)) for x, y in parts)
