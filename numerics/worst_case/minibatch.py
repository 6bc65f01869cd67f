r"""The worst step with mini-batches of size B, bounded through a single batch.

A batch $b$ is drawn without replacement and used in both gradients: $y = x + \rho\nabla f_b(x)$
and $z = x - \eta\nabla f_b(y)$.  Averaged over all batches, the Gram matrix of
$$ x,\ \nabla f(x),\ \nabla f_b(x),\ \nabla f_b(y),\ \nabla f(y),\ \nabla f_b(z),\ \nabla f(z) $$
satisfies what the batch, the rest of the samples and the mean satisfy one by one, $E\nabla f_b(x) =
\nabla f(x)$, and the exact law of the batch size,
$$ E\|\nabla f_b(x)\|^2 = w\,E\|\nabla f_i(x)\|^2 + (1-w)\|\nabla f(x)\|^2 \le
   2\beta w f(x) + (1-w)\|\nabla f(x)\|^2, \qquad w = \frac{n-B}{B(n-1)}. $$
What different batches have to do with each other is left out: an upper bound only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from numerics.worst_case import classes
from numerics.worst_case.classes import STAR, Sample
from numerics.worst_case.program import ONE, Program
from numerics.worst_case.setting import Measure, ProblemClass
from numerics.worst_case.symmetry import Combination, Components, combine

__all__ = ["batch_program"]

KINDS = dict.fromkeys(("x", "G", "g", "h", "H", "p", "P"), 0)


def batch_program(setting: ProblemClass, step_size: float, radius: float) -> Program:
    """The semidefinite program for one batch, smaller than all components."""
    return _Batch(setting, step_size, radius).program()


@dataclass(frozen=True)
class _Batch:
    """The constraints of one batch."""

    setting: ProblemClass
    step_size: float
    radius: float

    @property
    def law(self) -> float:
        """The weight w of the batch law."""
        count, size = self.setting.components, self.setting.batch_size
        return 1 / size if count == math.inf else (count - size) / (size * (count - 1))

    def samples(self, gradients: str, values: str) -> list[Sample]:
        """A function at the minimiser, x, y and z; its gradients and values there by kind."""
        x = _atom("x")
        points = {
            "x": x,
            "y": combine((1.0, x), (self.radius, _atom("g"))),
            "z": combine((1.0, x), (-self.step_size, _atom("h"))),
        }
        if self.setting.measure is not Measure.LOSS:
            del points["z"]
        seen = zip(points.items(), gradients, strict=False)
        # The batches' mean value at x is the mean function's.
        return [
            STAR,
            *(
                Sample(name, point, _atom(kind), _atom("f" if name == "x" else values + name))
                for (name, point), kind in seen
            ),
        ]

    def program(self) -> Program:
        """Everything together."""
        at, setting, mean = Components(1), self.setting, self.samples("GHP", "f")
        batch = self.samples("ghp", "b")
        share = setting.batch_size / setting.components
        rest = [_rest(b, f, share) for b, f in zip(batch, mean, strict=True)]
        rows: dict[str, Combination] = {}
        for who, samples in (("batch", batch), ("rest", rest)):
            rows |= classes.curved(at, who, samples, setting.curvature, setting.beta)
            for u in samples[1:] if setting.curvature < 0 else ():
                rows[f"{who}: {u.name} is above the minimum"] = classes.self_bounded(
                    at, u, setting.beta
                )
        slowest = setting.mean_smoothness * setting.curvature / setting.beta
        rows |= classes.curved(at, "mean", mean, slowest, setting.mean_smoothness)
        for u in mean[1:]:
            rows[f"mean: PL at {u.name}"] = classes.dominated(at, u, setting.mu)
        rows["mean: quadratic growth at x"] = classes.growth(at, mean[1], setting.mu)
        rows["batch law"] = combine(
            (1.0, at.inner(_atom("g"), _atom("g"))),
            (self.law - 1, at.inner(_atom("G"), _atom("G"))),
            (-2 * setting.beta * self.law, _atom("f")),
        )
        noise = combine((1.0, _atom("g")), (-1.0, _atom("G")))
        zero = {
            "start": combine((1.0, _atom("f")), (-1.0, {ONE: 1.0})),
            "unbiased along x": at.inner(noise, _atom("x")),
            "unbiased along the gradient": at.inner(noise, _atom("G")),
        }
        loss = setting.measure is Measure.LOSS
        objective = _atom("fz") if loss else at.inner(_atom("G"), {("h", ()): -1.0})
        kinds = KINDS if loss else {kind: 0 for kind in KINDS if kind not in "pP"}
        return Program(objective, rows, zero, at.blocks(kinds))


def _atom(kind: str) -> Combination:
    """A vector or a value by its kind."""
    return {(kind, ()): 1.0}


def _rest(batch: Sample, mean: Sample, share: float) -> Sample:
    """The mean of the components outside the batch."""
    parts = [
        combine((1 / (1 - share), whole), (-share / (1 - share), part))
        for whole, part in ((mean.gradient, batch.gradient), (mean.value, batch.value))
    ]
    return Sample(batch.name, batch.point, *parts)
