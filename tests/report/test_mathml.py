"""Formulas on the page: read back as numbers, counted symbol by symbol, and a few by hand."""

import re
from fractions import Fraction
from xml.etree import ElementTree

import numpy as np
import pytest
from oracles import mathml as oracle

import theory
from paper_figures.report.mathml import formula, symbol, value
from theory.evaluation import is_numeric, parameters
from theory.evaluation import value as evaluated
from theory.text.printing import to_latex, to_text
from theory.trusted import terms as T
from theory.trusted.notation import SYMBOLS
from theory.trusted.notation import symbol as written

THEOREMS = list(theory.load().values())
#: LaTeX command -> the character that has to appear as often.
SIGNS = {r"\nabla": "∇", r"\mathbb{E}": "𝔼", r"\langle": "⟨", r"\rVert": "‖", r"\eta": "η"}


def relations(theorem):
    yield from (node for node in T.nodes((theorem.hypotheses, theorem.proof)) if is_relation(node))


def is_relation(node):
    return isinstance(node, T.Relation)


def random_numbers(tree):
    """Positive numbers for the parameters, by name and by the markup of their symbols."""
    names = sorted(parameters(tree))
    drawn = np.random.default_rng(len(names)).uniform(0.5, 2.0, len(names))
    by_name = dict(zip(names, drawn.tolist(), strict=True))
    by_markup = {
        oracle.key(oracle.children(symbol(written(name).latex))): number
        for name, number in by_name.items()
    }
    return by_name, by_markup


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda t: t.id)
def test_formulas_have_the_value_of_the_tree(theorem):
    scalars = [q.expression for q in theorem.quantities]
    for relation in relations(theorem):
        if is_numeric(relation):
            left, right = oracle.sides(formula(relation))
            by_name, by_markup = random_numbers(relation)
            for side, tree in ((left, relation.left), (right, relation.right)):
                # a few float64 operations in another order; terms of a sum may cancel
                expected = float(evaluated(tree, **by_name))
                assert oracle.row(side, by_markup) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    for tree in filter(is_numeric, scalars):
        by_name, by_markup = random_numbers(tree)
        found = oracle.row(oracle.children(formula(tree)), by_markup)
        assert found == pytest.approx(float(evaluated(tree, **by_name)), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda t: t.id)
def test_no_symbol_is_lost(theorem):
    for relation in relations(theorem):
        latex, markup = to_latex(relation), formula(relation)
        root = ElementTree.fromstring(markup)
        text = "".join(root.itertext())
        for command, sign in SIGNS.items():
            closing = 2 if sign == "‖" else 1
            assert text.count(sign) == closing * latex.count(command), (command, latex)
        numbers = [e.text for e in root.iter("mn")]
        assert numbers == re.findall(r"\d+", latex)
        assert len(list(root.iter("mfrac"))) == len(re.findall(r"\\t?frac", latex))
        assert root.get("aria-label") == to_text(relation)


def test_every_symbol_of_the_notation_is_known():
    for name, its in SYMBOLS.items():
        assert ElementTree.fromstring(f"<p>{symbol(its.latex)}</p>").find("math") is not None, name


def test_by_hand():
    eta, rho = T.Param("step_size"), T.Param("radius")
    shown = formula(eta / 2 <= rho**2)
    assert shown == (
        '<div class="formula" role="math" aria-label="η/2 ≤ ρ²">'
        '<math displaystyle="true"><mfrac><mi>η</mi><mn>2</mn></mfrac></math>'
        '<math displaystyle="true"><mo form="infix">≤</mo><msup><mi>ρ</mi><mn>2</mn></msup></math>'
        "</div>"
    )


def test_a_power_of_a_fraction_is_bracketed():
    squared = formula((T.Param("a") / T.Param("b")) ** 2)
    assert re.search(r"\(</mo><mfrac>.*</mfrac><mo [^>]*>\)</mo></mrow><mn>2</mn></msup>", squared)


def test_a_matrix_has_its_entries_row_by_row():
    shown = value("A_1", ((Fraction(1), Fraction(-2, 3)), (Fraction(-2, 3), Fraction(4))))
    rows = list(ElementTree.fromstring(shown).iter("mtr"))
    assert ["".join(row.itertext()) for row in rows] == ["1−23", "−234"]


@pytest.mark.parametrize("latex", [r"\int x", "x_", "{x", r"\frac{1}"])
def test_unknown_or_broken_latex_is_refused(latex):
    with pytest.raises(ValueError, match=re.escape(repr(latex))):
        symbol(latex)
