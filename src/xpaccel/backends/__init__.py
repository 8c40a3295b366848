"""The targets: one visible table, each imported on first use and honest about absence."""

from __future__ import annotations

import importlib
from functools import cache

from xpaccel.backends.base import Backend
from xpaccel.errors import BackendError

_TABLE = {
    "numpy": "xpaccel.backends.eager:NumPy",
    "numba": "xpaccel.backends.cpu.target:Numba",
    "cupy": "xpaccel.backends.cuda.target:CuPy",
    "numba-cuda": "xpaccel.backends.numba_cuda.target:NumbaCuda",
}


def names() -> tuple[str, ...]:
    """Return the names of all targets, whether available here or not."""
    return tuple(_TABLE)


@cache
def get(name: str) -> Backend:
    """Return the target of that name, whether available here or not.

    Raises
    ------
    BackendError
        If there is no target of that name.
    """
    if name not in _TABLE:
        raise BackendError(f"unknown backend {name!r}; there are: {', '.join(_TABLE)}")
    module, _, attribute = _TABLE[name].partition(":")
    backend: Backend = getattr(importlib.import_module(module), attribute)()
    return backend


def why_unavailable(name: str) -> str | None:
    """Return None if the target can be used here, else why not and what to do."""
    return get(name).why_unavailable()


def require(name: str) -> Backend:
    """Return the target of that name.

    Raises
    ------
    BackendError
        If there is none of that name, or it cannot be used here.
    """
    backend = get(name)
    reason = backend.why_unavailable()
    if reason is not None:
        raise BackendError(f"backend {name!r} is not available: {reason}")
    return backend
