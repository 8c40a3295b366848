"""Environment variables: defaults, values, and one clear error for what cannot be used."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from xpaccel import config
from xpaccel.errors import BackendError, UserError

NAMES = ("numpy", "numba")
VARIABLES = (
    "XP_BACKEND",
    "XP_DEADLINE",
    "XP_DEBUG",
    "XP_CACHE_DIR",
    "XP_NUM_THREADS",
    "XP_DEVICE",
    "XP_GPU_OVERSUBSCRIBE",
    "XP_GPU_MEMORY",
    "XP_LOCAL_RANK",
    "XP_NVTX",
    "XP_RANK_DEVICE",
    "XP_RANKS_PER_DEVICE",
    "XP_SITE",
    "XP_SYNC",
)
ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("value", [None, "", "  "])
def test_not_set_is_the_default(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    assert config.backend(NAMES) == "numpy"
    assert config.debug() == 0
    assert config.cache_dir() is None
    assert config.num_threads() is None
    assert config.device() is None
    assert config.gpu_oversubscribe() is False
    assert config.gpu_memory() is None
    assert config.local_rank() is None
    assert config.nvtx() is False
    assert config.sync() is False
    assert config.rank_device() is None
    assert config.site() is None


def test_values(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XP_BACKEND", "numba")
    monkeypatch.setenv("XP_DEBUG", "4")
    monkeypatch.setenv("XP_CACHE_DIR", str(tmp_path / "not" / "there"))
    monkeypatch.setenv("XP_NUM_THREADS", "12")
    assert config.backend(NAMES) == "numba"
    assert config.debug() == 4
    assert config.cache_dir() == tmp_path / "not" / "there"
    assert config.num_threads() == 12


def test_folder_is_absolute_and_knows_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XP_CACHE_DIR", "cache")
    assert config.cache_dir() == tmp_path / "cache"
    monkeypatch.setenv("XP_CACHE_DIR", "~/cache")
    assert config.cache_dir() == tmp_path / "home" / "cache"


def test_unknown_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XP_BACKEND", "nunba")
    with pytest.raises(BackendError, match="XP_BACKEND='nunba' cannot be used: it must be one of numpy, numba"):
        config.backend(NAMES)


@pytest.mark.parametrize("value", ["5", "-1", "yes", "1.0", "٣"])
def test_bad_debug(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("XP_DEBUG", value)
    with pytest.raises(UserError, match=f"XP_DEBUG='{value}' cannot be used: it must be a whole number from 0 to 4"):
        config.debug()


@pytest.mark.parametrize("value", ["0", "-2", "two", "1.5", "²", "1e3"])
def test_bad_threads(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("XP_NUM_THREADS", value)
    with pytest.raises(UserError, match=f"XP_NUM_THREADS='{value}' cannot be used: .* at least 1"):
        config.num_threads()


@pytest.mark.parametrize("below", ["", "/below", "/below/it"])
def test_cache_folder_that_is_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XP_CACHE_DIR", f"{tmp_path}/file{below}")
    with pytest.raises(UserError, match=r"XP_CACHE_DIR=.* must be a folder, and .*/file is a file"):
        config.cache_dir()


def test_cache_folder_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XP_CACHE_DIR", "~no-such-user-here/cache")
    with pytest.raises(UserError, match=r"XP_CACHE_DIR='~no-such-user-here/cache' cannot be used"):
        config.cache_dir()


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        ("8GB", config.MemoryLimit(bytes=8_000_000_000)),
        ("1.5 GiB", config.MemoryLimit(bytes=3 * 2**29)),
        ("512mib", config.MemoryLimit(bytes=2**29)),
        ("4096B", config.MemoryLimit(bytes=4096)),
        ("50%", config.MemoryLimit(fraction=0.5)),
        ("100%", config.MemoryLimit(fraction=1.0)),
    ],
)
def test_gpu_memory(monkeypatch: pytest.MonkeyPatch, value: str, limit: config.MemoryLimit) -> None:
    monkeypatch.setenv("XP_GPU_MEMORY", value)
    assert config.gpu_memory() == limit


@pytest.mark.parametrize("value", ["8", "0GB", "0%", "101%", "half", "-1GB", "0.1B", "8 G", "٣GB"])
def test_bad_gpu_memory(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("XP_GPU_MEMORY", value)
    with pytest.raises(UserError, match=f"XP_GPU_MEMORY='{value}' cannot be used: .*8GB or 512MiB, or .*50%"):
        config.gpu_memory()


@pytest.mark.parametrize(
    ("name", "read"),
    [("XP_GPU_OVERSUBSCRIBE", config.gpu_oversubscribe), ("XP_NVTX", config.nvtx), ("XP_SYNC", config.sync)],
)
def test_switches(monkeypatch: pytest.MonkeyPatch, name: str, read: Callable[[], bool]) -> None:
    for value, meaning in (("1", True), ("0", False)):
        monkeypatch.setenv(name, value)
        assert read() is meaning
    monkeypatch.setenv(name, "yes")
    with pytest.raises(UserError, match=f"{name}='yes' cannot be used: it must be 0 or 1"):
        read()


@pytest.mark.parametrize(("name", "read"), [("XP_DEVICE", config.device), ("XP_LOCAL_RANK", config.local_rank)])
def test_numbers_from_zero(monkeypatch: pytest.MonkeyPatch, name: str, read: Callable[[], int | None]) -> None:
    monkeypatch.setenv(name, "0")
    assert read() == 0
    for value in ("-1", "GPU-89", "1.0"):
        monkeypatch.setenv(name, value)
        with pytest.raises(UserError, match=f"{name}='{value}' cannot be used: it must be the number of"):
            read()


def test_device_given_by_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XP_RANK_DEVICE", "GPU-89")
    monkeypatch.setenv("XP_RANKS_PER_DEVICE", "2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-89")
    assert config.rank_device() == 2
    monkeypatch.setenv("XP_RANKS_PER_DEVICE", "0")
    with pytest.raises(UserError, match=r"XP_RANKS_PER_DEVICE='0' cannot be used: .*at least 1"):
        config.rank_device()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-89,GPU-8a")
    assert config.rank_device() is None


def test_every_variable_is_documented_and_read_in_one_place() -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in (ROOT / "src" / "xpaccel").rglob("*.py")}
    assert {name for text in sources.values() for name in re.findall(r"\bXP_[A-Z_]+\b", text)} == set(VARIABLES)
    readers = {path.name for path, text in sources.items() if re.search(r"environ\S*[\[(]['\"]XP_", text)}
    assert not readers, "read it in config.py, which checks it"
    page = (ROOT / "docs" / "debugging.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(XP_\w+)` \|", page, re.MULTILINE)
    assert set(rows) == {*VARIABLES, "XP_REQUIRE"}
