"""The table between a computation and its drawing, as CSV text that loses nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

__all__ = ["Row", "Value", "from_csv", "from_one_field", "in_one_field", "to_csv"]

Value: TypeAlias = str | int | float | None
Row: TypeAlias = dict[str, Any]
"""Column -> value of one line of a CSV; `to_csv` refuses what is no `Value`."""


def to_csv(rows: Sequence[Row]) -> str:
    r"""CSV text with a header; floats by their shortest exact form, None as an empty field.

    Example:
        >>> to_csv([{"t": 0, "loss": 0.1}, {"t": 1, "loss": None}])
        't,loss\n0,0.1\n1,\n'

    Raises:
        ValueError: if there are no rows, columns differ, a value is not text or a number, or a
            text would come back as something else.
    """
    if not rows:
        raise ValueError("the table has no rows: a figure needs at least one")
    columns = list(rows[0])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for number, row in enumerate(rows):
        if row.keys() != rows[0].keys():
            raise ValueError(f"row {number} has columns {list(row)}: expected {columns}")
        writer.writerow([_format(row[column], column) for column in columns])
    return text.getvalue()


def from_csv(text: str) -> list[Row]:
    """The rows that `to_csv` wrote.

    Raises:
        ValueError: if the text is not such a table.
    """
    lines = list(csv.reader(io.StringIO(text)))
    if len(lines) < 2 or any(len(line) != len(lines[0]) for line in lines):
        raise ValueError("the CSV is empty or its rows differ in length: build the figure again")
    header, *body = lines
    return [dict(zip(header, map(_parse, line), strict=True)) for line in body]


def in_one_field(numbers: Iterable[float]) -> str:
    """Numbers of the same quantity, one for each seed, in a field of a table.

    Example:
        >>> in_one_field([0.1, -2.0])
        '0.1; -2.0'
    """
    return "; ".join(repr(float(number)) for number in numbers)


def from_one_field(field: Value) -> list[float]:
    """The numbers that `in_one_field` wrote.

    Raises:
        ValueError: if the field does not hold numbers.
    """
    return [float(number) for number in str(field).split(";")]


def _format(value: Value, column: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        raise ValueError(f"column {column!r} holds {value!r}: use text, a number or None")
    if value is None:
        return ""
    if isinstance(value, str):
        if _parse(value) != value:
            raise ValueError(f"column {column!r}: the text {value!r} reads as a number or nothing")
        return value
    return repr(float(value)) if isinstance(value, float) else str(int(value))


def _parse(field: str) -> Value:
    if not field:
        return None
    for kind in (int, float):
        try:
            return kind(field)
        except ValueError:
            continue
    return field
