"""Output files that are there whole or not at all.

Each output is written in a hidden folder beside its final place and moved there when all are complete.
Making these folders before the run also proves that the outputs can be written at all.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from xpaccel.errors import UserError


def check(option: str, path: Path, suffixes: tuple[str, ...]) -> None:
    """See to it that an output may be made: of a known kind, in a folder that is there, over nothing.

    Raises
    ------
    UserError
        Naming the option and what to do.
    """
    if path.suffix.lower() not in suffixes:
        raise UserError(f"{option} {path}: its name must end in {' or '.join(suffixes)}")
    if os.path.lexists(path):
        raise UserError(f"{option} {path} exists already: remove it or choose another name")
    if not path.parent.is_dir():
        raise UserError(f"{option} {path}: there is no folder {path.parent}")


def check_distinct(paths: Mapping[str, Path]) -> None:
    """See to it that no two options name the same place.

    Raises
    ------
    UserError
        Naming the two options.
    """
    seen: dict[Path, str] = {}
    for option, path in paths.items():
        place = path.resolve()
        if place in seen:
            raise UserError(f"{seen[place]} and {option} are both {path}: give each its own name")
        seen[place] = option


def free_name(stem: str, suffix: str, folder: Path) -> Path:
    """Give the first of ``stem.suffix``, ``stem-2.suffix``, ``stem-3.suffix``... that is free in a folder."""
    names = itertools.chain([f"{stem}{suffix}"], (f"{stem}-{k}{suffix}" for k in itertools.count(2)))
    return next(folder / name for name in names if not os.path.lexists(folder / name))


@contextmanager
def atomically(paths: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    """Give a place to write for each output; move all to their own places at the end.

    Whatever ends the block early (an error, Ctrl-C) removes what was written.

    Parameters
    ----------
    paths : mapping of str to Path
        The final place of each output, by its option.

    Yields
    ------
    dict of str to Path
        Where to write each; same name, hidden folder on the same file system.

    Raises
    ------
    UserError
        Where a folder cannot be written to, the disk is full, or an output appeared in the meantime.
    """
    with ExitStack() as stack:
        parts = {}
        for option, path in paths.items():
            try:
                hidden = tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent)
            except OSError as error:
                raise UserError(f"{option} {path} cannot be written: {error.strerror}") from error
            stack.callback(shutil.rmtree, hidden, ignore_errors=True)
            parts[option] = Path(hidden, path.name)
        yield parts
        for option, path in paths.items():
            if os.path.lexists(path):
                raise UserError(f"{option} {path} was made by someone else during the run: choose another name")
            try:
                os.rename(parts[option], path)
            except OSError as error:
                raise UserError(f"{option} {path} cannot be written: {error.strerror}") from error


@contextmanager
def writing(option: str, path: Path) -> Iterator[None]:
    """Turn what goes wrong in writing (a full disk, most often) into one line about the output.

    Raises
    ------
    UserError
        With the system's reason.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"{option} {path} cannot be written: {error.strerror or error}") from error
