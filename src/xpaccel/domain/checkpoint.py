"""Checkpoints: fields on disk, complete or absent, to go on from on any number of ranks and any target.

A checkpoint is a Zarr group with an array for each field, which opens in xarray. Chunks are about a rank's block, and
each is written by one rank, which is sent what others have of it. All is written into a folder with another name; once
every rank is done that folder is renamed, which a file system does wholly or not at all. So a kill at any moment
leaves the checkpoints that were complete, and a folder that is not looked at.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np

from xpaccel import config
from xpaccel.active import asnumpy
from xpaccel.domain.location import axis_name
from xpaccel.domain.part import Ranges
from xpaccel.errors import DomainError

if TYPE_CHECKING:
    from xpaccel.domain.field import Field
    from xpaccel.domain.grid import Grid

#: The exit status of a program that stopped early and can go on from its checkpoint (EX_TEMPFAIL of sysexits.h).
NOT_FINISHED = 75
_PREFIX, _PART, _OLD = "step-", ".part", ".old"


class Checkpoints:
    """Checkpoints of a time loop, in one folder. Made by `Grid.checkpoints`.

    Attributes
    ----------
    folder
        Where they are.
    """

    def __init__(
        self, grid: Grid, folder: str | os.PathLike[str], every: int = 0, keep: int = 2, deadline: float | None = None
    ) -> None:
        if every < 0 or keep < 1:
            raise DomainError(f"checkpoints: every={every!r} must not be negative, and keep={keep!r} at least 1")
        self.folder = Path(folder)
        self._grid, self._every, self._keep = grid, every, keep
        self._deadline = config.deadline() if deadline is None else deadline
        self._told: str | None = None
        self._cost = 0.0
        self._last = time.monotonic()
        self._longest = 0.0
        with contextlib.suppress(ValueError):  # not the main thread: another part of the program has the signals
            signal.signal(signal.SIGTERM, self._terminate)

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        self._told = signal.Signals(number).name

    # -- writing ----------------------------------------------------------------------------------

    def after(self, step: int, **fields: Field) -> None:
        """Say that a step is done; write a checkpoint if one is due. Collective; to be called after every step.

        Parameters
        ----------
        step
            How many steps are done.
        **fields
            What a later run needs to go on, by name.

        Raises
        ------
        SystemExit
            With status 75 ("not finished"), once a checkpoint is written: if any rank was told to stop (SIGTERM),
            or the deadline comes too near for another step and another checkpoint.
        """
        now = time.monotonic()
        self._longest = max(self._longest, now - self._last)
        why = self._told
        if why is None and self._deadline is not None:
            left = self._deadline - time.time()
            if left < 2 * self._longest + 2 * self._cost + 1:
                why = f"{left:.0f} s are left"
        reasons = [found for found in self._grid.comm.gather(why) if found is not None]
        if reasons or (self._every and step % self._every == 0):
            self.write(step, **fields)
        self._last = time.monotonic()
        if reasons:
            if self._grid.rank == 0:
                print(f"stopped after step {step} ({reasons[0]}); the checkpoint is {self._path(step)}", flush=True)
            raise SystemExit(NOT_FINISHED)

    def write(self, step: int, **fields: Field) -> None:
        """Write a checkpoint now. Collective.

        Parameters
        ----------
        step, **fields
            As of `after`.

        Raises
        ------
        DomainError
            If there is no field, or one of another grid.
        """
        import zarr

        start = time.monotonic()
        grid, comm = self._grid, self._grid.comm
        for name, field in fields.items():
            if getattr(field, "grid", None) is not grid:
                raise DomainError(f"checkpoint: {name} is {field!r}, which is no field of {grid!r}")
        if not fields:
            raise DomainError("checkpoint: name the fields that are to be kept: after(step, u=u)")
        part = self._path(step).with_name(self._path(step).name + _PART)
        if grid.rank == 0:
            self._recover()
            shutil.rmtree(part, ignore_errors=True)
            group = zarr.open_group(part, mode="w-", attributes=self._attributes(step))
            for name, field in fields.items():
                self._create(group, name, field)
        comm.gather(None)  # the arrays are there
        opened: Any = zarr.open_group(part, mode="r+")
        for name, field in fields.items():
            for ranges, values in _chunks(field):
                opened[name][tuple(slice(low, high) for low, high in ranges)] = values
        comm.gather(None)  # everything is written
        if grid.rank == 0:
            with warnings.catch_warnings(action="ignore", category=zarr.errors.ZarrUserWarning):
                zarr.consolidate_metadata(part)  # xarray looks for it, though the format does not define it yet
            _settle(part)
            self._name(part, self._path(step))
            _settle(self.folder)
            for old in self.steps()[: -self._keep]:
                shutil.rmtree(self._path(old), ignore_errors=True)
        comm.gather(None)  # it has its name: a rank that goes on may count on it
        self._cost = max(comm.gather(time.monotonic() - start))

    def _attributes(self, step: int) -> dict[str, Any]:
        grid = self._grid
        described = {"shape": grid.shape, "spacing": grid.spacing, "origin": grid.origin, "periodic": grid.periodic}
        return {"step": step, "time": grid.time, "grid": json.loads(json.dumps(described))}

    def _create(self, group: Any, name: str, field: Field) -> None:
        dims = [f"{axis_name(axis)}_face" if half else axis_name(axis) for axis, half in enumerate(field.at.half)]
        attributes = {"at": field.at.name} | ({"units": field.units} if field.units else {})
        group.create_array(
            name,
            shape=field.shape,
            chunks=_chunk_shape(field),
            dtype=field.dtype,
            dimension_names=dims,
            attributes=attributes,
        )
        for axis, dim in enumerate(dims):
            if dim not in group:
                line = self._grid.coordinate(field.at, axis, np.arange(field.shape[axis]))
                group.create_array(dim, data=line, dimension_names=[dim])

    # -- reading ----------------------------------------------------------------------------------

    def steps(self) -> list[int]:
        """Return the steps of which there is a complete checkpoint, the latest last."""
        names = [path.name for path in self.folder.glob(f"{_PREFIX}*")] if self.folder.is_dir() else []
        return sorted(int(name[len(_PREFIX) :]) for name in names if name[len(_PREFIX) :].isdigit())

    def restore(self, **fields: Field) -> int:
        """Fill fields from the latest checkpoint, and set the grid's time; return its step, 0 if there is none.

        Collective.

        Parameters
        ----------
        **fields
            What to fill, by the names that they were written with. Other numbers of ranks may have written them.

        Raises
        ------
        DomainError
            If the checkpoint is of another grid, or lacks a field.
        """
        import zarr

        grid = self._grid
        if grid.rank == 0:
            self._recover()
        steps = grid.comm.gather(self.steps())[0]  # of rank 0: a file system may show others an older state
        if not steps:
            return 0
        path = self._path(steps[-1])
        group: Any = zarr.open_group(path, mode="r")
        known: Mapping[str, Any] = group.attrs["grid"]
        mine = self._attributes(0)["grid"]
        if known != mine:
            differs = ", ".join(name for name in mine if known.get(name) != mine[name])
            raise DomainError(f"{path} is a checkpoint of another grid ({differs} differ): {known}")
        for name, field in fields.items():
            if name not in group:
                raise DomainError(f"{path} has no field {name!r}; it has: {', '.join(sorted(group.array_keys()))}")
            stored = group[name]
            if tuple(stored.shape) != field.shape or stored.dtype != field.dtype:
                raise DomainError(
                    f"{path}: {name} has shape {tuple(stored.shape)} and dtype {stored.dtype}, and the field given for "
                    f"it {field.shape} and {field.dtype}"
                )
            own = stored[tuple(slice(low, high) for low, high in field.owned)]
            field.local[...] = field.memory.upload(np.asarray(own))
        grid.time = float(group.attrs["time"])
        return int(steps[-1])

    def _path(self, step: int) -> Path:
        return self.folder / f"{_PREFIX}{step:09d}"

    def _name(self, part: Path, path: Path) -> None:
        """Give a finished checkpoint its name; one of the same step that was there gives way, but never before."""
        old = path.with_name(path.name + _OLD)
        if path.exists():
            path.rename(old)
        part.rename(path)
        shutil.rmtree(old, ignore_errors=True)

    def _recover(self) -> None:
        """Put in order what a run that was killed has left: remove what was not finished."""
        for path in self.folder.glob(f"{_PREFIX}*{_PART}"):
            shutil.rmtree(path, ignore_errors=True)
        for old in self.folder.glob(f"{_PREFIX}*{_OLD}"):
            path = old.with_name(old.name.removesuffix(_OLD))
            if path.exists():
                shutil.rmtree(old, ignore_errors=True)
            else:
                old.rename(path)


def _chunk_shape(field: Field) -> tuple[int, ...]:
    return tuple(-(-size // parts) for size, parts in zip(field.shape, field.grid.dims, strict=True))


def _chunks(field: Field) -> Iterator[tuple[Ranges, np.ndarray[Any, Any]]]:
    """Yield what this rank writes: whole chunks, put together from what ranks have of them. Collective."""
    grid = field.grid
    shape, chunk = field.shape, _chunk_shape(field)
    mine = asnumpy(field.local)
    pieces: list[list[tuple[Ranges, np.ndarray[Any, Any]]]] = [[] for _ in range(grid.size)]
    for rank in range(grid.size):
        where = grid.decomposition.position(rank)
        ranges = tuple(
            (min(part * step, size), min((part + 1) * step, size))
            for part, step, size in zip(where, chunk, shape, strict=True)
        )
        common = tuple(
            (max(low, first), min(high, end)) for (low, high), (first, end) in zip(ranges, field.owned, strict=True)
        )
        if all(low < high for low, high in common):
            inside = tuple(
                slice(low - own, high - own) for (low, high), (own, _) in zip(common, field.owned, strict=True)
            )
            pieces[rank] = [(common, np.ascontiguousarray(mine[inside]))]
    found = [piece for given in grid.comm.deal(pieces) for piece in given]
    if not found:
        return
    where = grid.decomposition.position(grid.rank)
    own = tuple(
        (min(part * step, size), min((part + 1) * step, size))
        for part, step, size in zip(where, chunk, shape, strict=True)
    )
    whole = np.empty([high - low for low, high in own], field.dtype)
    for ranges, values in found:
        whole[tuple(slice(low - first, high - first) for (low, high), (first, _) in zip(ranges, own, strict=True))] = (
            values
        )
    yield own, whole


def _settle(folder: Path) -> None:
    """Have the disk hold a folder's files before its name is given."""
    for path in [*folder.rglob("*"), folder] if folder.name.endswith(_PART) else [folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
