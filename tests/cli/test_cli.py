"""The commands, as a user types them: what they print, and one clear line for what cannot be used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import xpaccel as xpa
from xpaccel import cache
from xpaccel.cli import app

HEAT = '''
import numpy as np
import xpaccel as xpa

@xpa.kernel
def diffuse(u, c):
    """Heat."""
    return u[1:-1] + c * (u[2:] - 2 * u[1:-1] + u[:-2])

def plain(u):
    return u

if __name__ == "__main__":
    raise SystemExit("explain must not run this")
'''


def run(*words: str) -> tuple[int, str, str]:
    """Give exit status, standard output and standard error of a command."""
    done = CliRunner().invoke(app, list(words))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def refused(*words: str, status: int = 2) -> str:
    """Run a command that must be refused in one line; give that line."""
    code, out, err = run(*words)
    assert (code, out) == (status, "")
    line = err.removesuffix("\n")
    assert line.startswith("xpaccel: ")
    assert "\n" not in line
    return line


@pytest.fixture
def heat(tmp_path: Path) -> str:
    file = tmp_path / "heat.py"
    file.write_text(HEAT, encoding="utf-8")
    return str(file)


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XP_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


# -- info


def test_info_is_json() -> None:
    code, out, err = run("info", "--json")
    assert (code, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    targets = {target["name"]: target for target in found["targets"]}
    assert targets["numpy"] == {"name": "numpy", "reason": None, "available": True}
    assert found["threads"] >= 1
    assert found["allowed_cores"] <= found["cores"]
    assert found["cache"]["folder"] == os.environ["XP_CACHE_DIR"]
    assert found["versions"]["numpy"] == np.__version__
    assert bool(found["gpus"]["found"]) is (found["gpus"]["reason"] is None)
    assert bool(found["mpi"]["found"]) is (found["mpi"]["reason"] is None)


def test_info_is_a_table() -> None:
    code, out, _ = run("info")
    assert code == 0
    for word in ("numpy", "numba", "threads", "gpus", "mpi", "programs", "python"):
        assert word in out


def test_info_names_the_variable_that_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XP_CACHE_DIR", __file__)
    assert "XP_CACHE_DIR=" in refused("info")


# -- explain


def test_explain(heat: str) -> None:
    code, out, err = run("explain", f"{heat}:diffuse", "u:f64[1000]", "c=0.1")
    assert (code, err) == (0, "")
    for word in ("diffuse", "graph", "loops", "source", "flops", "guards", "fused", "998 points"):
        assert word in out


def test_explain_as_json_is_the_value(heat: str) -> None:
    code, out, _ = run("explain", f"{heat}:diffuse", "u:f64[1000]", "c=0.1", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["name"] == "diffuse"
    assert found["nests"][0]["points"] == 998
    assert found["flops"] == 998 * found["nests"][0]["flops_per_point"]


def test_explain_takes_large_shapes(heat: str) -> None:
    code, out, _ = run("explain", f"{heat}:diffuse", "u:f32[500000000]", "c=0.1")  # 2 GB, never touched
    assert code == 0
    assert "499999998 points" in out


def test_explain_loads_modules_beside_the_file(heat: str) -> None:
    user = Path(heat).with_name("user.py")
    user.write_text("from heat import diffuse\n", encoding="utf-8")
    assert run("explain", f"{user}:diffuse", "u:f64[10]", "c=0.1")[0] == 0


def test_explain_says_why_a_kernel_does_not_compile(tmp_path: Path) -> None:
    file = tmp_path / "masked.py"
    file.write_text("import xpaccel as xpa\n@xpa.kernel\ndef f(u):\n    return u[u > 0]\n", encoding="utf-8")
    code, out, err = run("explain", f"{file}:f", "u:f64[10]")
    assert (code, out) == (1, "")
    assert "masked.py:4" in err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["{heat}"], "write FILE:KERNEL"),
        ([":diffuse"], "write FILE:KERNEL"),
        (["nowhere.py:diffuse"], "there is no file nowhere.py"),
        (["{folder}:diffuse"], "there is no file"),
        (["{heat}:difuse"], "has no kernel 'difuse': did you mean diffuse?"),
        (["{heat}:other"], "has no kernel 'other': it has diffuse"),
        (["{heat}:plain"], "plain in {heat} is not a kernel: decorate it with @xpaccel.kernel"),
        (["{heat}:diffuse", "u:f64[8]"], "missing a required argument: 'c'"),
        (["{heat}:diffuse", "u:f64[8]", "c=1", "k=1"], "takes no argument 'k'"),
        (["{heat}:diffuse", "u:f65[8]", "c=1"], "f65 is no dtype; did you mean f64?"),
    ],
)
def test_explain_refuses(heat: str, tmp_path: Path, words: list[str], reason: str) -> None:
    places = {"heat": heat, "folder": str(tmp_path)}
    assert reason.format(**places) in refused("explain", *(word.format(**places) for word in words))


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("empty.py", "", "has no kernel: decorate a function"),
        ("broken.py", "def f(:\n", "cannot be loaded: SyntaxError"),
        ("raises.py", "\n1 / 0\n", "cannot be loaded: ZeroDivisionError on line 2: division by zero"),
        ("needs.py", "import no_such_module\n", "cannot be loaded: ModuleNotFoundError on line 1"),
        ("data.txt", "", "is not a Python file: its name must end in .py"),
    ],
)
def test_explain_refuses_a_file(tmp_path: Path, name: str, text: str, reason: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert reason in refused("explain", f"{tmp_path / name}:f")


# -- cache


@pytest.mark.numba
def test_cache_shows_and_forgets(own_cache: Path, heat: str) -> None:
    subprocess.run(
        [sys.executable, "-c", "from heat import *; diffuse(np.ones(9), 0.1)"],
        cwd=Path(heat).parent,
        env=os.environ | {"XP_BACKEND": "numba"},
        check=True,
    )
    held = json.loads(run("cache", "info", "--json")[1])
    assert held["folder"] == str(own_cache)
    assert held["entries"] >= 1
    assert held["bytes"] > 0
    assert str(own_cache) in run("cache", "info")[1]
    assert run("cache", "prune", "--older-than", "1") == (0, "removed 0 programs, 0 B\n", "")
    assert run("cache", "prune", "--max-size", "1GB") == (0, "removed 0 programs, 0 B\n", "")
    code, out, _ = run("cache", "prune", "--all")
    assert code == 0
    assert out.startswith(f"removed {held['entries']} programs, ")
    assert cache.Store().info().entries == 0


@pytest.mark.usefixtures("own_cache")
def test_cache_that_is_not_there_is_empty() -> None:
    assert json.loads(run("cache", "info", "--json")[1])["entries"] == 0
    assert run("cache", "prune", "--all")[1] == "removed 0 programs, 0 B\n"


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "say what to remove: --max-size SIZE, --older-than DAYS, or --all"),
        (["--all", "--max-size", "1GB"], "--all removes everything already"),
        (["--max-size", "large"], "cannot read the size 'large': write it as in 500MB or 1GiB"),
    ],
)
def test_cache_prune_refuses(words: list[str], reason: str) -> None:
    assert reason in refused("cache", "prune", *words)


# -- the whole


def test_version() -> None:
    assert run("--version") == (0, f"{xpa.__version__}\n", "")


def test_help_lists_every_command() -> None:
    code, out, _ = run("--help")
    assert code == 0
    for name in ("demo", "info", "explain", "cache"):
        assert name in out


@pytest.mark.parametrize("words", [["no-such-command"], ["info", "--no-such-option"], ["explain"]])
def test_typing_errors_are_usage_errors(words: list[str]) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert "Usage:" in err


def test_module_is_the_command(heat: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-m", "xpaccel", "explain", "heat.py:diffuse", "u:f64[10]", "c=0.1"],
        cwd=Path(heat).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "8 points" in ran.stdout


def test_error_ends_the_process_with_its_status(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "xpaccel", "explain", "nowhere.py:f"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", "xpaccel: there is no file nowhere.py\n")


@pytest.mark.parametrize("missing", [["typer"], ["rich"], ["typer", "rich"]])
def test_without_typer_it_says_what_to_install(missing: list[str]) -> None:
    code = f"""
import importlib.util, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in {missing} else found(name, *rest)
from xpaccel.__main__ import main
sys.exit(main())
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    line = f'xpaccel: the command line needs {" and ".join(missing)}: pip install "xpaccel[demo]"\n'
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", line)
