"""The host's compiler: g++, its sanitisers, and a folder of what it made."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
RUNTIME = HERE / "runtime.cpp"
#: Undefined behaviour calls undefined.h, so the sanitiser's own runtime is left out.
CHECKED = ("-fsanitize=undefined", "-nodefaultlibs")
SANITISED = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
CONTRACT = ("-ffp-contract=fast", "-mfma", "-fexpensive-optimizations")

_FLAGS = ("-O1", "-std=c++17", "-ffp-contract=off", "-fPIC", "-shared", "-w")
#: How many compiled kernels are kept; half of them go when there are more.
_MOST = 4000


class CompileError(RuntimeError):
    """The source does not compile."""


def why_unavailable() -> str | None:
    """Return None if kernels can be compiled here, else why not and what to do."""
    if shutil.which("g++") is None:
        return "g++ is not on PATH, and the stand-in for CUDA compiles kernels with it (install g++)"
    return None


def sanitiser_loaded() -> bool:
    """Whether this process was started with the address sanitiser."""
    return hasattr(ctypes.CDLL(None), "__asan_init")


def environment() -> dict[str, str]:
    """Return the environment in which a Python process runs kernels under the address sanitiser."""
    # The second is for extension modules that throw: the sanitiser looks for what throws when it is loaded.
    found = [library("libasan.so"), library("libstdc++.so.6")]
    # numpy and Python keep memory until they end; that is no leak of a kernel's.
    return {**os.environ, "LD_PRELOAD": " ".join(found), "ASAN_OPTIONS": "detect_leaks=0"}


def library(name: str) -> str:
    """Return where g++ has a library.

    Raises
    ------
    CompileError
        If it has none of that name; preloading that would be left out without a word.
    """
    found = subprocess.run(["g++", f"-print-file-name={name}"], check=True, capture_output=True, text=True)
    path = found.stdout.strip()
    if not Path(path).is_absolute():
        raise CompileError(f"g++ has no {name}: install the package of g++ that brings it")
    return path


@functools.cache
def _folder() -> Path:
    """Return where compiled kernels are kept: one folder a user, which only that user can write."""
    folder = Path(tempfile.gettempdir()) / f"xpaccel-cuda-host-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.lstat()
    if state.st_uid != os.getuid() or state.st_mode & 0o077:
        raise PermissionError(f"{folder} belongs to somebody else or is open to others; remove it")
    kept = sorted((path.stat().st_mtime, path) for path in folder.glob("kernel-*.so"))
    for _, path in kept[: len(kept) // 2 if len(kept) > _MOST else 0]:
        path.unlink(missing_ok=True)
    return folder


@functools.cache
def _version() -> str:
    return subprocess.run(["g++", "--version"], check=True, capture_output=True, text=True).stdout


@functools.cache
def has_fma() -> bool:
    """Whether this processor multiplies and adds in one operation, so that `Module` can contract."""
    cpu = Path("/proc/cpuinfo")
    return platform.machine() == "x86_64" and cpu.exists() and re.search(r"\bfma\b", cpu.read_text()) is not None


@functools.cache
def _own_text() -> str:
    return "".join(path.read_text() for path in [*sorted(HERE.glob("*.h")), RUNTIME])


def build(source: str, flags: Sequence[str], *, name: str = "kernel.cu") -> Path:
    """Compile C++ to a shared object, once for each text.

    Raises
    ------
    CompileError
        With the compiler's messages.
    """
    reason = why_unavailable()
    if reason is not None:
        raise CompileError(reason)
    flags = (*_FLAGS, *flags)
    digest = hashlib.sha256("\0".join((source, name, _own_text(), _version(), *flags)).encode()).hexdigest()[:32]
    stem = _folder() / f"{Path(name).stem}-{digest}"
    library = stem.with_suffix(".so")
    if library.exists():
        library.touch()
        return library
    with tempfile.TemporaryDirectory(dir=_folder()) as scratch:
        text = Path(scratch, "source.cpp")
        text.write_text(source)
        made = Path(scratch, "made.so")
        command = ["g++", *flags, f"-I{HERE}", "-o", os.fspath(made), os.fspath(text), "-lm", "-ldl", "-lc"]
        quiet = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}  # no sanitiser for g++
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=quiet)
        if done.returncode:
            raise CompileError(f"g++ refuses {name}:\n{done.stderr}")
        made.replace(library)
    return library
