"""What generated Numba CUDA source is made of in Numba's simulator: the names of `cuda_device`, on NumPy's scalars.

Every scalar is a NumPy scalar of the dtype that the nest computes with, and a function that returns another dtype
raises. An address is a `Pointer`, which knows the memory that it may touch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from xpaccel.codegen.cuda_basis import NAMES
from xpaccel.ops import DTYPES, OPS

__all__ = [*DTYPES, *NAMES, "Pointer"]

globals().update({name: np.dtype(name).type for name in DTYPES})

F = TypeVar("F", bound=Callable[..., Any])
_FORMULAS: dict[str, dict[str, Callable[..., Any]]] = {}


# -- memory -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pointer:
    """A place in an array's memory.

    Attributes
    ----------
    elements
        The memory from the array's first to its last byte, as a one-dimensional array.
    place
        The number of the element that it points to.
    """

    elements: np.ndarray[Any, Any]
    place: int

    def at(self, index: int) -> int:
        """Return the number of the element `index` places on.

        Raises
        ------
        IndexError
            Where that is not in the array's memory: on a GPU it would be somebody else's.
        """
        place = self.place + int(index)
        if not 0 <= place < len(self.elements):
            raise IndexError(f"element {place} of memory that has {len(self.elements)} elements")
        return place


def load(pointer: Pointer, index: int, dtype: Any) -> Any:
    """Return an element."""
    value = pointer.elements[pointer.at(index)]
    if type(value) is not dtype:
        raise TypeError(f"a load of {dtype.__name__} from memory of {type(value).__name__}")
    return value


load_rw = load


def store(pointer: Pointer, index: int, value: Any) -> None:
    """Put a value into an element."""
    if pointer.elements.dtype.type is not type(value):
        raise TypeError(f"a store of {type(value).__name__} into memory of {pointer.elements.dtype}")
    pointer.elements[pointer.at(index)] = value


def get(array: Any, index: int) -> Any:
    """Return an element of a shared array."""
    if not 0 <= index < len(array):
        raise IndexError(f"element {index} of a shared array of {len(array)}")
    return array[index]


def put(array: Any, index: int, value: Any) -> None:
    """Put a value into an element of a shared array."""
    if not 0 <= index < len(array) or array.dtype.type is not type(value):
        raise IndexError(f"{type(value).__name__} as element {index} of a shared {array.dtype}[{len(array)}]")
    array[index] = value


def opaque(step: int) -> int:
    """Return a number, of which the compiler is to know nothing."""
    return step


def outside(index: Any, size: int) -> Any:
    """Whether NumPy's index is outside of an axis of `size`."""
    return not -size <= index < size


def place(index: Any, size: int, is_outside: Any) -> Any:
    """Return where an index points to; element 0 where it is outside."""
    return np.int64(0 if is_outside else int(index) + (size if index < 0 else 0))


def report(status: Pointer, site: Any, check: int) -> None:
    """Put a check's number into a status that nobody has taken."""
    if load(status, 0, np.int32) == 0:
        store(status, 0, np.int32(site + check))


_atomic = threading.Lock()


def _combining(function: Callable[..., Any]) -> Callable[[Pointer, int, Any], None]:
    """Return what combines a value with an element, in one indivisible step."""

    def combine(pointer: Pointer, index: int, value: Any) -> None:
        with _atomic:
            store(pointer, index, function(load(pointer, index, type(value)), value))

    return combine


atomic_sum, atomic_max, atomic_min = map(_combining, (np.add, np.maximum, np.minimum))


def same(x: Any, y: Any) -> bool:
    """Whether two numbers have the same bits."""
    return bool(x.tobytes() == y.tobytes())


def swap(pointer: Pointer, index: int, seen: Any, wanted: Any) -> Any:
    """Put `wanted` into an element that is `seen`, in one indivisible step; return what it was."""
    with _atomic:
        before = load(pointer, index, type(seen))
        if same(before, seen):
            store(pointer, index, wanted)
    return before


def search(formula: F) -> F:
    """Make a formula of an address and three positions a function of generated source, which returns a position."""
    return formula


# -- casts and selection ----------------------------------------------------------------------------------


def cast(value: Any, dtype: Any) -> Any:
    """Convert as NumPy's unsafe ``astype`` does."""
    return np.asarray(value).astype(dtype)[()]


def like(number: Any, x: Any) -> Any:
    """Return a number in the dtype of `x`."""
    return np.asarray(number).astype(type(x))[()]


def bits(x: Any) -> Any:
    """Return how many bits an integer has, as uint64."""
    return np.uint64(8 * x.dtype.itemsize)


def join(real: Any, imag: Any) -> Any:
    """Return the complex number of these parts."""
    return np.complex64(complex(real, imag)) if type(real) is np.float32 else np.complex128(complex(real, imag))


def select(condition: Any, yes: Any, no: Any) -> Any:
    """Return one of two values."""
    return yes if condition else no


# -- functions of scalars ---------------------------------------------------------------------------------


def _numpy(name: str) -> Callable[..., Any]:
    """Return NumPy's function of a name that CUDA's library, or an operation, has."""
    known = {op.libm: op.numpy for op in OPS.values() if op.libm}
    found: Callable[..., Any] = getattr(np, known.get(name, name))
    return found


def _itself(x: Any) -> Any:
    return x


def function(name: str, arity: int, returns: str = "same", library: str = "") -> Any:
    """Return a function of generated source: see `cuda_device.function`."""
    formulas = dict(_PRIMITIVES.get(name, {}))
    if library:
        formulas["f"] = _numpy(library)
    _FORMULAS[name] = formulas

    def call(*args: Any) -> Any:
        dtype = type(args[0])
        if len(args) != arity or any(type(arg) is not dtype for arg in args):
            raise TypeError(f"{name} of {', '.join(type(arg).__name__ for arg in args)}")
        result = formulas[args[0].dtype.kind](*args)
        if returns == "bool" or dtype is np.bool_:
            return np.bool_(result)
        wanted = type(args[0].real) if returns == "real" else dtype
        if type(result) is not wanted:
            raise TypeError(f"{name} of {dtype.__name__} gave {type(result).__name__}")
        return result

    call.__name__ = call.__qualname__ = name
    return call


def on(function: Any, kinds: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make the decorated formula what `function` does on dtypes of these kinds."""

    def define(formula: Callable[..., Any]) -> Callable[..., Any]:
        _FORMULAS[function.__name__].update(dict.fromkeys(kinds, formula))
        return formula

    return define


_PRIMITIVES: dict[str, dict[str, Callable[..., Any]]] = {
    "add": dict.fromkeys("iufc", np.add),
    "subtract": dict.fromkeys("iufc", np.subtract),
    "multiply": dict.fromkeys("iufc", np.multiply),
    "divide": {"f": np.divide},
    "negative": dict.fromkeys("iufc", np.negative),
    **{name: dict.fromkeys("iu", _itself) for name in ("floor", "ceil", "trunc", "rint")},
    "conjugate": dict.fromkeys("iuf", _itself),
    "real": {"c": np.real},
    "imag": {"c": np.imag},
}
