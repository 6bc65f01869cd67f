"""A figure is a recipe; the recipes are found, not listed."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paper_figures.provenance import code_version
from paper_figures.runs import Record, Run
from paper_figures.tables import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FUNCTIONS", "PRESETS", "Compute", "Recipe", "discover", "load"]

#: From seconds on any machine, over minutes on a laptop, to the published settings.
PRESETS = ("smoke", "laptop", "paper")
#: The functions of a recipe that its table depends on.
FUNCTIONS = ("runs", "compute", "table")


@dataclass(frozen=True)
class Recipe:
    """One figure: what to compute, which table that gives, and how the table is drawn.

    Attributes:
        name: its identifier, also the name of its files.
        title: one line for the list.
        caption: what a reader of the paper needs to know, the algorithm and the data included.
        presets: preset name -> parameters (JSON values), for each of `PRESETS`. Parameters that
            hold `seeds` let the user choose them.
        runs: parameters -> the computations needed.
        compute: one of them -> named results; a top-level function. The result `device` says where
            it was computed.
        table: parameters and finished computations -> rows of one table.
        draw: the rows, as read back from the CSV -> the figure. Nothing else may enter it.
        family: figures with the same family and the same `compute` share their finished runs; by
            default a figure shares with none.
        on_gpu: whether `compute` goes where `Run.device` says; otherwise it stays on the CPU.
    """

    name: str
    title: str
    caption: str
    presets: Mapping[str, Mapping[str, Any]]
    runs: Callable[[Mapping[str, Any]], Sequence[Run]]
    compute: Callable[[Run], Mapping[str, Any]]
    table: Callable[[Mapping[str, Any], Sequence[Record]], Sequence[Row]]
    draw: Callable[[Sequence[Row]], Figure]
    family: str = ""
    on_gpu: bool = False

    def __post_init__(self) -> None:
        for name in (self.name, self.stored_under):
            if not name.isidentifier():
                raise ValueError(f"figure name {name!r}: use letters, digits and underscores")
        absent = [preset for preset in PRESETS if preset not in self.presets]
        if absent:
            raise ValueError(f"figure {self.name} has no preset {absent[0]!r}: add it")

    @property
    def stored_under(self) -> str:
        """The name under which the runs are stored."""
        return self.family or self.name

    def parameters(self, preset: str, seeds: Sequence[int] | None = None) -> dict[str, Any]:
        """The parameters of a preset, with other seeds if these are given.

        Raises:
            ValueError: if the preset is unknown, a seed is negative, or the figure uses none.
        """
        if preset not in self.presets:
            raise ValueError(f"preset {preset!r} is not known: use {', '.join(self.presets)}")
        parameters = dict(self.presets[preset])
        if seeds is not None:
            if "seeds" not in parameters:
                raise ValueError(f"figure {self.name} uses no seeds: leave --seed {seeds[0]} out")
            if min(seeds) < 0:
                raise ValueError(f"--seed {min(seeds)}: give integers from 0 on")
            parameters["seeds"] = list(dict.fromkeys(seeds))
        return parameters

    def version(self) -> str:
        """The version of the code that its runs depend on."""
        return code_version(self.compute)

    def versions(self) -> dict[str, str]:
        """The versions of the functions that its table depends on."""
        return {name: code_version(getattr(self, name)) for name in FUNCTIONS}

    def options(self, preset: str, parameters: Mapping[str, Any]) -> str:
        """The options of `build` that give these parameters: the preset, and seeds not its own."""
        seeds = parameters.get("seeds")
        own = self.parameters(preset).get("seeds")
        if seeds is None or list(seeds) == list(own or ()):
            return f"--preset {preset}"
        consecutive = list(seeds) == list(range(seeds[0], seeds[-1] + 1)) and len(seeds) > 2
        given = f"$(seq {seeds[0]} {seeds[-1]})" if consecutive else " ".join(map(str, seeds))
        return f"--preset {preset} --seed {given}"


@dataclass(frozen=True)
class Compute:
    """A recipe's `compute` that other processes can find again, also when a file defines it.

    Attributes:
        origin: a module name, or the path of a file.
        version: what `Recipe.version` was when the build started.
    """

    origin: str
    version: str

    def __call__(self, run: Run) -> Mapping[str, Any]:
        """Compute one run, which is handed the statements that it declares and no others.

        Raises:
            RuntimeError: if this process found other code than the build started with.
            RuntimeError: if the run reads another theorem, or one that changed meanwhile.
        """
        recipe = _checked(self.origin, self.version)
        # Workers import this module before they set their numbers of threads: numpy has to wait.
        from paper_figures.statements import Reads, reading, sees_all

        reads = Reads(sees_all(recipe.compute), run.statements)
        with reading(reads):
            result = recipe.compute(run)
        reads.check()
        return result


def discover() -> dict[str, str]:
    """The figures of the package, name -> origin, in alphabetical order; imports none of them."""
    package = importlib.import_module("paper_figures.figures")
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return {name: f"{package.__name__}.{name}" for name in names if not name.startswith("_")}


def load(origin: str) -> Recipe:
    """The recipe `RECIPE` of a module, or of a Python file outside the package.

    Raises:
        ValueError: if there is no such file, or it defines no `RECIPE` of its own name.
    """
    path = Path(origin)
    if path.suffix == ".py":
        # Workers import this module before they set their numbers of threads: numpy has to wait.
        from theory.userfiles import module_of_file

        module, name = module_of_file(path, "figure"), path.stem
    else:
        module, name = importlib.import_module(origin), origin.rpartition(".")[2]
    recipe = getattr(module, "RECIPE", None)
    if not isinstance(recipe, Recipe) or recipe.name != name:
        raise ValueError(f"{origin} defines no figure: give it RECIPE = Recipe({name!r}, ...)")
    return recipe


@functools.cache
def _checked(origin: str, version: str) -> Recipe:
    recipe = load(origin)
    if recipe.version() != version:
        raise RuntimeError(f"the code of figure {recipe.name} changed during the build: repeat it")
    return recipe
