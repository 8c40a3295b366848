"""Environment variables: defaults, values, and one clear error for what cannot be used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from xpaccel import config
from xpaccel.errors import BackendError, UserError

NAMES = ("numpy", "numba")
VARIABLES = ("XP_BACKEND", "XP_DEBUG", "XP_CACHE_DIR", "XP_NUM_THREADS")
ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("value", [None, "", "  "])
def test_not_set_is_the_default(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    assert config.backend(NAMES) == "numpy"
    assert config.debug() == 0
    assert config.cache_dir() is None
    assert config.num_threads() is None


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


def test_every_variable_is_documented_and_read_in_one_place() -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in (ROOT / "src" / "xpaccel").rglob("*.py")}
    assert {name for text in sources.values() for name in re.findall(r"\bXP_[A-Z_]+\b", text)} == set(VARIABLES)
    readers = {path.name for path, text in sources.items() if re.search(r"environ\S*[\[(]['\"]XP_", text)}
    assert not readers, "read it in config.py, which checks it"
    page = (ROOT / "docs" / "debugging.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(XP_\w+)` \|", page, re.MULTILINE)
    assert set(rows) == {*VARIABLES, "XP_REQUIRE"}
