"""CUDA C as C++ for the host: what cannot be said by the header alone."""

from __future__ import annotations

import re

from cuda.host.compiling import CompileError

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_KERNEL = re.compile(
    r"(template\s*<[^;{]*?>\s*)?__global__\s+(?:void\s+)?(?:__launch_bounds__\s*\(([^)]*)\)\s*)?(?:void\s+)?(\w+)\s*\("
)
_DYNAMIC = re.compile(r"\bextern\s+__shared__\s+([^;\[]*?)(\w+)\s*\[\s*\]\s*;")
_SHARED = re.compile(r"\b__shared__\s+([^;]*?)(\w+)\s*((?:\[[^;\]]*\]\s*)*);")
_TOGETHER = re.compile(r"\b__(syncthreads\w*|syncwarp|shfl\w*|ballot_sync|any_sync|all_sync)\s*\(")
_ONE = "declare one variable of shared memory a statement"


def plain(source: str) -> str:
    """Return a source without its comments; lines keep their numbers."""
    return _COMMENT.sub(lambda comment: re.sub(r"[^\n]", " ", comment.group()), source)


def kernels(source: str) -> dict[str, str]:
    """Return the kernels of a source without comments, and what their launch bounds say."""
    return {found[3]: found[2] or "" for found in _KERNEL.finditer(source) if not found[1]}


def waits(source: str) -> bool:
    """Whether threads of a source without comments wait for one another."""
    return _TOGETHER.search(source) is not None


def _static(declaration: re.Match[str]) -> str:
    """Return a static that is poisoned once in each block."""
    kind, name, extents = declaration.groups()
    if "," in re.sub(r"<[^<>]*>", "", kind):
        raise CompileError(f"{declaration.group()}: {_ONE}")
    seen = f"{name}__seen"
    poisoned = f"static unsigned long long {seen}; cuda_host_shared(&{seen}, &{name}, sizeof {name});"
    return f"static {kind} {name}{extents}; {poisoned}"


def translate(source: str) -> str:
    """Return C++ for a source without comments: shared memory as statics, and an entry for each kernel.

    Lines keep their numbers.
    """
    text = _DYNAMIC.sub(r"\1*\2 = static_cast<\1*>(cuda_host_dynamic_shared());", source)
    text = _SHARED.sub(_static, text)
    if "__shared__" in text:
        raise CompileError(f"a __shared__ declaration is not understood: {_ONE}")
    entries = "\n".join(f"CUDA_HOST_ENTRY({name})" for name in kernels(text))
    return f'#include "cuda_host.h"\n#line 1 "kernel.cu"\n{text}\n{entries}\n'
