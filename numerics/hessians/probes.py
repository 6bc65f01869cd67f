r"""Probes of a model before its Hessian is believed: a few evaluations along random directions.

They find what no list of modules can: randomness, samples that see each other, parameters that are
read around the copies, layers that compute in a lower precision, and derivatives that are not those
of the values.  Directions scale with the parameters, so that nothing depends on units.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from numerics.hessians.assembly import slices
from numerics.hessians.evaluation import generators, kept_randomness, recording
from numerics.hessians.generic import FlatModel, dense
from numerics.hessians.guards import check_derivatives, wrong_derivative

__all__ = ["check_dependence", "check_model", "direction", "same_product"]

SAMPLES = 256
"""Samples, drawn at random, whose derivatives are compared; values are compared for all."""

AT_ONCE = 1024
"""Samples whose second derivatives are recorded at once."""

STEPS = (1e-6, 1e-7, 1e-8, 1e-5, 1e-4)
"""Relative steps of differences: 1e-6 decides for smooth losses, 1e-8 passes between kinks."""

AGREEMENT = 1e-4
"""Relative difference between a derivative and a difference that is no contradiction."""

NOISE = 1e3
"""Roundings of the largest term below which a difference says nothing."""


def check_model(flat: FlatModel, inputs: Tensor, targets: Tensor) -> None:
    """Refuse a model or a loss whose Hessian would not be what its name says.

    Raises:
        ValueError: in one line, with what is wrong and what to do.
    """
    with recording(), kept_randomness(flat.point.device):
        values = check_dependence(flat, inputs, targets)
        _check_lowered(values, flat.dtype)
        values = values.detach()
        noise = _check_repeatable(flat, inputs, targets, values)
        order = torch.randperm(len(inputs), generator=_generator()).to(inputs.device)
        _check_samples(flat, inputs, targets, values, noise, order)
        few = order[:SAMPLES]
        _check_sums(flat, inputs[few], targets[few])
        if flat.dtype == torch.float64:
            _check_differences(flat, inputs[few], targets[few])


def direction(flat: FlatModel, seed: int = 0) -> Tensor:
    """A random vector, each parameter's entries of the size of that parameter's."""
    noise = torch.randn(flat.size, generator=_generator(seed), dtype=torch.float64)
    return noise.to(flat.point) * scales(flat)


def scales(flat: FlatModel) -> Tensor:
    """The root mean square of each parameter, shape (d,); the others' where it is zero."""
    sizes = [float(flat.point[span].square().mean().sqrt()) for span in flat.spans.values()]
    known = sorted(size for size in sizes if size > 0)
    usual = known[len(known) // 2] if known else 1.0
    pairs = zip(sizes, flat.spans.values(), strict=True)
    return torch.cat(
        [flat.point.new_full((span.stop - span.start,), size or usual) for size, span in pairs]
    )


def same_product(
    flat: FlatModel,
    inputs: Tensor,
    targets: Tensor,
    part: str,
    product: Callable[[Tensor], Tensor],
    rows: slice | None = None,
) -> bool:
    r"""Whether a matrix is the sum of the samples' Hessians, by one product with a random vector.

    The comparison is up to half the digits, of the largest entry of $s \odot Hv$ with the scales s.

    Args:
        flat: the model.
        inputs: shape (n, ...).
        targets: shape (n, ...).
        part: of the Hessian.
        product: $v \mapsto \sum_i H_i v$.
        rows: the diagonal block that it multiplies by; all of H if None.
    """
    rows = slice(0, flat.size) if rows is None else rows
    weights, vector = scales(flat), torch.zeros_like(flat.point)
    vector[rows] = direction(flat)[rows]
    expected, largest = torch.zeros_like(vector), torch.zeros_like(vector)
    for some in slices(len(inputs), AT_ONCE):
        x, y = inputs[some], targets[some]
        whole = flat.product(x, y)
        image = whole(vector)
        expected += image if part == "hessian" else flat.product(x, y, part)(vector)
        largest += image.abs() + whole.gradient.abs()  # the round-off is that of all terms
    gap = (weights[rows] * (expected[rows] - product(vector[rows]))).abs().max()
    return bool(gap <= torch.finfo(flat.dtype).eps ** 0.5 * (weights * largest).max())


def check_dependence(flat: FlatModel, inputs: Tensor, targets: Tensor) -> Tensor:
    """The losses with their graph; it must reach the parameters, and only their copies.

    Raises:
        ValueError: if it does not, or the loss or its gradient is not finite.
    """
    originals = [p for p in flat.model.parameters() if p.requires_grad]
    around = isinstance(flat.loss, torch.nn.Module) and bool(
        {id(p) for p in flat.loss.parameters()} & {id(p) for p in originals}
    )
    leaves = flat.leaves()
    losses = flat.losses_at(leaves, inputs, targets)
    total = losses.sum()
    if not bool(torch.isfinite(total)):
        raise ValueError(f"the training loss is {total.detach().item()}: it must be finite")
    if total.requires_grad:
        found = torch.autograd.grad(total, originals, retain_graph=True, allow_unused=True)
        around = around or any(gradient is not None for gradient in found)
    if around:
        raise ValueError(
            "the loss or forward() reads the model's parameters from outside the model (a closure, "
            "a list, another module): return that term from forward(), next to the outputs"
        )
    reached = (
        torch.autograd.grad(total, leaves, retain_graph=True, allow_unused=True)
        if total.requires_grad
        else ()
    )
    if all(gradient is None for gradient in reached):
        raise ValueError(
            "the loss does not depend on the parameters: compute it from the model's outputs, "
            "without detach() or item()"
        )
    for gradient in reached:
        if gradient is not None and not bool(torch.isfinite(dense(gradient)).all()):
            raise ValueError(
                "the gradient of the training loss has NaN or infinite entries: move the "
                "parameters off the point where the model or loss has no derivative"
            )
    return losses


def _check_lowered(losses: Tensor, dtype: torch.dtype) -> None:
    """Refuse results of operations on the way to the loss that have fewer digits than `dtype`."""
    waiting, seen = [losses.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        for result in node._input_metadata:
            lower = result.dtype.to_real() if result.dtype.is_complex else result.dtype
            if lower.is_floating_point and torch.finfo(lower).bits < torch.finfo(dtype).bits:
                raise ValueError(
                    f"the model or loss computes in {result.dtype} ({node.name()}), which leaves "
                    f"fewer digits than {dtype}: remove the cast, or ask for dtype={lower}"
                )
        waiting += [function for function, _ in node.next_functions]


def _check_repeatable(flat: FlatModel, inputs: Tensor, targets: Tensor, values: Tensor) -> float:
    """Refuse a random loss; the change that round-off can make to a sample's loss."""
    unit, largest = torch.finfo(flat.dtype).eps, float(values.abs().max())
    with kept_randomness(flat.point.device):
        before = generators(flat.point.device)
        again = _values(flat, flat.point, inputs, targets)
        if before != generators(flat.point.device):  # two masks of a few entries may be the same
            raise ValueError(
                "two evaluations of the loss draw different random numbers: remove the randomness "
                "of the model or loss (functional dropout, noise, shuffling), or call model.eval()"
            )
    with kept_randomness(flat.point.device):  # the same randomness, at a point that rounds alike
        nearby = _values(flat, flat.point + 4 * unit * direction(flat, 1), inputs, targets)
    noise = NOISE * float((nearby - again).abs().max())
    change = float((again - values).abs().max())
    if not change <= unit**0.75 * largest + min(noise, unit**0.5 * largest):
        raise ValueError(
            f"two evaluations of the loss differ by {change:.3g}: remove the randomness of the "
            "model or loss (functional dropout, noise, shuffling, a counter)"
        )
    return unit**0.75 * largest + noise


def _check_samples(
    flat: FlatModel,
    inputs: Tensor,
    targets: Tensor,
    values: Tensor,
    allowed: float,
    order: Tensor,
) -> None:
    """Refuse samples whose loss changes in other company: shuffled halves, and some alone."""
    count = len(inputs)
    if count == 1:
        return
    alone = dict.fromkeys([0, count - 1, int(order[0]), int(order[1])])
    for group in [*order.chunk(2), *(order.new_tensor([k]) for k in alone)]:
        with _in_other_company(len(group)):
            found = _values(flat, flat.point, inputs[group], targets[group])
        gaps = (found - values[group]).abs()
        change, worst = float(gaps.max()), int(group[gaps.argmax()])
        if not change <= allowed:
            company = "when it is alone" if len(group) == 1 else f"among {len(group)} of the others"
            raise ValueError(
                f"the loss of sample {worst} changes by {change:.3g} {company}: the model or "
                "loss couples the samples of a batch, and has no per-sample Hessians"
            )


@contextlib.contextmanager
def _in_other_company(count: int) -> Iterator[None]:
    """What fails on some samples and not on all says why that matters."""
    try:
        yield
    except ValueError as problem:
        raise ValueError(
            f"the samples cannot be evaluated {count} at a time, only all together (the model or "
            f"loss couples the samples, or fixes their number): {problem}"
        ) from problem


def _check_sums(flat: FlatModel, inputs: Tensor, targets: Tensor) -> None:
    """Refuse derivatives that do not add up over samples, or second ones that are not symmetric."""
    weights = scales(flat)
    pair = torch.stack([direction(flat), direction(flat, 1)])

    def derivatives(x: Tensor, y: Tensor) -> Tensor:
        product = flat.product(x, y)
        return weights * torch.cat([product.gradient.unsqueeze(0), product.rows(pair)])

    whole = check_derivatives("the Hessian", derivatives(inputs, targets))
    unit = torch.finfo(flat.dtype).eps ** 0.5
    if len(inputs) > 1:
        half = len(inputs) // 2
        first = derivatives(inputs[:half], targets[:half])
        second = derivatives(inputs[half:], targets[half:])
        gap = float((whole - first - second).abs().max())
        if not gap <= unit * float(first.abs().max() + second.abs().max()):
            raise ValueError(
                f"the derivatives of two halves of the samples miss those of all by {gap:.2g}: the "
                "model or loss couples the samples of a batch, and has no per-sample Hessians"
            )
    found = pair / weights @ whole[1:].T
    gap = float((found[0, 1] - found[1, 0]).abs())
    terms = pair.abs() / weights @ whole[1:].abs().T
    if not gap <= unit * float(terms.max()):
        raise wrong_derivative(_asymmetric(flat, inputs, targets), f"asymmetric by {gap:.2g}")


def _asymmetric(flat: FlatModel, inputs: Tensor, targets: Tensor) -> list[str]:
    """The parameters in whose columns the asymmetry is largest: u'H v_k against v_k'H u."""
    one, other = direction(flat), direction(flat, 1)
    product = flat.product(inputs, targets)
    image, gaps = product(one), {}
    for name, span in flat.spans.items():
        part = torch.zeros_like(other)
        part[span] = other[span]
        gaps[name] = float((one @ product(part) - part @ image).abs())
    return [name for name, gap in gaps.items() if gap > 0.1 * max(gaps.values())]


def _check_differences(flat: FlatModel, inputs: Tensor, targets: Tensor) -> None:
    r"""Hold the gradient against differences of the loss, and Hv against those of the gradient.

    Refused where differences of two neighbouring steps, to both sides, agree with each other and
    not with the derivative.  At a kink between the two ends a difference grows as 1/h; at a kink
    in the very point the two sides differ; among many kinks the smallest step agrees; and below
    round-off neighbours do not.
    """
    weights, product = scales(flat), flat.product(inputs, targets)
    slope, vector = product.gradient, direction(flat)
    reached = (slope != 0) | (product(vector) != 0)  # padding rows, detached parameters: constants
    vector = vector * reached
    image = product(vector)
    unit = torch.finfo(flat.dtype).eps
    terms = torch.stack([(slope * vector).abs().sum()])
    first = _Comparison(["the loss"], [slice(0, 1)], slope @ vector.unsqueeze(1), terms, 1e-6)
    second = _Comparison(
        list(flat.spans), list(flat.spans.values()), weights * image, weights * image.abs()
    )
    total, floor = product.losses.sum(), NOISE * unit * float(product.losses.abs().sum())
    largest = float((weights * slope).abs().max() + (weights * image).abs().max())
    for step in STEPS:
        if first.settled and second.settled:
            return
        (high, above), (low, below) = (
            _slope(flat, flat.point + sign * step * vector, inputs, targets) for sign in (1, -1)
        )
        values = torch.stack([high - total, total - low]).unsqueeze(1)
        first.add(step, values / step, floor / step)
        slopes = torch.stack([above - slope, slope - below])
        second.add(step, weights * slopes / step, NOISE * unit * largest / step)
    if first.contradicted():
        raise ValueError(
            "the gradient of the loss is not the one of its values, by differences along a random "
            "direction: replace the operation with a derivative of its own (detach(), a custom "
            "backward, scale_grad_by_freq, a hook)"
        )
    if wrong := second.contradicted():
        raise wrong_derivative(wrong, "not the differences of the gradient")


class _Comparison:
    """Differences at several steps against a derivative, parameter by parameter."""

    def __init__(
        self,
        names: list[str],
        spans: list[slice],
        derivative: Tensor,
        terms: Tensor,
        agreement: float = AGREEMENT,
    ) -> None:
        self._spans = dict(zip(names, spans, strict=True))
        self._derivative, self._terms, self._agreement = derivative, terms, agreement
        self._found: dict[float, tuple[Tensor, float]] = {}
        self._open = set(names)

    @property
    def settled(self) -> bool:
        """Whether every parameter's derivative has agreed with a difference."""
        return not self._open

    def add(self, step: float, sides: Tensor, noise: float) -> None:
        """The differences to both sides, in rows, and what round-off may make of zero."""
        self._found[step] = sides, noise
        for name in list(self._open):
            span = self._spans[name]
            gap = float((sides.mean(0) - self._derivative)[span].abs().max())
            if gap <= self._agreement * float(self._terms[span].max()):
                self._open.discard(name)

    def contradicted(self) -> list[str]:
        """Names where two neighbouring steps agree with each other and not with the derivative."""
        steps = sorted(self._found)
        return [
            name
            for name in self._spans
            if name in self._open
            and any(self._wrong(name, *pair) for pair in itertools.pairwise(steps))
        ]

    def _wrong(self, name: str, small: float, large: float) -> bool:
        span = self._spans[name]
        gaps, apart, middles = [], [], []
        for step in (small, large):
            sides, noise = self._found[step]
            middles.append(sides[:, span].mean(0))
            gaps.append(float((middles[-1] - self._derivative[span]).abs().max()))
            apart.append(float((sides[0, span] - sides[1, span]).abs().max()))
            if gaps[-1] <= noise:
                return False
        apart.append(float((middles[0] - middles[1]).abs().max()))
        return max(apart) <= 0.1 * min(gaps)


def _values(flat: FlatModel, point: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
    """The losses; recorded on the way, as hooks on activations ask for."""
    return flat.losses_at(flat.leaves(point), inputs, targets).detach()


def _slope(
    flat: FlatModel, point: Tensor, inputs: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    """The sum of the losses and its gradient."""
    leaves = flat.leaves(point)
    total = flat.losses_at(leaves, inputs, targets).sum()
    found = torch.autograd.grad(total, leaves, materialize_grads=True)
    return total.detach(), torch.cat([dense(piece).flatten() for piece in found])


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
