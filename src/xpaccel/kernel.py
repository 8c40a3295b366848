"""The decorator and the object it makes: what a user holds of a kernel.

This module is light, so that importing xpaccel is: the machinery is imported at the first call.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

from xpaccel.options import Options, Origin
from xpaccel.stats import Stats

if TYPE_CHECKING:
    from xpaccel.dispatch import Dispatcher
    from xpaccel.explanation import Explanation
    from xpaccel.graph.graph import Graph
    from xpaccel.loops.program import LoopProgram


class Kernel:
    """A numerical kernel: a plain function of arrays that runs on every backend.

    Made by `kernel`. Calling it runs the function: as it is written on an eager backend, compiled
    on the others. Inside another kernel it is simply a part of that one.

    Attributes
    ----------
    python
        The undecorated function.
    options
        What was said of it where it was made.
    stats
        How often it was traced and compiled.
    """

    def __init__(self, function: Callable[..., Any], options: Options = Options()) -> None:  # noqa: B008  (frozen)
        functools.update_wrapper(self, function)
        self.python = function
        self.options = options
        self.stats = Stats()
        self._name = getattr(function, "__qualname__", repr(function))
        self._started: Dispatcher | None = None

    def __repr__(self) -> str:
        return f"<xpaccel kernel {self._name}>"

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Bind to an instance, as a function does: a kernel may be a method."""
        return self if instance is None else BoundKernel(self, instance)

    def __reduce__(self) -> str:
        return self._name  # by reference, as functions are pickled

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the kernel on the active backend.

        Raises
        ------
        TraceError
            If the kernel does something that cannot be compiled; the message names the line.
        BackendError
            If an array does not lie in the backend's memory.
        """
        return (self._started or self._start()).call(args, kwargs)

    def _start(self) -> Dispatcher:
        from xpaccel.dispatch import Dispatcher

        self._started = Dispatcher(self.python, self._name, self.stats, self.options)
        return self._started

    def graph(self, *args: Any, **kwargs: Any) -> Graph:
        """Return the array program for a call with these arguments; nothing is run."""
        return (self._started or self._start()).inspect(args, kwargs, None)[0].traced.graph

    def loops(self, *args: Any, **kwargs: Any) -> LoopProgram:
        """Return the loop program for a call with these arguments; nothing is run."""
        return (self._started or self._start()).inspect(args, kwargs, None)[0].loops

    def source(self, *args: Any, backend: str | None = None, **kwargs: Any) -> str:
        """Return the generated source for a call with these arguments; nothing is run.

        Parameters
        ----------
        *args, **kwargs
            As for a call.
        backend
            The target; the active one, or numba where that is eager.
        """
        from xpaccel.explanation import sources

        compiled, _ = (self._started or self._start()).inspect(args, kwargs, backend)
        return sources(compiled.loops, compiled.backend)

    def explain(self, *args: Any, **kwargs: Any) -> Explanation:
        """Return what was made of the kernel for a call with these arguments; nothing is run."""
        from xpaccel.explanation import explain

        compiled, sizes = (self._started or self._start()).inspect(args, kwargs, None)
        return explain(self._name, compiled.traced.graph, compiled.loops, compiled.backend, sizes)


class BoundKernel:
    """A kernel that is a method, bound to an instance: everything that `Kernel` has, with the instance given.

    Attributes
    ----------
    kernel
        The kernel.
    """

    def __init__(self, kernel: Kernel, instance: Any) -> None:
        self.kernel, self._instance = kernel, instance

    def __repr__(self) -> str:
        return f"<bound {self.kernel!r} of {self._instance!r}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the kernel on the active backend."""
        return self.kernel(self._instance, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """Return what the kernel has of that name; methods are given the instance first."""
        if name.startswith("__") or name == "kernel":  # asked for before there is one, by copy and pickle
            raise AttributeError(name)
        found = getattr(self.kernel, name)
        if name in ("python", "graph", "loops", "source", "explain"):
            return functools.partial(found, self._instance)
        return found


@overload
def kernel(function: Callable[..., Any], *, reproducible: bool = True, origin: Origin | None = None) -> Kernel: ...
@overload
def kernel(
    function: None = None, *, reproducible: bool = True, origin: Origin | None = None
) -> Callable[[Callable[..., Any]], Kernel]: ...
def kernel(
    function: Callable[..., Any] | None = None, *, reproducible: bool = True, origin: Origin | None = None
) -> Kernel | Callable[[Callable[..., Any]], Kernel]:
    """Make a kernel of a plain function of arrays.

    Parameters
    ----------
    function
        A function of arrays and numbers, nested in tuples, lists, dicts and dataclasses as it
        likes. It uses the array API standard (through `xpaccel.xp` or its arguments' namespace) or
        NumPy, and returns arrays, numbers, or nestings of them.
    reproducible
        Whether a call gives the same bits each time. False lets a GPU add and multiply floats into elements that
        are named several times (``np.add.at``) in whatever order its threads come, without sorting them first; sums
        of float32 then take results below 1.2e-38 for zero. A kernel that is called inside of another one does as
        that one does. Where the result cannot depend on the order nothing changes.
    origin
        For kernels that are called on fields and return fewer elements than they are given: where element 0 of the
        result sits, in units of the index of the first field, one number or one for each axis. A half is the face
        between two cells. Needed where the formula leaves doubt: a first-order upwind difference
        ``u[1:] - u[:-1]`` has ``origin=1``, the same as a gradient on faces ``origin=0.5``.

    Returns
    -------
    Kernel
        Called like the function.

    Examples
    --------
    >>> import numpy as np
    >>> import xpaccel as xpa
    >>> @xpa.kernel
    ... def blend(a, b, weight):
    ...     return weight * a + (1 - weight) * b
    >>> blend(np.ones(3), np.zeros(3), 0.25)
    array([0.25, 0.25, 0.25])
    """
    options = Options(reproducible, origin)
    if function is None:
        return functools.partial(Kernel, options=options)
    return Kernel(function, options)
