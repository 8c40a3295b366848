"""The folder of compiled programs: content-addressed files that are whole, ours, or not there.

One entry is one file: a magic line, the SHA-256 of what follows, and the payload. It is written under a
temporary name and renamed, so that any number of processes may race on a folder, on NFS too, without
locks: each finds a whole entry or none. What does not check (damaged, cut short, written by another
version) is removed and counts as absent. Because the payload is machine code, the folder must belong to
the user and be writable by nobody else; one that is not is left alone and replaced by a private one for
this process.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from xpaccel import config

_MAGIC = b"xpaccel cache 1\n"
_HEADER = len(_MAGIC) + hashlib.sha256().digest_size
_SUFFIX = ".entry"
_DAY = 86_400.0


def _header(key: str, payload: bytes) -> bytes:
    """Return what an entry begins with: its checksum covers the key, so no entry passes for another."""
    return _MAGIC + hashlib.sha256(key.encode() + b"\n" + payload).digest()


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """What a cache folder holds: its path, the number of entries and the bytes of all its files."""

    folder: Path
    entries: int
    bytes: int


@dataclass(frozen=True, slots=True)
class _Group:
    """One entry and the files beside it that bear its key, such as a generated source."""

    paths: tuple[Path, ...]
    bytes: int
    used: float


class Store:
    """A cache folder.

    Parameters
    ----------
    folder : path, optional
        `default_folder` where it is not given. It is made when something is first put into it.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self._wanted = Path(folder).absolute() if folder is not None else default_folder()
        self._trusted: Path | None = None
        self._writable = True

    @property
    def folder(self) -> Path:
        """The folder in use: the one asked for, or a private one where that is not safe to trust."""
        if self._trusted is None:
            try:
                found = self._wanted.stat()
            except OSError:
                return self._wanted  # not there; whoever makes it, it is looked at again before it is used
            self._trusted = self._wanted if _is_private(found) else self._replacement()
        return self._trusted

    def _replacement(self) -> Path:
        private = _temporary_folder()
        warnings.warn(
            f"cache folder {self._wanted} can be written by other users, so machine code in it is not "
            f"trusted; using {private} for this process. Set XP_CACHE_DIR to a folder of your own, or run "
            f"`chmod go-w {self._wanted}` if it is yours.",
            RuntimeWarning,
            stacklevel=4,
        )
        return private

    def path(self, key: str, suffix: str = _SUFFIX) -> Path:
        """Return where the entry of `key` lies, or the file beside it with another `suffix`."""
        return self.folder / f"{key}{suffix}"

    def get(self, key: str) -> bytes | None:
        """Return the payload that was put under `key`; None if there is none that is whole."""
        path = self.path(key)
        try:
            with path.open("rb") as file:
                found, content = os.fstat(file.fileno()), file.read()
        except OSError:
            return None
        payload = content[_HEADER:]
        if content[:_HEADER] != _header(key, payload):
            _remove(path)
            return None
        if time.time() - found.st_mtime > _DAY:  # says that it is used, seldom enough to cost nothing
            with contextlib.suppress(OSError):
                os.utime(path)
        return payload

    def put(self, key: str, payload: bytes) -> None:
        """Keep `payload` under `key`. Where that fails, it warns once and the cache goes unused."""
        self.write(self.path(key), _header(key, payload) + payload)

    def write(self, path: Path, content: bytes) -> bool:
        """Write a file of the folder as a whole or not at all; return whether it is there."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self.folder / path.name
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=self.folder)
            try:
                with open(handle, "wb") as file:
                    file.write(content)
                os.replace(name, path)
            except BaseException:
                _remove(Path(name))
                raise
        except OSError as error:
            if self._writable:
                self._writable = False
                warnings.warn(
                    f"compiled programs are not kept: {path.parent} cannot be written ({error}). "
                    "Set XP_CACHE_DIR to a folder with space.",
                    RuntimeWarning,
                    stacklevel=3,
                )
            return False
        return True

    def info(self) -> CacheInfo:
        """Count the entries and the bytes of the folder."""
        groups = list(self._groups())
        entries = sum(any(path.suffix == _SUFFIX for path in group.paths) for group in groups)
        return CacheInfo(self.folder, entries, sum(group.bytes for group in groups))

    def prune(self, max_bytes: int | None = None, older_than_days: float | None = None) -> tuple[int, int]:
        """Remove entries, the least recently used first.

        Parameters
        ----------
        max_bytes
            Remove until no more than this is left.
        older_than_days
            Remove what was not used for so many days (use is noted once a day).

        Returns
        -------
        entries, bytes : int
            What was removed.
        """
        groups = sorted(self._groups(), key=lambda group: group.used)
        total = sum(group.bytes for group in groups)
        oldest = -float("inf") if older_than_days is None else time.time() - older_than_days * _DAY
        entries = freed = 0
        for group in groups:
            if group.used >= oldest and (max_bytes is None or total - freed <= max_bytes):
                continue
            for path in group.paths:
                entries += path.suffix == _SUFFIX
                _remove(path)
            freed += group.bytes
        return entries, freed

    def _groups(self) -> Iterator[_Group]:
        """Go through the files of the folder, those of one key together."""
        found: dict[str, list[tuple[Path, os.stat_result]]] = {}
        with contextlib.suppress(OSError), os.scandir(self.folder) as files:
            for file in files:
                with contextlib.suppress(OSError):  # another process may have removed it
                    if file.is_file(follow_symlinks=False):
                        key = file.name.lstrip(".").partition(".")[0]
                        found.setdefault(key, []).append((Path(file.path), file.stat(follow_symlinks=False)))
        for members in found.values():
            paths = tuple(path for path, _ in members)
            yield _Group(paths, sum(s.st_size for _, s in members), max(s.st_mtime for _, s in members))


def digest_of_sources(names: Iterable[str]) -> str:
    """Return a digest of files of xpaccel, which decide what a generated source becomes.

    Parameters
    ----------
    names
        Their paths, from the package's folder on. An edit of one must not find what it made yesterday.
    """
    here = Path(__file__).parent
    return hashlib.sha256(b"".join((here / name).read_bytes() for name in names)).hexdigest()


def default_folder() -> Path:
    """Return ``XP_CACHE_DIR``; in a batch job, a folder local to the node; else the user's cache folder.

    The home folder of a cluster is shared by all nodes, slow, and has a quota: a job of many ranks keeps
    its programs in ``$TMPDIR`` unless it is told otherwise.
    """
    chosen = config.cache_dir()
    if chosen is not None:
        return chosen
    job = os.environ.get("PBS_JOBID") or os.environ.get("SLURM_JOB_ID")
    if job and (local := os.environ.get("TMPDIR")):
        return Path(local).absolute() / f"xpaccel-{os.getuid()}"
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "xpaccel"


def _is_private(found: os.stat_result) -> bool:
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _temporary_folder() -> Path:
    """Make a folder for this process alone, gone when it ends."""
    keep = tempfile.TemporaryDirectory(prefix="xpaccel-", ignore_cleanup_errors=True)
    _KEPT.append(keep)
    return Path(keep.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
