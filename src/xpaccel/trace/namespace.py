"""The array API namespace of traced arrays."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from xpaccel.trace import creation, elementwise, manipulation, reductions
from xpaccel.trace.session import current
from xpaccel.trace.source import user_place
from xpaccel.trace.tracer import FUNCTIONS


def public(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` as the user's code calls it: it notes the line, and NumPy's errors name it."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        current().mark()
        try:
            return function(*args, **kwargs)
        except (ValueError, TypeError, IndexError, OverflowError) as error:
            if not getattr(error, "__notes__", None):
                error.add_note(f"in {name}, at {user_place()}")
            raise

    return call


def fill() -> None:
    """Put every function into `FUNCTIONS`."""
    for module in (elementwise, creation, manipulation, reductions):
        for name, function in module.table().items():
            FUNCTIONS[name] = public(name, function)
