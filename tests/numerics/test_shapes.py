"""A theorem is measured by what it states: its copy like the original, anything else not at all."""

import dataclasses
import importlib
import pkgutil
from dataclasses import replace
from fractions import Fraction

import pytest

import numerics.confrontations
import theory
from numerics.confrontations.cases import LeastSquaresCase
from numerics.confrontations.registry import AT_MINIMA, ON_LEAST_SQUARES
from numerics.confrontations.verdicts import Outcome
from numerics.problems import LeastSquares
from theory.evaluation import evaluate
from theory.proving.assumptions import ZERO, smooth_strongly_convex
from theory.trusted.algorithms import GD, NORMALIZED_SAM, SamSpec
from theory.trusted.notation import L, beta, f, mu, p, radius, step_size, x, x_0
from theory.trusted.statements import Condition, Quantity
from theory.trusted.terms import Along, Gradient, Param, Time, Value, norm2, substitute

CASE = LeastSquaresCase("small", LeastSquares.gaussian(6, 12, 0))
CLAIMED = [theorem for theorem in theory.load().values() if theorem.refutation is None]
UNKNOWN = "no measurement of this claim is known here"


def measurement(theorem):
    return ON_LEAST_SQUARES.find(theorem) or AT_MINIMA.find(theorem)


@pytest.mark.parametrize("theorem", CLAIMED, ids=lambda t: t.id)
def test_a_copy_is_measured_like_the_original(theorem):
    copy = replace(theorem, id="mine", title="Mine", statement="Mine.", findings=(), witness=None)
    found = measurement(theorem)
    assert found is not None and measurement(copy) is found


def test_each_measurement_that_is_for_one_statement_says_why():
    for register in (ON_LEAST_SQUARES, AT_MINIMA):
        assert all(
            found.because and theory.get(name) for name, (found, _) in register.special.items()
        )


def test_of_a_copy_the_verdict_is_that_of_the_original():
    theorem = theory.get("sgd-pl-linear")
    verdict = CASE.confront(replace(theorem, id="my-theorem"))
    assert verdict.outcome is Outcome.CONSISTENT
    assert verdict == replace(CASE.confront(theorem), theorem="my-theorem")


def refused(theorem, what):
    verdict = CASE.confront(theorem)
    assert verdict.outcome is Outcome.INCONCLUSIVE and verdict.points == 0
    assert verdict.reason.startswith(UNKNOWN) and what in verdict.reason, verdict.reason


def with_algorithm(theorem, algorithm):
    return replace(theorem, dynamics=replace(theorem.dynamics, algorithm=algorithm))


MOVING = [t for t in CLAIMED if t.dynamics is not None]


@pytest.mark.parametrize("theorem", MOVING, ids=lambda t: t.id)
@pytest.mark.parametrize("algorithm", [NORMALIZED_SAM, SamSpec("fresh", fresh_batch=True)])
def test_no_other_algorithm_is_measured_in_its_place(theorem, algorithm):
    assert measurement(with_algorithm(theorem, algorithm)) is None


@pytest.mark.parametrize("theorem", CLAIMED, ids=lambda t: t.id)
def test_a_hypothesis_that_no_problem_establishes_is_not_passed_over(theorem):
    more = smooth_strongly_convex("class", f, mu, L)
    open_parameter = Condition("shares", Param("share") <= Param("other_share"))
    about_a_point = Condition("value at x", Value(f, x) <= 1)
    for extra in (more, open_parameter, about_a_point):
        assert measurement(replace(theorem, hypotheses=(*theorem.hypotheses, extra))) is None


@pytest.mark.parametrize("theorem", CLAIMED, ids=lambda t: t.id)
def test_no_other_conclusion_is_measured_in_its_place(theorem):
    """Twice the left side of every conclusion, which no measurement takes from the theorem."""
    doubled = tuple(
        replace(step, claim=replace(step.claim, left=step.claim.left * 2)) for step in theorem.proof
    )
    found = measurement(replace(theorem, proof=doubled))
    # both sides of a pointwise inequality are the theorem's own
    assert found is None or theorem.id in ("pl-half-to-bare", "pl-bare-to-half")


def without(theorem, name):
    assert any(h.name == name for h in theorem.hypotheses)
    return replace(theorem, hypotheses=tuple(h for h in theorem.hypotheses if h.name != name))


@pytest.mark.parametrize(
    ("theorem_id", "dropped", "missing"),
    [
        ("sgd-pl-linear", "PL", "no hypothesis ties mu in its factor to the problem"),
        ("sam-pl-linear", "smooth mean", "no hypothesis ties L in its factor"),
        ("sam-pl-minibatch", "batch law", "ties p in its factor"),
        ("sam-pl-convex", "width", "width in the condition 'width > 0' has no value"),
        ("sam-stability-s2", "one-step condition", "does not assume the one-step condition"),
        ("sam-stability-s2", "u is a unit vector", "does not define s_2 at a unit vector"),
        ("sam-stability-s3", "s_3", "does not define s_3 at a unit vector"),
        ("sam-stability-s3-sharp-large", "edge", "edge in the condition 'edge > 0' has no value"),
        ("pl-half-to-bare", "PL", "ties mu in its claim"),
    ],
)
def test_what_a_statement_without_a_hypothesis_lacks_is_said(theorem_id, dropped, missing):
    refused(without(theory.get(theorem_id), dropped), missing)


def changed_claim(theorem, name, claim):
    proof = tuple(replace(q, claim=claim) if q.name == name else q for q in theorem.proof)
    return replace(theorem, proof=proof)


def test_the_rate_of_another_quantity_is_not_measured():
    theorem = theory.get("sgd-pl-linear")
    (factor,) = (q.expression for q in theorem.quantities if q.name == "factor")
    squared = norm2(Gradient(f, x))
    gradients = Along(squared, Time()) <= factor ** Time() * substitute(squared, x, x_0)
    other_start = Along(Value(f, x), Time()) <= factor ** Time() * squared
    twice = Along(Value(f, x), Time()) <= (factor * 2) ** Time() * Value(f, x_0)
    below = factor ** Time() * Value(f, x_0) <= Along(Value(f, x), Time())
    for claim in (gradients, other_start, twice, below):
        refused(changed_claim(theorem, "rate", claim), "")
    refused(replace(theorem, conclusion=("one step",)), "")


def test_the_bound_of_another_moment_is_not_measured():
    theorem = theory.get("sam-stability-s2")
    other = substitute(theorem, Param("s_2"), Param("s_3"))
    refused(other, "does not define s_3 at a unit vector")
    refused(substitute(theorem, "<=", "=="), "")


def test_a_factor_with_a_parameter_of_its_own_is_not_measured():
    theorem = theory.get("sgd-pl-linear")
    (factor,) = (q.expression for q in theorem.quantities if q.name == "factor")
    refused(
        substitute(theorem, factor, factor * Param("momentum")),
        "its quantity 'factor' has parameters that no equation determines",
    )
    steps = tuple(q for q in theorem.quantities if q.name == "factor")
    refused(replace(theorem, quantities=steps), "it has no quantity best_step_size")
    named = (*steps, Quantity("best_step_size", Param("share") / L, ""))
    refused(replace(theorem, quantities=named), "'best_step_size' has parameters")


def test_gradient_descent_has_a_measurement_of_its_own():
    """The factor of SGD is one of gradient descent too; half of it is not."""
    theorem = with_algorithm(theory.get("sgd-pl-linear"), GD)
    verdict = CASE.confront(theorem)
    assert verdict.outcome is Outcome.CONSISTENT
    (factor,) = (q.expression for q in theorem.quantities if q.name == "factor")
    half = substitute(theorem, factor, factor / 2)
    assert CASE.confront(half).outcome is Outcome.VIOLATED


def test_a_rate_that_is_new_is_measured():
    """A factor that no theorem has, true or false, under hypotheses that the problem fulfils."""
    theorem = theory.get("sgd-pl-linear")
    (factor,) = (q.expression for q in theorem.quantities if q.name == "factor")
    weaker = 1 - step_size * mu + L * beta * step_size**2
    stronger = (1 - step_size * mu) / 2
    for own, outcome in ((weaker, Outcome.CONSISTENT), (stronger, Outcome.VIOLATED)):
        new = substitute(replace(theorem, id="new"), factor, own)
        assert CASE.confront(new).outcome is outcome


def test_settings_outside_of_the_hypotheses_are_not_measured():
    """Also where the condition that fails is on a parameter that the factor does not have."""
    theorem = theory.get("sgd-pl-linear")
    (factor,) = (q.expression for q in theorem.quantities if q.name == "factor")
    wrong = substitute(theorem, factor, factor / Fraction(1000))
    ratio = Param("ratio")
    never = (
        Condition("ratio", (ratio * beta).equals(mu)),
        Condition("impossible", ratio >= 2),
    )
    verdict = CASE.confront(replace(wrong, hypotheses=(*wrong.hypotheses, *never)))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reason == "the hypotheses held at none of the settings"
    negative = dataclasses.replace(theorem.quantities[1], expression=ZERO - mu)
    assert negative.name == "best_step_size"
    backwards = replace(theorem, quantities=(theorem.quantities[0], negative))
    backwards = without(backwards, "step >= 0")
    assert CASE.confront(backwards).outcome is Outcome.INCONCLUSIVE


SPECIAL = {**ON_LEAST_SQUARES.special, **AT_MINIMA.special}
ROOMS = [
    importlib.import_module(f"numerics.confrontations.{room.name}")
    for room in pkgutil.iter_modules(numerics.confrontations.__path__)
]


@pytest.mark.parametrize("name", SPECIAL)
def test_a_measurement_says_which_quantities_it_does_not_look_at(name, monkeypatch):
    """Every other one is evaluated while it runs, and none that it says it ignores."""
    seen = set()

    def recorded(theorem, quantity, /, *args, **given):
        seen.add((theorem.id, quantity))
        return evaluate(theorem, quantity, *args, **given)

    for room in ROOMS:
        if hasattr(room, "evaluate"):
            monkeypatch.setattr(room, "evaluate", recorded)
    theorem = theory.get(name)
    assert CASE.confront(theorem).points > 0
    _, taken = SPECIAL[name]
    read = {quantity for of, quantity in seen if of == name}
    assert read == {q.name for q in theorem.quantities} - set(taken.ignores)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "quantity"), [(n, q.name) for n in SPECIAL for q in theory.get(n).quantities]
)
def test_no_quantity_is_changed_unseen(name, quantity):
    """A thousandfold, or the reciprocal, is measured differently, by shape, or not at all.

    By shape only what the measurement names is measured, whatever else a theorem claims.  An
    expression is changed wherever it stands; a parameter, which may be called as one likes, where
    the quantity says what it is.
    """
    theorem = theory.get(name)
    (old,) = (q for q in theorem.quantities if q.name == quantity)
    before, after = CASE.confront(theorem), []
    for share in (Fraction(1, 1000), Fraction(1000)):
        own = share * old.expression
        if isinstance(old.expression, Param):
            new = replace(old, expression=own)
            changed = replace(
                theorem, quantities=tuple(new if q is old else q for q in theorem.quantities)
            )
        else:
            changed = substitute(theorem, old.expression, own)
        after.append(CASE.confront(changed))
    assert before.points > 0
    by_shape = (found := measurement(changed)) is not None and not found.because
    assert by_shape or any(verdict != before for verdict in after)


def test_a_pointwise_inequality_is_measured():
    """The converse of PL, from smoothness: |∇f|² ≤ 2Lf; half of it is false."""
    theorem = theory.get("pl-half-to-bare")
    smooth = tuple(h for h in theory.get("sgd-pl-linear").hypotheses if h.name == "smooth mean")
    squared, loss = norm2(Gradient(f, x)), Value(f, x)
    for bound, outcome in ((2 * L, Outcome.CONSISTENT), (L / 500, Outcome.VIOLATED)):
        own = changed_claim(theorem, "PL-bare", squared <= bound * loss)
        assert CASE.confront(replace(own, hypotheses=smooth)).outcome is outcome
    free = changed_claim(theorem, "PL-bare", squared <= 2 * L * loss + p + radius)
    refused(replace(free, hypotheses=smooth), "more than f, its gradient and constants")
