"""All that must be run once on real hardware: ``python tests/gpu/session.py``, or ``nox -s gpu``.

Writes ``gpu-report.md`` and ``gpu-report.json``, also when parts fail, and after each part, so that a job which
reaches its walltime leaves what it had. Ends with status 0 if all that ran passed, 1 if a part failed, and 2 if there
is no GPU: then nothing was proved.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))

from gpu import parts, report  # noqa: E402
from gpu.facts import commit  # noqa: E402

from xpaccel import backends  # noqa: E402

NAME = "gpu-report"
#: Backends of device memory, as far as there are any.
TARGETS = tuple(name for name in ("cupy", "numba-cuda") if name in backends.names())


def facts(env: dict[str, str]) -> dict[str, Any]:
    """Ask a process of its own for the device, as CUDA may hang or end the process that asks."""
    command = [sys.executable, "-m", "gpu.facts"]
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return {"kind": "none", "why": "CUDA did not start within 300 s"}
    answers = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if answers:
        found: dict[str, Any] = json.loads(answers[-1])
        return found
    said = done.stderr.strip().splitlines() or ["nothing"]
    return {"kind": "none", "why": f"asking for the device ended with status {done.returncode}: {said[-1]}"}


def main(words: Sequence[str] | None = None) -> int:
    """Run all parts and write the report; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path.cwd(), help="the folder of the report")
    parser.add_argument("--only", action="append", metavar="WORD", help="only parts with this in their name; repeat it")
    parser.add_argument("--trial", action="store_true", help="try the session out: few tests, small arrays")
    given = parser.parse_args(words)
    given.out.mkdir(parents=True, exist_ok=True)
    env = parts.environment()
    with tempfile.TemporaryDirectory(prefix="xpaccel-gpu-") as folder:
        env["XP_CACHE_DIR"] = os.path.join(folder, "cache")  # what is proved is compiled here, not taken from yesterday
        found = {
            "verdict": "no GPU",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": commit(),
            "trial": given.trial,
            "facts": facts(env),
            "parts": [],
            "bench": None,
        }
        if found["facts"]["kind"] != "none":
            found["verdict"] = "unfinished"
            bench = Path(folder, "bench.json")
            # The stand-in is for CuPy alone: what Numba compiles needs a real device.
            targets = TARGETS[:1] if found["facts"]["kind"] == "stand-in" else TARGETS
            todo = [
                part
                for part in parts.parts(targets, bench, given.trial)
                if given.only is None or any(word in part.name for word in given.only)
            ]
            for part in todo:
                outcome = parts.run(part, env)
                found["parts"].append(asdict(outcome))
                found["bench"] = json.loads(bench.read_text(encoding="utf-8")) if bench.exists() else None
                write(given.out, found)
                print(f"{outcome.state:8} {outcome.name}: {outcome.said} ({outcome.seconds:.0f} s)", flush=True)
            trial = given.trial or given.only is not None or found["facts"]["kind"] == "stand-in"
            found["verdict"] = verdict([part["state"] for part in found["parts"]], trial)
        write(given.out, found)
    print(f"{report.VERDICTS[found['verdict']]}; the report is {given.out / NAME}.md")
    if found["verdict"] == "no GPU":
        print(f"  {found['facts']['why']}")
    return {"passed": 0, "trial passed": 0, "no GPU": 2}.get(found["verdict"], 1)


def verdict(states: Sequence[str], trial: bool) -> str:
    """Return the verdict of a report: it passed if nothing failed and something passed; a trial is no proof."""
    word = "passed" if "passed" in states and "failed" not in states else "failed"
    return f"trial {word}" if trial else word


def write(folder: Path, found: dict[str, Any]) -> None:
    """Write both files; each is whole at all times."""
    for suffix, text in (("md", report.render(found)), ("json", json.dumps(found, indent=1) + "\n")):
        scratch = folder / f".{NAME}.{suffix}.part"
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(folder / f"{NAME}.{suffix}")


if __name__ == "__main__":
    sys.exit(main())
