"""How many threads there are, and that pieces cover the range, each on a thread of its own."""

from __future__ import annotations

import numpy as np
import pytest
from nests import HEAD, address

from xpaccel.backends.cpu import threads
from xpaccel.errors import UserError

VARIABLES = ("XP_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "NCPUS")


@pytest.fixture(autouse=True)
def _machine(monkeypatch):
    """A machine of 8 cores with nothing set."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(threads, "cgroup_quota", lambda: None)
    threads.set_count(None)
    yield
    threads.set_count(None)


def test_the_affinity_mask_decides_where_nothing_else_does():
    assert threads.count() == 8
    assert "affinity" in threads.reason()


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_lowers_the_number(monkeypatch, name):
    monkeypatch.setenv(name, "3")
    assert threads.count() == 3
    assert threads.reason() == name


@pytest.mark.parametrize("name", VARIABLES)
def test_no_variable_raises_it_over_the_cores(monkeypatch, name):
    monkeypatch.setenv(name, "100")
    assert threads.count() == 8


def test_the_smallest_wins(monkeypatch):
    monkeypatch.setenv("XP_NUM_THREADS", "6")
    monkeypatch.setenv("OMP_NUM_THREADS", "4,2")
    monkeypatch.setattr(threads, "cgroup_quota", lambda: 5)
    assert threads.count() == 4
    assert threads.reason() == "OMP_NUM_THREADS"


@pytest.mark.parametrize("text", ["", "0", "many", "-2"])
def test_what_other_programs_read_differently_is_left_to_them(monkeypatch, text):
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert threads.count() == 8


def test_our_own_variable_is_never_ignored(monkeypatch):
    monkeypatch.setenv("XP_NUM_THREADS", "many")
    with pytest.raises(UserError, match="XP_NUM_THREADS='many'"):
        threads.count()


def test_set_count_is_taken_at_its_word(monkeypatch):
    monkeypatch.setenv("XP_NUM_THREADS", "2")
    threads.set_count(12)
    assert threads.count() == 12
    assert "set_count" in threads.reason()
    threads.set_count(None)
    assert threads.count() == 2
    with pytest.raises(ValueError, match="at least 1"):
        threads.set_count(0)


class TestQuota:
    """The CPU quota of a container, read from files."""

    @pytest.fixture(autouse=True)
    def _undo(self, monkeypatch, _machine):
        monkeypatch.undo()

    @staticmethod
    def write(root, **files):
        root.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (root / name.replace("__", ".")).write_text(text)

    def test_version_2_takes_the_tightest_group_on_the_way_up(self, tmp_path):
        self.write(tmp_path, cpu__max="max 100000\n")
        self.write(tmp_path / "job", cpu__max="250000 100000\n")
        self.write(tmp_path / "job" / "step", cpu__max="600000 100000\n")
        member = tmp_path / "member"
        member.write_text("0::/job/step\n")
        assert threads.cgroup_quota(tmp_path, member) == 3

    def test_version_1(self, tmp_path):
        self.write(tmp_path / "cpu" / "box", cpu__cfs_quota_us="150000", cpu__cfs_period_us="100000")
        self.write(tmp_path / "cpu", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
        member = tmp_path / "member"
        member.write_text("5:memory:/elsewhere\n4:cpu,cpuacct:/box\n")
        assert threads.cgroup_quota(tmp_path, member) == 2

    def test_a_part_of_a_cpu_is_one(self, tmp_path):
        self.write(tmp_path, cpu__max="20000 100000\n")
        assert threads.cgroup_quota(tmp_path, tmp_path / "none") == 1

    @pytest.mark.parametrize("text", ["max 100000", "", "nonsense"])
    def test_no_limit(self, tmp_path, text):
        self.write(tmp_path, cpu__max=text)
        assert threads.cgroup_quota(tmp_path, tmp_path / "none") is None


@pytest.mark.numba
@pytest.mark.parametrize("pieces", [1, 2, 3, 7])
@pytest.mark.parametrize("size", [1, 5, 7, 1000])
def test_pieces_cover_the_range_once(pieces, size):
    from array import array

    from xpaccel.backends.cpu import machine

    body = (
        "def nest(ints, floats, low, high):\n"
        "    p = pointer(ints, 0, int64)\n"
        "    for i in range(low, high):\n"
        "        store(p, i, load(p, i, 0, 1) + 1, 0, 1)\n"
    )
    function = machine.get_function(HEAD + body, "nest")
    values = np.zeros(size + 20, np.int64)
    ints, floats = array("q", [address(values)]), array("d", [0.0])
    for _ in range(50):
        threads.run(function, ints.buffer_info()[0], floats.buffer_info()[0], 10, 10 + size, pieces)
    assert (values[10:-10] == 50).all()
    assert not values[:10].any()
    assert not values[-10:].any()
