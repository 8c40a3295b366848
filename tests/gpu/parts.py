"""The parts of a session on a GPU: what each proves, what runs it, and how its output is judged."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gpu.facts import ROOT

MEANING = tuple(
    f"tests/test_{name}.py" for name in ("calls", "kernel", "ops", "programs", "recording", "scatter", "soundness")
)
#: Of these, what a trial runs.
ONE = ("tests/test_recording.py",)
#: Processes of pytest that share the GPU: each has a CUDA context of some 500 MB, and compiling is the host's work.
MOST_WORKERS = 8
#: What compute-sanitizer shows, one run each.
TOOLS = {
    "memcheck": "no access outside of an array",
    "racecheck": "no race in shared memory",
    "synccheck": "no barrier that some threads miss",
}
_PASSED = re.compile(r"\b(\d+) passed\b")
_ENDING = re.compile(r"^=* ?(\d+ (?:passed|failed|skipped|error|deselected).*?)(?: in [\d.:s ()]+)? ?=*$")


@dataclass(frozen=True, slots=True)
class Part:
    """A part.

    Attributes
    ----------
    name, proves
        For the report.
    command
        What is run.
    limit
        Seconds, after which it has failed.
    env
        Variables besides those of the session.
    counts
        Whether it is pytest, and passes only if some test passed.
    absent
        Why it is not run; None if it is.
    """

    name: str
    proves: str
    command: tuple[str, ...]
    limit: float
    env: tuple[tuple[str, str], ...] = ()
    counts: bool = False
    absent: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a part: ``"passed"``, ``"failed"`` or ``"not run"``, in words, and the end of its output."""

    name: str
    proves: str
    state: str
    said: str
    seconds: float
    log: tuple[str, ...] = ()


def parts(targets: Sequence[str], bench: Path, trial: bool) -> list[Part]:
    """Return the parts, in order.

    Parameters
    ----------
    targets
        The backends of device memory.
    bench
        Where times go.
    trial
        Whether the session itself is tried out: few tests, small arrays.
    """
    python = sys.executable
    pytest = (python, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    workers = ("-n", str(min(MOST_WORKERS, os.cpu_count() or 1)))
    found = [
        Part(
            "doctor",
            "driver, device, CuPy and compiler fit, and a kernel has NumPy's bits",
            (python, "-m", "xpaccel", "doctor", *(word for name in targets for word in ("--require", name))),
            600,
        )
    ]
    for name in targets:
        env = (("XP_BACKEND", name), ("XP_REQUIRE", name))
        tests = ONE if trial else (*MEANING, "tests/demo")
        found.append(
            Part(
                f"meaning on {name}",
                "kernels mean what they mean in NumPy",
                (*pytest, *workers, "-m", "not gpu and not cuda and not mpi", *tests),
                3600,
                env,
                counts=True,
            )
        )
    found.append(
        Part(
            "hardware",
            "what only a device shows: streams, graphs, memory, choice of a device, 64-bit indices, named kernels",
            (*pytest, "-m", "gpu", "tests/gpu"),
            1800,
            (("XP_REQUIRE", "cupy"),),
            counts=True,
        )
    )
    sanitizer = compute_sanitizer()
    found += [
        Part(
            f"compute-sanitizer {tool}",
            f"{what} in the named kernels",
            (sanitizer or "", "--tool", tool, "--error-exitcode", "99", python, "-m", "gpu.exercise"),
            1800,
            absent=None if sanitizer else "compute-sanitizer is not installed (it comes with the CUDA toolkit)",
        )
        for tool, what in TOOLS.items()
    ]
    found.append(
        Part(
            "speed",
            "times beside a copy; it passes if all could be measured",
            (python, "-m", "gpu.bench", str(bench), *(("--trial",) if trial else ())),
            3600,
        )
    )
    return found


def compute_sanitizer() -> str | None:
    """Return where NVIDIA's checker is: on the path, or in the toolkit that a variable names."""
    found = shutil.which("compute-sanitizer")
    for name in ("CUDA_HOME", "CUDA_PATH"):
        if found is None and name in os.environ:
            found = shutil.which(os.path.join(os.environ[name], "bin", "compute-sanitizer"))
    return found


def environment() -> dict[str, str]:
    """Return the environment of parts: this process's, without what decides how xpaccel runs, and with the tests."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("XP_")}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])])
    return env


def run(part: Part, base: Mapping[str, str]) -> Outcome:
    """Run a part to its end or its limit, and judge it."""
    if part.absent is not None:
        return Outcome(part.name, part.proves, "not run", part.absent, 0.0)
    start = time.monotonic()
    try:
        done = subprocess.run(
            part.command,
            env={**base, **dict(part.env)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=part.limit,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        output = error.stdout.decode(errors="replace") if isinstance(error.stdout, bytes) else error.stdout or ""
        return _outcome(part, "failed", f"not at its end after {part.limit:.0f} s", start, output)
    except OSError as error:
        return _outcome(part, "failed", f"cannot be started: {error}", start, "")
    good, said = judge(part, done.returncode, done.stdout)
    return _outcome(part, "passed" if good else "failed", said, start, done.stdout)


def judge(part: Part, status: int, output: str) -> tuple[bool, str]:
    """Return whether a part passed, and what is to be said of it."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    last = lines[-1] if lines else "it said nothing"
    if part.counts:
        ending = next((found[1] for line in reversed(lines) if (found := _ENDING.match(line))), None)
        if status == 0 and not (ending and _PASSED.search(ending)):
            return False, f"no test passed: {ending or last}"
        last = ending or last
    if status:
        how = f"signal {-status}" if status < 0 else f"status {status}"
        return False, f"{how}: {last}"
    return True, last if part.counts else "all of it"


def _outcome(part: Part, state: str, said: str, start: float, output: str) -> Outcome:
    log = tuple(output.splitlines()[-400:])
    return Outcome(part.name, part.proves, state, said, time.monotonic() - start, log)
