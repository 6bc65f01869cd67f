"""The kernel's evaluation of witnesses against the evaluation on models, written independently."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from small import PROVED, H, H_b, f, f_b
from test_lowering import PARAMETERS, random_model, random_scalar, random_vector

from theory.proving.models import of_witness, rational
from theory.proving.witnesses import algebraic, of_model, positive_root, quadratic, witness
from theory.soundness.refuting import pool
from theory.trusted.instances import (
    constant,
    is_nonnegative,
    is_positive_semidefinite,
    product,
    read,
    total,
    unmet,
    variable,
)
from theory.trusted.reals import Real, value
from theory.trusted.statements import Assumption, Rule
from theory.trusted.terms import (
    Gradient,
    IllFormed,
    Inner,
    Mean,
    Named,
    Operator,
    Relation,
    Value,
    norm2,
    substitute,
)

u, X, Y = Named("u"), Named("x"), Named("y")
J, J_b = Operator("J"), Operator("J", sampled=True)
WITH_HYPOTHESES = [t for t in PROVED if t.hypotheses]


def same(instance, model, tree):
    """Whether both evaluations give one number for every sample, the same one."""
    direct = np.broadcast_to(model.scalar(tree), (instance.samples,))
    for sample, expected in enumerate(direct):
        value = instance.scalar(tree, sample)
        assert set(value) <= {()} and value.get((), 0) == expected


@pytest.mark.parametrize("seed", range(60))
def test_both_evaluations_agree_exactly(seed):
    rng = np.random.default_rng(seed)
    model = random_model(rng)
    same(read(of_model(model)), model, random_scalar(rng, 3))


def with_own(rng, model):
    """The model with general matrices for H and J, and quadratics with all terms for f."""
    general = rational(rng.integers(-3, 4, size=(3, 2, 2)).tolist())
    roots = rational(rng.integers(-3, 4, size=(3, 2, 2)).tolist())
    slopes = rational(rng.integers(-3, 4, size=(3, 2)).tolist())
    levels = rational(rng.integers(-3, 4, size=3).tolist())
    symmetric = roots + roots.swapaxes(1, 2)
    return replace(
        model,
        operators={"H": symmetric, "J": general},
        functions={"f": (symmetric[::-1], slopes, levels)},
    )


@pytest.mark.parametrize("seed", range(60))
def test_both_evaluations_agree_where_every_symbol_has_numbers_of_its_own(seed):
    rng = np.random.default_rng(seed)
    own = with_own(rng, random_model(rng))
    instance = read(of_model(own))
    assert of_model(of_witness(of_model(own))) == of_model(own)
    tree = random_scalar(rng, 3)
    letters = [J, J_b, J.adjoint, J_b.adjoint]
    for old in (H, H_b):
        if rng.integers(2):
            tree = substitute(tree, old, letters[rng.integers(4)])
    same(instance, own, tree)


@pytest.mark.parametrize("seed", range(15))
def test_both_evaluations_agree_on_numbers_that_are_not_rational(seed):
    """Every number of the model times √2 or plus √2; and the values are those of floats."""
    rng = np.random.default_rng(seed)
    rough = with_own(rng, random_model(rng))
    s, root = value(algebraic(0, 1), positive_root(2)), 2**0.5

    def moved(model, times):
        a, c, levels = model.functions["f"]
        return replace(
            model,
            parameters={name: q * times for name, q in model.parameters.items()},
            vectors={name: v + times for name, v in model.vectors.items()},
            functions={"f": (a * times, c + times, levels)},
            operators={name: m * times for name, m in model.operators.items()},
        )

    model, floats = moved(rough, s), moved(rough, root)
    assert of_witness(of_model(model)).parameters == model.parameters
    tree = random_scalar(rng, 2)
    same(read(of_model(model)), model, tree)
    exact = np.broadcast_to(model.scalar(tree), (3,))
    for number, near in zip(exact, np.broadcast_to(floats.scalar(tree), (3,)), strict=True):
        parts = number.coefficients if isinstance(number, Real) else (number,)
        terms = [float(c) * root**i for i, c in enumerate(parts)]
        size = 1e3 + sum(map(abs, terms))  # some hundred operations on numbers of this size
        assert float(near) == pytest.approx(sum(terms), abs=1e-12 * size, rel=1e-9)


def test_an_operator_a_gradient_and_a_mean_by_hand():
    rng = np.random.default_rng(5)
    own = with_own(rng, random_model(rng))
    instance = read(of_model(own))
    x, y = own.vectors["x"], own.vectors["y"]
    a, c, levels = own.functions["f"]
    general = own.operators["J"]
    by_hand = {
        Value(f, X): (x @ a.sum(0) @ x / 2 + c.sum(0) @ x + levels.sum()) / 3,
        Inner(Gradient(f, X), Y): (a.sum(0) @ x + c.sum(0)) @ y / 3,
        Mean(norm2(Gradient(f_b, X))): sum(v @ v for v in a @ x + c) / 3,
        Inner(J(X), Y): (general.sum(0) @ x) @ y / 3,
        Mean(norm2(J_b.adjoint(X))): sum(v @ v for v in general.swapaxes(1, 2) @ x) / 3,
    }
    for tree, expected in by_hand.items():
        assert own.scalar(tree) == expected
        assert instance.scalar(tree, 0).get((), 0) == expected


def test_one_entry_is_the_same_for_every_sample():
    bowl = quadratic([[2]], [1], 3)
    given = witness({}, {"x": [1]}, [[[1]], [[2]]], {"J": [[5]]}, {"f": [bowl]})
    spread = witness({}, {"x": [1]}, [[[1]], [[2]]], {"J": [[[5]], [[5]]]}, {"f": [bowl, bowl]})
    for tree in (Value(f_b, X), Value(f, X), Inner(X, J_b(X)), Mean(Inner(X, H_b(X)))):
        for sample in range(2):
            assert read(given).scalar(tree, sample) == read(spread).scalar(tree, sample)
        same(read(given), of_witness(given), tree)


def random_rule(rng):
    """A rule with u in the place of x: quadratic, and now and then of higher degree."""
    left, right = (substitute(random_vector(rng, 2), Named("x"), u) for _ in range(2))
    bound = Fraction(int(rng.integers(0, 40)))
    relation = Relation(norm2(left) - norm2(right), "<=", bound * norm2(u) + PARAMETERS[2])
    return Assumption("rule", "", "", (Rule("at", (u,), relation),))


def test_both_decide_the_same_rules_in_the_same_way():
    answers = []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        model, rule = random_model(rng), random_rule(rng)
        model = with_own(rng, model) if seed % 2 else model
        (its,) = rule.rules
        instance = read(of_model(model))
        answers.append(instance.holds(its.relation, its.variables))
        assert answers[-1] == model.satisfies(rule)
    assert 10 < sum(answers) < 70  # neither answer is the only one


@pytest.mark.parametrize("theorem", WITH_HYPOTHESES, ids=lambda t: t.id)
def test_the_witnesses_of_the_library_are_models_of_its_hypotheses(theorem):
    assert unmet(theorem) == ""
    model = of_witness(theorem.witness)
    assert all(model.satisfies(hypothesis) for hypothesis in theorem.hypotheses)


@pytest.mark.parametrize("theorem", WITH_HYPOTHESES[:3], ids=lambda t: t.id)
def test_pools_of_instances_satisfy_the_hypotheses(theorem):
    models = pool(theorem, tries=2)
    assert len(models) >= 5
    assert all(model.satisfies(h) for model in models for h in theorem.hypotheses)


def form(matrix):
    """(1, z)' M (1, z) as a polynomial in z."""
    atoms = [constant(Fraction(1)), *(variable(("u", i)) for i in range(len(matrix) - 1))]
    return total(
        product(constant(entry), product(atoms[i], atoms[j]))
        for i, row in enumerate(matrix)
        for j, entry in enumerate(row)
    )


def test_definiteness_is_decided_as_by_eigenvalues():
    rng = np.random.default_rng(0)
    answers = []
    for _ in range(300):
        root = rng.integers(-2, 3, size=(3, int(rng.integers(1, 4))))
        matrix = root @ root.T + int(rng.integers(-1, 1)) * np.diag([0, 1, 0])
        # integers below 20: eigenvalues that are not zero are far from it
        expected = np.linalg.eigvalsh(matrix.astype(float)).min() > -1e-9
        rows = [[Fraction(int(entry)) for entry in row] for row in matrix]
        assert is_positive_semidefinite(rows) == expected
        answers.append(is_nonnegative(form(rows)))
        assert answers[-1] == expected
    assert 50 < sum(answers) < 290


def test_higher_degrees_are_not_decided():
    at = variable(("u", 0))
    cube = product(at, product(at, at))
    with pytest.raises(IllFormed, match="not quadratic"):
        is_nonnegative(cube)
