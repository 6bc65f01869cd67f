"""What the tests of the search share: known results, and what it means to be found."""

import json
from fractions import Fraction

import pytest

import theory
from theory import search
from theory.library import _pl as pl
from theory.library import sgd_pl_linear
from theory.proving.assumptions import (
    ZERO,
    minimiser,
    polyak_lojasiewicz,
    positive_semidefinite,
    smooth,
    smooth_convex,
    smooth_strongly_convex,
    strongly_convex,
)
from theory.search import NotFound, SearchStatus
from theory.trusted.notation import H_b, L, beta, f, f_b, mu, radius, step_size, x
from theory.trusted.statements import (
    Attribution,
    Condition,
    Kind,
    Source,
    Status,
    Theorem,
)
from theory.trusted.terms import Const, Gradient, Inner, Mean, Named, Param, Value, norm2
from theory.wire import decode, encode

eta, a, b, c = step_size, Param("a"), Param("b"), Param("c")
y, x_star, p, q = Named("y"), Named("x_star"), Named("p"), Named("q")
g = Gradient(f, x)
after = x - eta * g
implicit = y + eta * Gradient(f, y)
perturbed = x + radius * g
sam = x - eta * Gradient(f, perturbed)
beta_rho = beta * radius

MU, L_POSITIVE, ORDER = Condition("mu", mu > ZERO), Condition("L", L > ZERO), Condition("<", mu < L)
STEP, RADIUS = Condition("step", eta >= ZERO), Condition("radius", radius >= ZERO)
BETA = Condition("beta", beta > ZERO)
A, B, C = (Condition(s.name, s >= ZERO) for s in (a, b, c))
SMOOTH = smooth("smooth", f, L, "", ("descent",))
CLASS = smooth_strongly_convex("class", f, mu, L)
COCOERCIVE = smooth_convex("class", f, L)
CRITICAL = minimiser("minimiser", f, x_star)
LOWEST = minimiser("minimiser", f, x_star, ("lowest",))
GD_CLASS = (CLASS, CRITICAL, MU, ORDER, STEP)
SHORT, LONG = Condition("range", eta <= 2 / (mu + L)), Condition("range", 2 / (mu + L) <= eta)
STRONG = (strongly_convex("class", f, mu), CRITICAL, MU, STEP)
SGD = (
    pl.smooth_samples("descent"),
    pl.SMOOTH_MEAN,
    pl.INTERPOLATION,
    polyak_lojasiewicz("PL", f, mu, "half"),
    *(BETA, L_POSITIVE, MU, STEP),
)
AT_SGD = (x, sgd_pl_linear.after, x - 1 / beta * pl.g)


def statement(*hypotheses):
    """A theorem without claims."""
    return Theorem(
        id="test",
        title="",
        statement="",
        source=Source("", "", Attribution.DERIVED),
        kind=Kind.UPPER_BOUND,
        hypotheses=hypotheses,
        divisors=(),
        proof=(),
        conclusion=(),
    )


def prove(*arguments, refute_seconds=1.0, **options):
    """The search, with little time for counterexamples: the small ones come first."""
    return search.prove(*arguments, refute_seconds=refute_seconds, **options)


def gap(point):
    return Value(f, point) - Value(f, x_star)


def distance(point):
    return norm2(point - x_star)


def bregman(point, other):
    return Inner(Gradient(f, point) - Gradient(f, other), point - other)


def case(name, hypotheses, left, right, *, points=None, hair=Fraction(99, 100)):
    """A true claim `left <= right` that `left <= hair * right` makes false."""
    return pytest.param(hypotheses, left, right, points, hair, id=name)


KNOWN = [
    case("GD, distance", (*GD_CLASS, SHORT), distance(after), (1 - eta * mu) ** 2 * distance(x)),
    case("GD, long steps", (*GD_CLASS, LONG), distance(after), (1 - eta * L) ** 2 * distance(x)),
    case(
        "GD, function values",
        (*GD_CLASS, Condition("range", eta <= 1 / L)),
        gap(after),
        (1 - eta * mu) ** 2 * gap(x),
    ),
    case(
        "proximal point, strongly convex", STRONG, (1 + eta * mu) ** 2 * distance(y),
        distance(implicit),
    ),
    case(
        "self-bounding", (SMOOTH, LOWEST, L_POSITIVE), norm2(g), 2 * L * gap(x),
        points=(x, x - 1 / L * g),
    ),
    case(
        "co-coercivity", (COCOERCIVE, L_POSITIVE), norm2(g - Gradient(f, y)), L * bregman(x, y),
    ),
    case(
        "without a parameter",
        (smooth("smooth", f, Const(Fraction(1)), "", ("lipschitz",)),),
        norm2(g - Gradient(f, y)),
        norm2(x - y),
    ),
    case(
        "strong co-coercivity",
        (CLASS, MU, ORDER),
        norm2(g - Gradient(f, y)) + mu * L * norm2(x - y),
        (mu + L) * bregman(x, y),
    ),
    case(
        "one step of SGD", SGD, Mean(Value(f, sgd_pl_linear.after)),
        sgd_pl_linear.factor * pl.loss, points=AT_SGD,
    ),
    case(
        "one step of SAM",
        (
            *(smooth("smooth", f, beta, "", ("descent", "lipschitz")), BETA, RADIUS, STEP),
            *(Condition("range", eta <= 1 / beta), Condition("short", beta_rho <= 1)),
        ),
        eta / 2 * (1 - beta_rho**2) * norm2(g),
        Value(f, x) - Value(f, sam),
        hair=Fraction(1, 2),
    ),
    case("Young", (Condition("a", a > ZERO),), 2 * Inner(p, q), a * norm2(p) + norm2(q) / a),
    case("Jensen", (), norm2(g), Mean(norm2(Gradient(f_b, x)))),
    case(
        "second moment", (positive_semidefinite("psd", H_b, ""),), ZERO, Mean(Inner(p, H_b(p))),
        hair=Fraction(-1),
    ),
    case("arithmetic and geometric mean", (A, B, C), 3 * a * b * c, a**3 + b**3 + c**3),
    case("Motzkin", (), 3 * a**2 * b**2, a**4 * b**2 + a**2 * b**4 + 1),
    case("harmonic mean", (A, Condition("b > 0", b > ZERO), Condition("a > 0", a > ZERO)),
         4 / (a + b), 1 / a + 1 / b),
    case("tangent of a cube", (A,), 3 * a, a**3 + 2),
]  # fmt: skip


def check_found(outcome, claim):
    """The outcome is a theorem that says the claim and that the kernel proves, from plain data."""
    assert outcome.status is SearchStatus.FOUND, outcome.reason
    assert outcome.verdict is Status.PROVED
    assert outcome.theorem.proof[-1].claim == claim
    again = decode(json.loads(json.dumps(encode(outcome.theorem))))
    assert theory.check(again).status is Status.PROVED


def check_not_found(outcome):
    """There is no theorem to be had, and the verdict is not better than the status."""
    assert outcome.status is not SearchStatus.FOUND
    assert outcome.verdict is not Status.PROVED
    with pytest.raises(NotFound, match=outcome.status.value):
        _ = outcome.theorem
