"""The stand-in's ``cupy.cuda.nvtx``: ranges are written down in `ranges`."""

from __future__ import annotations

available = True
#: What was called, in order: ``("push", message)``, ``("pop", "")``, ``("mark", message)``.
ranges: list[tuple[str, str]] = []


def RangePush(message: str, id_color: int = -1) -> None:
    """Begin a range."""
    ranges.append(("push", message))


def RangePop() -> None:
    """End the innermost range."""
    ranges.append(("pop", ""))


def Mark(message: str, id_color: int = -1) -> None:
    """Mark a moment."""
    ranges.append(("mark", message))
