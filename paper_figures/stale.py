"""Whether a table is still what its command computes, and how one that is not can be verified."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from paper_figures.build import compute_table, read_built, statements, wanted_runs
from paper_figures.canonical import canonical_json
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
    return f"python -m paper_figures build {recipe.name} {options}"


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
    """The largest relative difference of two tables; infinite where text or shape differ."""
    if old == new:
        return 0.0
    first, second = from_csv(old), from_csv(new)
    if len(first) != len(second) or list(first[0]) != list(second[0]):
        return math.inf
    pairs = zip(_fields(first), _fields(second), strict=False)
    return max(_apart(one, other) for one, other in pairs)


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
    _compare_runs(runs, manifest, again)
    new = compute_table(recipe, origin, made["parameters"], store=store, executor=executor)
    apart = differences(text, new.text)
    if not apart <= TOLERANCE:
        raise ValueError(f"{recipe.name} differs from {reference} by {apart:.2g}: {again}")
    read = {"runs": wanted, "compute": statements(runs), "table": new.statements["table"]}
    manifest["verified"] = [
        {
            "how": f"the preset {made['preset']} built by the code of the table and by the present",
            "code": new.code,
            "statements": read,
            "runs": len(new.report.records),
            "max_difference": apart,
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


def _compare_runs(runs: Any, manifest: Mapping[str, Any], again: str) -> None:
    """Raise unless these runs are those of the manifest."""
    fields = ("parameters", "seed", "data")
    asked, stored = (
        [canonical_json([run[field] for field in fields]) for run in several]
        for several in ([run.as_dict() for run in runs], manifest["runs"])
    )
    if asked != stored:
        raise ValueError(f"{manifest['figure']} asks for other runs than its table has: {again}")
