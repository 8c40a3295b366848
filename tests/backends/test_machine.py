"""Machine code: compiled once, found again in this process and in the next, and never believed unchecked."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from nests import HEAD, address, call

pytest.importorskip("llvmlite")  # the tests of NumPy alone run without it

from xpaccel.backends.cpu import machine
from xpaccel.cache import Store
from xpaccel.errors import CompileError

pytestmark = pytest.mark.numba

ADD = HEAD + (
    "def nest(ints, floats, low, high):\n"
    "    p = pointer(ints, 0, float64)\n"
    "    c = scalar(floats, 0, float64)\n"
    "    for i in range(low, high):\n"
    "        store(p, i, load(p, i, 0, 1) + c, 0, 1)\n"
)


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty cache, and a process that has compiled nothing yet."""
    store = Store(tmp_path / "cache")
    monkeypatch.setattr(machine, "_store", lambda: store)
    monkeypatch.setattr(machine, "_functions", {})
    monkeypatch.setattr(machine, "stats", machine.Stats())
    return store


def check(function):
    values = np.zeros(100)
    call(function, [address(values)], [2.5], low=10, high=90)
    assert values.sum() == 200.0
    assert not values[:10].any()


def test_a_source_is_compiled_once(store):
    first = machine.get_function(ADD, "nest")
    check(first)
    assert machine.get_function(ADD, "nest") is first
    assert machine.stats == machine.Stats(compiled=1, reused=1)
    assert store.info().entries == 1


def test_another_process_loads_it(store, monkeypatch):
    machine.get_function(ADD, "nest")
    monkeypatch.setattr(machine, "_functions", {})
    check(machine.get_function(ADD, "nest"))
    assert machine.stats == machine.Stats(compiled=1, loaded=1)


def test_several_at_once(store):
    other = ADD.replace("+ c", "- c")
    plus, minus, again = machine.get_functions([(ADD, "nest"), (other, "nest"), (ADD, "nest")])
    check(plus)
    assert again is plus
    values = np.zeros(1)
    call(minus, [address(values)], [1.0], high=1)
    assert values[0] == -1.0
    assert machine.stats == machine.Stats(compiled=2, reused=1)


def test_the_source_lies_beside_the_entry(store):
    machine.get_function(ADD, "nest")
    key = machine.key_of(ADD, "nest")
    assert store.path(key, ".py").read_text() == ADD
    assert store.path(key).exists()


@pytest.mark.parametrize("damage", [lambda content: content[:-100], lambda content: b"\0" * 5000])
def test_a_damaged_entry_is_compiled_anew(store, monkeypatch, damage):
    machine.get_function(ADD, "nest")
    path = store.path(machine.key_of(ADD, "nest"))
    good = path.read_bytes()
    path.write_bytes(damage(good))
    monkeypatch.setattr(machine, "_functions", {})
    check(machine.get_function(ADD, "nest"))
    assert machine.stats == machine.Stats(compiled=2)
    assert path.read_bytes()[:48] == good[:48]


def test_an_entry_without_the_function_is_compiled_anew(store, capfd):
    """A whole entry that is no program of ours, as a bug might leave it."""
    store.put(machine.key_of(ADD, "nest"), machine.compile_object(ADD.replace("nest", "other"), "other"))
    check(machine.get_function(ADD, "nest"))
    assert machine.stats == machine.Stats(compiled=1)


def test_the_key_holds_what_the_code_depends_on(monkeypatch):
    keys = {machine.key_of(ADD, "nest"), machine.key_of(ADD, "other"), machine.key_of(ADD + "\n", "nest")}
    surroundings = machine._surroundings()
    text = " ".join(surroundings)
    assert "numba " in text
    assert "llvmlite " in text
    for number in range(len(surroundings)):
        changed = (*surroundings[:number], "changed", *surroundings[number + 1 :])
        monkeypatch.setattr(machine, "_surroundings", lambda changed=changed: changed)
        keys.add(machine.key_of(ADD, "nest"))
    assert len(keys) == 3 + len(surroundings)


def test_a_refusal_names_the_source(store):
    bad = ADD.replace("+ c", "+ undefined_name")
    with pytest.raises(CompileError, match="undefined_name") as refusal:
        machine.get_function(bad, "nest")
    (named,) = re.findall(r"\S+\.py", str(refusal.value))
    with open(named) as source:
        assert source.read() == bad
    assert store.info().entries == 0


def test_code_that_needs_numbas_own_functions_is_refused():
    """They are not there in a process that loads it from the cache."""
    bad = "import math\n" + ADD.replace("+ c", "+ math.gamma(c)")
    with pytest.raises(CompileError, match="numba_gamma"):
        machine.compile_object(bad, "nest")


def test_what_cannot_be_kept_still_runs(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    store = Store(tmp_path / "file" / "cache")
    monkeypatch.setattr(machine, "_store", lambda: store)
    monkeypatch.setattr(machine, "_functions", {})
    with pytest.warns(RuntimeWarning, match="not kept"):
        check(machine.get_function(ADD, "nest"))


PROGRAM = """
import sys
from xpaccel.backends.cpu import machine
source = open(sys.argv[1]).read()
function = machine.get_function(source, "nest")
from array import array
values, floats = array("d", [1.0] * 4), array("d", [2.0])
ints = array("q", [values.buffer_info()[0]])
function(ints.buffer_info()[0], floats.buffer_info()[0], 1, 3)
assert values.tolist() == [1.0, 3.0, 3.0, 1.0], values
print(machine.stats.compiled, machine.stats.loaded, "numba" in sys.modules)
"""


def start(folder, source):
    """Start a process that runs `source` with a cache folder."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(source)],
        env=os.environ | {"XP_CACHE_DIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process):
    answer, complaint = process.communicate(timeout=120)
    assert process.returncode == 0, complaint
    return answer.split()


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.py"
    path.write_text(ADD)
    return path


def test_a_second_process_does_not_import_numba(tmp_path, source):
    assert ended(start(tmp_path / "cache", source)) == ["1", "0", "True"]
    assert ended(start(tmp_path / "cache", source)) == ["0", "1", "False"]


def test_eight_processes_that_start_cold_all_succeed(tmp_path, source):
    racers = [start(tmp_path / "cache", source) for _ in range(8)]
    assert all(sum(map(int, ended(racer)[:2])) == 1 for racer in racers)
    assert Store(tmp_path / "cache").info().entries == 1
    assert ended(start(tmp_path / "cache", source)) == ["0", "1", "False"]
