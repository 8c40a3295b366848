"""The trace in progress: what it has built, what it assumed, and the arrays it captured.

One trace runs at a time in a thread. A tracer belongs to its session, and is refused once that has
ended: what it stands for no longer exists.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from xpaccel.errors import BackendError
from xpaccel.graph.affine import Guards
from xpaccel.graph.node import Builder, Node
from xpaccel.graph.scalar import ScalarExpr
from xpaccel.ops import DTYPES
from xpaccel.trace.source import trace_error, user_line

if TYPE_CHECKING:
    from xpaccel.trace.view import Buffer


class Arrays(Protocol):
    """What a trace knows of the memory that a kernel runs on: its class of arrays, and whether one has changed."""

    array_type: type[Any]

    def problem(self, array: Any) -> str | None:
        """Return None if nests can work on this array, else why not and what to do."""

    def snapshot(self, array: Any) -> Any:
        """Return what the elements of an array are now, for `differs`."""

    def differs(self, array: Any, before: Any) -> bool:
        """Whether the elements of an array are other bytes than they were at a snapshot."""


def array_name(memory: Arrays) -> str:
    """Return what users call the arrays of a memory: ``cupy.ndarray``."""
    return f"{memory.array_type.__module__.partition('.')[0]}.{memory.array_type.__name__}"


class HostArrays:
    """NumPy's arrays."""

    array_type: type[Any] = np.ndarray

    def problem(self, array: np.ndarray[Any, Any]) -> str | None:
        """Refuse subclasses, which have rules of their own, and elements that are not aligned."""
        cls = type(array)
        if cls is not np.ndarray and cls is not np.memmap:
            return (
                f"is a {cls.__name__}, a subclass of numpy.ndarray with rules of its own. "
                "Pass numpy.asarray(...) of it."
            )
        if not array.flags.aligned or any(stride % array.itemsize for stride in array.strides):
            return (
                f"is not aligned to its dtype {array.dtype.name} (a field of a structured array?). "
                "Pass numpy.ascontiguousarray(...) of it."
            )
        return None

    def snapshot(self, array: np.ndarray[Any, Any]) -> bytes:
        """Return the bytes of an array."""
        return array.tobytes()

    def differs(self, array: np.ndarray[Any, Any], before: bytes) -> bool:
        """Whether the elements of an array are other bytes than they were at a snapshot."""
        return array.tobytes() != before


HOST = HostArrays()


def memory_of(array: Any, memory: Arrays) -> Arrays:
    """Return `memory` if an array lies there, else the host's."""
    return memory if isinstance(array, memory.array_type) else HOST


class Session:
    """All that one trace builds up.

    Parameters
    ----------
    name
        The kernel's name.
    guards
        The hints of the call.
    arguments
        How many array arguments there are; captured arrays take the slots after them.
    memory
        What arrays from outside of the kernel must lie in.
    """

    def __init__(self, name: str, guards: Guards, arguments: int, memory: Arrays = HOST) -> None:
        self.name = name
        self.guards = guards
        self.builder = Builder()
        self.scalar_guards: dict[ScalarExpr, object] = {}
        self.arguments = arguments
        self.memory = memory
        self.constants: list[Any] = []
        self.constant_nodes: list[Node] = []
        #: The buffer of every captured array, by the identity of the array (`constants` keeps it alive).
        self.captured: dict[int, Buffer] = {}
        #: What each captured array held when it was first met.
        self.snapshots: list[Any] = []
        #: NumPy scalars met in the trace may have been read from a captured array.
        self.met_generic = False
        #: Whether a function of ours is at work, so that what it calls need not look for the user's line.
        self.busy = False

    def mark(self) -> None:
        """Note which line of the user's the next nodes come from."""
        if self.busy:
            return
        self.builder.line = user_line()

    def assume(self, expr: ScalarExpr, value: object) -> None:
        """Record that a Python number has this value in every call that uses the trace."""
        if expr.op != "const":
            self.scalar_guards.setdefault(expr, value)

    def is_array(self, value: Any) -> bool:
        """Whether a value is a concrete array, the target's own or NumPy's."""
        return isinstance(value, (np.ndarray, self.memory.array_type))

    def constant(self, array: Any, *, made_here: bool = False) -> Buffer:
        """Return the buffer of an array from outside that meets traced arrays.

        Raises
        ------
        BackendError
            If it is a NumPy array and the kernel runs on another memory, unless it was `made_here`, of a list.
        """
        if not made_here and not isinstance(array, self.memory.array_type):
            raise BackendError(
                f"kernel {self.name!r} uses a NumPy array of shape {array.shape} from outside, and its backend works "
                f"on {array_name(self.memory)} arrays. Nothing is copied silently: convert it once, before the kernel."
            )
        from xpaccel.trace.view import Buffer

        buffer = self.captured.get(id(array))
        if buffer is None:
            dtype = checked_dtype(array.dtype)
            problem = memory_of(array, self.memory).problem(array)
            if problem is not None:
                what, _, advice = problem.partition(". ")
                raise trace_error(f"an array from outside of the kernel {what}", advice)
            slot = self.arguments + len(self.constants)
            node = self.builder.input(slot, dtype, array.shape)
            buffer = Buffer(node, constant=True)
            self.constants.append(array)
            self.constant_nodes.append(node)
            self.snapshots.append(memory_of(array, self.memory).snapshot(array))
            self.captured[id(array)] = buffer
        return buffer


class _Active(threading.local):
    session: Session | None = None


_active = _Active()


def is_tracing() -> bool:
    """Whether a kernel is being traced in this thread."""
    return _active.session is not None


def activate(session: Session | None) -> Session | None:
    """Make `session` the trace in progress in this thread; return the one before."""
    before = _active.session
    _active.session = session
    return before


def current() -> Session:
    """Return the trace in progress."""
    session = _active.session
    if session is None:
        raise trace_error(
            "a traced array's namespace was used when no kernel was being traced",
            "Take the namespace from the arrays inside the kernel: xp = array_namespace(u).",
        )
    return session


def check_session(session: Session, what: str) -> None:
    """Refuse a tracer whose trace is over, or is another thread's."""
    if _active.session is not session:
        raise trace_error(
            f"{what} of kernel {session.name!r} was used after its trace had ended",
            "It was kept in a global, an attribute or a list outside of the kernel, and stands for nothing "
            "there. Return it from the kernel instead.",
        )


def checked_dtype(dtype: Any) -> str:
    """Return NumPy's name of a dtype that kernels compute with; raise TraceError for any other."""
    found = np.dtype(dtype)
    if found.name not in DTYPES or not found.isnative:
        raise trace_error(
            f"dtype {found.str if not found.isnative else found.name!r} is not one that kernels compute with",
            f"They are {', '.join(DTYPES)}; convert the array first: xp.astype(x, xp.float32).",
        )
    return str(found.name)
