"""Every theorem of the library goes through the same matrix; a new file needs no new test."""

import dataclasses
import json
import math
from fractions import Fraction

import numpy as np
import pytest
from small import PROVED

import theory
from theory import evaluation as ev
from theory.library import sam_pl_linear, sgd_pl_linear
from theory.text.latex import article
from theory.text.plain import explain
from theory.text.printing import to_latex, to_text
from theory.trusted.statements import Condition, Status
from theory.trusted.terms import Const, Param, Power, Product, Quotient, Sum, nodes
from theory.wire import decode, encode

LIBRARY = tuple(theory.load().values())
every_theorem = pytest.mark.parametrize("theorem", LIBRARY, ids=lambda t: t.id)


def exact(tree, values):
    """The exact value of a numeric expression, with Fractions and without the kernel's algebra."""
    match tree:
        case Const(value):
            return value
        case Param(name):
            return Fraction(values[name])
        case Sum(terms):
            return sum((exact(term, values) for term in terms), Fraction(0))
        case Product(factors):
            return math.prod((exact(factor, values) for factor in factors), start=Fraction(1))
        case Quotient(numerator, divisor):
            return exact(numerator, values) / exact(divisor, values)
        case Power(base, int(exponent)):
            return exact(base, values) ** exponent
    raise AssertionError(f"a {type(tree).__name__} has no value of its own")


@every_theorem
def test_the_kernel_gives_the_recorded_status(theorem):
    report = theory.check(theorem)
    assert report.status is theorem.expected, report.reason


@every_theorem
def test_every_step_is_checked_and_no_hypothesis_is_idle(theorem):
    report = theory.check(theorem)
    if theorem.expected is Status.PROVED:
        assert [s.name for s in report.steps] == [step.name for step in theorem.proof]
        assert all(s.accepted for s in report.steps)
        assert report.redundant == ()


@every_theorem
def test_without_its_proof_nothing_is_proved(theorem):
    for length in range(len(theorem.proof)):
        cut = dataclasses.replace(theorem, proof=theorem.proof[:length])
        if not {step.name for step in cut.proof} >= set(theorem.conclusion):
            assert theory.check(cut).status is Status.UNDECIDED


@pytest.mark.parametrize("theorem", PROVED, ids=lambda t: t.id)
def test_every_hypothesis_is_needed_by_the_certificate(theorem):
    for hypothesis in theorem.hypotheses:
        rest = tuple(h for h in theorem.hypotheses if h is not hypothesis)
        dropped = dataclasses.replace(theorem, hypotheses=rest)
        assert theory.check(dropped).status is Status.UNDECIDED, hypothesis.name


@every_theorem
def test_json_round_trip_is_exact(theorem):
    assert decode(json.loads(json.dumps(encode(theorem)))) == theorem


@every_theorem
def test_prints_as_text_and_latex(theorem):
    text, latex = explain(theorem), article(theorem)
    for step in theorem.proof:
        assert to_text(step.claim) in text
        assert to_latex(step.claim) in latex
    assert latex.count("{") == latex.count("}")


@every_theorem
def test_quantities_are_part_of_the_statement(theorem):
    said = {node for step in theorem.proof for node in nodes(step.claim)}
    said |= {n for h in theorem.hypotheses if isinstance(h, Condition) for n in nodes(h.relation)}
    for quantity in theorem.quantities:
        assert quantity.expression in said, quantity.name


def on_the_equations(equations, values):
    """The values with one parameter of every equation changed so that it holds.

    A square root is rounded: its equation then holds as floats do, which is what is asked of it.
    """
    settled = set()
    for slack, names in equations:
        for name in sorted(names - settled):
            if (root := positive_root(slack, name, values)) is not None:
                values = values | {name: root}
                break
        settled |= names
    return values


def positive_root(slack, name, values):
    """The positive root of a polynomial of degree 1 or 2 in one parameter, if there is one."""
    a, one, two, three = (exact(slack, values | {name: Fraction(x)}) for x in range(4))
    c = (two - 2 * one + a) / 2
    b = one - a - c
    if three != a + 3 * b + 9 * c:
        return None
    if c == 0:
        return -a / b if b and a / b < 0 else None
    root = float(ev.positive_root(*(np.float64(x) for x in (a, b, c))))
    return Fraction(root) if root > 0 else None


@pytest.mark.slow
@every_theorem
def test_float_evaluation_agrees_with_exact_arithmetic_over_the_range(theorem):
    rng = np.random.default_rng(0)
    for quantity in theorem.quantities:
        names = sorted(ev.parameters(quantity.expression))
        equations = [
            (condition.relation.slack, ev.parameters(condition.relation))
            for condition in ev.conditions(theorem, frozenset(names))
            if condition.relation.sign == "=="
        ]
        points = [
            on_the_equations(
                equations,
                {n: Fraction(int(rng.integers(1, 40)), 4 ** int(rng.integers(6))) for n in names},
            )
            for _ in range(400)
        ]
        floats = {n: np.array([float(at[n]) for at in points]) for n in names}
        result = ev.evaluate(theorem, quantity.name, **floats)
        covered = np.broadcast_to(result.covered, len(points))
        assert covered.any(), quantity.name
        assert np.array_equal(np.isnan(result.value), np.logical_not(result.covered))
        assert covered.all() or result.uncovered_by
        values = np.broadcast_to(result.value, len(points))
        for at, value in zip(np.array(points)[covered], values[covered], strict=True):
            # a dozen float64 operations on numbers below 1e5: 1e-9 is generous yet far from
            # any change of a constant in the expression
            want = float(exact(quantity.expression, at))
            assert value == pytest.approx(want, rel=1e-9, abs=1e-9)


def test_step_zero_keeps_the_loss():
    for theorem in (sgd_pl_linear.THEOREM, sam_pl_linear.HALF):
        value = ev.evaluate(theorem, "factor", step_size=0, radius=0.01, beta=2, L=1, mu=0.5)
        assert value.value == 1.0


def test_radius_zero_gives_sgd():
    given = {"step_size": np.linspace(0, 1, 11), "beta": 2.0, "L": 1.5, "mu": 0.5}
    sam = ev.evaluate(sam_pl_linear.HALF, "factor", radius=0.0, **given)
    sgd = ev.evaluate(sgd_pl_linear.THEOREM, "factor", **given)
    np.testing.assert_array_equal(sam.value, sgd.value)


def test_the_published_rate_is_the_half_convention_at_its_best_step():
    beta, L, mu, radius = 2.0, 1.5, 0.5, 0.05
    best = ev.evaluate(sam_pl_linear.HALF, "best_step_size", radius=radius, beta=beta, L=L, mu=mu)
    step = ev.evaluate(sam_pl_linear.BARE, "step_size", radius=radius, beta=beta, L=L, alpha=2 * mu)
    # both are the same rational number; a handful of roundings
    assert step.value == pytest.approx(best.value, rel=1e-14)
    factor = ev.evaluate(
        sam_pl_linear.BARE,
        "factor",
        step_size=step.value,
        radius=radius,
        beta=beta,
        L=L,
        alpha=2 * mu,
    )
    rate = ev.evaluate(sam_pl_linear.HALF, "best_factor", radius=radius, beta=beta, L=L, mu=mu)
    assert factor.value == pytest.approx(rate.value, rel=1e-14)


def test_outside_its_range_a_theorem_says_nothing():
    result = ev.evaluate(
        sam_pl_linear.HALF, "factor", step_size=0.1, radius=[0.1, 9.0], beta=1.0, L=1.0, mu=0.25
    )
    assert result.covered.tolist() == [True, False]
    assert np.isnan(result.value[1]) and result.uncovered_by == ("radius range",)


def test_evaluation_names_what_is_missing():
    with pytest.raises(ValueError, match="missing parameter mu"):
        ev.evaluate(sgd_pl_linear.THEOREM, "factor", step_size=0.1, beta=1.0, L=1.0)
    with pytest.raises(ValueError, match="no quantity 'rate'"):
        ev.evaluate(sgd_pl_linear.THEOREM, "rate")


def test_parameters_that_an_equation_defines_need_not_be_given():
    improved = theory.get("sam-pl-linear-improved")
    given = {"step_size": 0.1, "radius": 0.1, "beta": 2.0, "L": 1.0, "mu": 0.5}
    left_out = ev.evaluate(improved, "factor", **given)
    spelled = ev.evaluate(improved, "factor", root=0.5, **given)
    assert left_out.covered and left_out.value == pytest.approx(spelled.value, rel=1e-14)
    sharp = theory.get("sam-stability-s2-sharp")
    step_size, radius = 0.3, np.array([0.0, 1e-9, 0.1, 2.0])
    bound = ev.evaluate(sharp, "bound", step_size=step_size, radius=radius).value
    with np.errstate(invalid="ignore", divide="ignore"):
        edge = (np.sqrt(step_size**2 + 8 * step_size * radius) - step_size) / (2 * radius)
    edge[0] = 2.0
    # the textbook formula cancels at small radii: nine digits lost at 1e-9
    np.testing.assert_allclose(bound, edge**2 / (4 * step_size**2), rtol=1e-7)


def test_the_improved_rate_dominates_the_published_one_over_its_range():
    beta, L = 1.0, 1.0
    for mu in (0.04, 0.25, 0.6):
        widest = float(ev.evaluate(sam_pl_linear.HALF, "max_radius", beta=beta, mu=mu).value)
        given = {"step_size": mu / (2 * beta * L), "beta": beta, "L": L, "mu": mu}
        for radius in np.linspace(0, widest, 7):
            old = ev.evaluate(sam_pl_linear.HALF, "factor", radius=radius, **given)
            new = ev.evaluate(
                theory.get("sam-pl-linear-improved"), "factor", radius=radius, **given
            )
            assert old.covered and new.covered and new.value <= old.value * (1 + 1e-15)
