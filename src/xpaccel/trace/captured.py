"""What a kernel reads from outside of its arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xpaccel.trace.session import Session


@dataclass(frozen=True, slots=True)
class Captured:
    """Stand-in until the walk is in place."""

    def check(self) -> bool:
        """Whether nothing has changed."""
        return True

    def used(self, session: Session) -> Captured:
        """Return what matters after a trace."""
        return self


def capture(function: Callable[..., Any]) -> Captured:
    """Return what `function` reads from outside."""
    return Captured()
