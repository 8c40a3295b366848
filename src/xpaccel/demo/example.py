"""The module ``examples/flood.py``: the very file that a reader of the examples opens."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from xpaccel.errors import XpaccelError

NAME = "xpaccel.demo.flood"


def load() -> ModuleType:
    """Give the example as the module ``xpaccel.demo.flood``.

    A wheel holds the file beside this one. A checkout (also one that is installed editable) has it in
    ``examples/``, where it stays the only copy.

    Raises
    ------
    XpaccelError
        Where it is in neither place.
    """
    if NAME in sys.modules:
        return sys.modules[NAME]
    if importlib.util.find_spec(NAME) is not None:
        return importlib.import_module(NAME)
    path = Path(__file__).resolve().parents[3] / "examples" / "flood.py"
    spec = importlib.util.spec_from_file_location(NAME, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise XpaccelError(f"the flood's kernels are missing: neither {NAME} is installed nor is there {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[NAME]
        raise
    return module
