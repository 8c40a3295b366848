"""What is easier to see before the assembler has taken it apart: a division of integers is no instruction in SASS."""

from __future__ import annotations

import re

_INTEGER = r"\.[su](?:8|16|32|64)\b"
_DIVIDES = re.compile(rf"\b(?:div|rem){_INTEGER}")
_WIDE = re.compile(r"\b(?:mul\.lo|mad\.lo|mul\.hi)\.[su]64\b")


def divisions(ptx: str) -> int:
    """Return how many divisions and remainders of integers there are; by constants, they are multiplications here."""
    return len(_DIVIDES.findall(ptx))


def wide_multiplications(ptx: str) -> int:
    """Return how many products of 64-bit integers there are; each is three or four instructions."""
    return len(_WIDE.findall(ptx))
