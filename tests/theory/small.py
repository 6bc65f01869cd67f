"""Theorems of one step, to be accepted or refused; those of the library, by how they end."""

import json

import pytest

import theory
from theory.proving import witnesses
from theory.proving.assumptions import ZERO
from theory.trusted.algorithms import GD
from theory.trusted.statements import (
    Attribution,
    Condition,
    Dynamics,
    Kind,
    Source,
    Status,
    Step,
    Theorem,
)
from theory.trusted.terms import Function, Named, Operator, Param
from theory.wire import encode

p, q = Param("p"), Param("q")
x, y, u = Named("x"), Named("y"), Named("u")
f, f_b = Function("f"), Function("f", sampled=True)
H, H_b, P = (
    Operator("H", symmetric=True),
    Operator("H", sampled=True, symmetric=True),
    Operator("P", symmetric=True),
)
P_POSITIVE = Condition("p > 0", p > ZERO)
Q_NONNEGATIVE = Condition("q >= 0", q >= ZERO)
PROVED = tuple(t for t in theory.load().values() if t.refutation is None)
REFUTED = tuple(t for t in theory.load().values() if t.refutation is not None)
LARGE = {
    "sam-pl-convex",
    "sam-pl-minibatch",
    "sam-pl-minibatch-best-step",
    "sgd-stability-s2-dimension-3",
    "sgd-stability-s2-dimension-4",
}


def every(theorems):
    """A test for each theorem: those of one theorem in one worker, those of large ones slow."""
    return pytest.mark.parametrize(
        "theorem",
        [
            pytest.param(
                t,
                id=t.id,
                marks=[pytest.mark.xdist_group(t.id), *[pytest.mark.slow] * (t.id in LARGE)],
            )
            for t in theorems
        ],
    )


def make(claim, certificate, *hypotheses, before=(), dynamics=None, divisors=()):
    """A theorem whose last step is the given one."""
    return Theorem(
        id="test",
        title="",
        statement="",
        source=Source("", "", Attribution.DERIVED),
        kind=Kind.IDENTITY,
        dynamics=dynamics or Dynamics(GD, f, Named("x_0")),
        hypotheses=hypotheses,
        divisors=divisors,
        proof=(*before, Step("claim", claim, certificate, "")),
        conclusion=("claim",),
    )


def refused(theorem, reason):
    report = theory.check(theorem)
    assert report.status is Status.UNDECIDED
    assert reason in report.reason, report.reason


def proved(theorem):
    report = theory.check(witnesses.completed(theorem))
    assert report.status is Status.PROVED, report.reason


def small(claim, certificate, *hypotheses, **more):
    """A theorem of one step, with a witness if its hypotheses have a small instance."""
    return witnesses.completed(make(claim, certificate, *hypotheses, **more))


def file_with(folder, *theorems):
    """A user's file that holds these theorems."""
    path = folder / "mine.py"
    path.write_text(
        "import json\nfrom theory.wire import decode\n"
        f"THEOREMS = decode(json.loads({json.dumps(encode(theorems))!r}))\n"
    )
    return str(path)
