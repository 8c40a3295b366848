"""Sizes in bytes, read from and written for people."""

from __future__ import annotations

import re

from xpaccel.errors import UserError

LETTERS = "kMGT"
UNITS = {"": 1, "b": 1} | {
    f"{letter.lower()}{rest}": base**power
    for power, letter in enumerate(LETTERS, start=1)
    for rest, base in (("", 1000), ("b", 1000), ("ib", 1024))
}


def parse(text: str) -> int:
    """Read a size such as ``500MB``, ``1.5 GiB`` or ``2048``, in bytes.

    Raises
    ------
    UserError
        Where it is not a number with one of the units B, kB, MB, GB, TB, KiB, MiB, GiB, TiB.
    """
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    if parts is None or parts[2] not in UNITS:
        raise UserError(f"cannot read the size {text!r}: write it as in 500MB or 1GiB")
    return int(float(parts[1]) * UNITS[parts[2]])


def show(count: int) -> str:
    """Write a number of bytes with three figures or so: ``999 B``, ``1.0 kB``, ``23.4 MB``."""
    if count < 1000:
        return f"{count} B"
    size = float(count)
    for letter in LETTERS:
        size /= 1000
        if size < 999.95 or letter == LETTERS[-1]:
            break
    return f"{size:.1f} {letter}B"
