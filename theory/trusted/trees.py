"""Walks through trees of frozen data: replacing nodes, and meeting all of them.  TRUSTED."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from theory.trusted.budget import spend

T = TypeVar("T")


def rebuild(tree: T, rule: Callable[[Any], Any]) -> T:
    """The tree with `rule` applied at every node, top down; a node mapped to None is descended."""
    spend(1)
    replaced = rule(tree)
    if replaced is not None:
        return replaced  # type: ignore[no-any-return]
    if isinstance(tree, tuple):
        return tuple(rebuild(item, rule) for item in tree)  # type: ignore[return-value]
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        old = {f.name: getattr(tree, f.name) for f in dataclasses.fields(tree)}
        return type(tree)(**{name: rebuild(item, rule) for name, item in old.items()})
    return tree


def substitute(tree: T, old: Any, new: Any) -> T:
    """The tree with every occurrence of the node `old` replaced by `new`."""
    return rebuild(tree, lambda node: new if type(node) is type(old) and node == old else None)


def nodes(tree: Any) -> Iterator[Any]:
    """Every node of a tree, itself first."""
    spend(1)
    yield tree
    if isinstance(tree, tuple):
        children: list[Any] = list(tree)
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        children = [getattr(tree, f.name) for f in dataclasses.fields(tree)]
    else:
        return
    for child in children:
        yield from nodes(child)
