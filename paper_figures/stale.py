"""Whether a table is still what its command computes, and how one that is not can be verified."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from paper_figures.build import compute_table, read_built, statements, wanted_runs
from paper_figures.provenance import checkout, environment
from paper_figures.recipes import FUNCTIONS, Recipe
from paper_figures.runs import RunStore, atomic_write
from paper_figures.statements import digests, sees_all
from paper_figures.tables import from_csv

__all__ = ["changes", "command", "differences", "verify"]

#: How far numbers may be apart, relative: sums in another order, not another formula.
TOLERANCE = 1e-9


def command(recipe: Recipe, manifest: Mapping[str, Any]) -> str:
    """What builds a table again."""
    known = manifest.get("command")
    if isinstance(known, str):
        return known
    options = recipe.options(manifest["preset"], manifest.get("parameters", {}))
    return f"sam-figures build {recipe.name} {options}"


def changes(recipe: Recipe, manifest: Mapping[str, Any]) -> list[str]:
    """What has changed since a table was computed, or verified: code and statements, in words."""
    if isinstance(manifest.get("code"), Mapping) and manifest.get("statements") is not None:
        records = [manifest, *manifest.get("verified", ())]
    else:
        records = list(manifest.get("verified", ()))
    if not records:
        return ["it does not say by which code"]
    present = recipe.versions()
    found = [_changes(recipe, record, present) for record in records]
    return min(found, key=len)


def _changes(recipe: Recipe, record: Mapping[str, Any], present: Mapping[str, str]) -> list[str]:
    changed = [
        f"the code of {name}" for name in FUNCTIONS if record["code"].get(name) != present[name]
    ]
    for name in FUNCTIONS:
        recorded = record["statements"].get(name, {})
        now = digests(recorded, sees_all(getattr(recipe, name)))
        changed += [f"the statement {one}" for one in recorded if recorded[one] != now[one]]
    return list(dict.fromkeys(changed))


def differences(old: str, new: str) -> float:
    """The largest relative difference of two tables in the columns of the old one.

    Infinite where texts or the number of rows differ, or a column is no longer there.
    """
    first, second = from_csv(old), from_csv(new)
    columns = list(first[0])
    if len(first) != len(second) or not set(columns) <= set(second[0]):
        return math.inf
    kept = [{name: row[name] for name in columns} for row in second]
    values, others = list(_fields(first)), list(_fields(kept))
    if len(values) != len(others):
        return math.inf
    return max(map(_apart, values, others))


def _fields(rows: list[dict[str, Any]]) -> Iterator[Any]:
    for row in rows:
        for value in row.values():
            parts = value.split("; ") if isinstance(value, str) else [value]
            try:
                yield from map(float, parts)
            except (TypeError, ValueError):
                yield value


def _apart(one: Any, other: Any) -> float:
    if one == other or (one != one and other != other):
        return 0.0
    if not isinstance(one, float) or not isinstance(other, float):
        return math.inf
    return abs(one - other) / max(abs(one), abs(other))


def verify(
    recipe: Recipe, origin: str, folder: Path, reference: Path, store: RunStore, executor: Executor
) -> float:
    """Show that the present code computes what the code of a stored table does, and record it.

    The reference is a build of a cheaper preset by the code of the table, on this machine: all of
    its runs are computed again by the present code.  The stored table itself must still ask for the
    runs that it holds.

    Args:
        recipe: the figure.
        origin: where it is defined.
        folder: of the stored table.
        reference: the folder of the other build.
        store: an empty one, so that all runs are computed.
        executor: where they are computed.

    Returns:
        The largest relative difference from the reference.

    Raises:
        ValueError: if the reference is by other code than the table, the runs are not those of the
            table, or the numbers differ.
    """
    _, manifest = read_built(recipe, folder)
    text, made = read_built(recipe, reference)
    again = f"rebuild it with `{command(recipe, manifest)}`"
    trusted = [manifest["code"], *(one["code"] for one in manifest.get("verified", ()))]
    if not any(_same(made["code"], code) for code in trusted):
        raise ValueError(f"{reference} was built by other code than {folder}: {again}")
    runs, wanted = wanted_runs(recipe, manifest["parameters"])
    # Data that is computed may differ in rounding from that of another processor.
    described = [run.as_dict() for run in runs]
    other = f"{recipe.name} asks for other runs than"
    _compare_runs(
        described, manifest["runs"], ["parameters", "seed"], f"{other} its table: {again}"
    )
    new = compute_table(recipe, origin, made["parameters"], store=store, executor=executor)
    computed = [record.run.as_dict() for record in new.report.records]
    known = ["parameters", "seed", "data"]
    _compare_runs(computed, made["runs"], known, f"{other} {reference}: {again}")
    apart = differences(text, new.text)
    if not apart <= TOLERANCE:
        raise ValueError(f"{recipe.name} differs from {reference} by {apart:.2g}: {again}")
    absent = [name for name in from_csv(new.text)[0] if name not in from_csv(text)[0]]
    read = {"runs": wanted, "compute": statements(runs), "table": new.statements["table"]}
    manifest["verified"] = [
        {
            "how": f"the preset {made['preset']} built by the code of the table and by the present",
            "code": new.code,
            "statements": read,
            "runs": len(new.report.records),
            "max_difference": apart,
            "columns_without_reference": absent,
            "environment": environment(),
            "checkout": checkout(),
            "reference": {"code": made["code"], "environment": made["runs"][0]["environment"]},
        }
    ]
    path = folder / f"{recipe.name}.json"
    atomic_write(path, json.dumps(manifest, indent=1).encode())
    return apart


def _same(first: Any, second: Any) -> bool:
    """Whether two records of code agree in all that a table depends on."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return all(first[name] == second[name] for name in FUNCTIONS)
    return bool(first == second)


def _compare_runs(
    asked: Sequence[Any], stored: Sequence[Any], fields: Sequence[str], complaint: str
) -> None:
    """Raise unless runs agree in these fields, numbers up to rounding."""
    first, second = ([[run[field] for field in fields] for run in runs] for runs in (asked, stored))
    if not _near(first, second):
        raise ValueError(complaint)


def _near(first: Any, second: Any) -> bool:
    """Whether two JSON values are the same up to the rounding of floats."""
    if isinstance(first, float) and isinstance(second, float):
        return _apart(first, second) <= TOLERANCE
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(_near(first[k], second[k]) for k in first)
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        return len(first) == len(second) and all(map(_near, first, second))
    return bool(first == second)
