"""Loops of launches, recorded once and replayed at the cost of one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from xpaccel import active
from xpaccel.backends.base import Backend


class Recording:
    """A function whose launches are recorded at its second call and replayed from then on. Made by `capture`.

    Attributes
    ----------
    reason
        Why calls run the function as it is, None where they replay. Known after the second call.
    """

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._function, self._args, self._kwargs = function, args, kwargs
        self._backend: Backend | None = None
        self._replay: Callable[[], Any] | None = None
        self._calls = 0
        self._lock = threading.Lock()
        self.reason: str | None = None

    def __repr__(self) -> str:
        how = "not called yet" if not self._calls else self.reason or ("recorded" if self._replay else "called once")
        return f"<recording of {getattr(self._function, '__qualname__', self._function)!r}: {how}>"

    @property
    def is_recorded(self) -> bool:
        """Whether calls replay what was recorded."""
        return self._replay is not None

    def __call__(self) -> Any:
        """Run the function, or replay it; return its result.

        A replay writes to the memory of the recording: its result are the same arrays each time, with new contents.
        """
        with self._lock:
            backend = active.current()
            if backend is not self._backend:  # the first call on this backend runs as it is: everything is compiled
                self._backend, self._replay, self.reason, self._calls = backend, None, None, 0
            self._calls += 1
            if self._replay is not None:
                return self._replay()
            if self._calls == 1 or self.reason is not None:
                return self._run()
            found = backend.record(self._run)
            if isinstance(found, str):
                self.reason = found
                return self._run()
            self._replay = found
            return found()

    def _run(self) -> Any:
        return self._function(*self._args, **self._kwargs)


def capture(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Recording:
    """Prepare a function of kernels to be called many times with the same arrays, as a time loop calls it.

    On a GPU, a launch costs some microseconds, which is more than a small kernel takes. The first call runs
    `function` as it is; the second records its launches in a CUDA graph, which this and every later call
    replays in one go. Where that is impossible every call runs `function` as it is, and `Recording.reason`
    says why.

    Parameters
    ----------
    function
        Calls kernels. What it does besides (Python's own arithmetic, a print) happens at the first two calls
        alone where it is recorded; the numbers that it passes to kernels are those of the recording.
    *args, **kwargs
        What it is called with. It should write its results into these arrays: what it returns is, in a replay,
        memory of the recording.

    Returns
    -------
    Recording
        Called without arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import xpaccel as xpa
    >>> @xpa.kernel
    ... def smooth(u, out):
    ...     out[1:-1] = 0.5 * (u[2:] + u[:-2])
    >>> def two_steps(u, v):
    ...     smooth(u, v)
    ...     smooth(v, u)
    >>> u = np.arange(5.0) ** 2
    >>> steps = xpa.capture(two_steps, u, u.copy())
    >>> for _ in range(10):
    ...     steps()
    """
    return Recording(function, args, kwargs)
