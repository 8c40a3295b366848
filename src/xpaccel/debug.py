"""What ``XP_DEBUG`` shows on standard error while kernels run; a leaf.

1: backend, tracing, compiling, cache. 2: time, bytes and bandwidth of every nest that is launched.
3: the graph, the loops and what was not fused. 4: generated source.
"""

from __future__ import annotations

import sys

from xpaccel import config

_level: int | None = None


def level() -> int:
    """Return how much is shown; ``XP_DEBUG`` is read once."""
    global _level
    if _level is None:
        _level = config.debug()
    return _level


def set_level(value: int) -> None:
    """Choose how much is shown, from 0 (nothing) to 4, whatever ``XP_DEBUG`` says."""
    global _level
    if value not in config.DEBUG_LEVELS:
        raise ValueError(f"debug level {value!r}: it must be a whole number from 0 to 4")
    _level = value


def say(text: str) -> None:
    """Show a line, or several, each marked as ours."""
    sys.stderr.write("".join(f"xpaccel: {line}\n" for line in text.splitlines()))
