"""Benchmark results as Markdown tables, between two markers of a document."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

__all__ = ["write_tables"]

BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"


def write_tables(results: Path, document: Path) -> None:
    """Replace what stands between the markers by the tables of all exact and moments results."""
    text = document.read_text()
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    files = sorted([*results.glob("exact-*.json"), *results.glob("moments-*.json")])
    tables = "\n".join(table(path.stem, json.loads(path.read_text())) for path in files)
    document.write_text(f"{head}{BEGIN}\n{tables}\n{END}{tail}")


def table(name: str, result: dict[str, Any]) -> str:
    """One result: its setting, then a row for each method."""
    machine = result["machine"]
    ours = _median(result["rows"][0])
    quiet = "quiet" if machine["quiet"] else f"shared (load {machine['load_before']})"
    lines = [
        f"**{name}**: d = {result['parameters']}, n = {result['samples']}; {machine['device']}, "
        f"{machine['threads']} threads, torch {machine['torch']}, machine {quiet}.",
        "",
        "| method | seconds | over ours | CPU seconds | difference |",
        "| --- | --: | --: | --: | --: |",
    ]
    for row in result["rows"]:
        seconds, label = _median(row), row["method"]
        if seconds is None:
            lines.append(f"| {label} | {row['version']} | | | |")
            continue
        mark = " (extrapolated)" if not row["wall"] else ""
        cpu = f"{statistics.median(row['cpu']):.3g}" if row["cpu"] else ""
        lines.append(
            f"| {label}{mark} | {seconds:.3g} | {seconds / ours:.3g} | {cpu} "
            f"| {row['difference'] or 0:.1e} |"
        )
    if "floor_seconds" in result:
        floor = result["floor_seconds"]
        lines.append(
            f"| *n d² operations at the measured rate* | {floor:.3g} | {floor / ours:.2g} | | |"
        )
    if "relative_error_bound" in result:
        lines += ["", f"Largest relative error bound: {result['relative_error_bound']:.1e}."]
    if "note" in result:
        lines += ["", f"Extrapolated, {result['note']}."]
    return "\n".join(lines) + "\n"


def _median(row: dict[str, Any]) -> float | None:
    if row["wall"]:
        return statistics.median(row["wall"])
    return row.get("wall_extrapolated")
