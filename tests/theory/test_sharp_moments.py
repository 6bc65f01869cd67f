"""The sharp bounds on s_3 and s_4: against linear programs, and attained or approached exactly."""

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from oracles.moment_problems import largest_gap
from scipy.optimize import brentq

import theory
from theory import evaluation as ev
from theory.proving.models import Model, rational
from theory.trusted.terms import Relation

S3_SMALL, S3_LARGE = "sam-stability-s3-sharp-small", "sam-stability-s3-sharp-large"
S3_CLOSED, S3_ATTAINED = "sam-stability-s3-closed-form", "sam-stability-s3-attained"
S4, S4_MIDDLE = "sam-stability-s4-sharp", "sam-stability-s4-sharp-middle"
S4_LARGE = "sam-stability-s4-sharp-large"
RATIOS = [0.01, 0.05, 0.2, 0.35, 0.374, 0.376, 0.5, 1.0, 3.0, 3.4, 5.0, 7.0, 7.2, 10.0]


def bound(name, radius, **more):
    """The bound of a theorem at step size 1."""
    return ev.evaluate(theory.get(name), "bound", step_size=1.0, radius=radius, **more)


def best_of_family(ratio):
    """The least bound of the family over its contacts."""
    contacts = 1 - 2 * ratio * np.linspace(0.6, 1, 4001)
    return float(bound(S3_SMALL, ratio, contact=contacts).value.min())


def sharp(order, ratio):
    """The sharp bound on s_k^k at step size 1, from the theorem of its regime."""
    if order == 3:
        at_edge = bound(S3_LARGE, ratio)
        return float(at_edge.value) ** 0.5 if at_edge.covered else best_of_family(ratio)
    if (published := bound(S4, ratio)).covered:
        return float(published.value)
    at_edge = bound(S4_LARGE, ratio)
    return float((at_edge if at_edge.covered else bound(S4_MIDDLE, ratio)).value) ** (1 / 3)


@pytest.mark.parametrize("order", [3, 4])
@pytest.mark.parametrize("ratio", RATIOS)
def test_the_sharp_bounds_are_the_optima_of_the_moment_problems(order, ratio):
    optimum = largest_gap(order, ratio) / sharp(order, ratio)
    # a law on a grid is a law, so the optimum is at most 1 (Clarabel stops at 1e-8); the last
    # spacing is 1/67500 of a range of up to 200, which costs up to 4e-6 at the smallest ratio
    assert 1 - 4e-6 < optimum < 1 + 1e-7


def test_the_published_bounds_are_the_weaker_ones_where_they_are_true():
    for ratio in np.linspace(0.01, 10, 200):
        assert sharp(3, ratio) < 1 / (2 * ratio)
        # 1e-12: both are the same quotient where they agree
        exceeded = sharp(4, ratio) > (1 + 1e-12) / ratio**2
        assert exceeded == (4 * ratio**2 > 12 * ratio + 3)


def test_the_closed_form_is_within_two_per_cent_of_the_sharp_bound():
    for ratio in np.linspace(0.005, 0.375, 75):
        excess = float(bound(S3_CLOSED, ratio).value) / best_of_family(ratio) - 1
        # the grid over contacts is above the least bound by less than 1e-7
        assert -1e-7 < excess < 0.02
    assert not bound(S3_CLOSED, 0.3751).covered


def test_one_step_without_the_term_in_the_radius_squared_is_no_bound():
    ratio = 0.1
    assert largest_gap(3, ratio) > (1 + ratio) / (4 * ratio)


def excess(t, ratio):
    """How much the square of a step exceeds 1 at curvature t."""
    return (1 - t - ratio * t**2) ** 2 - 1


def gap(order, law):
    """E T^k - (E T)^k of a law given as (value, weight) pairs."""
    return sum(w * t**order for t, w in law) - sum(w * t for t, w in law) ** order


def is_admitted(law, ratio):
    """Whether it is a law on t >= 0 that satisfies the one-step condition, exactly."""
    return (
        sum(w for _, w in law) == 1
        and all(w >= 0 and t >= 0 for t, w in law)
        and sum(w * excess(t, ratio) for t, w in law) <= 0
    )


def tight(p, q, ratio):
    """The law on two points that satisfies the one-step condition with equality."""
    weight = excess(p, ratio) / (excess(p, ratio) - excess(q, ratio))
    return [(p, 1 - weight), (q, weight)]


def contact_points(ratio):
    """Where the best law for s_3 sits, and its mean, from the theorem's own equations."""
    theorem = theory.get(S3_ATTAINED)
    best = next(h.relation for h in theorem.hypotheses if h.name == "best contact")

    def values(contact):
        given = {"step_size": 1.0, "radius": ratio, "contact": contact}
        return ev.implied(theorem, frozenset({"peak"}), given)

    def slack(contact):
        return float(ev.value(best.slack, **values(contact)))

    least = (1 + np.sqrt(max(0, 1 - 8 * ratio))) / 2 + 1e-12  # below it peak² is negative
    contact = brentq(slack, least, 1, xtol=1e-15)
    product = (1 - contact**2 - 2 * ratio) / 2
    points = np.sort(np.roots([1, -contact, product])) / ratio
    return points, float(values(contact)["peak"]) / ratio, contact


@pytest.mark.parametrize("ratio", np.linspace(0.02, 0.37, 8).tolist())
def test_two_points_attain_the_best_bound_of_the_family(ratio):
    (p, q), mean, contact = contact_points(ratio)
    assert 0 <= p <= mean <= q
    law = [(p, (q - mean) / (q - p)), (q, (mean - p) / (q - p))]
    at_contact = float(bound(S3_SMALL, ratio, contact=contact).value)
    # p and q come from a root at 1e-15 and are divided by the ratio; powers up to q^4 = 6e6
    assert sum(w * excess(t, ratio) for t, w in law) == pytest.approx(0, abs=1e-8)
    assert gap(3, law) == pytest.approx(at_contact, rel=1e-8)
    assert at_contact == pytest.approx(best_of_family(ratio), rel=1e-7)


def test_the_witness_of_the_attained_bound_attains_it_exactly():
    theorem = theory.get(S3_ATTAINED)
    at = dict(theorem.witness.parameters)
    ratio, contact, mean = at["radius"], at["contact"], at["peak"] / at["radius"]
    total, product = contact / ratio, (1 - contact**2 - 2 * ratio) / (2 * ratio**2)
    assert product > 0 and (mean**2 - total * mean + product) < 0  # 0 < p < mean < q
    moments = [Fraction(1), mean]
    while len(moments) < 5:  # of the law on the roots p, q, which are irrational
        moments.append(total * moments[-1] - product * moments[-2])
    step = -2 * moments[1] + (1 - 2 * ratio) * moments[2] + 2 * ratio * moments[3]
    assert step + ratio**2 * moments[4] == 0
    family = Model(at, {}, rational([[[0]]]))
    (quantity,) = theory.get(S3_SMALL).quantities
    assert moments[3] - mean**3 == family.scalar(quantity.expression).item()


#: Samples in one dimension, step size, radius and what else it takes: the moment is attained.
ATTAINING = {
    S3_LARGE: ([0, 1, 1], 1, 1, {"edge": 1}),
    S4_LARGE: ([0, 1, 1], Fraction(2, 5), 4, {"edge": Fraction(2, 5)}),
    S3_SMALL: (
        [1] * 7 + [2] * 9,
        Fraction(5, 6),
        Fraction(1, 5),
        {"contact": Fraction(3, 5), "peak": Fraction(1, 5)},
    ),
}


@pytest.mark.parametrize("name", ATTAINING)
def test_the_bound_on_the_moment_is_attained_exactly(name):
    samples, step_size, radius, more = ATTAINING[name]
    given = {"step_size": Fraction(step_size), "radius": Fraction(radius), **more}
    model = Model(given, {"u": rational([1])}, rational([[[h]] for h in samples]))
    theorem = theory.get(name)
    for hypothesis in theorem.hypotheses:
        if not {f"s_{k}" for k in (3, 4)} & set(ev.parameters(hypothesis)):
            assert model.satisfies(hypothesis), hypothesis.name
    (moment,) = (step.claim for step in theorem.proof if step.name == "moment")
    assert model.holds(Relation(moment.left, "==", moment.right))


def test_beyond_its_range_the_published_bound_on_s_4_fails_in_one_dimension():
    samples, step_size, radius = [0, 1, 1], Fraction(1, 2), Fraction(3)
    model = Model(
        {"step_size": step_size, "radius": radius},
        {"u": rational([1])},
        rational([[[h]] for h in samples]),
    )
    published = theory.get("sam-stability-s4")
    (condition,) = (h for h in published.hypotheses if h.name == "one-step condition")
    (s_4,) = (h for h in published.hypotheses if h.name == "s_4")
    (quantity,) = published.quantities
    assert model.satisfies(condition)
    moment = model.scalar(s_4.relation.right).item()
    assert (moment, model.scalar(quantity.expression).item()) == (Fraction(38, 81), Fraction(4, 9))
    assert moment > Fraction(4, 9)


def escaping(mean, far, near, ratio):
    """The law on 0, `near` and `far` with this mean and equality in the one-step condition."""
    rate = -excess(far, ratio) / excess(near, ratio)
    weight = mean / (far + rate * near)
    return [(0, 1 - weight * (1 + rate)), (near, weight * rate), (far, weight)]


def landing(ratio):
    """A rational number next to the landing point t: r t² + t = 1."""
    r = float(ratio)
    return Fraction((np.sqrt(1 + 4 * r) - 1) / (2 * r))


def test_the_published_bound_on_s_4_fails_exactly_where_its_range_ends():
    r = sp.symbols("r")
    (end,) = sp.Poly(4 * r**2 - 12 * r - 3).real_roots()[1:]
    assert sp.simplify(end - (3 + 2 * sp.sqrt(3)) / 2) == 0
    below, above = Fraction(32320, 10**4), Fraction(32321, 10**4)
    assert sp.Rational(str(below)) < end < sp.Rational(str(above))
    (condition,) = (h for h in theory.get(S4).hypotheses if h.name == "radius range")
    for ratio, inside in ((below, True), (above, False)):
        model = Model({"step_size": Fraction(1), "radius": ratio}, {}, rational([[[0]]]))
        assert model.satisfies(condition) is inside
    law = escaping(landing(above), 10**13, (2 * above - 1) / (4 * above), above)
    assert is_admitted(law, above)
    assert above**2 * gap(4, law) > 1


@pytest.mark.parametrize("ratio", [Fraction(1, 100), Fraction(1, 2), Fraction(3)])
def test_the_bound_on_s_4_is_approached_by_a_rare_large_curvature(ratio):
    gaps = []
    for far in (10**4, 10**8):
        law = tight(landing(ratio), Fraction(far), ratio)
        assert is_admitted(law, ratio)
        gaps.append(ratio**2 * gap(4, law))
    assert gaps[0] < gaps[1] < 1
    # the far atom adds about 2/(r N) of what it is worth to the term in T³
    assert 1 - gaps[1] < 4 / (ratio * 10**8)


def test_the_middle_bound_on_s_4_is_approached_exactly():
    ratio = Fraction(5)
    slope = (4 * ratio**2 + 12 * ratio + 1) / (8 * ratio**3)
    mean = Fraction(float(slope / 4) ** (1 / 3))
    law = escaping(mean, 10**10, (2 * ratio - 1) / (4 * ratio), ratio)
    assert is_admitted(law, ratio)
    # the mean is rounded at 1e-16, to second order; the far atom costs about 2/(r N)
    assert float(gap(4, law)) == pytest.approx(sharp(4, 5.0), rel=1e-9)


def test_the_regimes_of_s_3_meet_exactly_at_three_eighths():
    (at_edge,) = (h for h in theory.get(S3_LARGE).hypotheses if h.name == "radius range")
    (beside,) = (h for h in theory.get(S3_CLOSED).hypotheses if h.name == "radius range")
    model = Model({"step_size": Fraction(8), "radius": Fraction(3)}, {}, rational([[[0]]]))
    for condition in (at_edge, beside):
        assert model.scalar(condition.relation.slack).item() == 0
    edge = Fraction(4, 3) + Fraction(1, 1000)
    ratio = (2 - edge) / edge**2  # just below 3/8, with a rational edge
    assert Fraction(373, 1000) < ratio < Fraction(3, 8)
    points, _, _ = contact_points(float(ratio))
    law = tight(*(Fraction(float(t)) for t in points), ratio)
    assert is_admitted(law, ratio)
    assert 27 * gap(3, law) ** 2 > 4 * edge**6
