"""The cache folder: an entry is whole or absent, whoever races, breaks or fills the folder."""

from __future__ import annotations

import importlib
import os
import stat
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

from xpaccel import cache
from xpaccel.cache import Store, digest_of_sources
from xpaccel.errors import UserError

KEY = "ab" * 32


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "cache")


def the_file(store):
    (path,) = store.folder.glob("*.entry")
    return path


def test_what_was_put_is_got(store):
    assert store.get(KEY) is None
    store.put(KEY, b"code")
    assert store.get(KEY) == b"code"
    assert store.get("cd" * 32) is None
    store.put(KEY, b"other code")
    assert store.get(KEY) == b"other code"


def test_an_empty_payload_is_a_payload(store):
    store.put(KEY, b"")
    assert store.get(KEY) == b""


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content[:20],
        lambda content: b"",
        lambda content: content + b"x",
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: b"\x7fELF" + content,
        lambda content: content.replace(b"cache 1", b"cache 2"),
        lambda content: os.urandom(len(content)),
    ],
)
def test_a_file_that_is_not_whole_counts_as_absent_and_is_removed(store, damage):
    store.put(KEY, b"code" * 100)
    path = the_file(store)
    path.write_bytes(damage(path.read_bytes()))
    assert store.get(KEY) is None
    assert not path.exists()
    store.put(KEY, b"new")
    assert store.get(KEY) == b"new"


def test_a_file_that_cannot_be_read_counts_as_absent(store):
    store.put(KEY, b"code")
    path = the_file(store)
    path.unlink()
    path.mkdir()
    assert store.get(KEY) is None


def test_only_the_owner_may_enter(store):
    store.put(KEY, b"code")
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(the_file(store).stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_can_write_is_not_trusted(tmp_path, mode):
    folder = tmp_path / "cache"
    mine = Store(folder)
    mine.put(KEY, b"code")
    folder.chmod(mode)
    store = Store(folder)
    with pytest.warns(RuntimeWarning, match=r"can be written by other users.*XP_CACHE_DIR"):
        assert store.get(KEY) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # one warning is enough
        store.put(KEY, b"other")
        assert store.get(KEY) == b"other"
    assert store.folder != folder
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == [f"{KEY}.entry"]


def test_a_folder_of_somebody_else_is_not_trusted(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(cache.os, "getuid", lambda: os.geteuid() + 1)
    with pytest.warns(RuntimeWarning, match="not trusted"):
        assert Store(folder).folder != folder


def test_a_folder_made_by_others_meanwhile_is_looked_at(tmp_path):
    store = Store(tmp_path / "cache")
    assert store.get(KEY) is None
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    with pytest.warns(RuntimeWarning, match="not trusted"):
        store.put(KEY, b"code")
    assert not list((tmp_path / "cache").iterdir())


def test_a_disk_that_takes_nothing_warns_once(store, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.os, "replace", full)
    with pytest.warns(RuntimeWarning, match="No space left.*XP_CACHE_DIR"):
        store.put(KEY, b"code")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.put(KEY, b"code")
    assert store.get(KEY) is None
    assert not list(store.folder.iterdir())  # nothing half-written is left


def test_a_folder_that_cannot_be_made_warns(tmp_path):
    (tmp_path / "file").touch()
    store = Store(tmp_path / "file" / "cache")
    with pytest.warns(RuntimeWarning, match="cannot be written"):
        store.put(KEY, b"code")
    assert store.get(KEY) is None
    assert store.info().entries == 0


RACE = """
import sys
from xpaccel.cache import Store, digest_of_sources
store = Store(sys.argv[1])
for round in range(200):
    store.put("ab" * 32, bytes([round]) * 5000)
    found = store.get("ab" * 32)
    assert found is not None and len(found) == 5000 and len(set(found)) == 1, found
"""


def test_processes_may_race(tmp_path):
    command = [sys.executable, "-W", "error", "-c", RACE, str(tmp_path / "cache")]
    racers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(8)]
    for racer in racers:
        _, complaint = racer.communicate(timeout=60)
        assert racer.returncode == 0, complaint
    store = Store(tmp_path / "cache")
    assert store.info().entries == 1
    assert len(list(store.folder.iterdir())) == 1


def test_info_counts_entries_and_all_bytes(store):
    assert store.info() == cache.CacheInfo(store.folder, 0, 0)
    store.put(KEY, b"x" * 1000)
    store.write(store.path(KEY, ".py"), b"y" * 500)
    store.put("cd" * 32, b"z")
    info = store.info()
    assert info.entries == 2
    assert info.bytes == sum(path.stat().st_size for path in store.folder.iterdir())


def fill(store, ages):
    """Put an entry of 1000 bytes for each age in days, with its source beside it."""
    for number, days in enumerate(ages):
        key = f"{number:064x}"
        store.put(key, b"x" * 1000)
        store.write(store.path(key, ".py"), b"source")
        then = time.time() - days * 86_400
        for path in store.folder.glob(f"{key}*"):
            os.utime(path, (then, then))


def kept(store):
    return sorted(int(path.stem, 16) for path in store.folder.glob("*.entry"))


def test_prune_by_age(store):
    fill(store, [1, 40, 3, 31])
    entries, freed = store.prune(older_than_days=30)
    assert entries == 2
    assert freed > 2000
    assert kept(store) == [0, 2]
    assert len(list(store.folder.iterdir())) == 4  # their sources went with them


def test_prune_by_size_takes_the_least_recently_used_first(store):
    fill(store, [1, 40, 3, 31])
    entries, _ = store.prune(max_bytes=2 * (store.info().bytes // 4))
    assert entries == 2
    assert kept(store) == [0, 2]
    assert store.prune(max_bytes=0)[0] == 2
    assert store.info() == cache.CacheInfo(store.folder, 0, 0)


def test_prune_without_limits_removes_nothing(store):
    fill(store, [400])
    assert store.prune() == (0, 0)


def test_use_is_noted_once_a_day(store):
    fill(store, [5])
    path = the_file(store)
    assert store.get(f"{0:064x}") is not None
    noted = path.stat().st_mtime
    assert time.time() - noted < 60
    assert store.get(f"{0:064x}") is not None
    assert path.stat().st_mtime == noted
    assert store.prune(older_than_days=1) == (0, 0)  # the source beside it counts as used too


class TestDefaultFolder:
    """Where the cache lies if nobody says."""

    @pytest.fixture(autouse=True)
    def _environment(self, monkeypatch, tmp_path):
        for name in ("XP_CACHE_DIR", "XDG_CACHE_HOME", "PBS_JOBID", "SLURM_JOB_ID", "TMPDIR"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))

    def test_the_users_cache_folder(self, tmp_path, monkeypatch):
        assert cache.default_folder() == tmp_path / ".cache" / "xpaccel"
        monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
        assert cache.default_folder() == Path("/elsewhere/xpaccel")
        monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")  # to be ignored, by its specification
        assert cache.default_folder() == tmp_path / ".cache" / "xpaccel"

    @pytest.mark.parametrize("variable", ["PBS_JOBID", "SLURM_JOB_ID"])
    def test_a_job_keeps_it_on_its_node(self, tmp_path, monkeypatch, variable):
        monkeypatch.setenv(variable, "123.server")
        assert cache.default_folder() == tmp_path / ".cache" / "xpaccel"
        monkeypatch.setenv("TMPDIR", "/scratch/job")
        assert cache.default_folder() == Path(f"/scratch/job/xpaccel-{os.getuid()}")

    def test_what_is_asked_for_wins(self, monkeypatch):
        monkeypatch.setenv("PBS_JOBID", "1")
        monkeypatch.setenv("TMPDIR", "/scratch/job")
        monkeypatch.setenv("XP_CACHE_DIR", "/mine")
        assert cache.default_folder() == Path("/mine")

    def test_a_file_in_its_place_is_the_users_error(self, monkeypatch, tmp_path):
        (tmp_path / "file").touch()
        monkeypatch.setenv("XP_CACHE_DIR", str(tmp_path / "file"))
        with pytest.raises(UserError, match="XP_CACHE_DIR"):
            Store()


@pytest.mark.numba
@pytest.mark.parametrize("module", ["xpaccel.backends.cpu.machine", "xpaccel.backends.numba_cuda.module"])
def test_the_files_that_decide_machine_code_are_there(module: str) -> None:
    names = importlib.import_module(module).COMPILED_BY
    digest = digest_of_sources(names)
    assert len(digest) == 64
    assert digest != digest_of_sources(names[1:])
