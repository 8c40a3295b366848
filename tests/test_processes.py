"""The cache between processes: warm starts without Numba, damage, and many cold starts at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.numba

PROGRAM = """
import json, sys
import numpy as np
import xpaccel as xpa
from xpaccel import xp
from xpaccel.backends.cpu import machine

@xpa.kernel
def step(u, k):
    out = xp.zeros_like(u)
    out[1:-1] = u[1:-1] + k * (u[2:] - 2 * u[1:-1] + u[:-2])
    return out, xp.sum(xp.exp(u)), xp.max(u)

u = np.linspace(0.0, 1.0, 1001)
with xpa.backend("numba"):
    out, total, top = step(u, 0.1)
print(json.dumps({
    "bits": out.tobytes().hex()[:64], "sum": float(out.sum()), "total": float(total), "top": float(top),
    "numba": "numba" in sys.modules, "compiled": machine.stats.compiled, "loaded": machine.stats.loaded,
}))
"""


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "XP_CACHE_DIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> dict:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return json.loads(out)


def values(found: dict) -> tuple:
    return found["bits"], found["sum"], found["total"], found["top"]


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "cache"
    place.mkdir(mode=0o700)
    return place


def test_a_second_process_needs_no_compiler(folder):
    cold, warm = finish(start(folder)), finish(start(folder))
    assert cold["numba"]
    assert cold["compiled"] > 0
    assert not warm["numba"]
    assert warm["compiled"] == 0
    assert warm["loaded"] == cold["compiled"]
    assert values(warm) == values(cold)


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "foreign", "swap"])
def test_a_damaged_entry_is_compiled_again(folder, damage):
    cold = finish(start(folder))
    entries = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".py")
    contents = [path.read_bytes() for path in entries]
    for number, (path, data) in enumerate(zip(entries, contents, strict=True)):
        middle = len(data) // 2
        path.write_bytes(
            {
                "flip": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
                "cut": data[:middle],
                "empty": b"",
                "foreign": np.random.default_rng(0).bytes(len(data)),
                "swap": contents[number - 1],  # a sound entry under another one's name
            }[damage]
        )
    again = finish(start(folder))
    assert again["compiled"] == cold["compiled"]
    assert values(again) == values(cold)
    assert finish(start(folder))["compiled"] == 0


def test_eight_cold_starts_at_once(folder):
    crowd = [start(folder) for _ in range(8)]
    found = [finish(process) for process in crowd]
    assert len({values(one) for one in found}) == 1
    assert finish(start(folder))["compiled"] == 0


def test_an_unwritable_cache_is_no_obstacle(folder):
    (folder / "file").write_text("")
    found = finish(start(folder))
    os.chmod(folder, 0o500)
    try:
        assert values(finish(start(folder))) == values(found)
    finally:
        os.chmod(folder, 0o700)
