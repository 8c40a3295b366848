"""A kernel's arguments written on a command line: ``u:f64[1024,1024] dt=0.1``.

After a colon stands what an argument looks like: a dtype with a shape is an array of zeros, whose memory
the system hands out only when it is touched; tuples, lists and dicts nest; numbers stand for themselves.
After an equals sign stands a plain Python value. Both are read with Python's own parser and never run.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

import numpy as np

from xpaccel.errors import UserError

KINDS = {"i": "int 8 16 32 64", "u": "uint 8 16 32 64", "f": "float 32 64", "c": "complex 64 128"}
SHORT = {
    f"{letter}{size}": f"{kind}{size}"
    for letter, words in KINDS.items()
    for kind, *sizes in [words.split()]
    for size in sizes
}
DTYPES = ("bool", *SHORT.values())
EXAMPLE = "u:f64[1024,1024] dt=0.1"


def parse(texts: Iterable[str]) -> dict[str, object]:
    """Read arguments given as ``NAME:DTYPE[SHAPE]`` or ``NAME=VALUE``.

    Parameters
    ----------
    texts : iterable of str
        For example ``("u:f64[1024,1024]", "pair:(f32[8], f32[8])", "dt=0.1")``. A dtype is a name of the
        array API standard or its short form (``f64``, ``i32``, ``u8``, ``c128``, ``bool``); ``f64[]`` has
        no axes.

    Returns
    -------
    dict
        Name to value; arrays are C-contiguous and hold zeros.

    Raises
    ------
    UserError
        Where one cannot be read: the message says which, why and how it is written.
    """
    named: dict[str, object] = {}
    for text in texts:
        try:
            name, value = _argument(text)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
            reason = "it is no Python expression" if isinstance(error, SyntaxError) else error
            raise UserError(f"cannot read the argument {text!r}: {reason}") from error
        if name in named:
            raise UserError(f"the argument {name!r} is given twice")
        named[name] = value
    return named


def bind(function: Callable[..., Any], named: dict[str, object]) -> inspect.BoundArguments:
    """Put named values in the order of a function's parameters.

    Parameters
    ----------
    function : callable
        The kernel's undecorated function.
    named : dict
        What `parse` gave.

    Raises
    ------
    UserError
        Where a parameter is missing or a name fits none.
    """
    signature = inspect.signature(function)
    title = f"{function.__name__}({', '.join(signature.parameters)})"
    for name in named:
        if name not in signature.parameters:
            close = get_close_matches(name, signature.parameters, n=1)
            raise UserError(f"{title} takes no argument {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
    given, by_name = [], dict(named)
    for parameter in signature.parameters.values():
        match parameter.kind:
            case parameter.VAR_POSITIONAL | parameter.VAR_KEYWORD:
                raise UserError(f"{title} takes any number of arguments (*): this command needs named ones")
            case parameter.POSITIONAL_ONLY if parameter.name in by_name:
                given.append(by_name.pop(parameter.name))
    try:
        return signature.bind(*given, **by_name)
    except TypeError as error:
        raise UserError(f"{title}: {error}; give each as in {EXAMPLE}") from error


def _argument(text: str) -> tuple[str, object]:
    parts = re.fullmatch(r"\s*(\w+)\s*([:=])\s*(.+)", text, re.DOTALL)
    if parts is None or not parts[1].isidentifier():
        raise ValueError(f"write NAME:DTYPE[SHAPE] or NAME=VALUE, as in {EXAMPLE}")
    name, mark, expression = parts.groups()
    if mark == ":":
        # f64[] is no Python; f64[()], no axes, is
        return name, _look(ast.parse(re.sub(r"(?<=\w)\[\s*\]", "[()]", expression), mode="eval").body)
    tree = ast.parse(expression, mode="eval").body
    try:
        return name, ast.literal_eval(tree)
    except ValueError:
        hint = f"; an array is written {name}:{expression}" if isinstance(tree, ast.Subscript) else ""
        raise ValueError(f"{expression} is not a plain Python value{hint}") from None


def _look(tree: ast.expr) -> object:
    match tree:
        case ast.Subscript(value=ast.Name(id=name), slice=extents):
            return np.zeros(_shape(extents), _dtype(name))
        case ast.Name(id=name):
            raise ValueError(f"{_dtype(name)} needs a shape: write {name}[1024,1024], or {name}[] for no axes")
        case ast.Tuple(elts=items):
            return tuple(_look(item) for item in items)
        case ast.List(elts=items):
            return [_look(item) for item in items]
        case ast.Dict(keys=keys, values=values):
            return {ast.literal_eval(key or ""): _look(value) for key, value in zip(keys, values, strict=True)}
    return ast.literal_eval(tree)


def _dtype(name: str) -> str:
    full = SHORT.get(name, name)
    if full not in DTYPES:
        close = get_close_matches(name, (*DTYPES, *SHORT), n=1)
        raise ValueError(f"{name} is no dtype; " + (f"did you mean {close[0]}?" if close else f"there are {DTYPES}"))
    return full


def _shape(extents: ast.expr) -> tuple[int, ...]:
    shape = []
    for extent in extents.elts if isinstance(extents, ast.Tuple) else [extents]:
        match extent:
            case ast.Constant(value=int(size)) if not isinstance(size, bool):
                shape.append(size)
            case _:
                raise ValueError(f"{ast.unparse(extent)} is not the size of an axis: write a whole number")
    return tuple(shape)
