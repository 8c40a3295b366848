"""Whether a package is installed, found out without importing it."""

from __future__ import annotations

import importlib.util
import sys

#: What was found: it is asked for at each ``with xpaccel.backend(...)``, and looking costs tens of microseconds.
_found: set[str] = set()


def is_installed(module: str) -> bool:
    """Whether a module can be imported. Of a name with dots, the packages above it are imported for that."""
    if module in _found or module in sys.modules:
        return True
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return False
    if spec is not None:
        _found.add(module)
    return spec is not None
