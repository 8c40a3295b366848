"""Outputs are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpaccel.demo import outputs
from xpaccel.errors import UserError


def test_all_appear_at_the_end(tmp_path: Path) -> None:
    file, folder = tmp_path / "a.png", tmp_path / "b.zarr"
    with outputs.atomically({"--png": file, "--out": folder}) as parts:
        parts["--png"].write_bytes(b"map")
        parts["--out"].mkdir()
        parts["--out"].joinpath("zarr.json").write_bytes(b"{}")
        assert not file.exists()
        assert not folder.exists()
    assert file.read_bytes() == b"map"
    assert folder.joinpath("zarr.json").read_bytes() == b"{}"
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "b.zarr"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_stays_after_an_error(tmp_path: Path, error: type[BaseException]) -> None:
    def write() -> None:
        with outputs.atomically({"--png": tmp_path / "a.png"}) as parts:
            parts["--png"].write_bytes(b"half")
            raise error

    with pytest.raises(error):
        write()
    assert not list(tmp_path.iterdir())


def test_what_appeared_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "a.png"

    def write() -> None:
        with outputs.atomically({"--png": file}) as parts:
            parts["--png"].write_bytes(b"ours")
            file.write_bytes(b"theirs")

    with pytest.raises(UserError, match="made by someone else"):
        write()
    assert file.read_bytes() == b"theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_free_name(tmp_path: Path) -> None:
    assert outputs.free_name("flood", ".png", tmp_path).name == "flood.png"
    (tmp_path / "flood.png").touch()
    (tmp_path / "flood-2.png").symlink_to("nowhere")
    assert outputs.free_name("flood", ".png", tmp_path).name == "flood-3.png"


def test_a_full_disk_is_one_line() -> None:
    with (
        pytest.raises(UserError, match=r"--out a\.zarr cannot be written: No space left"),
        outputs.writing("--out", Path("a.zarr")),
    ):
        raise OSError(28, "No space left on device")
