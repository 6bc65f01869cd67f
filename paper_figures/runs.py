"""A keyed, atomic, resumable store of runs, and the loop that fills it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Executor, Future, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from numerics.progress import console
from paper_figures.canonical import canonical_json, sha256
from paper_figures.provenance import environment

__all__ = [
    "Execution",
    "Record",
    "Run",
    "RunFailed",
    "RunStore",
    "atomic_write",
    "execute",
    "seed_of",
]

#: Temporary files older than this many seconds were left by a killed process.
STALE_AFTER = 3600.0


@dataclass(frozen=True)
class Run:
    """The whole input of one computation.

    Attributes:
        parameters: everything the result depends on except the two below; JSON values only.
        seed: the seed of its random numbers, None where it uses none.
        data: the fingerprint of the data it reads, empty where it reads none.
        device: where it is to be computed, `cpu` or `cuda`; they differ in rounding.
        theorems: the ids of the statements of the library that it reads; it gets no others.
        statements: their digests, which the build fills in.
    """

    parameters: Mapping[str, Any]
    seed: int | None = None
    data: str = ""
    device: str = "cpu"
    theorems: tuple[str, ...] = ()
    statements: Mapping[str, str] = field(default_factory=dict)

    def key(self, recipe: str, version: str) -> str:
        """The name of the result: SHA-256 over the recipe, this input and the code's version.

        Raises:
            ValueError: if a parameter has no JSON form.
        """
        identity = {"recipe": recipe, "version": version, **self.as_dict()}
        return sha256(canonical_json(identity))

    def as_dict(self) -> dict[str, Any]:
        """The fields, for keys and manifests: the device where it is not the CPU, and digests."""
        more: dict[str, Any] = {} if self.device == "cpu" else {"device": self.device}
        if self.statements:
            more["statements"] = dict(self.statements)
        return {
            "parameters": dict(self.parameters),
            "seed": self.seed,
            "data": self.data,
            **more,
        }


def seed_of(run: Run) -> int:
    """The seed of a run that has one.

    Raises:
        ValueError: if it has none.
    """
    if run.seed is None:
        raise ValueError("the run has no seed and is computed with one: give Run a seed")
    return run.seed


@dataclass(frozen=True)
class Record:
    """One finished run.

    Attributes:
        run: its input.
        result: what was computed, as JSON gives it back (lists, never arrays).
        key: its name in the store.
        seconds: wall-clock time of the computation.
        environment: versions and machine that computed it.
    """

    run: Run
    result: dict[str, Any]
    key: str
    seconds: float
    environment: dict[str, str]


class Execution(NamedTuple):
    """What `execute` did: the records in the order of the runs, and how they came about."""

    records: tuple[Record, ...]
    computed: int
    reused: int


class _Computed(NamedTuple):
    """What comes back from where a run was computed."""

    result: dict[str, Any]
    seconds: float
    environment: dict[str, str]


class RunFailed(RuntimeError):
    """A computation raised; the finished runs are in the store."""


class RunStore:
    """One JSON file per finished run, `FOLDER/RECIPE/KEY.json`, with a digest of its content.

    A file is complete or absent: it is written beside its final place and then renamed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, recipe: str, key: str) -> Path:
        """Where the run of that key is, or would be."""
        return self.folder / recipe / f"{key}.json"

    def load(self, recipe: str, key: str, run: Run) -> Record | None:
        """The stored record, or None when there is none.

        Raises:
            ValueError: if the file is there and damaged; the message names it.
        """
        path = self.path(recipe, key)
        try:
            content = json.loads(path.read_bytes())
            digest = content.pop("sha256")
            if digest != sha256(canonical_json(content)) or content["key"] != key:
                raise ValueError("its digest does not match")
            fields = (content["result"], key, content["seconds"], content["environment"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise ValueError(f"{path} is damaged ({error})") from None
        return Record(run, *fields)

    def save(self, recipe: str, record: Record) -> None:
        """Write one record atomically."""
        content = {
            "key": record.key,
            "recipe": recipe,
            **record.run.as_dict(),
            "result": record.result,
            "seconds": record.seconds,
            "environment": record.environment,
        }
        content["sha256"] = sha256(canonical_json(content))
        text = json.dumps(content, indent=1, allow_nan=False)
        atomic_write(self.path(recipe, record.key), text.encode())


def atomic_write(path: Path, data: bytes) -> None:
    """Put data at path, creating its folder: at every instant the old file or the new one.

    Raises:
        OSError: if the folder cannot be written; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime > STALE_AFTER:
                leftover.unlink()
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def execute(
    recipe: str,
    version: str,
    compute: Callable[[Run], Mapping[str, Any]],
    runs: Sequence[Run],
    store: RunStore,
    executor: Executor,
    *,
    force: bool = False,
) -> Execution:
    """Fetch every run from the store, computing and storing the ones that are not there.

    Each result is stored as soon as it is known, so an interrupt or a kill loses at most the runs
    in flight. After a failure, runs in flight are finished and stored, others are not started.

    Args:
        recipe: the name of the figure, part of each key.
        version: the version of the code, part of each key.
        compute: run -> mapping of JSON values and numpy arrays; picklable for other processes.
        runs: what is wanted; identical ones are computed once.
        store: where results live.
        executor: where they are computed.
        force: compute again what is stored.

    Raises:
        RunFailed: if a computation raised, or returned something that is not finite JSON.
    """
    keys = [run.key(recipe, version) for run in runs]
    records: dict[str, Record] = {}
    for key, run in zip(keys, runs, strict=True):
        if not force and key not in records:
            try:
                record = store.load(recipe, key, run)
            except ValueError as damage:
                print(f"{damage}: computing it again", file=sys.stderr)
                continue
            if record is not None:
                records[key] = record
    reused = len(records)
    missing = {key: run for key, run in zip(keys, runs, strict=True) if key not in records}
    with _progress(recipe, len(missing)) as advance:

        def keep(key: str, outcome: _Computed) -> None:
            records[key] = Record(missing[key], key=key, **outcome._asdict())
            store.save(recipe, records[key])
            advance()

        _compute_all(compute, missing, executor, keep)
    return Execution(tuple(records[key] for key in keys), len(missing), reused)


def _compute_all(
    compute: Callable[[Run], Mapping[str, Any]],
    missing: Mapping[str, Run],
    executor: Executor,
    keep: Callable[[str, _Computed], None],
) -> None:
    """Hand every outcome to `keep` as soon as it is known; stop starting runs after a failure."""
    waiting: dict[Future[_Computed], str] = {}
    failures: list[tuple[Run, Exception]] = []

    def take(future: Future[_Computed]) -> None:
        key = waiting.pop(future)
        try:
            outcome = future.result()
        except CancelledError:
            return
        except Exception as error:
            failures.append((missing[key], error))
            for other in waiting:
                other.cancel()
            return
        keep(key, outcome)

    try:
        for key, run in missing.items():
            future = executor.submit(_timed, compute, run)
            waiting[future] = key
            if future.done():
                take(future)
            if failures:
                break
        for future in as_completed(tuple(waiting)):
            take(future)
    finally:
        for future in waiting:
            future.cancel()
    if failures:
        run, error = failures[0]
        what = canonical_json(run.as_dict())
        raise RunFailed(f"{type(error).__name__}: {error} (in the run {what})") from error


def _timed(compute: Callable[[Run], Mapping[str, Any]], run: Run) -> _Computed:
    """Compute one run where the executor put it; arrays become lists there."""
    start = time.perf_counter()
    result = {}
    with contextlib.redirect_stderr(_NoBars(sys.stderr)):
        computed = compute(run)
    for name, value in computed.items():
        plain = value.tolist() if hasattr(value, "tolist") else value
        try:
            # Through text, so that a fresh result and a stored one are the same values.
            result[name] = json.loads(canonical_json(plain))
        except ValueError as error:
            raise ValueError(f"the result {name!r} is not finite JSON: {error}") from None
    return _Computed(result, time.perf_counter() - start, environment())


class _NoBars(io.TextIOBase):
    """A stream that is no terminal: one bar counts the runs, none is drawn inside them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Pass warnings and the like on."""
        return self._stream.write(text)

    def flush(self) -> None:
        """Pass on."""
        self._stream.flush()


@contextlib.contextmanager
def _progress(title: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr, where somebody looks at it; yields the function that advances it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    shown = console()
    hidden = total == 0 or not shown.is_terminal
    with Progress(*columns, console=shown, disable=hidden) as bar:
        task = bar.add_task(title, total=total)
        yield lambda: bar.advance(task)
