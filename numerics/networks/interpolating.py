r"""From a trained network to the interpolating minimum beside it, where stability theory applies.

Training stops at a small positive loss; the theorems speak of a point where every $f_b$ is exactly
zero.  In an overparameterised network there is one nearby: Gauss-Newton with the minimum-norm
correction $\theta \leftarrow \theta - J^+ r$ converges quadratically to it.  It is another point
than where the training ended, somewhat sharper as a rule; `moved` says how far away.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

from numerics.hessians import SampleHessians
from numerics.hessians.bases import ExplicitBasis
from numerics.networks.perceptrons import NetworkProblem
from numerics.training.to_loss import TrainingRun

__all__ = ["InterpolatingMinimum", "interpolating_minimum"]

MAX_STEPS = 30
#: Largest residual, relative to the targets, at which interpolation counts as exact: the output of
#: a network of this size carries a rounding error of about 1e-15.
TOLERANCE = 1e-12
#: Singular values of the Jacobian below this share of the largest count as zero.
RANK_TOLERANCE = 1e-10


@dataclass(frozen=True)
class InterpolatingMinimum:
    r"""An exact global minimum of every sample's square loss, and its Hessians.

    Attributes:
        run: the training it started from.
        parameters: $\theta$, shape (d,), float64.
        residual: the largest $|\text{net}_\theta(\xi_i) - y_i|$.
        moved: the distance from where the training ended.
        steps: Gauss-Newton steps taken.
        hessians: $H_i = J_i^{\mathsf T} J_i$ (the residual part vanishes with the residual), on an
            orthonormal basis of the joint range of all $H_i$; beyond it every $H_i$ is zero.
    """

    run: TrainingRun
    parameters: Tensor
    residual: float
    moved: float
    steps: int
    hessians: SampleHessians


def interpolating_minimum(problem: NetworkProblem, run: TrainingRun) -> InterpolatingMinimum:
    r"""The interpolating minimum next to where a training ended.

    Args:
        problem: with the square loss $\tfrac12\|z - y\|^2$ and more parameters than equations.
        run: a training of this problem.

    Raises:
        ValueError: if the Gauss-Newton iteration does not reach interpolation.
    """
    model = problem.build(0)
    point = run.parameters.detach().clone()
    for steps in range(MAX_STEPS):
        residual, jacobian = linearise(model, point, problem)
        size = float(residual.abs().max())
        if size <= TOLERANCE * float(problem.targets.abs().max()):
            moved = float(torch.linalg.vector_norm(point - run.parameters))
            return InterpolatingMinimum(run, point, size, moved, steps, on_joint_range(jacobian))
        flat = jacobian.flatten(0, 1)
        point = point - torch.linalg.lstsq(flat, residual.flatten(), driver="gelsd").solution
    raise ValueError(
        f"{problem.name}, seed {run.member.seed}: largest residual {size:.3g} after {MAX_STEPS} "
        "Gauss-Newton steps; train to a smaller loss or with more parameters"
    )


def linearise(model: nn.Module, point: Tensor, problem: NetworkProblem) -> tuple[Tensor, Tensor]:
    r"""Residuals (n, c) and their Jacobians (n, c, d) with respect to the flat parameters."""
    shapes = {name: p.shape for name, p in model.named_parameters()}
    sizes = [shape.numel() for shape in shapes.values()]

    def residual(flat: Tensor, one_input: Tensor, one_target: Tensor) -> Tensor:
        pieces = zip(shapes.items(), flat.split(sizes), strict=True)
        named = {name: piece.view(shape) for (name, shape), piece in pieces}
        output: Tensor = functional_call(model, named, (one_input.unsqueeze(0),))
        return output.squeeze(0) - one_target

    each = vmap(jacrev(residual), in_dims=(None, 0, 0))
    values = vmap(residual, in_dims=(None, 0, 0))(point, problem.inputs, problem.targets)
    return values.detach(), each(point, problem.inputs, problem.targets).detach()


def on_joint_range(jacobian: Tensor) -> SampleHessians:
    r"""$J_i^{\mathsf T} J_i$ for Jacobians (n, c, d), in coordinates of their joint range."""
    flat = jacobian.flatten(0, 1)
    _, values, rows = torch.linalg.svd(flat, full_matrices=False)
    basis = rows[values > RANK_TOLERANCE * values[0]]
    columns = (jacobian @ basis.mT).mT.contiguous()
    identity = torch.eye(columns.shape[2], dtype=columns.dtype, device=columns.device)
    return SampleHessians(ExplicitBasis(columns), identity.expand(len(columns), -1, -1).clone())
