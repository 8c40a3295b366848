"""Which backend runs kernels now, and the namespace proxy `xp`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from xpaccel import backends, config
from xpaccel.backends.base import Backend
from xpaccel.trace import session

_chosen: ContextVar[Backend | None] = ContextVar("xpaccel_backend", default=None)
_default: Backend | None = None


def current() -> Backend:
    """Return the backend that runs kernels now.

    Raises
    ------
    BackendError
        If ``XP_BACKEND`` names a backend that does not exist or cannot be used here.
    """
    chosen = _chosen.get()
    if chosen is not None:
        return chosen
    global _default
    if _default is None:
        _default = backends.require(config.backend(backends.names()))
    return _default


def get_backend() -> str:
    """Return the name of the backend that runs kernels now."""
    return current().name


def set_backend(name: str) -> None:
    """Choose the backend for the whole process; without it, ``XP_BACKEND`` or ``"numpy"`` is used.

    Raises
    ------
    BackendError
        If there is none of that name, or it cannot be used here.
    """
    global _default
    _default = backends.require(name)


@contextmanager
def backend(name: str) -> Iterator[None]:
    """Choose the backend within a ``with`` block, for this thread or task alone.

    Raises
    ------
    BackendError
        If there is none of that name, or it cannot be used here.

    Examples
    --------
    >>> import xpaccel as xpa
    >>> with xpa.backend("numpy"):
    ...     xpa.get_backend()
    'numpy'
    """
    token = _chosen.set(backends.require(name))
    try:
        yield
    finally:
        _chosen.reset(token)


def asnumpy(array: Any) -> np.ndarray[Any, Any]:
    """Return an array of any backend as a NumPy array.

    Parameters
    ----------
    array
        Of NumPy's or of CuPy's.

    Returns
    -------
    numpy.ndarray
        `array` itself where it is one; what lies on a device is copied to the host, which waits for it.

    Raises
    ------
    IndexError
        If a kernel on a GPU indexed outside of an axis, and that was not raised yet.
    """
    if isinstance(array, np.ndarray) or not hasattr(array, "__cuda_array_interface__"):
        return np.asarray(array)
    from xpaccel.backends.gpu import faults

    found: np.ndarray[Any, Any] = array.get()
    faults.look()
    return found


def synchronize() -> None:
    """Wait until everything has run that kernels were asked for on the active backend.

    On a CPU, calls return when they are done, and there is nothing to wait for.

    Raises
    ------
    IndexError
        If a kernel on a GPU indexed outside of an axis, and that was not raised yet.
    """
    current().synchronize()


class NamespaceProxy:
    """The active array namespace: inside a kernel that is traced, the tracer's; else the backend's.

    Every attribute is looked up when it is used, so ``from xpaccel import xp`` does not go stale.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(self._namespace(), name)

    def __dir__(self) -> list[str]:
        return dir(self._namespace())

    def __repr__(self) -> str:
        return f"<xpaccel.xp: {self._namespace()!r}>"

    @staticmethod
    def _namespace() -> Any:
        if session.is_tracing():
            from xpaccel.trace import namespace

            return namespace.namespace()
        return current().namespace()


xp = NamespaceProxy()
