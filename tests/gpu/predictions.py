"""The bounds of docs/gpu-performance.md, to be put beside what was measured."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "gpu-performance.md"
_TABLE = re.compile(r"<!-- roofline: begin -->\n(.*?)<!-- roofline: end -->", re.DOTALL)
#: Words in a device's name that mean the part of a column, and words that mean another part.
_COLUMNS = {
    "A100 SXM 80 GB": (("A100", "SXM", "80GB"), ()),
    "H100 SXM": (("H100",), ("PCIe", "NVL")),
    "H200 SXM": (("H200",), ("NVL",)),
}


def column(device: str) -> str | None:
    """Return which column of the page is about a device of that name; None if there is none.

    A MIG instance is a part of a device, and no column is about it.
    """
    for name, (words, others) in _COLUMNS.items():
        if all(word in device for word in words) and not any(word in device for word in (*others, "MIG")):
            return name
    return None


def bounds(page: str, name: str) -> dict[tuple[str, str], float]:
    """Return the most points a second, by kernel and dtype, that the column of that name says.

    Raises
    ------
    ValueError
        If the page has no such column.
    """
    found = _TABLE.search(page)
    lines = [line for line in (found[1].splitlines() if found else ()) if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    if not rows or name not in rows[0]:
        raise ValueError(f"{PAGE.name} has no column {name!r} in the table between the marks of 'roofline'")
    place = rows[0].index(name)
    return {(row[0], row[1]): 1e9 * float(row[place].split()[0]) for row in rows[2:]}
