"""What a session found, as Markdown for people; the JSON beside it holds the same values and the ends of the logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gpu import predictions

STANDIN = "stand-in: proves meaning, not speed"
VERDICTS = {
    "passed": "PASSED",
    "failed": "FAILED",
    "unfinished": "NOT AT ITS END",
    "trial passed": "a trial that passed: not all was run",
    "trial failed": "a trial that FAILED",
    "no GPU": "NO GPU: nothing was proved",
}


def render(report: Mapping[str, Any]) -> str:
    """Return the report as Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    facts, kind = report["facts"], report["facts"]["kind"]
    title = f"Not a GPU report ({STANDIN})" if kind == "stand-in" else "GPU report"
    yield f"# {title}: {VERDICTS[report['verdict']]}"
    yield ""
    if kind == "stand-in":
        yield f"**{STANDIN}.** No GPU took part in this: kernels were compiled for the host. There are no times in it."
        yield ""
    yield from _table(["", ""], [("commit", report["commit"]), ("date", report["date"]), *_machine(facts)])
    yield ""
    if report["parts"]:
        yield from _table(
            ["part", "proves", "", "what was found", "seconds"],
            [(p["name"], p["proves"], p["state"], p["said"], f"{p['seconds']:.0f}") for p in report["parts"]],
        )
    if report["bench"] is not None:
        yield from _speeds(report["bench"], facts)
    for part in report["parts"]:
        if part["state"] == "failed":
            yield from ("", f"## The end of the log of: {part['name']}", "", "```text", *part["log"][-60:], "```")


def _machine(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if facts["kind"] == "none":
        yield "GPU", facts["why"]
        return
    device = facts["device"]
    major, minor = device["compute_capability"]
    yield (
        "device",
        f"{device['name']}, sm_{major}{minor}, {device['memory'] / 2**30:.0f} GiB, {device['multiprocessors']} "
        f"multiprocessors, {device['l2_bytes'] / 2**20:.0f} MiB of L2, {device['uuid']}",
    )
    yield "chosen", f"{device['reason']}; {facts['devices']} to be seen, CUDA_VISIBLE_DEVICES={facts['visible']}"
    yield "host", facts["host"]
    yield "CUDA", ", ".join(f"{name} {version}" for name, version in facts["cuda"].items())
    yield "versions", ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    if facts["nvidia_smi"]:
        yield "nvidia-smi", "; ".join(facts["nvidia_smi"])


def _speeds(bench: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[str]:
    mark = f" ({STANDIN})" if facts["kind"] == "stand-in" else ""
    device = facts["device"]["name"]
    column = predictions.column(device)
    bounds = predictions.bounds(predictions.PAGE.read_text(encoding="utf-8"), column) if column else {}
    yield from ("", f"## Kernels{mark}", "")
    copies = [row["seconds"]["copy"] for row in bench["kernels"]]
    if all(copies) and copies:
        rates = sorted(2 * bench["copied_bytes"] / copy["median"] / 1e9 for copy in copies)
        yield (
            f"A copy of {bench['copied_bytes'] / 2**30:.2f} GiB on the device moves {rates[len(rates) // 2]:.0f} GB/s "
            f"({rates[0]:.0f} to {rates[-1]:.0f} beside each kernel). *Share of copy* is the least that a kernel must "
            "move, over its time, against the copy that was measured in turn with it."
        )
    yield (
        f"*Bound* is that of docs/gpu-performance.md for {column}."
        if column
        else f"docs/gpu-performance.md has no bounds for {device}."
    )
    yield ""
    head = ["kernel", "dtype", "points", "time [ms]", "10^9 points/s", "GB/s", "share of copy [%]"]
    head += ["bound [10^9 points/s]", "share of bound [%]", "CuPy [times]", "ElementwiseKernel [times]", "fuse [times]"]
    yield from _table(head, [_speed(row, bench, bounds) for row in bench["kernels"]])
    problems = [(row, name, why) for row in bench["kernels"] for name, why in row["problems"].items()]
    if problems:
        yield ""
        yield from (f"- {row['kernel']}, {row['dtype']}, {name}: {why}" for row, name, why in problems)
    if bench["failed"]:
        yield ""
        yield from (f"- not measured: {line}" for line in bench["failed"])
    if bench["launches"] is not None:
        yield from ("", f"## A launch{mark}", "")
        yield from _table(
            ["a call of", "microseconds"],
            [(name, _number(times, 1e6)) for name, times in bench["launches"].items()],
        )


def _speed(row: Mapping[str, Any], bench: Mapping[str, Any], bounds: Mapping[tuple[str, str], float]) -> list[str]:
    """Return the line of a kernel; times of others are in units of ours, so above 1 is slower than ours."""
    seconds = row["seconds"]
    mine, copy = seconds["xpaccel"], seconds["copy"]
    line = [row["kernel"], row["dtype"], f"{row['points']} {row['unit']}s"]
    if mine is None or copy is None:
        return [*line, *["-"] * 9]
    rate, bandwidth = row["points"] / mine["median"], row["bytes"] / mine["median"]
    share = bandwidth / (2 * bench["copied_bytes"] / copy["median"])
    bound = bounds.get((row["kernel"], row["dtype"]))
    line += [_number(mine, 1e3), f"{rate / 1e9:.3g}", f"{bandwidth / 1e9:.0f}", f"{100 * share:.0f}"]
    line += ["", ""] if bound is None else [f"{bound / 1e9:.3g}", f"{100 * rate / bound:.0f}"]
    for name in ("CuPy", "ElementwiseKernel", "fuse"):
        other = seconds.get(name)
        line.append("" if other is None else f"{other['median'] / mine['median']:.2f}")
    return line


def _number(times: Mapping[str, float] | None, unit: float) -> str:
    """Return a time with the range of all rounds."""
    if times is None:
        return "-"
    low, high = times["least"] * unit, times["most"] * unit
    return f"{times['median'] * unit:.3g} ({low:.3g} to {high:.3g})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for line in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(str(cell).replace('|', '/').replace(chr(10), ' ') for cell in line)} |"
