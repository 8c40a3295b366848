"""The session for real hardware, tried out without any: on the stand-in, and where there is no GPU at all."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from cuda import adapter
from cuda.machine.kernels import CASES, DTYPES
from gpu import parts, predictions, report, session
from gpu.facts import ROOT
from gpu.parts import Part


def start(out, *words, **env):
    program = [sys.executable, str(ROOT / "tests/gpu/session.py"), "--out", str(out), *words]
    done = subprocess.run(program, env={**os.environ, **env}, capture_output=True, text=True, check=False, cwd=out)
    found = json.loads((out / "gpu-report.json").read_text())
    return done, found, (out / "gpu-report.md").read_text()


@pytest.mark.usefixtures("compiler")
def test_a_trial_on_the_standin_is_whole_and_shows_no_time(tmp_path):
    done, found, page = start(tmp_path, "--trial", PYTHONPATH=f"{adapter.STANDIN}{os.pathsep}{ROOT / 'src'}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert found["verdict"] == "trial passed"
    assert found["facts"]["kind"] == "stand-in"
    states = {part["name"]: part["state"] for part in found["parts"]}
    assert {"doctor", "meaning on cupy", "hardware", "speed"} <= {n for n, state in states.items() if state == "passed"}
    assert {state for name, state in states.items() if "sanitizer" in name} <= {"passed", "not run"}
    rows = found["bench"]["kernels"]
    assert {(row["kernel"], row["dtype"]) for row in rows} == {(case.name, dtype) for case in CASES for dtype in DTYPES}
    assert all(row["problems"] == {} for row in rows)
    timed = [*(times for row in rows for times in row["seconds"].values()), *found["bench"]["launches"].values()]
    assert timed == [None] * len(timed)
    assert page.startswith(f"# Not a GPU report ({report.STANDIN})")
    assert page.count(report.STANDIN) == 4
    for line in page.partition("## Kernels")[2].splitlines():
        if line.startswith(("| heat", "| softmax", "| norm", "| kernel |")):
            assert line.endswith("| - |") or "share of copy" in line


def test_without_a_gpu_it_does_not_pass(tmp_path):
    done, found, page = start(tmp_path, PYTHONPATH=str(ROOT / "src"), CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 2
    assert (found["verdict"], found["parts"]) == ("no GPU", [])
    assert "NO GPU: nothing was proved" in page.splitlines()[0]
    assert found["facts"]["why"] in page
    assert found["facts"]["why"] in done.stdout


ENV = parts.environment()
TESTS = Part("some", "something", (), 1, counts=True)


@pytest.mark.parametrize(
    ("part", "status", "output", "good", "said"),
    [
        (TESTS, 0, "..\n=== 2 passed, 1 skipped in 0.1s ===", True, "2 passed, 1 skipped"),
        (TESTS, 0, "ss\n2 skipped in 0.1s", False, "no test passed: 2 skipped"),
        (TESTS, 1, "1 failed, 3 passed in 62.10s (0:01:02)\nworker gone", False, "status 1: 1 failed, 3 passed"),
        (TESTS, -11, "", False, "signal 11: it said nothing"),
        (Part("tool", "", (), 1), 99, "found\n1 error\n", False, "status 99: 1 error"),
        (Part("tool", "", (), 1), 0, "", True, "all of it"),
    ],
)
def test_what_passes(part, status, output, good, said):
    assert parts.judge(part, status, output) == (good, said)


def test_a_part_that_hangs_has_failed_and_leaves_its_log():
    code = "import time; print('begun', flush=True); time.sleep(60)"
    outcome = parts.run(Part("slow", "", (sys.executable, "-c", code), 1.0), ENV)
    assert (outcome.state, outcome.log) == ("failed", ("begun",))
    assert outcome.said == "not at its end after 1 s"


def test_a_part_that_cannot_start_has_failed():
    outcome = parts.run(Part("absent", "", ("/no/such/program",), 1.0), ENV)
    assert outcome.state == "failed"
    assert "/no/such/program" in outcome.said
    assert parts.run(Part("left out", "", (), 1.0, absent="it is not here"), ENV).said == "it is not here"


def test_what_steers_xpaccel_is_not_inherited(monkeypatch):
    monkeypatch.setenv("XP_RANK_DEVICE", "3")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    env = parts.environment()
    assert "XP_RANK_DEVICE" not in env
    assert env["CUDA_VISIBLE_DEVICES"] == "3"
    assert env["PYTHONPATH"].split(os.pathsep)[0] == str(ROOT / "tests")


@pytest.mark.parametrize(
    ("states", "word"),
    [
        (["passed", "not run"], "passed"),
        (["passed", "failed", "passed"], "failed"),
        (["not run"], "failed"),
        ([], "failed"),
    ],
)
def test_verdicts(states, word):
    assert session.verdict(states, trial=False) == word
    assert session.verdict(states, trial=True) == f"trial {word}"
    assert {word, f"trial {word}"} <= set(report.VERDICTS)


def test_the_tests_of_meaning_are_those_of_the_other_sessions():
    names = re.search(r"MEANING = .*?for name in (\(.*?\))\s*\)", (ROOT / "noxfile.py").read_text(), re.DOTALL)[1]
    assert tuple(re.findall(r"tests/test_(\w+)\.py", " ".join(parts.MEANING))) == tuple(re.findall(r'"(\w+)"', names))
    assert set(parts.ONE) < set(parts.MEANING)
    assert all((ROOT / path).exists() for path in parts.MEANING)


@pytest.mark.parametrize(
    ("device", "column"),
    [
        ("NVIDIA A100-SXM4-80GB", "A100 SXM 80 GB"),
        ("NVIDIA A100-SXM4-40GB", None),
        ("NVIDIA A100 80GB PCIe", None),
        ("NVIDIA H100 80GB HBM3", "H100 SXM"),
        ("NVIDIA H100 PCIe", None),
        ("NVIDIA H100 NVL", None),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", None),
        ("NVIDIA H200", "H200 SXM"),
        ("Stand-in device (no GPU)", None),
    ],
)
def test_which_column_is_about_a_device(device, column):
    assert predictions.column(device) == column


def test_the_bounds_of_the_page():
    page = predictions.PAGE.read_text()
    for name in ("A100 SXM 80 GB", "H100 SXM", "H200 SXM"):
        found = predictions.bounds(page, name)
        assert set(found) == {(case.name, dtype) for case in CASES for dtype in DTYPES}
        assert all(1e8 < bound < 1e13 for bound in found.values())
    with pytest.raises(ValueError, match="no column 'T4'"):
        predictions.bounds(page, "T4")


def test_figures_of_a_gpu():
    """Made-up times, of which every figure can be worked out by hand."""

    def times(seconds):
        return {"median": seconds, "least": 0.5 * seconds, "most": 2 * seconds}

    found = {
        "verdict": "failed",
        "commit": "abc",
        "date": "today",
        "facts": {
            "kind": "gpu",
            "device": {
                "name": "NVIDIA H100 80GB HBM3",
                "uuid": "GPU-1",
                "compute_capability": [9, 0],
                "memory": 80 * 2**30,
                "multiprocessors": 132,
                "l2_bytes": 50 * 2**20,
                "reason": "no launcher",
            },
            "devices": 1,
            "host": "gpu07",
            "cuda": {"driver": "12.9"},
            "nvidia_smi": ["a, b", "c, d"],
            "versions": {"cupy": "14.0"},
            "visible": None,
        },
        "parts": [
            {"name": "doctor", "proves": "it", "state": "failed", "said": "a | b", "seconds": 1.0, "log": ["the end"]}
        ],
        "bench": {
            "copied_bytes": 2**30,
            "kernels": [
                {
                    "kernel": "heat2d",
                    "dtype": "float32",
                    "points": 10**9,
                    "unit": "point",
                    "bytes": 8 * 10**9,
                    "seconds": {"xpaccel": times(4e-3), "copy": times(2**31 / 2.5e12), "CuPy": times(12e-3)},
                    "problems": {"fuse": "RuntimeError: no"},
                }
            ],
            "launches": {"kernel": times(5e-6)},
            "failed": ["norm, float64: RuntimeError: too much"],
        },
    }
    page = report.render(found)
    assert report.STANDIN not in page
    bound = predictions.bounds(predictions.PAGE.read_text(), "H100 SXM")["heat2d", "float32"] / 1e9
    figures = f"4 (2 to 8) | 250 | 2000 | 80 | {bound:.3g} | {25000 / bound:.0f} | 3.00 |  |  |"
    assert f"| heat2d | float32 | 1000000000 points | {figures}" in page
    assert "moves 2500 GB/s" in page
    assert "- heat2d, float32, fuse: RuntimeError: no" in page
    assert "- not measured: norm, float64: RuntimeError: too much" in page
    assert "| kernel | 5 (2.5 to 10) |" in page
    assert "a / b" in page
    assert "the end" in page
    assert page.startswith("# GPU report: FAILED\n")
