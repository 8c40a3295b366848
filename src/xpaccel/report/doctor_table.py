"""`xpaccel doctor` as a table for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from xpaccel.report.doctor import Report

WORDS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "absent": ("-", "dim"), "failed": ("FAILED", "bold red")}


def table(report: Report) -> RenderableType:
    """Lay out what was found: one row a check, below it what to do, at the end the verdict."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold", no_wrap=True)
    rows.add_column(no_wrap=True)
    rows.add_column(overflow="fold")
    section = ""
    for check in report.checks:
        if check.section != section:
            rows.add_row(*([""] if section else []))
            section = check.section
            rows.add_row(Text(section, style="cyan"))
        word, style = WORDS[check.state]
        rows.add_row(f"  {check.name}", Text(word, style=style), Text(check.found))
        if check.advice:
            rows.add_row("", "", Text(f"→ {check.advice}", style="yellow"))
    return Group(rows, Text(), verdict(report))


def verdict(report: Report) -> Text:
    """Say in a line whether everything that is here works."""
    if not report.failed:
        return Text("Everything that is here works.", style="green")
    names = ", ".join(check.name for check in report.failed)
    return Text(f"FAILED: {names}", style="bold red")
