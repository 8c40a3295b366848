"""`xpaccel info` as a table for a terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from xpaccel.report import sizes
from xpaccel.report.info import Finding, Info


def table(info: Info) -> Table:
    """Lay out what was found: one row a fact, absent things with the reason."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold", no_wrap=True)
    rows.add_column(no_wrap=True)
    rows.add_column(overflow="fold")

    def section(name: str) -> None:
        rows.add_row("")
        rows.add_row(Text(name, style="cyan"))

    def add(name: str, value: str, note: str = "") -> None:
        rows.add_row(f"  {name}", Text(value), Text(note, style="dim"))

    def finding(name: str, found: Finding) -> None:
        if found.reason is not None:
            rows.add_row(f"  {name}", Text("none", style="yellow"), Text(found.reason))
        for k, line in enumerate(found.found):
            rows.add_row(f"  {name}" if k == 0 else "", Text("found", style="green"), Text(line))

    rows.add_row(Text("targets", style="cyan"))
    for target in info.targets:
        state = Text("available", style="green") if target.available else Text("unavailable", style="yellow")
        rows.add_row(f"  {target.name}", state, Text(target.reason or ""))
    section("machine")
    add("system", "", info.system)
    add("processor", "", info.processor)
    add("cores", str(info.cores), f"{info.allowed_cores} for this process")
    add("threads", str(info.threads), info.threads_reason)
    finding("gpus", info.gpus)
    finding("mpi", info.mpi)
    section("cache")
    add("folder", "", info.cache.folder)
    add("programs", str(info.cache.entries), sizes.show(info.cache.bytes))
    section("versions")
    add("python", info.python)
    for name, version in info.versions.items():
        add(name, version or "-", "" if version else "not installed")
    return rows
