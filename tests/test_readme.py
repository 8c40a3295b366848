"""What the documentation shows runs, in the order in which it is shown.

A ``python`` block that starts with ``# name.py`` is saved under that name and run; every other one continues
the ones before it. Each line of an ``sh`` block is run in the same folder. Blocks of output are ``text``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GUIDES = ("index", "tutorial", "fields", "cli", "flood", "debugging")
PAGES = ("README.md", *(f"docs/{name}.md" for name in GUIDES))

# These install, or take minutes. CI is the second of them, and runs the first in its `examples` session.
LONG = {
    'pip install ".[demo]" && xpaccel demo': "xpaccel demo --hours 0.02 --quiet",
    "pip install nox && nox": None,
    'pip install -e ".[dev]"': None,
}


def blocks(page: str) -> list[tuple[str, str]]:
    """Give the fenced blocks of a page that are code: language and text."""
    found = re.findall(
        r"^```([\w{}]*)\n(.*?)^```$", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert {language for language, _ in found} <= {"python", "sh", "text", "{toctree}"}, f"{page}: mark each block"
    return [(language, text) for language, text in found if language in ("python", "sh")]


def run(command: list[str | Path], folder: Path) -> None:
    scripts = str(Path(sys.executable).parent)
    ran = subprocess.run(
        command,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "XP_BACKEND"}
        | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"


@pytest.mark.numba
@pytest.mark.parametrize("page", PAGES)
def test_page_runs(page: str, tmp_path: Path) -> None:
    steps = ""
    for language, text in blocks(page):
        named = re.match(r"# ([\w-]+\.py)\n", text)
        if named:
            (tmp_path / named[1]).write_text(text, encoding="utf-8")
            run([sys.executable, named[1]], tmp_path)
        elif language == "python":
            steps += text
        else:
            for line in filter(None, (line.partition("  #")[0].strip() for line in text.splitlines())):
                short = LONG.get(line, line)
                if short is not None:
                    run(["bash", "-euo", "pipefail", "-c", short], tmp_path)
    if steps:
        (tmp_path / "steps.py").write_text(steps, encoding="utf-8")
        run([sys.executable, "steps.py"], tmp_path)


def test_readme_shows_the_two_commands() -> None:
    lines = [line for _, text in blocks("README.md") for line in text.splitlines()]
    assert 'pip install ".[demo]" && xpaccel demo' in lines
    assert "pip install nox && nox" in lines


def test_ci_is_the_readme_command() -> None:
    assert "\npip install nox && nox\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
