"""Turn a recipe into NAME.csv, NAME.pdf, NAME.png and the manifest NAME.json."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from paper_figures import style
from paper_figures.canonical import sha256
from paper_figures.provenance import checkout, code_version, environment
from paper_figures.recipes import Compute, Recipe
from paper_figures.runs import Execution, Run, RunStore, atomic_write, execute
from paper_figures.statements import Reads, declared, reading, sees_all
from paper_figures.tables import from_csv, to_csv

__all__ = [
    "Built",
    "Table",
    "build",
    "compute_table",
    "read_built",
    "redraw",
    "statements",
    "wanted_runs",
]

# Without these entries a file's bytes depend on what is drawn only, not on the time.
_TIMELESS: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None, "ModDate": None},
    "png": {"Software": None},
}


@dataclass(frozen=True)
class Built:
    """What was written, and how many of its runs were computed and reused."""

    name: str
    folder: Path
    computed: int
    reused: int
    seconds: float


def build(
    recipe: Recipe,
    origin: str,
    parameters: Mapping[str, Any],
    *,
    preset: str,
    store: RunStore,
    executor: Executor,
    out: Path,
    device: str = "cpu",
    force: bool = False,
) -> Built:
    """Compute what is missing, then write the four files; on any failure none of them changes.

    Args:
        recipe: the figure.
        origin: where it is defined, so that other processes find it (see `Compute`).
        parameters: as `Recipe.parameters` gives them.
        preset: the name they came from, for the manifest.
        store: the finished runs.
        executor: where missing runs are computed.
        out: the folder of the four files.
        device: where to compute missing runs, if the recipe has a choice.
        force: compute again what is stored.

    Raises:
        RunFailed: if a computation failed.
        ValueError: if the recipe's table or drawing is malformed.
    """
    start = time.perf_counter()
    made = compute_table(
        recipe, origin, parameters, store=store, executor=executor, device=device, force=force
    )
    csv_text, report = made.text, made.report
    drawings = _draw(recipe, csv_text)
    seconds = time.perf_counter() - start
    target = origin if origin.endswith(".py") else recipe.name
    where = f" --device {device}" if recipe.on_gpu and device != "cpu" else ""
    manifest = {
        "figure": recipe.name,
        "title": recipe.title,
        "caption": recipe.caption,
        "preset": preset,
        "parameters": dict(parameters),
        "command": f"sam-figures build {target} {recipe.options(preset, parameters)}{where}",
        "checkout": checkout(),
        "code": made.code | {"draw": code_version(recipe.draw)},
        "statements": made.statements,
        "computed": report.computed,
        "reused": report.reused,
        "seconds": seconds,
        "runs": _provenance(recipe.name, report),
    }
    _write(out, recipe.name, csv_text, drawings, manifest)
    return Built(recipe.name, out, report.computed, report.reused, seconds)


@dataclass(frozen=True)
class Table:
    """A table with what it depends on.

    Attributes:
        text: as CSV.
        report: the runs.
        code: name of a function of the recipe -> version of the code that it reaches.
        statements: the same name -> digests of the statements that it read.
    """

    text: str
    report: Execution
    code: dict[str, str]
    statements: dict[str, dict[str, str]]


def compute_table(
    recipe: Recipe,
    origin: str,
    parameters: Mapping[str, Any],
    *,
    store: RunStore,
    executor: Executor,
    device: str = "cpu",
    force: bool = False,
) -> Table:
    """Compute what is missing and make the table; arguments and errors are those of `build`."""
    code = recipe.versions()
    runs, wanted = wanted_runs(recipe, parameters)
    if recipe.on_gpu:
        runs = [replace(run, device=device) for run in runs]
    version = code["compute"]
    compute = Compute(origin, version)
    report = execute(recipe.stored_under, version, compute, runs, store, executor, force=force)
    reads = Reads(sees_all(recipe.table))
    with reading(reads):
        text = to_csv(recipe.table(parameters, report.records))
    read = {"runs": wanted, "compute": statements(runs), "table": reads.read}
    return Table(text, report, code, read)


def wanted_runs(recipe: Recipe, parameters: Mapping[str, Any]) -> tuple[list[Run], dict[str, str]]:
    """The runs with the digests of what they declare, and of the statements that chose them."""
    chosen = Reads(sees_all(recipe.runs))
    with reading(chosen):
        runs = list(recipe.runs(parameters))
    return [declared(run, recipe.compute) for run in runs], chosen.read


def statements(runs: Sequence[Run]) -> dict[str, str]:
    """The digests of everything that the runs declare."""
    return {name: digest for run in runs for name, digest in run.statements.items()}


def read_built(recipe: Recipe, out: Path) -> tuple[str, dict[str, Any]]:
    """The CSV text and the manifest of a figure built before.

    Raises:
        ValueError: if one of them is missing or damaged, or the CSV is not the one built.
    """
    table, description = (out / f"{recipe.name}.{kind}" for kind in ("csv", "json"))
    try:
        csv_bytes = table.read_bytes()
        manifest = json.loads(description.read_bytes())
        recorded = manifest["files"][table.name]
    except (OSError, ValueError, LookupError, TypeError):
        raise ValueError(
            f"{table} and its manifest are not both there to redraw: build {recipe.name} first"
        ) from None
    if sha256(csv_bytes) != recorded:
        raise ValueError(f"{table} is not what was computed: build {recipe.name} again")
    return csv_bytes.decode(), manifest


def redraw(recipe: Recipe, out: Path) -> Built:
    """Draw the CSV in `out` again, under the recipe's present caption; nothing is computed.

    Raises:
        ValueError: as `read_built`.
    """
    start = time.perf_counter()
    csv_text, manifest = read_built(recipe, out)
    manifest |= {"title": recipe.title, "caption": recipe.caption}
    if isinstance(manifest.get("code"), dict):
        manifest["code"]["draw"] = code_version(recipe.draw)
    _write(out, recipe.name, csv_text, _draw(recipe, csv_text), manifest)
    return Built(recipe.name, out, 0, 0, time.perf_counter() - start)


def _draw(recipe: Recipe, csv_text: str) -> dict[str, bytes]:
    """The drawing in each format, from nothing but the CSV text."""
    drawings: dict[str, bytes] = {}
    with style.applied():
        figure = recipe.draw(from_csv(csv_text))
        for kind, metadata in _TIMELESS.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, metadata=metadata)
            drawings[kind] = buffer.getvalue()
    return drawings


def _provenance(name: str, report: Execution) -> list[dict[str, Any]]:
    """What the manifest says of every run; the results themselves are in the CSV."""
    described = []
    for record in report.records:
        if "device" not in record.result:
            raise ValueError(f"figure {name}: compute must return a `device`, e.g. 'cpu'")
        described.append(
            {
                "key": record.key,
                **record.run.as_dict(),
                "device": record.result["device"],
                "seconds": record.seconds,
                "environment": record.environment,
            }
        )
    return described


def _write(
    out: Path,
    name: str,
    csv_text: str,
    drawings: Mapping[str, bytes],
    manifest: Mapping[str, Any],
) -> None:
    """Write each file atomically, the manifest with the digests of the others last."""
    files = {f"{name}.csv": csv_text.encode()}
    files |= {f"{name}.{kind}": data for kind, data in drawings.items()}
    drawn_with = environment()
    digests = {path: sha256(data) for path, data in files.items()}
    text = json.dumps({**manifest, "drawn_with": drawn_with, "files": digests}, indent=1)
    for path, data in {**files, f"{name}.json": text.encode()}.items():
        atomic_write(out / path, data)
