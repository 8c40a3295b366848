"""The stand-in's ``cupy.cuda.nvrtc``."""

from __future__ import annotations


def getVersion() -> tuple[int, int]:
    """Return the version of NVRTC that is pretended."""
    return 12, 9
