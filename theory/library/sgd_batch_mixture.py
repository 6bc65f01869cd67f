"""The exact second moment of a mini-batch step is a mixture; larger batches are more stable."""

from __future__ import annotations

from dataclasses import replace

from theory.language import *
from theory.library import _batches as batches
from theory.library._batches import K_b, X, batch_size, u, v

PAPER = "Mulayoff, Michaeli 2024, Exact mean square linear stability analysis for SGD"
smaller, q = Param("smaller_batch"), Param("q")


def stepped(operator: Operator, left: Vector, right: Vector) -> Scalar:
    """<(I - ηA) left, X (I - ηA) right>, averaged over whatever is random."""
    moved = [w - step_size * operator(w) for w in (left, right)]
    return Mean(Inner(moved[0], X(moved[1])))


def mixture(share: Scalar, left: Vector, right: Vector) -> Scalar:
    """The second moment of a full step taken with probability 1 - p, else a step on a sample."""
    return (1 - share) * stepped(H, left, right) + share * stepped(H_b, left, right)


def mixture_lemma(left: Vector, right: Vector) -> Step:
    """The second moment of the mini-batch step is that of the mixture."""
    return Step(
        "mixture",
        stepped(K_b, left, right).equals(mixture(p, left, right)),
        add(
            Multiple(step_size**2, Fact("second moment")),
            batches.unbiased(-step_size, X(left), right),
            batches.unbiased(-step_size, X(right), left),
        ),
        "The first moments agree, and the second ones do by the previous step.",
    )


IDENTITY = Theorem(
    id="sgd-batch-mixture",
    title="A mini-batch step has the second moment of a mixture of full and one-sample steps",
    title_says=("batch", "mixture"),
    statement=(
        said(
            "Batches of B out of n > 1 samples are drawn without replacement, K_b is the "
            "batch's Hessian and p = (n - B)/(B(n - 1)).",
            *("batch", "n > 1", "batch_size > 0", "p"),
        ),
        said(
            "For every symmetric X, E K_b X K_b = (1 - p) H X H + p E H_b X H_b.", "second moment"
        ),
        said(
            "So SGD with batches has exactly the second moments of the process that takes a "
            "full step with probability 1 - p and a step on one sample with probability p: E(I "
            "- ηK_b)X(I - ηK_b) is the mixture of the two.",
            *("algorithm", "mixture"),
        ),
    ),
    source=Source(PAPER, "the second-moment map of mini-batches", Attribution.RECONSTRUCTED),
    kind=Kind.IDENTITY,
    dynamics=batches.dynamics,
    hypotheses=(
        batches.without_replacement(test=True),
        batches.MANY,
        batches.SIZE,
        batches.SHARE,
    ),
    divisors=(batches.BATCH_DIVISOR,),
    proof=(batches.second_moment(v, u, test=True), mixture_lemma(v, u)),
    conclusion=("second moment", "mixture"),
    witness=witness(
        {"step_size": "1/2", "n": 3, "batch_size": 2, "p": "1/4"},
        {},
        operators=batches.pairs(*batches.THREE) | {"X": [[2, 1], [1, 3]]},
    ),
    quantities=(
        Quantity("noise_share", batches.noise_share(batch_size), "p: 1 at B = 1, 0 at B = n"),
    ),
)

sizes = times(Fact("smaller_batch > 0"), Fact(batches.MANY.name))
off = H_b(x) - H(x)
ABOVE_IDENTITY = Assumption(
    "X >= I",
    "the eigenvalues of X are at least 1",
    "definition",
    (Rule("at", (u,), norm2(u) <= Inner(u, X(u))),),
)
noise = MeanOf(add(RuleAt("X >= I", "at", (off,)), Norm(off)))

ONE_STEP = with_rate(
    Theorem(
        id="sgd-batch-monotone",
        title="A quadratic Lyapunov function for one batch size serves every larger one",
        title_says=("Lyapunov", "smaller_batch <= batch_size", "one step", "stability"),
        statement=(
            said(
                "Let K_b be the Hessian of a batch of B out of n > 1 samples, drawn without "
                "replacement, p = (n - B)/(B(n - 1)) and q = (n - m)/(m(n - 1)) with 0 < m ≤ B, so "
                "that p ≤ q.",
                *("batch", "n > 1", "batch_size > 0", "p", "smaller_batch > 0", "q"),
                *("smaller_batch <= batch_size", "less noise"),
            ),
            said(
                "If X ⪰ I and (1 - q)(I - ηH)X(I - ηH) + q E(I - ηH_b)X(I - ηH_b) ⪯ X, which by "
                "sgd-batch-mixture is X's not increasing under batches of size m, then X does not "
                "increase under batches of size B: E⟨x⁺, X x⁺⟩ ≤ ⟨x, X x⟩.",
                *("X >= I", "Lyapunov", "algorithm", "one step"),
            ),
            said(
                "So E⟨x_t, X x_t⟩ ≤ ⟨x_0, X x_0⟩ and E|x_t|² ≤ ⟨x_0, X x_0⟩ for every t: what "
                "this X proves stable for m it proves stable for B.",
                *("rate", "stability"),
            ),
            unchecked(
                "The largest stable step size is nondecreasing in B, since below it every step "
                "size has such an X (the converse Lyapunov theorem)."
            ),
        ),
        source=Source(PAPER, "monotonicity in the batch size", Attribution.RECONSTRUCTED),
        kind=Kind.SUFFICIENT,
        dynamics=batches.dynamics,
        hypotheses=(
            batches.without_replacement(test=True),
            ABOVE_IDENTITY,
            Assumption(
                "Lyapunov",
                "X does not increase in the mean under batches of the smaller size",
                "definition, by sgd-batch-mixture",
                (Rule("at", (u,), mixture(q, u, u) <= Inner(u, X(u))),),
            ),
            batches.MANY,
            batches.SIZE,
            batches.SHARE,
            Condition("smaller_batch > 0", smaller > ZERO),
            batches.share_of(q, smaller),
            Condition("smaller_batch <= batch_size", smaller <= batch_size),
        ),
        divisors=(batches.BATCH_DIVISOR, sizes),
        proof=(
            batches.second_moment(x, x, test=True),
            mixture_lemma(x, x),
            Step(
                "less noise",
                p <= q,
                add(
                    times(
                        add(Fact(batches.MANY.name), number(1)),
                        Fact("smaller_batch <= batch_size"),
                        Invert(sizes),
                        Invert(Fact(batches.SIZE.name)),
                    ),
                    Multiple(scalar(-1), Fact("q")),
                    Fact("p"),
                ),
                "q - p = n(B - m)/(m B (n - 1)).",
            ),
            Step(
                "one step",
                stepped(K_b, x, x) <= 1 * Inner(x, X(x)),
                add(
                    RuleAt("Lyapunov", "at", (x,)),
                    times(Fact("less noise"), Square(step_size), noise),
                    Fact("mixture"),
                ),
                "The larger batch has less of the noise E⟨(H_b - H)x, X(H_b - H)x⟩ ≥ 0.",
            ),
        ),
        conclusion=("less noise", "one step"),
        witness=witness(
            {
                "step_size": "1/2",
                "n": 3,
                "batch_size": 2,
                "p": "1/4",
                "smaller_batch": 1,
                "q": 1,
            },
            {},
            operators=batches.pairs(*batches.THREE) | {"X": [[3, 1], [1, 2]]},
        ),
    ),
    "one step",
    Inner(x, X(x)),
    scalar(1),
    number(1),
)
MONOTONE = replace(
    ONE_STEP,
    proof=(
        *ONE_STEP.proof,
        Step(
            "stability",
            Along(norm2(x), NOW) <= scalar(1) ** NOW * Inner(x_0, X(x_0)),
            add(AlongOf(RuleAt("X >= I", "at", (x,)), NOW), Fact("rate")),
            "The energy is at least the squared distance.",
        ),
    ),
    conclusion=(*ONE_STEP.conclusion, "stability"),
)

THEOREMS = (IDENTITY, MONOTONE)
