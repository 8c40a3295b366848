"""Finding the kernel that ``FILE:KERNEL`` names on a command line."""

from __future__ import annotations

import importlib.util
import sys
from difflib import get_close_matches
from pathlib import Path
from traceback import extract_tb
from types import ModuleType

from xpaccel.errors import UserError
from xpaccel.kernel import Kernel


def kernel(name: str) -> Kernel:
    """Load a Python file and give the kernel in it.

    Parameters
    ----------
    name : str
        For example ``heat.py:diffuse``. The file is executed as a module, so what stands under
        ``if __name__ == "__main__"`` does not run; its folder comes first on `sys.path`, as for a script.

    Raises
    ------
    UserError
        Where the name is not of that form, the file cannot be loaded, or it has no such kernel.
    """
    file, colon, attribute = name.rpartition(":")
    if not colon or not file or not attribute:
        raise UserError(f"cannot read {name!r}: write FILE:KERNEL, as in heat.py:diffuse")
    module = _module(Path(file))
    found = vars(module).get(attribute)
    if isinstance(found, Kernel):
        return found
    if callable(found):
        raise UserError(f"{attribute} in {file} is not a kernel: decorate it with @xpaccel.kernel")
    kernels = [key for key, value in vars(module).items() if isinstance(value, Kernel)]
    if not kernels:
        raise UserError(f"{file} has no kernel: decorate a function with @xpaccel.kernel")
    close = get_close_matches(attribute, kernels, n=1)
    hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(kernels)}"
    raise UserError(f"{file} has no kernel {attribute!r}: {hint}")


def _module(path: Path) -> ModuleType:
    if not path.is_file():
        raise UserError(f"there is no file {path}")
    name = f"__{path.stem}__"  # the file's name alone could hide a module of the same name
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path} is not a Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.resolve().parent))
    sys.modules[name] = module  # dataclasses and pickle look their module up by name
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == str(path)]
        place = f" on line {lines[-1]}" if lines else ""
        raise UserError(f"{path} cannot be loaded: {type(error).__name__}{place}: {error}") from error
    return module
