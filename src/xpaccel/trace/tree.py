"""Nested arguments and results as a flat list of leaves and a hashable description of the nesting."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any


class TreeDef:
    """How leaves are nested in tuples, lists, dicts, named tuples and dataclasses; hashable.

    Parameters
    ----------
    type
        The container's type; None for a leaf.
    keys
        The dict's keys, or the names of the dataclass's fields and of what else the instance holds.
    children
        One tree for each item.
    """

    __slots__ = ("_hash", "children", "keys", "size", "type")

    def __init__(self, type: type[Any] | None, keys: tuple[Any, ...], children: tuple[TreeDef, ...]) -> None:
        self.type = type
        self.keys = keys
        self.children = children
        self.size: int = 1 if type is None else sum([child.size for child in children])
        self._hash = hash((type, keys, children))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            isinstance(other, TreeDef)
            and self._hash == other._hash
            and self.type is other.type
            and self.keys == other.keys
            and list(map(type, self.keys)) == list(map(type, other.keys))  # 1 and 1.0 are equal keys
            and self.children == other.children
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return TreeDef, (self.type, self.keys, self.children)  # hashes differ between processes

    def __repr__(self) -> str:
        if self.type is None:
            return "*"
        names = self.keys or ("",) * len(self.children)
        items = (
            f"{name!r}: {child}" if name != "" else f"{child}" for name, child in zip(names, self.children, strict=True)
        )
        return f"{self.type.__name__}({', '.join(items)})"

    def unflatten(self, leaves: Sequence[Any]) -> Any:
        """Return the nested object with these leaves.

        Parameters
        ----------
        leaves
            As many as `size`, in the order of `flatten`.

        Returns
        -------
        object
            Containers are made anew; a dataclass without running its ``__init__``, since its
            checks are written for arrays and not for what stands in for them.
        """
        position = 0

        def build(tree: TreeDef) -> Any:
            nonlocal position
            if tree.type is None:
                position += 1
                return leaves[position - 1]
            items = [build(child) for child in tree.children]
            if tree.type is tuple:
                return tuple(items)
            if tree.type is list:
                return items
            if issubclass(tree.type, dict):
                return tree.type(zip(tree.keys, items, strict=True))
            if issubclass(tree.type, tuple):
                return tree.type(*items)
            made = object.__new__(tree.type)
            for key, item in zip(tree.keys, items, strict=True):
                object.__setattr__(made, key, item)
            return made

        return build(self)


LEAF = TreeDef(None, (), ())

#: What kind of container a type is, "" for none; filled as types are met.
_kinds: dict[type[Any], str] = {tuple: "sequence", list: "sequence", dict: "dict", OrderedDict: "dict"}
for _leaf in (int, float, complex, bool, str, type(None)):
    _kinds[_leaf] = ""


#: Trees met before, by type, keys, their types and the identity of their children, which they keep alive.
_trees: dict[tuple[type[Any], tuple[Any, ...], tuple[type[Any], ...], tuple[int, ...]], TreeDef] = {}
_MOST = 1000


def _kind(cls: type[Any]) -> str:
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        kind = "sequence"
    elif dataclasses.is_dataclass(cls) and not hasattr(cls, "__array_namespace__") and not hasattr(cls, "__array__"):
        kind = "dataclass"
    else:
        kind = ""
    _kinds[cls] = kind
    return kind


def flatten(obj: Any) -> tuple[list[Any], TreeDef]:
    """Return the leaves of `obj` in order, and how they were nested.

    Parameters
    ----------
    obj
        Tuples, lists, dicts, named tuples and dataclasses, nested; everything else is a leaf.

    Returns
    -------
    leaves : list
    tree : TreeDef
        ``tree.unflatten(leaves)`` is `obj` again.
    """
    leaves: list[Any] = []
    append = leaves.append
    kinds, known = _kinds, _trees

    def walk(item: Any) -> TreeDef:
        cls = item.__class__
        kind = kinds.get(cls)
        if kind is None:
            kind = _kind(cls)
        if not kind:
            append(item)
            return LEAF
        keys: tuple[Any, ...] = ()
        items = item
        if kind == "dict":
            keys, items = tuple(item), item.values()
        elif kind == "dataclass":
            keys = tuple([field.name for field in dataclasses.fields(item)])
            keys += tuple([name for name in getattr(item, "__dict__", ()) if name not in keys])  # set in __post_init__
            items = [getattr(item, name) for name in keys]
        children = []
        for child in items:
            if kinds.get(child.__class__) == "":
                append(child)
                children.append(LEAF)
            else:
                children.append(walk(child))
        key = (cls, keys, tuple(map(type, keys)), tuple([id(child) for child in children]))
        tree = known.get(key)
        if tree is None:
            tree = TreeDef(cls, keys, tuple(children))
            if len(known) >= _MOST:
                known.clear()
            known[key] = tree
        return tree

    tree = walk(obj)
    return leaves, tree
