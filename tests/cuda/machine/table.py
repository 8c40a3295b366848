"""The tables of docs/gpu-performance.md; ``python -m cuda.machine.table``, in tests/, writes them anew."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from cuda.machine import nvrtc
from cuda.machine.gpus import GPUS
from cuda.machine.kernels import CASES, DTYPES
from cuda.machine.limits import OPEN
from cuda.machine.measure import ARCHES, Measured, measure

PAGE = Path(__file__).parents[3] / "docs" / "gpu-performance.md"
#: The compiler whose code the page describes; another one allots registers otherwise.
COMPILER = "12.9"


def tables() -> dict[str, str]:
    """Return each table of the page by its name."""
    rows = [measure(case.name, dtype) for case in CASES for dtype in DTYPES]
    return {"machine": machine(rows), "traffic": moved(rows), "roofline": roofline(rows), "open": still_open()}


def still_open() -> str:
    """Return the limits that are not kept yet, as a list."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for (limit, kernel, dtype), reason in OPEN.items():
        by_reason.setdefault((f"{kernel}, {limit}", reason), []).append(dtype)
    lines = [f"- {what} ({' and '.join(dtypes)}): {reason}.\n" for (what, reason), dtypes in by_reason.items()]
    return "".join(lines) or "All limits are kept.\n"


def machine(rows: Sequence[Measured]) -> str:
    """Return what the machine code needs and has."""
    head = ["kernel", "dtype", "launches", "registers", "bytes spilled", "warps at once [%]"]
    head += ["global loads, stores", "f64 instructions", "integer divisions"]
    lines = []
    for row in rows:
        codes = {arch: row.machines[arch] for arch in ARCHES}

        def each(values: Sequence[object]) -> str:
            return str(values[0]) if len(set(values)) == 1 else " / ".join(map(str, values))

        lines.append(
            [
                *(row.case.name, row.dtype, len(row.traffic.launches)),
                each([row.registers(arch) for arch in ARCHES]),
                each([row.spilled(arch) for arch in ARCHES]),
                each([f"{100 * row.occupancy(arch):.0f}" for arch in ARCHES]),
                each([f"{_sum(codes[a], 'loads')}, {_sum(codes[a], 'stores')}" for a in ARCHES]),
                each([sum(m.census.f64 for m in codes[arch]) for arch in ARCHES]),
                each([sum(m.divisions for m in codes[arch]) for arch in ARCHES]),
            ]
        )
    return _markdown(head, lines)


def moved(rows: Sequence[Measured]) -> str:
    """Return what moves."""
    head = ["kernel", "dtype", "points", "launches", "bytes a point", "the least", "ratio", "from L2", "loads a point"]
    lines = []
    for row in rows:
        launches, points = row.traffic.launches, row.case.points
        lines.append(
            [
                *(row.case.name, row.dtype, f"{points} {row.case.unit}s", len(launches)),
                *(f"{row.moved:.2f}", f"{row.least:.2f}", f"{row.ratio:.2f}"),
                f"{sum(launch.block_bytes for launch in launches) / points:.2f}",
                f"{sum(launch.loads for launch in launches) / points:.2f}",
            ]
        )
    return _markdown(head, lines)


def roofline(rows: Sequence[Measured]) -> str:
    """Return the most that each GPU can do: 10^9 points a second, and what limits it."""
    head = ["kernel", "dtype", "instructions", "operations", *(gpu.name for gpu in GPUS)]
    lines = []
    for row in rows:
        issued = row.issued(90)
        cells = []
        for gpu in GPUS:
            bounds = row.bounds(gpu)
            limit = min(bounds, key=lambda name: bounds[name])
            cells.append(f"{_three_digits(bounds[limit] / 1e9)} {limit}")
        lines.append(
            [row.case.name, row.dtype, "" if issued is None else f"{issued:.0f}", f"{row.operations(90):.0f}", *cells]
        )
    return _markdown(head, lines)


def page(text: str) -> str:
    """Return the page with each table between its marks made anew.

    Raises
    ------
    ValueError
        If the page lacks a table's marks, or the compiler is not the one that the page names.
    """
    if nvrtc.version() != COMPILER:
        raise ValueError(
            f"NVRTC {nvrtc.version()} is installed; the page is about {COMPILER}. Install what the extra 'machine' "
            "pins, or change COMPILER and the extra together"
        )
    for name, table in tables().items():
        marks = re.compile(rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)", re.DOTALL)
        if not marks.search(text):
            raise ValueError(f"the page has no place for the table {name!r}")
        text = marks.sub(lambda found, table=table: f"{found[1]}\n{table}\n{found[2]}", text)
    return text


def _three_digits(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def _sum(codes: Sequence[object], what: str) -> int:
    return sum(sum(getattr(code.census, what).values()) for code in codes)


def _markdown(head: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    """Return a table; the first two columns are words, the others are set to the right."""
    rule = ["---" if column < 2 else "---:" for column in range(len(head))]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in (head, rule, *lines))


def main() -> None:
    """Write the page anew."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"{PAGE} is up to date")


if __name__ == "__main__":
    main()
