"""What a kernel has cost so far; a leaf."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Stats:
    """What a kernel has cost so far.

    Attributes
    ----------
    traces
        How often its function was traced.
    compilations
        How many programs were made from the traces; each serves every call that passes its guards.
    """

    traces: int = 0
    compilations: int = 0
