"""What `xpaccel info` says of things that are there, absent, silent or broken."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from xpaccel.domain import library
from xpaccel.report import info


def tool(folder: Path, name: str, script: str) -> None:
    """Put a command into a folder: a Python script under a name of its own."""
    file = folder / name
    file.write_text(f"#!{sys.executable}\n{script}\n", encoding="utf-8")
    file.chmod(0o755)


def test_no_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert info.collect().gpus == info.Finding(reason="no NVIDIA driver is installed (nvidia-smi is not on PATH)")


@pytest.mark.parametrize(
    ("script", "finding"),
    [
        ("print('NVIDIA H100, 81559 MiB, 570.1')", info.Finding(found=("NVIDIA H100, 81559 MiB, 570.1",))),
        ("print('A\\n\\nB ')", info.Finding(found=("A", "B"))),
        ("raise SystemExit('no devices were found')", info.Finding(reason="no devices were found")),
        ("", info.Finding(reason="nvidia-smi ended with status 0")),
        ("import time; time.sleep(60)", info.Finding(reason="nvidia-smi did not answer within 0.5 s")),
    ],
)
def test_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, finding: info.Finding) -> None:
    tool(tmp_path, "nvidia-smi", script)
    monkeypatch.setenv("PATH", str(tmp_path))
    if "sleep" in script:
        monkeypatch.setattr(info, "PROBE_SECONDS", 0.5)
    assert info.collect().gpus == finding


def test_tool_that_cannot_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "nvidia-smi"
    file.write_text("#!/no/such/interpreter\n", encoding="utf-8")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    reason = info.collect().gpus.reason
    assert reason is not None
    assert reason.startswith("nvidia-smi could not be started: ")


def test_mpi_is_found_broken_or_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "mpi4py"
    package.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (package / "__init__.py").write_text("raise ModuleNotFoundError", encoding="utf-8")
    assert info.collect().mpi.reason == f"mpi4py is not installed: {library.ADVICE}"
    (package / "__init__.py").write_text("__version__ = '4.1'\nclass rc: pass\n", encoding="utf-8")
    (package / "MPI.py").write_text("raise RuntimeError('cannot load MPI library')\n", encoding="utf-8")
    reason = f"mpi4py cannot load an MPI library: RuntimeError: cannot load MPI library. {library.ADVICE}"
    assert info.collect().mpi.reason == reason
    answer = "def Get_library_version(): return 'Open MPI v5.0.11, package\\nmore'\n"
    (package / "MPI.py").write_text(answer, encoding="utf-8")
    assert info.collect().mpi.found == ("mpi4py 4.1 on Open MPI v5.0.11",)
