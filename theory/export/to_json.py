"""Theorems as JSON and back: plain data, so that a checker can rebuild them in a clean process."""

from __future__ import annotations

import dataclasses
import enum
import types
from fractions import Fraction
from typing import Any

from theory import algorithms, certificates, statements
from theory.expressions import terms

_MODULES: tuple[types.ModuleType, ...] = (terms, certificates, statements, algorithms)
CLASSES: dict[str, Any] = {
    name: item
    for module in _MODULES
    for name, item in vars(module).items()
    if isinstance(item, type)
    and item.__module__ == module.__name__
    and (dataclasses.is_dataclass(item) or issubclass(item, enum.Enum))
}


def encode(item: Any) -> Any:
    """Plain JSON data for a theorem or any part of one.

    Raises:
        TypeError: for anything that is not made of the toolkit's frozen data types.
    """
    if item is None or (isinstance(item, bool | int | float | str) and type(item) in _PLAIN):
        return item
    if isinstance(item, Fraction):
        return {"rational": str(item)}
    if isinstance(item, enum.Enum) and CLASSES.get(type(item).__name__) is type(item):
        return {"is": type(item).__name__, "value": item.value}
    if isinstance(item, tuple):
        return [encode(part) for part in item]
    if CLASSES.get(type(item).__name__) is type(item):
        fields = {f.name: encode(getattr(item, f.name)) for f in dataclasses.fields(item)}
        return {"is": type(item).__name__, **fields}
    raise TypeError(f"{type(item).__name__} is not part of the language of theorems")


_PLAIN = (bool, int, float, str)


def decode(data: Any) -> Any:
    """The inverse of `encode`.

    Raises:
        ValueError: for data that `encode` cannot have produced.
    """
    if data is None or type(data) in _PLAIN:
        return data
    if isinstance(data, list):
        return tuple(decode(part) for part in data)
    if isinstance(data, dict) and data.keys() == {"rational"}:
        return Fraction(data["rational"])
    if isinstance(data, dict) and data.get("is") in CLASSES:
        kind = CLASSES[data["is"]]
        if issubclass(kind, enum.Enum):
            return kind(data["value"])
        fields = {name: decode(part) for name, part in data.items() if name != "is"}
        if fields.keys() != {f.name for f in dataclasses.fields(kind)}:
            raise ValueError(f"a {data['is']} has other fields than {sorted(fields)}")
        return kind(**fields)
    raise ValueError(f"not a part of a theorem: {str(data)[:80]}")
