"""To come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def table() -> dict[str, Callable[..., Any]]:
    """Return the functions of this module by name."""
    return {}
