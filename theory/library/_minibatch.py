"""What the theorems on mini-batches share: how much noise a batch keeps."""

from __future__ import annotations

from theory.language import *
from theory.library import _pl as pl

SHARE = Condition("p >= 0", p >= ZERO)
SHARE_AT_MOST_1 = Condition("p <= 1", p <= 1)
BATCH_LAW = Assumption(
    "batch law",
    "the second moment of the gradient of a batch, which keeps the share p of the noise",
    "sgd-batch-gradients",
    (
        Rule(
            "noise",
            (u,),
            Mean(norm2(Gradient(f_b, u)))
            <= 2 * p * beta * Value(f, u) + (1 - p) * norm2(Gradient(f, u)),
        ),
    ),
)
#: A batch enters only through its law, so nothing is assumed of single losses here.
LOWEST = Assumption(
    "interpolation",
    "the minimum value of f is 0, that of every loss",
    "Ma, Bassily, Belkin 2018",
    (Rule("nonnegative", (u,), Value(f, u) >= ZERO),),
)
SETTING_IN_WORDS = said(
    "Let E|∇f_b|² ≤ 2pβf + (1 - p)|∇f|², and let f = E f_b be L-smooth and PL "
    "(convention PL-half, μ > 0).",
    *("batch law", "smooth mean", "PL", "beta > 0", "L > 0", "mu > 0"),
)
SAMPLING = unchecked(
    "By sgd-batch-gradients this holds for the mean f_b of a random batch of B out of n losses "
    "that are β-smooth and zero at one common point, with p = (n - B)/(B(n - 1)), or 1/B for "
    "sampling with replacement."
)

known = signs(pl.KNOWN | {mu: "mu > 0", p: "p >= 0", 1 - p: "p <= 1"})
