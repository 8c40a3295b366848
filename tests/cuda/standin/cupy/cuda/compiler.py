"""The stand-in's ``cupy.cuda.compiler``: g++ in place of NVRTC, with the meaning of the options that change results."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

TESTS = str(Path(__file__).parents[4])
if TESTS not in sys.path:
    sys.path.append(TESTS)

from cuda.host import host  # noqa: E402

MAGIC = b"stand-in for a cubin\n"
#: Options of NVRTC, without dashes, that are taken and change nothing here.
_TAKEN = {
    *("G", "device-debug", "lineinfo", "generate-line-info", "restrict", "default-device", "w", "disable-warnings"),
    *("device-as-default-execution-space", "extra-device-vectorization", "arch", "gpu-architecture", "maxrregcount"),
    *("ptxas-options", "Xptxas", "std", "diag-suppress", "dopt", "prec-div", "prec-sqrt", "device-int128", "minimal"),
    *("split-compile", "time", "display-error-number", "no-display-error-number"),
}


class CompileException(Exception):
    """The source does not compile, or an option is unknown."""

    def __init__(self, msg: str, source: str, name: str, options: Sequence[str], backend: str = "nvcc") -> None:
        super().__init__(msg)
        self.source, self.name, self.options, self.backend = source, name, options, backend

    def get_message(self) -> str:
        """Return the compiler's messages."""
        return str(self)

    def dump(self, f: TextIO) -> None:
        """Write the source and the messages."""
        f.write(f"{self.source}\n{self}\n")


def compile_using_nvrtc(
    source: str,
    options: tuple[str, ...] = (),
    arch: str | None = None,
    filename: str = "kern.cu",
    name_expressions: Sequence[str] | None = None,
    log_stream: TextIO | None = None,
    cache_in_memory: bool = False,
    jitify: Any = None,
) -> tuple[bytes, None]:
    """Compile CUDA C; returns what ``cupy.cuda.Module.load`` loads.

    Contraction (``--fmad``, on by default in NVRTC) and flushing (``--ftz``) happen as they would on a GPU, so a test
    that compares bits finds a forgotten option.
    """
    from cupy.cuda.device import get_compute_capability

    if name_expressions is not None or jitify:
        raise NotImplementedError("the stand-in compiles kernels by their extern C names alone")
    meaning = _meaning(source, options)
    image = {"source": source, "arch": arch or get_compute_capability(), **meaning}
    try:
        host.Module(source, **meaning)
    except host.CompileError as error:
        raise CompileException(str(error), source, filename, options, "nvrtc") from error
    return MAGIC + json.dumps(image).encode(), None


def load(cubin: bytes) -> tuple[host.Module, str]:
    """Return the module of an image, and the architecture that it was made for."""
    image = json.loads(cubin.removeprefix(MAGIC))
    arch = image.pop("arch")
    return host.Module(image.pop("source"), **image), arch


def _meaning(source: str, options: Sequence[str]) -> dict[str, Any]:
    """Return what options mean to the host's compiler."""
    contract, flush, defines = True, False, []
    if not isinstance(options, tuple) or not all(isinstance(option, str) for option in options):
        raise TypeError(f"options must be a tuple of str, not {options!r}")
    for option in options:
        name, _, value = option.lstrip("-").partition("=")
        if not option.startswith("-"):
            name = ""
        if name == "fmad":
            contract = value == "true"
        elif name == "ftz":
            flush = value == "true"
        elif name in ("use_fast_math",):
            contract = flush = True
        elif name.startswith("D") and len(name) > 1:
            defines.append(option[2:])
        elif name not in _TAKEN:
            text = f"nvrtc: error: unrecognized option {option} found"
            raise CompileException(text, source, "kern.cu", options, "nvrtc")
    return {"contract": contract, "flush": flush, "defines": defines}
