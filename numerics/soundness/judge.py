"""Compare what the library says of a drawn model with the oracles."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from numerics import hessians as library
from numerics import stability
from numerics.soundness import brute
from numerics.soundness.calls import STATUSES, Called, Snapshot, attempt, can_be_saved
from numerics.soundness.draws import Draw, build
from numerics.soundness.oracles import NoTruth, Truth, enumerated, moved, second_look, truth_of

__all__ = ["FINE", "Judgement", "judge_model", "judgement"]

FINE, COARSE = 1e-9, 2e-3
"""Allowed distance, relative to the largest entry: some thousand units of float64 (the condition of
a small network's second derivatives), and of float32 where the model itself computes in it."""


@dataclass(frozen=True)
class Judgement:
    """What came of one draw.

    Attributes:
        index: of the draw.
        status: the worst of its calls'.
        verdicts: one for each call that was not right, and for what was found beside.
        calls: how many calls were judged.
        core: whether it must not be refused.
        words: what was drawn.
    """

    index: int
    status: str
    verdicts: tuple[Called, ...]
    calls: int
    core: bool
    words: str


def judgement(index: int, verdicts: list[Called], core: bool, words: str) -> Judgement:
    """The judgement of a draw from those of its calls."""
    worst = max((STATUSES.index(v.status) for v in verdicts if not v.due), default=0)
    kept = tuple(v for v in verdicts if v.status != "right")
    return Judgement(index, STATUSES[worst], kept, len(verdicts), core, words)


def judge_model(seed: int, index: int) -> Judgement:
    """Judge one draw of the grammar of models."""
    subject = build(seed, index)
    judge = _Judge(subject, seed, index)
    return judgement(index, list(judge.verdicts()), subject.core, subject.words)


class _Judge:
    """All calls on one model."""

    def __init__(self, subject: Draw, seed: int, index: int) -> None:
        self.subject, self.seed, self.index = subject, seed, index
        self.truth: Truth | None = None
        self.absent = ""
        self._near: Truth | None = None
        self._usual: set[str] = set()

    def verdicts(self) -> Iterator[Called]:
        """One for each call, and one for what has changed."""
        with torch.random.fork_rng(devices=[]):
            try:
                twin, control = self._built(ideal=True), self._built()
                self.truth = truth_of(self.subject, twin, control)
            except NoTruth as problem:
                self.absent = str(problem)
            except AssertionError as problem:
                yield Called("wrong", "oracle", str(problem))
                return
        used = self._built()
        own, self._usual = _ordinary_use(used)
        saved = not own and can_be_saved(used.model)
        before = Snapshot(self.subject)
        for part in (self._exact, self._blocks, self._samples, self._operator):
            for verdict in part():
                passed = verdict.status == "raw" and own and verdict.reason.startswith(own)
                yield self._passed_on(verdict) if passed else verdict
        changes = before.changes()
        if saved and not can_be_saved(self.subject.model):
            changes.append("torch.save of the model fails now")
        yield Called("wrong" if changes else "right", "left as it was", "; ".join(changes))

    def _attempt(self, name: str, call: Callable[[], Any]) -> tuple[Any, Called | None]:
        def surrounded() -> Any:
            with _surrounded(self.subject.surroundings):
                return call()

        return attempt(name, surrounded, self._usual)

    @staticmethod
    def _passed_on(verdict: Called) -> Called:
        """An error of the model's or the loss's own, which ordinary use meets as well."""
        return replace(verdict, status="refused", reason=f"as in use, {verdict.reason}")

    def _built(self, *, ideal: bool = False) -> Draw:
        return build(self.seed, self.index, ideal=ideal)

    def _arguments(self) -> tuple[Any, ...]:
        draw = self.subject
        return draw.model, draw.criterion.loss, draw.inputs, draw.criterion.targets

    def _exact(self) -> Iterator[Called]:
        draw = self.subject

        def call() -> Tensor:
            return library.exact(
                *self._arguments(), reduction=draw.reduction, part=draw.part, route=draw.route
            )

        found, problem = self._attempt("exact", call)
        if problem is None:
            again, problem = self._attempt("exact again", call)
            if problem is None and not torch.equal(found, again):
                yield Called("wrong", "exact", "another result the second time")
        yield problem or self._compared("exact", found, self._total)

    def _blocks(self) -> Iterator[Called]:
        draw = self.subject
        found, problem = self._attempt(
            "layer_blocks",
            lambda: library.layer_blocks(
                *self._arguments(), reduction=draw.reduction, part=draw.part, route=draw.route
            ),
        )
        if problem is not None:
            yield problem
            return
        spans = _spans(draw)
        sizes = {name: stop - start for name, (start, stop) in spans.items()}
        if {name: len(block) for name, block in found.items()} != sizes:
            got = {name: len(block) for name, block in found.items()}
            yield Called("wrong", "layer_blocks", f"blocks {got}, not {sizes}")
            return
        for name, (start, stop) in spans.items():
            own = slice(start, stop)

            def block(total: Tensor, own: slice = own) -> Tensor:
                return self._total(total)[own, own]

            verdict = self._compared("layer_blocks", found[name], block)
            if verdict.status != "right":
                yield verdict
                return
        yield verdict

    def _samples(self) -> Iterator[Called]:
        draw = self.subject
        found, problem = self._attempt(
            "per_sample",
            lambda: library.per_sample(*self._arguments(), part=draw.part, route=draw.route),
        )
        if problem is None:
            dense, problem = self._attempt("per_sample", found.to_dense)
        if problem is not None:
            yield problem
            return
        verdict = self._compared("per_sample", dense, lambda matrices: matrices)
        yield verdict
        if verdict.status == "right" and self.truth is not None:
            yield from self._moments(found)
            yield from self._threshold(found)

    def _moments(self, found: library.SampleHessians) -> Iterator[Called]:
        draw, truth = self.subject, self._part()
        assert self.truth is not None
        exact = list(enumerated(truth, draw.batch_size, replacement=draw.replacement))
        tops = [float(torch.linalg.eigvalsh(matrix)[-1]) for matrix in exact]
        norm = max(float(torch.linalg.matrix_norm(truth, 2).max()), self.truth.scale)
        lost = 1e-12 * float(self.truth.values.abs().max())  # where the terms of a matrix cancel
        allowed = [k * (norm + lost) ** (k - 1) * (FINE * norm + lost) for k in (1, 2, 3, 4)]
        for method in ("dense", "lanczos"):
            name = f"moments {method}"
            result, problem = self._attempt(
                name,
                functools.partial(
                    library.moments,
                    found,
                    batch_size=draw.batch_size,
                    replacement=draw.replacement,
                    method=method,
                ),
            )
            if problem is not None:
                yield problem
                continue
            yield brute.within(name, result, tops, allowed)

    def _threshold(self, found: library.SampleHessians) -> Iterator[Called]:
        truth = self._part()
        if truth.shape[1] > brute.LARGEST or truth.shape[0] > 4:
            return
        result, problem = self._attempt(
            "threshold",
            lambda: stability.stability_threshold(found, batch_size=self.subject.batch_size),
        )
        if problem is not None:
            yield brute.due_or_not(problem, truth)
            return
        yield brute.threshold_verdict(result, truth, 0.0, self.subject.batch_size, "same")

    def _operator(self) -> Iterator[Called]:
        draw = self.subject
        found, problem = self._attempt(
            "operator",
            lambda: library.operator(*self._arguments(), reduction=draw.reduction, part=draw.part),
        )
        if problem is not None:
            yield problem
            return
        generator = torch.Generator().manual_seed(1)
        vectors = torch.randn(found.size, 2, generator=generator, dtype=torch.float64)
        products, problem = self._attempt("operator", lambda: found(vectors))
        if problem is not None:
            yield problem
            return

        def multiplied(matrices: Tensor) -> Tensor:
            total = self._total(matrices)
            return total @ vectors if len(total) == len(vectors) else total

        verdict = self._compared("operator", products, multiplied)
        yield verdict
        if verdict.status != "right" or self.truth is None:
            return
        total = self._total(self._part())
        slack = self._round_off(len(total))
        yield from self._extremes(found, total, slack)
        estimate, problem = self._attempt("trace", lambda: library.trace(found))
        if problem is not None:
            yield problem
            return
        # The standard error of 64 signs: ten of them are left out once in 10^20 draws.
        distance = abs(estimate.value - float(total.trace()))
        allowed = slack + 10 * (0.0 if estimate.exact else estimate.standard_error)
        yield _verdict("trace", distance <= allowed, f"off by {distance:.1e}")

    def _extremes(
        self, found: library.HessianOperator, total: Tensor, slack: float
    ) -> Iterator[Called]:
        ends, problem = self._attempt("extremes", found.extremes)
        if problem is not None:
            yield problem
            return
        values = torch.linalg.eigvalsh(total)
        for end, right in zip(ends, (float(values[0]), float(values[-1])), strict=True):
            distance = abs(end.value - right)
            fine = distance <= end.error + slack
            yield _verdict(
                "extremes", fine, f"{end.value:.6g} +- {end.error:.1e} is off by {distance:.1e}"
            )

    def _round_off(self, times: float) -> float:
        """So many times what an entry of either side may be off by."""
        assert self.truth is not None
        fine = (COARSE if self.truth.coarse else FINE) * self.truth.scale
        fine += 1e-12 * float(self.truth.values.abs().max())
        return fine * times * draw_weight(self.subject)

    def _part(self) -> Tensor:
        assert self.truth is not None
        return self.truth.part(self.subject.part)

    def _total(self, matrices: Tensor) -> Tensor:
        return matrices.sum(0) if self.subject.reduction == "sum" else matrices.mean(0)

    def _compared(self, name: str, found: Tensor, chosen: Callable[[Tensor], Tensor]) -> Called:
        """Compare a returned tensor with what the oracle's samples give for it."""
        if found.requires_grad:
            return Called("wrong", name, "what was returned still requires grad")
        if not bool(torch.isfinite(found).all()):
            return Called("wrong", name, "NaN or infinite entries were returned")
        if self.truth is None:
            return Called("wrong", name, f"numbers although {self.absent}")
        expected = chosen(self._part())
        if found.shape != expected.shape:
            return Called("wrong", name, f"size {len(found)}, not {len(expected)}")
        square = found.ndim > 1 and found.shape[-1] == found.shape[-2] and name != "operator"
        if square and not torch.equal(found, found.mT) and name != "per_sample":
            return Called("wrong", name, "not exactly symmetric")
        times = len(expected) ** 0.5 * 4 if name == "operator" else 1.0
        weight, allowed = draw_weight(self.subject) * times, self._round_off(times)
        distance = float((found - expected).abs().max())
        if distance > allowed:
            distance, allowed = self._conditioned(found, chosen, distance, allowed)
        relative = distance / max(self.truth.scale * weight, 1e-300)
        return _verdict(name, distance <= allowed, f"off by {relative:.1e} of the largest entry")

    def _conditioned(
        self, found: Tensor, chosen: Callable[[Tensor], Tensor], distance: float, allowed: float
    ) -> tuple[float, float]:
        """Allow as much as relative changes of the parameters by 1e-11 bring about.

        It is what a backward stable computation may be off by; a factor of 100 is on the safe side.
        """
        if self._near is None:
            with torch.random.fork_rng(devices=[]):
                self._near = second_look(moved(self._built(ideal=True), 1e-11))
        shift = chosen(self._near.part(self.subject.part)) - chosen(self._part())
        return distance, max(allowed, 100 * float(shift.abs().max()))


def _surrounded(mode: str) -> AbstractContextManager[Any]:
    """The mode of torch that a caller may happen to be in."""
    if mode == "autocast":
        return torch.autocast("cpu", dtype=torch.bfloat16)
    modes = {"no_grad": torch.no_grad, "inference_mode": torch.inference_mode}
    return modes[mode]() if mode else nullcontext()


def draw_weight(draw: Draw) -> float:
    """What the reduction multiplies a bound on one sample by."""
    return float(len(draw.inputs)) if draw.reduction == "sum" else 1.0


def _verdict(name: str, fine: bool, reason: str) -> Called:
    return Called("right", name) if fine else Called("wrong", name, reason)


def _spans(draw: Draw) -> dict[str, tuple[int, int]]:
    """Where each module's trainable parameters lie in the flat vector."""
    spans: dict[str, tuple[int, int]] = {}
    start = 0
    for name, p in draw.model.named_parameters():
        if p.requires_grad:
            owner = name.rpartition(".")[0]
            stop = start + p.numel()
            spans[owner] = (spans.get(owner, (start, stop))[0], stop)
            start = stop
    return spans


def _ordinary_use(control: Draw) -> tuple[str, set[str]]:
    """How model and loss fail in ordinary use, and the warnings: not the library's affair."""
    model, x = control.model, control.inputs
    kept = next((p.dtype for p in model.parameters() if not p.is_complex()), torch.float64)
    failure = ""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            outputs = model(x.to(kept) if x.is_floating_point() else x)
            targets = control.criterion.targets
            if isinstance(control.criterion.plain, type(library.CROSS_ENTROPY)):
                targets = targets.long()  # labels of every kind are the library's own affair
            control.criterion.loss(outputs, targets).sum().backward()
        except Exception as problem:
            failure = f"{type(problem).__name__}: {' '.join(str(problem).split())}"[:60]
    return failure, {" ".join(str(warning.message).split()) for warning in heard}
