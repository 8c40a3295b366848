"""xpaccel: write a numerical kernel once, as a plain function of arrays, and run it fast everywhere.

>>> import xpaccel as xpa
>>> @xpa.kernel
... def smooth(u):
...     return (u[:-2] + u[1:-1] + u[2:]) / 3
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# Bound here, not lazily: importing the submodule of the same name would put the module in its place.
from xpaccel.kernel import Kernel, kernel

__version__ = "0.1.0"

__all__ = [
    "BackendError",
    "CompileError",
    "Kernel",
    "Recording",
    "TraceError",
    "UserError",
    "XpaccelError",
    "__version__",
    "asnumpy",
    "backend",
    "capture",
    "get_backend",
    "kernel",
    "set_backend",
    "synchronize",
    "xp",
]

if TYPE_CHECKING:
    from xpaccel.active import asnumpy, backend, get_backend, set_backend, synchronize, xp
    from xpaccel.errors import BackendError, CompileError, TraceError, UserError, XpaccelError
    from xpaccel.recording import Recording, capture

_HOMES = {
    **dict.fromkeys(("BackendError", "CompileError", "TraceError", "UserError", "XpaccelError"), "xpaccel.errors"),
    **dict.fromkeys(("asnumpy", "backend", "get_backend", "set_backend", "synchronize", "xp"), "xpaccel.active"),
    **dict.fromkeys(("Recording", "capture"), "xpaccel.recording"),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: importing xpaccel stays cheap."""
    if name not in _HOMES:
        raise AttributeError(f"module 'xpaccel' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
