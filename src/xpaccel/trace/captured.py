"""What a kernel reads from outside of its arguments, and whether it has changed.

Numbers, strings and small arrays that a kernel takes from globals, closures, defaults and modules
become part of the compiled program; so do the functions that it calls. They are found before the
trace by walking the names in the function's code, and compared again at each call.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xpaccel.trace.session import HOST, Arrays, Session, memory_of
from xpaccel.trace.source import trace_error

#: Arrays of at most so many bytes are compared by content at each call.
SMALL = 4096
#: Containers of more items than this are not walked.
MANY_ITEMS = 10_000

_PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic, types.CodeType)
#: Packages whose functions and constants do not change under a kernel.
_FIXED = frozenset(("numpy", "array_api_compat", "xpaccel", "scipy")) | sys.stdlib_module_names

_MISSING = object()
#: Special methods that no kernel calls on what it finds.
_NOT_CALLED = frozenset(
    ("__init__", "__new__", "__post_init__", "__init_subclass__", "__repr__", "__del__", "__reduce__")
)


def _same(old: Any, new: Any) -> bool:
    """Whether two plain values are the same number: 0.0 is not -0.0 nor 0, nan is nan."""
    if old is new:
        return True
    return type(old) is type(new) and (old == new or old != old) and repr(old) == repr(new)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value was read, and what was there.

    Parameters
    ----------
    holder
        A dict, list, tuple, cell, or an object with attributes.
    key
        The key, position or attribute name; None for a cell.
    value
        What was there.
    content
        What an array held whose values may be part of the program, None where being the same object is enough.
    memory
        What that array lies in.
    """

    holder: Any
    key: Any
    value: Any
    content: Any = None
    memory: Arrays = HOST

    def read(self) -> Any:
        """Return what is there now."""
        return _read(self.holder, self.key)

    def check(self) -> bool:
        """Whether it is still the same."""
        found = _read(self.holder, self.key)
        value = self.value
        if found is not value and not (isinstance(value, _PLAIN) and _same(value, found)):
            return False
        return self.content is None or not self.memory.differs(value, self.content)


def _read(holder: Any, key: Any) -> Any:
    try:
        if isinstance(holder, types.CellType):
            return holder.cell_contents
        if isinstance(holder, dict | list | tuple):
            return holder[key]
        return getattr(holder, key, _MISSING)
    except (KeyError, IndexError, ValueError):
        return _MISSING


@dataclass(frozen=True, slots=True)
class Length:
    """How many items a container had."""

    holder: Any
    size: int

    def check(self) -> bool:
        """Whether it has as many."""
        return len(self.holder) == self.size


@dataclass(frozen=True, slots=True)
class Captured:
    """What a kernel reads from outside.

    Attributes
    ----------
    places
        The values that are part of the program.
    lengths
        The containers that were walked.
    shapes
        Arrays that are inputs of the program, with dtype, shape and strides.
    """

    places: tuple[Place, ...] = ()
    lengths: tuple[Length, ...] = ()
    shapes: tuple[tuple[Any, Any], ...] = ()
    arrays: tuple[Place, ...] = field(default=(), repr=False)

    def outside(self, memory: Arrays) -> list[Any]:
        """Return the arrays that it names, of that memory."""
        found = {id(place.value): place.value for place in (*self.places, *self.arrays)}
        return [value for value in found.values() if isinstance(value, memory.array_type)]

    def check(self) -> bool:
        """Whether nothing that is part of the program has changed."""
        for place in self.places:
            if not place.check():
                return False
        for length in self.lengths:
            if not length.check():
                return False
        return all(_layout(array) == layout for array, layout in self.shapes)

    def used(self, session: Session) -> Captured:
        """Return what must be compared at each call, now that the trace has shown what was used.

        A large array that took part as an input of the program needs no comparison of its content.
        Any other was at most read while the kernel was traced, so its values may be part of the
        program: its content is compared. So it is if numbers read from some array were met.
        """
        places = list(self.places)
        for place in self.arrays:
            array, memory = place.value, memory_of(place.value, session.memory)
            as_input = any(array is c or _may_share(array, c) for c in session.constants)
            baked = session.met_generic or not as_input
            content = memory.snapshot(array) if baked else None
            places.append(Place(place.holder, place.key, array, content, memory))
        shapes = tuple((array, _layout(array)) for array in session.constants)
        return Captured(tuple(places), self.lengths, shapes)


def _may_share(array: Any, other: Any) -> bool:
    return isinstance(array, np.ndarray) and isinstance(other, np.ndarray) and np.may_share_memory(array, other)


def _layout(array: Any) -> Any:
    return array.shape, array.dtype, array.strides


def capture(function: Callable[..., Any], objects: Sequence[Any] = (), memory: Arrays = HOST) -> Captured:
    """Return what `function`, and every function of the user's that it names, reads from outside.

    Parameters
    ----------
    function
        The kernel.
    objects
        Arguments that are neither arrays nor numbers: what the code may ask of their attributes (the
        ``self`` of a method, say) is read from outside too.
    memory
        What the kernel's arrays lie in.

    Raises
    ------
    TraceError
        If it names a container too large to be compared at each call.
    """
    places: list[Place] = []
    lengths: list[Length] = []
    arrays: list[Place] = []
    seen: set[tuple[int, frozenset[str]]] = set()
    keep: list[Any] = []  # what `seen` numbers must stay alive
    # (holder, key, value, names that the code may ask of an object)
    stack: list[tuple[Any, Any, Any, frozenset[str]]] = list(_reads(function))
    waiting = [thing for thing in objects if not isinstance(thing, _PLAIN) and not _is_fixed(thing)]
    while stack or waiting:
        if not stack:  # by now all functions are known, and so are the names that they use
            used = frozenset().union(*(_names(f.__code__) for f in (function, *keep) if hasattr(f, "__code__")))
            thing = waiting.pop()
            stack.extend(_reads(thing) if isinstance(thing, types.FunctionType) else _attributes(thing, used))
            continue
        holder, key, value, names = stack.pop()
        if value is _MISSING or _is_fixed(value):
            continue
        if isinstance(value, memory.array_type) and not isinstance(value, np.ndarray):
            arrays.append(Place(holder, key, value))
            continue
        if isinstance(value, np.ndarray):
            if value.dtype.hasobject or value.nbytes <= SMALL:
                places.append(Place(holder, key, value, None if value.dtype.hasobject else value.tobytes()))
            else:
                arrays.append(Place(holder, key, value))
            continue
        places.append(Place(holder, key, value))
        if isinstance(value, _PLAIN) or (id(value), names) in seen:
            continue
        seen.add((id(value), names))
        keep.append(value)
        if isinstance(value, dict | list | tuple):
            if len(value) > MANY_ITEMS:
                raise trace_error(
                    f"the kernel uses {key!r}, a {type(value).__name__} of {len(value)} items, from outside",
                    "Pass what it needs as arguments.",
                )
            lengths.append(Length(value, len(value)))
            items = value.items() if isinstance(value, dict) else enumerate(value)
            stack.extend((value, item_key, item, names) for item_key, item in items)
        elif isinstance(value, types.FunctionType):
            stack.extend(_reads(value))
        elif isinstance(value, functools.partial):
            for key_, part in (("func", value.func), ("args", value.args), ("keywords", value.keywords)):
                stack.append((value, key_, part, names))
        elif isinstance(value, types.MethodType):
            stack.extend(_reads(value.__func__))
            stack.append((value, "__self__", value.__self__, names | _names(value.__func__.__code__)))
        else:
            wrapped = _held(value).get("__wrapped__")
            if isinstance(wrapped, types.FunctionType):
                stack.append((value, "__wrapped__", wrapped, names))
            else:
                stack.extend(_attributes(value, names))
    return Captured(tuple(places), tuple(lengths), (), tuple(arrays))


def _held(value: Any) -> Mapping[str, Any]:
    """Return what an object, a class or a module stores by attribute; nothing of theirs is run."""
    held = getattr(type(value), "__dict__", {}).get("__dict__") and getattr(value, "__dict__", None)
    return held if isinstance(held, Mapping) else {}


def _attributes(value: Any, names: frozenset[str]) -> Iterator[tuple[Any, Any, Any, frozenset[str]]]:
    """Yield what code that uses `names` may read from the attributes of `value`."""
    held = _held(value)
    if isinstance(value, type):  # what a class inherits is its own
        for name in names:
            found = getattr(value, name, _MISSING)
            if found is not _MISSING and not isinstance(found, property):
                yield value, name, found, names
        return
    todo, done = set(names | _special(value.__class__)), set[str]()
    while todo:
        name = todo.pop()
        done.add(name)
        if name in held:
            yield value, name, held[name], names
            continue
        descriptor = getattr(type(value), name, None)
        if isinstance(descriptor, types.MemberDescriptorType):
            yield value, name, getattr(value, name, _MISSING), names  # a slot
            continue
        function = descriptor.fget if isinstance(descriptor, property) else descriptor
        if isinstance(function, types.FunctionType):  # it reads attributes of `value` in turn
            yield type(value), name, descriptor, names
            yield from _reads(function)
            todo |= _names(function.__code__) - done
        elif function is not None and not hasattr(type(function), "__get__"):  # data of the class
            yield type(value), name, descriptor, names


@functools.lru_cache(None)
def _special(cls: Hashable) -> frozenset[str]:
    """Return the special methods that a class of the user's defines: they are called without being named."""
    own = (base for base in getattr(cls, "__mro__", ()) if base is not object and not _is_fixed(base))
    found = {name for base in own for name, item in vars(base).items() if isinstance(item, types.FunctionType)}
    return frozenset(name for name in found if name.startswith("__") and name not in _NOT_CALLED)


def _is_fixed(value: Any) -> bool:
    """Whether a value belongs to a library whose content does not change."""
    if isinstance(value, types.ModuleType):
        return value.__name__.partition(".")[0] in _FIXED
    if isinstance(value, types.BuiltinFunctionType | np.ufunc | np.dtype | types.GetSetDescriptorType | property):
        return True
    module = getattr(value, "__module__", None)
    is_code = isinstance(value, types.FunctionType | type)
    return is_code and isinstance(module, str) and module.partition(".")[0] in _FIXED and module != "__main__"


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """Yield a function's code and that of the functions, lambdas and comprehensions inside it."""
    stack = [code]
    while stack:
        item = stack.pop()
        yield item
        stack.extend(const for const in item.co_consts if isinstance(const, types.CodeType))


def _names(code: types.CodeType) -> frozenset[str]:
    """Return the names that code uses, also those that it spells as strings: ``getattr(model, "rate")``."""
    texts = (const for item in _codes(code) for const in item.co_consts if isinstance(const, str))
    spelled = {text for text in texts if text.isidentifier()}
    return frozenset(name for item in _codes(code) for name in item.co_names) | spelled


def _reads(function: Any) -> Iterator[tuple[Any, Any, Any, frozenset[str]]]:
    """Yield ``(holder, key, value, names)`` of what a function may read by name."""
    if isinstance(function, types.MethodType):
        yield function, "__self__", function.__self__, _names(function.__func__.__code__)
        function = function.__func__
    if isinstance(function, functools.partial):
        for part in ("func", "args", "keywords"):
            yield function, part, getattr(function, part), frozenset()
        return
    if not isinstance(function, types.FunctionType):
        if not _is_fixed(function):
            yield from _attributes(function, frozenset())
        return
    names = _names(function.__code__)
    for name in names:
        if name in function.__globals__:
            yield function.__globals__, name, function.__globals__[name], names
    for cell in function.__closure__ or ():
        value = _read(cell, None)
        yield cell, None, value, names
    yield function, "__code__", function.__code__, names
    for position, value in enumerate(function.__defaults__ or ()):
        yield function.__defaults__, position, value, names
    for name, value in (function.__kwdefaults__ or {}).items():
        yield function.__kwdefaults__, name, value, names
