"""The obligations say what the proof says, and their certificates are their claims."""

import random
import subprocess
import sys
from fractions import Fraction

import pytest
from small import P_POSITIVE, PROVED, Q_NONNEGATIVE, f_b, p, q, small, x

from theory.opinions.goals import (
    ByInduction,
    Divisor,
    Origin,
    ProductOf,
    Rational,
    Scaled,
    SquareOf,
    SumOf,
    Use,
    has,
    parts,
    refutes,
)
from theory.opinions.obligations import Unstated, problem
from theory.opinions.ratios import Ratio, factors, quotient, ratio, reduced
from theory.proving.assumptions import ZERO
from theory.proving.building import add, number, times
from theory.trusted.certificates import (
    NOTHING,
    Fact,
    Induction,
    Invert,
    MeanOf,
    Multiple,
    Norm,
    Number,
    PowerOf,
    Square,
    ZeroOrPositive,
)
from theory.trusted.kernel import Sign
from theory.trusted.polynomials import Frac, Poly
from theory.trusted.statements import Step
from theory.trusted.terms import Gradient, Mean, Named, Time, norm2, scalar

every_theorem = pytest.mark.parametrize("theorem", PROVED, ids=lambda t: t.id)


def poly_at(poly, point):
    total = Fraction(0)
    for monomial, coefficient in poly.terms.items():
        for atom, exponent in monomial:
            coefficient = coefficient * point[atom] ** exponent
        total += coefficient
    return total


def ratio_at(value, point):
    result = poly_at(value.top, point)
    for poly, exponent in value.below:
        result /= poly_at(poly, point) ** exponent
    return result


def value_at(tree, obligation, point):
    """The exact value of a certificate at a point."""
    match tree:
        case Use(fact):
            return ratio_at(obligation.facts[fact].value, point)
        case Rational(value):
            return value
        case SquareOf(root):
            return ratio_at(root, point) ** 2
        case Divisor(poly, inverted):
            return 1 / poly_at(poly, point) if inverted else poly_at(poly, point)
        case Scaled(coefficient, part):
            return ratio_at(coefficient, point) * value_at(part, obligation, point)
        case SumOf(below):
            return sum((value_at(part, obligation, point) for part in below), Fraction(0))
        case ProductOf(below):
            product = Fraction(1)
            for part in below:
                product *= value_at(part, obligation, point)
            return product
    raise AssertionError(tree)


@every_theorem
def test_every_certificate_is_its_claim_at_random_points(theorem):
    """Two rational functions of this size that agree at five random points are the same."""
    rng = random.Random(0)
    for obligation in problem(theorem).obligations:
        for _ in range(5):
            point = {
                atom: Fraction(rng.randint(-999, 999) or 1, rng.randint(1, 99))
                for atom in obligation.ordered_atoms
            }
            if any(poly_at(poly, point) == 0 for poly in obligation.divisors):
                continue
            claimed = ratio_at(obligation.claim, point)
            assert value_at(obligation.certificate, obligation, point) == claimed
            assert not refutes(point, obligation), obligation.name


@every_theorem
def test_every_step_and_every_image_has_its_obligation(theorem):
    its = problem(theorem)
    names = [obligation.name for obligation in its.obligations]
    assert len(set(names)) == len(names)
    assert [part.step for part in its.steps] == [step.name for step in theorem.proof]
    for part in its.steps:
        for kind in ("obligation", "zero", "positive", "base", "successor"):
            assert getattr(part, kind, names[0]) in names
    for obligation in its.obligations:
        for fact in obligation.facts:
            if fact.origin in (Origin.MEAN, Origin.ALONG, Origin.POWER) and fact.inside:
                assert names.index(fact.inside) < names.index(obligation.name)
            if fact.origin is Origin.STEP:
                assert fact.inside in [step.name for step in theorem.proof]


@every_theorem
def test_every_divisor_is_proved_positive_before_it_is_used(theorem):
    proved = set()
    for obligation in problem(theorem).obligations:
        assert set(obligation.divisors) <= proved, obligation.name
        if obligation.sign is Sign.POSITIVE and not obligation.claim.below:
            proved.add(obligation.claim.top)


def test_the_inside_of_an_expectation_is_an_obligation_of_its_own():
    g, h = Gradient(f_b, x), Gradient(f_b, Named("y"))
    cone = MeanOf(add(Norm(g), times(number(2), Norm(h))))
    its = problem(small(Mean(norm2(g) + 2 * norm2(h)) >= ZERO, cone))
    inside, whole = its.obligations
    assert [fact.origin for fact in inside.facts] == [Origin.NORM, Origin.NORM]
    assert [fact.origin for fact in whole.facts] == [Origin.MEAN]
    assert whole.facts[0].inside == inside.name == "claim, inside 1"


def test_an_induction_has_a_base_a_step_and_a_power():
    power = q ** Time()
    good = Induction(number(1), times(Fact("q >= 0"), Fact("induction")))
    its = problem(small(power >= ZERO, good, Q_NONNEGATIVE))
    assert [o.name for o in its.obligations] == ["claim (base)", "claim (step)"]
    assert isinstance(its.steps[0], ByInduction)
    raised = problem(small(power >= ZERO, PowerOf(Fact("q >= 0"), Time()), Q_NONNEGATIVE))
    assert [o.name for o in raised.obligations] == ["claim, inside 1", "claim"]


def test_a_reciprocal_is_written_with_a_divisor_that_is_proved_positive():
    claim = 1 / (p * (1 + q)) > ZERO
    below = times(Fact("p > 0"), add(number(1), Fact("q >= 0")))
    its = problem(small(claim, Invert(below), P_POSITIVE, Q_NONNEGATIVE, divisors=(below,)))
    positive, whole = its.obligations
    assert positive.name == "divisor 1" and positive.sign is Sign.POSITIVE
    assert whole.divisors == (positive.claim.top,)
    assert Divisor(positive.claim.top, inverted=True) in parts(whole.certificate)


@pytest.mark.parametrize(
    ("theorem", "reason"),
    [
        (small(p > ZERO, Fact("p > 0")), "step 'claim': there is no fact named 'p > 0'"),
        (small(p > ZERO, Fact("induction")), "no fact named 'induction'"),
        (small(p <= 0, times(Number(Fraction(-1)), Fact("p > 0")), P_POSITIVE), "-1 is negative"),
        (small(p**2 > ZERO, Square(p)), "is nonnegative and the claim positive"),
        (small((p**2).equals(0), Square(p)), "is nonnegative and the claim zero"),
        (small(q >= ZERO, Invert(Fact("q >= 0")), Q_NONNEGATIVE), "not known to be positive"),
        (small(1 / q >= ZERO, NOTHING, Q_NONNEGATIVE), "not been proved positive"),
        (small(p >= ZERO, Multiple(scalar(1), Fact("p > 0")), P_POSITIVE), "equal to zero"),
        (small(p >= ZERO, PowerOf(NOTHING, Time())), "a power of zero"),
        (small(p >= ZERO, ZeroOrPositive("p > 0", NOTHING, NOTHING), P_POSITIVE), "0 <= parameter"),
        (
            small(
                p >= ZERO, Fact("p > 0"), P_POSITIVE, before=(Step("p > 0", p <= p, NOTHING, ""),)
            ),
            "the name 'p > 0' is taken",
        ),
        (small(p >= ZERO, None), "certificate"),
    ],
)
def test_a_proof_that_cannot_be_read_states_nothing(theorem, reason):
    with pytest.raises(Unstated, match=reason.replace("(", r"\(")):
        problem(theorem)


def test_a_name_that_looks_like_a_part_is_kept_apart():
    step = Step("claim (base)", p**2 >= ZERO, Square(p), "")
    cone = Induction(number(1), times(Fact("q >= 0"), Fact("induction")))
    its = problem(small(q ** Time() >= ZERO, cone, Q_NONNEGATIVE, before=(step,)))
    assert [o.name for o in its.obligations] == ["claim (base)", "claim (base)'", "claim (step)"]


def test_signs_and_exact_counterexamples():
    assert [s for s in Sign if has(Fraction(0), s)] == [Sign.ZERO, Sign.NONNEGATIVE]
    assert [s for s in Sign if has(Fraction(-1), s)] == []
    (obligation,) = problem(small(p >= 1, Fact("p > 0"), P_POSITIVE)).obligations
    (atom,) = obligation.atoms
    assert refutes({atom: Fraction(1, 2)}, obligation)
    assert not refutes({atom: Fraction(1)}, obligation)  # the claim holds
    assert not refutes({atom: Fraction(-1)}, obligation)  # the fact fails


def test_polynomials_divide_exactly_or_not_at_all():
    a, b, c = Poly.atom("a"), Poly.atom("b"), Poly.atom("c")
    two, none = Poly.constant(2), Poly()
    assert quotient((a + b) * (a - b), a + b) == a - b
    assert quotient(a * a + b, a) is None and quotient(a, none) is None
    assert quotient(none, a) is None or quotient(none, a) == none
    assert factors(two * a * a * b, [a, b]) == (2, {a: 2, b: 1})
    assert factors(a * b, [a]) is None
    # the first factor that divides need not be the right one
    assert factors(a * b * c, [a * b, b, a * c]) == (1, {b: 1, a * c: 1})
    assert reduced(two * a * b, [a]) == (two * b, {a: 1})
    fraction = Frac(a * c, two * a * b)
    assert ratio(fraction, [a, b]) == Ratio(c * Poly.constant(Fraction(1, 2)), ((b, 1),))
    with pytest.raises(ValueError, match="not a product of divisors"):
        ratio(Frac(a, b), [a])


def test_the_order_does_not_depend_on_hashing():
    code = "import theory; from theory.opinions.coq_theorem import document as d; "
    code += "print(d(theory.get('sam-stability-sharpness')).text)"
    texts = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert texts[0] == texts[1] and "Theorem the_theorem" in texts[0]
