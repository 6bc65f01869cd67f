"""Stability of SGD in the fourth moment bounds the fourth moment of the gradients."""

from __future__ import annotations

from theory.language import *
from theory.library._stability import eta, u

after = u - eta * H_b(u)
pull = eta * H_b(u)
bound = 16 / eta**4
FOURTH_POWER = Fact("step is not 0")

THEOREM = Theorem(
    id="sgd-fourth-moment",
    title=(
        "Where one step of SGD does not raise the fourth moment, that of the gradients is "
        "at most (2/η)⁴"
    ),
    title_says=("fourth moment", "gradients"),
    statement=(
        said(
            "If along a direction u the linearised SGD does not increase the fourth moment in "
            "one step, E|u - ηH_b u|⁴ ≤ |u|⁴, then it does not increase the second one, (E|u - "
            "ηH_b u|²)² ≤ |u|⁴.",
            *("algorithm", "fourth moment", "second moment"),
        ),
        said(
            "The gradients there satisfy E|H_b u|⁴ ≤ (2/η)⁴|u|⁴, if η ≠ 0.",
            *("step is not 0", "gradients"),
        ),
    ),
    source=Source(
        "Ma, Ying 2021, On linear stability of SGD and input-smoothness of neural networks",
        "higher moments, here the fourth and one step",
        Attribution.DERIVED,
    ),
    kind=Kind.NECESSARY,
    dynamics=Dynamics(SGD, H, x_0),
    hypotheses=(
        Condition("step is not 0", eta**4 > ZERO, "the sign of η plays no part"),
        Condition("fourth moment", Mean(norm2(after) ** 2) <= norm2(u) ** 2),
    ),
    divisors=(FOURTH_POWER,),
    proof=(
        Step(
            "second moment",
            Mean(norm2(after)) ** 2 <= norm2(u) ** 2,
            add(Fact("fourth moment"), MeanOf(Square(norm2(after) - Mean(norm2(after))))),
            "The variance of |u - ηH_b u|² is non-negative.",
        ),
        Step(
            "parallelogram",
            norm2(pull) ** 2 <= 8 * (norm2(u) ** 2 + norm2(after) ** 2),
            add(
                times(number(4), Square(norm2(u) - norm2(after))),
                Square(norm2(u + after)),
                times(number(2), Norm(pull), Norm(u + after)),
            ),
            "The parallelogram law, and |u|⁴ + |v|⁴ ≥ (|u|² + |v|²)²/2.",
        ),
        Step(
            "gradients",
            Mean(norm2(H_b(u)) ** 2) <= bound * norm2(u) ** 2,
            times(
                Invert(FOURTH_POWER),
                add(
                    MeanOf(Fact("parallelogram")),
                    times(number(8), Fact("fourth moment")),
                ),
            ),
            "ηH_b u is the difference of u and the next iterate.",
        ),
    ),
    conclusion=("second moment", "gradients"),
    witness=witness({"step_size": 1}, {"u": [1]}, [[[0]], [[2]]]),
    findings=(
        "Attained where every curvature is 2/η; half of it by curvatures 0 and 2/η, the witness.",
    ),
    quantities=(Quantity("bound", bound, "upper bound on E|H_b u|⁴/|u|⁴"),),
)
