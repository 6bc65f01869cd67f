"""The problems that theorems are confronted with, each knowing which theorems it can speak to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol, cast

from numerics.checks import check_count
from numerics.confrontations import (
    full_gradient,
    lyapunov,
    mean_edges,
    noisy_rates,
    rates,
    second_moments,
    stability,
    two_points,
)
from numerics.confrontations.registry import AT_MINIMA, ON_LEAST_SQUARES
from numerics.confrontations.stability import Site, moment_points
from numerics.confrontations.verdicts import Measurement, inconclusive
from numerics.hessians import SampleHessians
from numerics.networks.interpolating import InterpolatingMinimum, interpolating_minimum
from numerics.networks.perceptrons import Minimum, MnistMlp
from numerics.problems import LeastSquares
from numerics.progress import progress
from numerics.statistics import PairedRatio, paired_ratio
from theory.commandline import printable
from theory.messages import unknown
from theory.trusted.algorithms import SGD
from theory.trusted.statements import Theorem
from theory.userfiles import module_of_file

__all__ = ["CASES", "Case", "LeastSquaresCase", "MnistMlpCase", "MomentRatio", "case_of"]

#: They register what they measure.
MEASURING = (
    full_gradient,
    lyapunov,
    mean_edges,
    noisy_rates,
    rates,
    second_moments,
    stability,
    two_points,
)


def unknown_claim(theorem: Theorem) -> str:
    """Why a theorem is not measured: what it lacks for its shape, if its claim has a known one."""
    lacks = ON_LEAST_SQUARES.lacking(theorem) + AT_MINIMA.lacking(theorem)
    what = f": {'; '.join(lacks)}" if lacks else ""
    return printable(f"no measurement of this claim is known here{what}")


class Case(Protocol):
    """A problem that can be asked for a verdict on a theorem."""

    @property
    def name(self) -> str:
        """What the command line calls it."""

    def confront(self, theorem: Theorem) -> Measurement:
        """The problem's verdict; inconclusive where it has nothing to say."""


@dataclass(frozen=True)
class LeastSquaresCase:
    """Overparameterised least squares: every hypothesis is established exactly."""

    name: str
    problem: LeastSquares

    def confront(self, theorem: Theorem) -> Measurement:
        """The verdict of the exact trajectory, or of the exact Hessians."""
        if measured := ON_LEAST_SQUARES.find(theorem):
            return measured(theorem, self.name, (self.problem,))
        if at_minima := AT_MINIMA.find(theorem):
            return at_minima(theorem, self.name, (self.site,))
        return inconclusive(theorem.id, self.name, unknown_claim(theorem))

    @cached_property
    def site(self) -> Site:
        """The minimum: the Hessians are the same everywhere."""
        in_range = self.problem.features @ self.problem.factors[2]
        return Site(self.problem.name, SampleHessians.from_rank_one(in_range))


@dataclass(frozen=True)
class MomentRatio:
    """A measure of the minima of one algorithm against SGD's, over seeds at one training loss.

    Attributes:
        quantity: `a`, `s_2`, `s_3` or `s_4`.
        algorithm: whose minima.
        ratio: to SGD's, paired by seed.
        training_loss: that all trainings were run down to.
    """

    quantity: str
    algorithm: str
    ratio: PairedRatio
    training_loss: float


@dataclass(frozen=True)
class MnistMlpCase:
    """A perceptron trained to interpolation on real MNIST by SGD and both kinds of SAM."""

    name: str
    setting: MnistMlp
    device: str = "cpu"

    def confront(self, theorem: Theorem) -> Measurement:
        """The verdict at the interpolating minima beside where the trainings ended."""
        if measured := AT_MINIMA.find(theorem):
            return measured(theorem, self.name, self.sites(measured.points is moment_points))
        reason = "no smoothness or PL constant of this network is known where it moves"
        if not ON_LEAST_SQUARES.find(theorem):
            reason = unknown_claim(theorem)
        return inconclusive(theorem.id, self.name, reason)

    @cached_property
    def minima(self) -> tuple[Minimum, ...]:
        """Where the trainings ended, with exact Hessian moments there."""
        return self.setting.minima(self.device)

    @cached_property
    def interpolating(self) -> tuple[InterpolatingMinimum, ...]:
        """The interpolating minima beside the first seed's trainings, one for each algorithm."""
        problem = self.setting.problem(self.device)
        first = self.setting.seeds[0]
        chosen = [m.run for m in self.minima if m.run.member.seed == first and m.run.converged]
        found = progress(chosen, "interpolating minima")
        return tuple(interpolating_minimum(problem, run) for run in found)

    @cached_property
    def _sites(self) -> dict[int, tuple[Site, ...]]:
        return {
            size: tuple(
                Site(f"{m.run.member.spec.name} seed {m.run.member.seed}", m.hessians, size)
                for m in self.interpolating
            )
            for size in (1, self.setting.batch_size)
        }

    def sites(self, batches: bool) -> tuple[Site, ...]:
        """Where a theorem is confronted: bounds on s_k also at the batch size of the training."""
        return self._sites[1] + (self._sites[self.setting.batch_size] if batches else ())

    def comparisons(self) -> tuple[MomentRatio, ...]:
        """SAM's sharpness and non-uniformity relative to SGD's, where all seeds converged.

        Raises:
            ValueError: if fewer than two seeds reached the target loss with every algorithm.
        """
        by_algorithm: dict[str, dict[int, Minimum]] = {}
        for minimum in self.minima:
            member = minimum.run.member
            by_algorithm.setdefault(member.spec.name, {})[member.seed] = minimum
        complete = [
            seed
            for seed in self.setting.seeds
            if all(group[seed].moments for group in by_algorithm.values())
        ]

        def measured(which: str, attribute: str) -> list[float]:
            return [getattr(by_algorithm[which][seed].moments, attribute) for seed in complete]

        fields = {"a": "sharpness", "s_2": "s2", "s_3": "s3", "s_4": "s4"}
        return tuple(
            MomentRatio(
                quantity,
                name,
                paired_ratio(measured(name, attribute), measured(SGD.name, attribute)),
                self.setting.target_loss,
            )
            for name in by_algorithm
            if name != SGD.name
            for quantity, attribute in fields.items()
        )


def gaussian(device: str, _seeds: int) -> Case:
    """Gaussian rows: 40 equations, 400 unknowns."""
    problem = LeastSquares.gaussian(40, 400)
    return LeastSquaresCase(
        "gaussian-lsq",
        LeastSquares(problem.features, problem.targets, name=problem.name, device=device),
    )


def mnist(device: str, _seeds: int) -> Case:
    """Real MNIST rows with parity targets: 30 equations, 784 unknowns."""
    return LeastSquaresCase("mnist-lsq", LeastSquares.mnist(30, device=device))


def mnist_mlp(device: str, seeds: int) -> Case:
    """The perceptron of `MnistMlp`."""
    check_count("seeds", seeds, least=2)
    return MnistMlpCase("mnist-mlp", replace(MnistMlp(), seeds=tuple(range(seeds))), device)


CASES: dict[str, Callable[[str, int], Case]] = {
    "gaussian-lsq": gaussian,
    "mnist-lsq": mnist,
    "mnist-mlp": mnist_mlp,
}


def case_of(name: str, device: str, seeds: int) -> Case:
    """The problem of that name, or the one that a Python file defines as `case(device, seeds)`.

    Raises:
        ValueError: if it is not known, or the file does not define it.
    """
    if not name.endswith(".py"):
        if name not in CASES:
            raise unknown("problem", name, CASES)
        return CASES[name](device, seeds)
    define = getattr(module_of_file(Path(name), "problem"), "case", None)
    case = define(device, seeds) if callable(define) else None
    if not hasattr(case, "confront"):
        raise ValueError(f"{name} defines no problem: give it case(device, seeds) -> Case")
    return cast(Case, case)
