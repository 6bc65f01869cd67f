"""The kernel's evaluation of witnesses against the evaluation on models, written independently."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from small import PROVED, H, H_b
from test_lowering import PARAMETERS, random_model, random_scalar, random_vector

from theory.expressions.polynomials import ONE, Poly
from theory.expressions.terms import IllFormed, Inner, Named, Relation, norm2, substitute
from theory.instances import is_nonnegative, is_positive_semidefinite, read, unmet
from theory.models import of_witness, rational
from theory.soundness.refuting import pool
from theory.statements import Assumption, Rule
from theory.witnesses import of_model

u = Named("u")
WITH_HYPOTHESES = [t for t in PROVED if t.hypotheses]


@pytest.mark.parametrize("seed", range(60))
def test_both_evaluations_agree_exactly(seed):
    rng = np.random.default_rng(seed)
    model = random_model(rng)
    instance = read(of_model(model))
    tree = random_scalar(rng, 3)
    direct = np.broadcast_to(model.scalar(tree), (3,))
    for sample in range(3):
        value = instance.scalar(tree, sample)
        assert value.is_constant and value.terms.get(ONE, 0) == direct[sample]


@pytest.mark.parametrize("seed", range(20))
def test_both_evaluations_agree_on_operators_with_a_matrix_of_their_own(seed):
    """H gets its own matrix in place of the mean of the samples; no H_b may be asked for."""
    rng = np.random.default_rng(seed)
    model = random_model(rng)
    root = rational(rng.integers(-3, 4, size=(2, 2)).tolist())
    own = replace(model, operators={"H": root + root.T})
    instance = read(of_model(own))
    assert of_model(of_witness(of_model(own))) == of_model(own)
    tree = substitute(random_scalar(rng, 3), H_b, H)
    direct = np.broadcast_to(own.scalar(tree), (3,))
    for sample in range(3):
        value = instance.scalar(tree, sample)
        assert value.is_constant and value.terms.get(ONE, 0) == direct[sample]
    x = Named("x")
    probe = Inner(x, H(x))
    at = model.vectors["x"]
    assert own.scalar(probe) == at @ (root + root.T) @ at
    for evaluate in (own.scalar, lambda tree: instance.scalar(tree, 0)):
        with pytest.raises(ValueError, match="one matrix for all samples"):
            evaluate(Inner(x, H_b(x)))


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


def quadratic(matrix):
    names = [None, *(("u", i) for i in range(len(matrix) - 1))]
    atoms = [Poly.constant(1) if name is None else Poly.atom(name) for name in names]
    total = Poly()
    for i, row in enumerate(matrix):
        for j, entry in enumerate(row):
            total = total + Poly.constant(entry) * atoms[i] * atoms[j]
    return total


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
        answers.append(is_nonnegative(quadratic(rows)))
        assert answers[-1] == expected
    assert 50 < sum(answers) < 290


def test_higher_degrees_are_not_decided():
    cube = Poly.atom(("u", 0)) ** 3
    with pytest.raises(IllFormed, match="not quadratic"):
        is_nonnegative(cube)
