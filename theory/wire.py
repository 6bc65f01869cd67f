"""Theorems as JSON and back: plain data, so that a checker can rebuild them in a clean process."""

from __future__ import annotations

import dataclasses
import enum
import re
import types
from fractions import Fraction
from typing import Any

from theory.trusted import algorithms, certificates, statements, terms
from theory.trusted.wellformed import check_fields

__all__ = ["CLASSES", "RATIONAL", "decode", "encode"]

RATIONAL = re.compile(r"-?[0-9]{1,4000}(/0*[1-9][0-9]{0,3999})?", re.ASCII)
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
    """The inverse of `encode`; every field must be exactly of the type that it declares.

    Raises:
        ValueError: for data that `encode` cannot have produced.
    """
    if data is None or type(data) in _PLAIN:
        return data
    if isinstance(data, list):
        return tuple(decode(part) for part in data)
    if not isinstance(data, dict):
        raise ValueError(f"not a part of a theorem: {str(data)[:80]}")
    if data.keys() == {"rational"}:
        return _rational(data["rational"])
    name = data.get("is")
    kind = CLASSES.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"there is no type {str(name)[:80]!r} in the language of theorems")
    wanted = (
        {"value"} if issubclass(kind, enum.Enum) else {f.name for f in dataclasses.fields(kind)}
    )
    if data.keys() - {"is"} != wanted:
        raise ValueError(f"a {name} has the fields {sorted(wanted)} and no others")
    if issubclass(kind, enum.Enum):
        return kind(data["value"])
    values = {field.name: decode(data[field.name]) for field in dataclasses.fields(kind)}
    check_fields(kind, values)
    return kind(**values)


def _rational(text: Any) -> Fraction:
    if not isinstance(text, str) or not RATIONAL.fullmatch(text):
        raise ValueError(f"not a rational number: {str(text)[:80]!r}")
    return Fraction(text)
