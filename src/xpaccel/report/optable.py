"""The op table as documentation: ``python -m xpaccel.report.optable docs/add-an-op.md`` rewrites it there."""

from __future__ import annotations

import sys
from pathlib import Path

from xpaccel.ops import OPS

_BEGIN, _END = "<!-- op table: begin -->", "<!-- op table: end -->"


def table() -> str:
    """Return the op table as Markdown."""
    rows = [
        "| operation | arguments | accepts | returns | NumPy | Numba | CUDA | flops | exact |",
        "|---" * 9 + "|",
    ]
    for op in OPS.values():
        numba, cuda = (text.replace("|", "\\|") for text in (op.numba, op.cuda))
        exact = "yes" if op.exact else "4 ulp"
        names = f"| `{op.name}` | {op.arity} | {op.accepts} | {op.returns} | `{op.numpy}` "
        rows.append(names + f"| `{numba}` | `{cuda}` | {op.flops} | {exact} |")
    return "\n".join(rows)


def inserted(page: str) -> str:
    """Return a page with the table between its two marks made anew."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{table()}\n{_END}{after}"


def main(path: str) -> None:
    """Rewrite the table in a file."""
    file = Path(path)
    file.write_text(inserted(file.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
