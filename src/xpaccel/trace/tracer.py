"""The array that a kernel meets while it is traced.

A `Tracer` is a view of a buffer. Its methods and operators are the functions of `FUNCTIONS`, the
table that `xpaccel.trace.namespace` fills from the modules of functions, so each is written once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from xpaccel.graph.node import Node
from xpaccel.ops import dtype_kind
from xpaccel.trace.scalar import Number, as_affine, size_number
from xpaccel.trace.session import Session, check_session, current
from xpaccel.trace.source import trace_error
from xpaccel.trace.view import Buffer, View

#: Every function of arrays, by its name in the array API standard, or NumPy's where it has none there.
FUNCTIONS: dict[str, Callable[..., Any]] = {}


class Tracer:
    """A traced array: a view of a buffer, of known dtype and symbolic shape.

    Parameters
    ----------
    session
        The trace it belongs to.
    view
        What memory it shows.
    scalar
        Whether NumPy would give a NumPy scalar here: a 0-d value that cannot be written.
    argument
        The array slot, where it is the very array that was given to the kernel.
    """

    __slots__ = ("_argument", "_scalar", "_session", "_view")

    __array_priority__ = 1000.0

    def __init__(self, session: Session, view: View, *, scalar: bool = False, argument: int | None = None) -> None:
        self._session = session
        self._view = view
        self._scalar = scalar
        self._argument = argument

    # what it is

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype."""
        return np.dtype(self._view.buffer.node.dtype)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._view.shape)

    @property
    def shape(self) -> tuple[Any, ...]:
        """The sizes: ints, or numbers that stand for sizes known only when the program runs."""
        return tuple(size_number(self._session, size) for size in self._view.shape)

    @property
    def size(self) -> Any:
        """The number of elements."""
        total: Any = 1
        for size in self.shape:
            total = total * size
        return total

    @property
    def itemsize(self) -> int:
        """The number of bytes of an element."""
        return int(self.dtype.itemsize)

    @property
    def nbytes(self) -> Any:
        """The number of bytes of all elements."""
        return self.size * self.itemsize

    @property
    def device(self) -> str:
        """Where the array lies, as NumPy says it."""
        return "cpu"

    @property
    def T(self) -> Tracer:  # noqa: N802
        """The view with its axes reversed."""
        result: Tracer = FUNCTIONS["transpose"](self)
        return result

    @property
    def mT(self) -> Tracer:  # noqa: N802
        """The view with its last two axes exchanged."""
        result: Tracer = FUNCTIONS["matrix_transpose"](self)
        return result

    @property
    def real(self) -> Any:
        """The real part: the array itself where it is real."""
        if dtype_kind(self._view.buffer.node.dtype) != "c":
            return self[...] if not self._scalar else self
        return FUNCTIONS["real"](self)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return FUNCTIONS["imag"](self)

    @property
    def flat(self) -> Any:
        """Not for kernels: iterating element by element."""
        raise trace_error("a kernel cannot go through an array element by element (.flat)", "Write whole-array code.")

    @property
    def at(self) -> Any:
        """Not of the standard."""
        raise trace_error("x.at is JAX's, and not of the array API standard", "Assign to a slice: x[1:-1] = values.")

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        from xpaccel.trace.namespace import namespace

        return namespace(api_version)

    def __repr__(self) -> str:
        shape = ", ".join(map(str, self._view.shape))
        return f"<traced {self._view.buffer.node.dtype} array of shape ({shape})>"

    # its value

    def _read(self) -> Node:
        """Return the value that it has now."""
        check_session(self._session, "a traced array")
        return self._view.read(self._session)

    def _write(self, node: Node) -> None:
        """Replace the value by `node`, of the same shape and dtype."""
        check_session(self._session, "a traced array")
        self._view.write(self._session, node)

    # indexing

    def _select(self, key: Any) -> tuple[View, bool]:
        """Return the view that `key` selects, and whether it is an element (a NumPy scalar)."""
        items = key if isinstance(key, tuple) else (key,)
        index: list[Any] = []
        given = sum(item is not None and item is not Ellipsis for item in items)
        if sum(item is Ellipsis for item in items) > 1:
            raise IndexError("an index can only have a single ellipsis ('...')")
        if given > self.ndim:
            raise IndexError(f"too many indices for array: array is {self.ndim}-dimensional, but {given} were indexed")
        missing: list[Any] = [(None, None, 1)] * (self.ndim - given)
        element = given == self.ndim
        for item in items:
            if item is Ellipsis:
                index.extend(missing)
                missing = []
                element = False
            else:
                index.append(selection(item))
                element = element and item is not None and not isinstance(item, slice)
        index.extend(missing)
        return self._view.select(self._session, index), element

    def __getitem__(self, key: Any) -> Tracer:
        self._session.mark()
        check_session(self._session, "a traced array")
        if has_arrays(self._session, key):
            result: Tracer = FUNCTIONS["getitem"](self, key)
            return result
        view, element = self._select(key)
        if element:
            return fresh(self._session, view.read(self._session), scalar=True)
        return Tracer(self._session, view)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._session.mark()
        check_session(self._session, "a traced array")
        if self._scalar:
            raise TypeError(f"'numpy.{self.dtype.name}' object does not support item assignment")
        if has_arrays(self._session, key):
            FUNCTIONS["setitem"](self, key, value)
            return
        view, _ = self._select(key)
        if isinstance(value, Tracer) and value._view == view:
            return  # what `x[k] += y` does last: it is written already
        from xpaccel.trace.elementwise import value_for

        view.write(self._session, value_for(self._session, value, self.dtype.name, view.shape))

    def __iter__(self) -> Iterator[Tracer]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return iter([self[k] for k in range(len(self))])

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len() of unsized object")
        check_session(self._session, "a traced array")
        return self._session.guards.specialise(self._view.shape[0])

    # what has no value while it is traced

    def __bool__(self) -> bool:
        raise trace_error(
            "the truth of a traced array (if, while, and, or, not) is known only when the kernel runs",
            "Choose element by element instead: xp.where(condition, a, b); combine conditions with & | ~. "
            "Or take the decision outside of the kernel.",
        )

    def __contains__(self, item: Any) -> bool:
        raise trace_error("`in` asks for the truth of a traced array", "Use xp.any(x == value) as a value in xp.where.")

    def _no_number(self, kind: str) -> Any:
        raise trace_error(
            f"a Python {kind} was asked of a traced array, whose values are known when the kernel runs",
            "Keep computing with the array: functions of xp take it. Or do this outside of the kernel.",
        )

    def __float__(self) -> float:
        return float(self._no_number("float"))

    def __int__(self) -> int:
        return int(self._no_number("int"))

    def __complex__(self) -> complex:
        return complex(self._no_number("complex"))

    def __index__(self) -> int:
        return int(self._no_number("int (an index or a size)"))

    def item(self, *args: Any) -> Any:
        """Raise TraceError: values are known only when the kernel runs."""
        return self._no_number("number (.item())")

    def tolist(self) -> Any:
        """Raise TraceError: values are known only when the kernel runs."""
        return self._no_number("list (.tolist())")

    def __hash__(self) -> int:
        raise TypeError("unhashable type: a traced array")

    # NumPy's protocols

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise trace_error(
            "plain NumPy asked for the values of a traced array, which are known only when the kernel runs",
            "If a function was called here, kernels do not know it: call it outside of the kernel. "
            "If this assigns to a NumPy array, make that array like a traced one: np.zeros_like(u). "
            "np.asarray(u) is not needed: u is an array.",
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from xpaccel.trace.protocol import array_ufunc

        return array_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from xpaccel.trace.protocol import array_function

        return array_function(func, args, kwargs)


def fresh(session: Session, node: Node, *, scalar: bool = False) -> Tracer:
    """Return a new array that holds `node`."""
    return Tracer(session, View.whole(Buffer(node)), scalar=scalar and not node.shape)


def _slice_bounds(item: slice) -> tuple[Any, Any, int]:
    def bound(value: Any) -> Any:
        return None if value is None else _integer(value)

    step = 1
    if item.step is not None:
        given = _integer(item.step)
        step = int(item.step) if given.terms else given.const  # int() of a size specialises it
    return bound(item.start), bound(item.stop), step


def _integer(item: Any) -> Any:
    """Return an integer of an index as an `Affine`."""
    try:
        return as_affine(item)
    except TypeError:
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or boolean arrays "
            "are valid indices"
        ) from None


def selection(item: Any) -> Any:
    """Return an integer, a slice or a new axis of an index as `View.select` takes it."""
    if item is None:
        return None
    return _slice_bounds(item) if isinstance(item, slice) else _integer(item)


def is_array_index(session: Session, item: Any) -> bool:
    """Whether a part of an index is an array; a 0-d integer that is no traced one is an integer."""
    if isinstance(item, Tracer | list | bool | np.bool):
        return True
    return session.is_array(item) and not (item.ndim == 0 and item.dtype.kind in "iu")


def has_arrays(session: Session, key: Any) -> bool:
    """Whether an index has arrays among its parts."""
    if isinstance(key, tuple):
        return any(is_array_index(session, item) for item in key)
    return is_array_index(session, key)


def _install() -> None:
    infix = {
        "add": "add",
        "sub": "subtract",
        "mul": "multiply",
        "truediv": "divide",
        "floordiv": "floor_divide",
        "mod": "remainder",
        "pow": "power_operator",
        "and": "bitwise_and",
        "or": "bitwise_or",
        "xor": "bitwise_xor",
        "lshift": "bitwise_left_shift",
        "rshift": "bitwise_right_shift",
        "matmul": "matmul",
    }
    compare = {
        "lt": "less",
        "le": "less_equal",
        "gt": "greater",
        "ge": "greater_equal",
        "eq": "equal",
        "ne": "not_equal",
    }
    prefix = {"neg": "negative", "pos": "positive", "abs": "abs", "invert": "bitwise_invert"}

    def forward(name: str) -> Callable[[Tracer, Any], Any]:
        return lambda self, other: NotImplemented if _defers(other) else FUNCTIONS[name](self, other)

    def reflected(name: str) -> Callable[[Tracer, Any], Any]:
        return lambda self, other: NotImplemented if _defers(other) else FUNCTIONS[name](other, self)

    def in_place(name: str) -> Callable[[Tracer, Any], Any]:
        return lambda self, other: FUNCTIONS["in_place"](name, self, other)

    def unary(name: str) -> Callable[[Tracer], Any]:
        return lambda self: FUNCTIONS[name](self)

    for operator, name in infix.items():
        setattr(Tracer, f"__{operator}__", forward(name))
        setattr(Tracer, f"__r{operator}__", reflected(name))
        setattr(Tracer, f"__i{operator}__", in_place(name))
    for operator, name in compare.items():
        setattr(Tracer, f"__{operator}__", forward(name))
    for operator, name in prefix.items():
        setattr(Tracer, f"__{operator}__", unary(name))
    setattr(Tracer, "__divmod__", lambda self, other: (self // other, self % other))  # noqa: B010
    setattr(Tracer, "__rdivmod__", lambda self, other: (other // self, other % self))  # noqa: B010


def _defers(other: Any) -> bool:
    """Whether an operand is of a type that has its own way with arrays, or none."""
    known = (Tracer, Number, np.ndarray, np.generic, int, float, complex, list, tuple)
    return not isinstance(other, known) and other is not None and not current().is_array(other)


def _install_methods() -> None:
    methods = (
        "all any argmax argmin astype clip conj conjugate copy cumprod cumsum diagonal dot fill flatten max "
        "mean min nonzero prod ravel repeat reshape round searchsorted sort squeeze std sum swapaxes take "
        "to_device trace transpose var"
    )

    def method(name: str) -> Callable[..., Any]:
        return lambda self, *args, **kwargs: FUNCTIONS[f"method {name}" if f"method {name}" in FUNCTIONS else name](
            self, *args, **kwargs
        )

    for name in methods.split():
        call = method(name)
        call.__name__ = name
        setattr(Tracer, name, call)


_install()
_install_methods()
