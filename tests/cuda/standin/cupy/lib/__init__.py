"""The stand-in's ``cupy.lib``."""

from __future__ import annotations

from cupy.lib import stride_tricks

__all__ = ["stride_tricks"]
