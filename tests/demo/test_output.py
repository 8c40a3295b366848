"""Files are complete or absent, and replace nothing."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from xpaccel.demo import output
from xpaccel.errors import UserError


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "map.png"
    with output.new(path) as temporary:
        temporary.write_text("done")
        assert not path.exists()
        assert temporary.parent == path.parent, "on the same file system"
        assert temporary.suffix == ".png"
    assert path.read_text() == "done"
    assert list(tmp_path.iterdir()) == [path]


def fill(place: Path, folder: bool, text: str) -> None:
    if folder:
        place.mkdir()
        (place / "part").write_text(text)
    else:
        place.write_text(text)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("folder", [True, False])
def test_nothing_is_left_of_what_failed(tmp_path: Path, error: type[BaseException], folder: bool) -> None:
    def fail() -> None:
        with output.new(tmp_path / "a.zarr") as temporary:
            fill(temporary, folder, "half")
            raise error

    with pytest.raises(error):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", [True, False])
def test_what_appeared_in_the_meantime_stays(tmp_path: Path, folder: bool) -> None:
    path = tmp_path / "a.zarr"

    def late() -> None:
        with output.new(path) as temporary:
            fill(temporary, folder, "mine")
            fill(path, folder, "theirs")

    with pytest.raises(UserError, match="in the meantime"):
        late()
    assert list(tmp_path.iterdir()) == [path]
    assert (path / "part" if folder else path).read_text() == "theirs"


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot write .*a\.png: No space left"), output.writing(tmp_path / "a.png"):
        raise OSError(28, "No space left on device")


def test_check_refuses_before_the_work(tmp_path: Path) -> None:
    taken = tmp_path / "taken.png"
    taken.touch()
    dangling = tmp_path / "link.png"
    dangling.symlink_to(tmp_path / "nowhere")
    for path, said in (
        (taken, "exists: remove it or choose another name"),
        (dangling, "exists"),
        (tmp_path / "a.jpg", "must end in .png"),
        (tmp_path / "none" / "a.png", "there is no folder"),
        (taken / "a.png", "there is no folder"),
        (tmp_path / ("a" * 300 + ".png"), "cannot be written: File name too long"),
    ):
        with pytest.raises(UserError) as caught:
            output.check(path, "--png", (".png",))
        assert str(caught.value).startswith(f"--png {path}")
        assert said in str(caught.value)
    assert output.check(tmp_path / "new.PNG", "--png", (".png",)) == tmp_path / "new.PNG"
    assert sorted(tmp_path.iterdir()) == [dangling, taken]


def test_a_free_name_is_the_first(tmp_path: Path) -> None:
    assert output.free_name(tmp_path / "flood.png") == tmp_path / "flood.png"
    (tmp_path / "flood.png").touch()
    (tmp_path / "flood-2.png").touch()
    assert output.free_name(tmp_path / "flood.png") == tmp_path / "flood-3.png"


def test_control_c_waits_for_the_end_of_an_unbroken_block() -> None:
    done = []

    def work() -> None:
        with output.unbroken():
            signal.raise_signal(signal.SIGINT)
            done.append("all")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            work()
        assert done == ["all"]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
