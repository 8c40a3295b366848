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
    "DomainError",
    "Extrapolate",
    "Field",
    "Gradient",
    "Grid",
    "Kernel",
    "Recording",
    "Reflect",
    "TraceError",
    "UserError",
    "Value",
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
    from xpaccel.domain.boundary import Extrapolate, Gradient, Reflect, Value
    from xpaccel.domain.field import Field
    from xpaccel.domain.grid import Grid
    from xpaccel.errors import BackendError, CompileError, DomainError, TraceError, UserError, XpaccelError
    from xpaccel.recording import Recording, capture

_HOMES = {
    **dict.fromkeys(
        ("BackendError", "CompileError", "DomainError", "TraceError", "UserError", "XpaccelError"), "xpaccel.errors"
    ),
    **dict.fromkeys(("Extrapolate", "Gradient", "Reflect", "Value"), "xpaccel.domain.boundary"),
    "Field": "xpaccel.domain.field",
    "Grid": "xpaccel.domain.grid",
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
