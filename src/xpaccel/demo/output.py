"""Files that are either complete or not there, and never replace what was there before."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from xpaccel.errors import UserError


def check(path: Path, option: str, suffixes: tuple[str, ...]) -> Path:
    """Make sure, before the work, that a new file or folder can be made.

    Parameters
    ----------
    path
        Where the result will be.
    option
        What the user gave it with, for messages.
    suffixes
        What its name must end in, one of them.

    Returns
    -------
    Path
        The same, absolute.

    Raises
    ------
    xpaccel.UserError
        If it exists, has another suffix, or its folder is missing or cannot be written to.
    """
    if path.suffix.lower() not in suffixes:
        raise UserError(f"{option} {path}: the name must end in {' or '.join(suffixes)}")
    path = Path(os.path.abspath(path))  # resolve() would follow a link that stands in its place
    if os.path.lexists(path):
        raise UserError(f"{option} {path} exists: remove it or choose another name")
    if not path.parent.is_dir():
        raise UserError(f"{option} {path}: there is no folder {path.parent}")
    temporary = _temporary(path)
    try:
        temporary.touch(exist_ok=False)
        temporary.unlink()
    except OSError as error:
        raise UserError(f"{option} {path} cannot be written: {error.strerror or error}") from error
    return path


def free_name(path: Path) -> Path:
    """Give `path`, or where that exists, the first of ``name-2``, ``name-3``, ... that does not."""
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    return free


@contextmanager
def new(path: Path) -> Iterator[Path]:
    """Give a temporary sibling to write to; it gets its name when the block ends well, else it is removed.

    Raises
    ------
    xpaccel.UserError
        If something of that name appeared in the meantime.
    """
    temporary = _temporary(path)
    try:
        yield temporary
        with writing(path):
            _publish(temporary, path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say which file it is that cannot be written.

    Raises
    ------
    xpaccel.UserError
        For every error of the operating system within the block.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


@contextmanager
def unbroken() -> Iterator[None]:
    """Hold signals back until the block ends: zarr writes in tasks of its own, which must not be torn apart."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals do not come here
        return
    came: list[int] = []

    def hold(number: int, frame: FrameType | None) -> None:
        came.append(number)

    before = {number: signal.signal(number, hold) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
    for held in came:
        signal.raise_signal(held)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.stem}.partial-{os.getpid()}{path.suffix}")


def _publish(temporary: Path, path: Path) -> None:
    taken = UserError(f"{path} was made by somebody else in the meantime: nothing is replaced")
    if temporary.is_file():
        try:
            os.link(temporary, path)  # unlike rename, it never replaces
            return
        except FileExistsError as error:
            raise taken from error
        except OSError:
            pass  # a file system without hard links
    if os.path.lexists(path):
        raise taken
    os.rename(temporary, path)
