"""What docs/pbs.md shows can be typed: its program runs, its commands are taken, its table has every key."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from jobs import fake_pbs
from jobs.fake_pbs import Cluster

from xpaccel.jobs import Site

PAGE = (Path(__file__).parents[2] / "docs" / "pbs.md").read_text(encoding="utf-8")
PROGRAM, PYTHON = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = re.findall(r"^(?:\S+/)?xpaccel submit (?:--dry-run )?(.*)$", PAGE.replace("\\\n", ""), re.MULTILINE)


@pytest.mark.parametrize("backend", ["numpy", pytest.param("numba", marks=pytest.mark.numba)])
def test_the_program_runs(tmp_path: Path, backend: str) -> None:
    (tmp_path / "heat.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-W", "error", "heat.py", "64", "10"],
        cwd=tmp_path,
        env=os.environ | {"XP_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{backend}: heat 1.000000, warmest 0.0")


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 4


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_are_taken(tmp_path: Path, command: str) -> None:
    cluster = Cluster(tmp_path / "cluster")
    (tmp_path / "heat.py").write_text(PROGRAM)
    (tmp_path / "tests" / "gpu").mkdir(parents=True)
    (tmp_path / "tests" / "gpu" / "session.py").touch()
    done = subprocess.run(
        ["bash", "-c", f"exec {sys.executable} -m xpaccel submit {command}"],
        cwd=tmp_path,
        env=cluster.login() | {"PWD": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "17.pbshost\n", done.stderr
    if "--nodes" not in command and "heat.py" in command:  # the output that the page shows
        assert done.stderr in PAGE


def test_the_python_runs(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PYTHON], capture_output=True, check=True)
    assert fake_pbs.parse(done.stdout).chunk["ngpus"] == "1"


def test_the_site_file_is_one(tmp_path: Path) -> None:
    from xpaccel.jobs import sites

    text = PAGE[PAGE.index('queue = "gpu"') :].partition("```")[0]
    (tmp_path / "site.toml").write_text(text)
    assert sites.load(tmp_path / "site.toml").project == "p42"


def test_every_key_is_in_the_table() -> None:
    rows = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    shown = set(re.findall(r"`(\w+)`", " ".join(rows)))
    assert {each.name for each in fields(Site)} <= shown
