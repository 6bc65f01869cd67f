"""Statements in sympy: compared with `evaluate`, and with what a student solves."""

import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy

import theory
from theory.evaluation import conditions, evaluate, implied, is_numeric, parameters, value
from theory.text.symbolic import symbols
from theory.trusted import terms as T
from theory.trusted.notation import SYMBOLS, L, beta, f, mu, radius, step_size, x
from theory.trusted.statements import Assumption, Dynamics, Quantity, Source, Witness

THEOREMS = list(theory.load().values())
STATEMENTS = {theorem.id: theory.to_sympy(theorem) for theorem in THEOREMS}


def points(theorem, names):
    """Numbers for the parameters: the witness's where they are rational, and three drawn ones."""
    witness = theorem.refutation or theorem.witness
    known = dict(witness.parameters) if isinstance(witness, Witness) else {}
    if all(isinstance(known.get(name), Fraction) for name in names):
        yield {name: float(known[name]) for name in names}
    rng = np.random.default_rng(len(theorem.id))
    yield from (dict(zip(names, rng.uniform(0.5, 2, len(names)), strict=True)) for _ in range(3))


def agree(theorem, tree, expression):
    """Compare an expression, as sympy computes it, with the tree's own value."""
    names = sorted(parameters(tree))
    known = STATEMENTS[theorem.id].symbols
    compute = sympy.lambdify([known[name] for name in names], expression, "numpy")
    for point in points(theorem, names):
        # a few float64 operations in another order; terms of a sum may cancel
        expected = float(value(tree, **point))
        assert compute(*point.values()) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda t: t.id)
def test_quantities_and_relations_have_the_same_values(theorem):
    statement = STATEMENTS[theorem.id]
    for quantity in theorem.quantities:
        agree(theorem, quantity.expression, statement.quantities[quantity.name])
    relations = {h.name: h.relation for h in theorem.hypotheses if not isinstance(h, Assumption)}
    assert relations.keys() <= statement.hypotheses.keys()
    for name, relation in relations.items():
        found = statement.hypotheses[name]
        assert isinstance(found, sympy.core.relational.Relational), name
        if is_numeric(relation):
            agree(theorem, relation.left, found.lhs)
            agree(theorem, relation.right, found.rhs)
    assert tuple(statement.conclusions) == theorem.conclusion
    assert set(statement.symbols) >= parameters(theorem.hypotheses)


def test_lambdify_is_evaluate_where_the_theorem_speaks():
    """On the domain the values are those of `evaluate`, equations for parameters included."""
    compared = 0
    for theorem in THEOREMS:
        witness = theorem.witness
        if witness is None or not all(isinstance(v, Fraction) for _, v in witness.parameters):
            continue
        given = {name: float(number) for name, number in witness.parameters}
        for quantity in theorem.quantities:
            if not parameters(quantity.expression) <= given.keys():
                continue
            found = evaluate(theorem, quantity.name, **given)
            known = implied(theorem, parameters(quantity.expression), given)
            names = sorted(parameters(quantity.expression))
            compute = sympy.lambdify(
                [STATEMENTS[theorem.id].symbols[name] for name in names],
                STATEMENTS[theorem.id].quantities[quantity.name],
            )
            assert bool(np.all(found.covered)), conditions(theorem, frozenset(given))
            assert compute(*(float(known[name]) for name in names)) == pytest.approx(
                float(found.value), rel=1e-12
            )
            compared += 1
    assert compared > 60


@pytest.mark.parametrize("name", ["sgd-pl-linear", "sam-pl-linear"])
def test_the_derivative_gives_back_the_best_step_size(name):
    statement = STATEMENTS[name]
    factor, eta = statement.quantities["factor"], symbols["step_size"]
    (best,) = sympy.solve(sympy.diff(factor, eta), eta)
    assert sympy.simplify(best - statement.quantities["best_step_size"]) == 0
    assert sympy.simplify(factor.subs(eta, best) - statement.quantities["best_factor"]) == 0


def test_a_parameter_is_one_symbol():
    assert len(set(symbols.values())) == len(symbols) == len(SYMBOLS)
    assert theory.to_sympy(step_size) is symbols["step_size"] == sympy.Symbol("eta", real=True)
    for statement in STATEMENTS.values():
        for found in (*statement.conclusions.values(), *statement.quantities.values()):
            assert found.free_symbols <= {*statement.symbols.values(), COUNTER}
    with pytest.raises(KeyError):
        symbols["stepsize"]


COUNTER = sympy.Symbol("t", integer=True, nonnegative=True)


def test_a_name_of_the_users_own_is_no_symbol_of_the_table():
    own = theory.to_sympy(T.Param("eta"))
    assert own != symbols["step_size"] and str(own) == "eta'"
    assert str(theory.to_sympy(T.Param("decay_rate"))) == "decay_rate"


def test_what_depends_on_a_parameter_has_a_derivative_by_it():
    """A silent zero would be a false statement: the loss after a step depends on the step size."""
    eta, rho = symbols["step_size"], symbols["radius"]
    after = theory.to_sympy(T.Value(f, x - step_size * T.Gradient(f, x)))
    assert sympy.diff(after, eta) == sympy.Derivative(after, eta)
    assert sympy.diff(after, rho) == 0
    along = theory.to_sympy(T.Along(T.Value(f, x), T.Time()))
    assert {sympy.diff(along, s) == 0 for s in (eta, rho, COUNTER)} == {False}
    assert sympy.diff(along, symbols["mu"]) == 0
    assert theory.to_sympy(T.Value(f, x)).free_symbols == set()


def test_along_depends_on_where_the_algorithm_starts():
    theorem = theory.get("sgd-pl-linear")
    at = T.Param("c") * T.Named("x_0")
    moved = replace(theorem, dynamics=Dynamics(theorem.dynamics.algorithm, f, at))
    rate = theory.to_sympy(moved).conclusions["rate"]
    assert symbols["c"] in rate.lhs.free_symbols
    assert symbols["c"] not in STATEMENTS["sgd-pl-linear"].conclusions["rate"].free_symbols


def test_parts_are_printed_as_the_statement_is():
    squared = theory.to_sympy(T.norm2(T.Gradient(f, x)) ** 2 * mu)
    assert str(squared) == "mu*|∇f(x)|²**2"
    assert sympy.latex(squared) == (r"\mu \left(\lVert \nabla f\left(x\right)\rVert^{2}\right)^{2}")
    assert "|∇f(x)|²" in sympy.pretty(squared)
    assert theory.to_sympy(T.norm2(x)).is_nonnegative
    assert theory.to_sympy(T.Inner(x, T.Gradient(f, x))).is_nonnegative is None


def test_relations_are_not_decided():
    assert theory.to_sympy(T.norm2(x) >= 0) == sympy.Le(
        0, theory.to_sympy(T.norm2(x)), evaluate=False
    )
    same = theory.to_sympy((beta * 1).equals(beta))
    assert isinstance(same, sympy.Eq) and same.lhs == same.rhs == symbols["beta"]
    assert theory.to_sympy(Quantity("q", L / beta, "")) == symbols["L"] / symbols["beta"]
    assert isinstance(theory.to_sympy(radius < beta), sympy.StrictLessThan)


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        (x, "a Named has no sympy form: give a scalar, a relation, a quantity or a theorem"),
        (Source("", "", None), "a Source has no sympy form"),
        (1 / (mu - mu), "the divisor μ - μ is 0: it has no sympy form"),
    ],
)
def test_what_has_no_sympy_form_is_refused(item, problem):
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(problem)}"):
        theory.to_sympy(item)
