"""Formulas as browsers draw them: read back as numbers, counted by symbol, and a few by hand."""

import re
import unicodedata
from fractions import Fraction
from xml.etree import ElementTree

import numpy as np
import pytest
from oracles import mathml as oracle

import theory
from theory.evaluation import is_numeric, parameters
from theory.evaluation import value as evaluated
from theory.text.conventions import algorithm, conventions
from theory.text.instance import symbols
from theory.text.mathml import MATHML, MATHML_PRINTER, formula, inline, value
from theory.text.printing import LATEX, TEXT, Printer, to_latex, to_text
from theory.trusted import terms as T
from theory.trusted.notation import SYMBOLS

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
        oracle.key(oracle.children(inline(MATHML.param(name)))): number
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


def test_a_symbol_is_the_one_of_the_latex():
    """The letter by its Unicode name, and the same script."""
    drawn = {}
    for name, its in SYMBOLS.items():
        drawn[name] = "".join(ElementTree.fromstring(inline(MATHML.param(name))).itertext())
        letter, script = re.fullmatch(r"\\?([A-Za-z]+)(?:[_^](.+))?", its.latex).groups()
        called = unicodedata.name(drawn[name][0]).replace("LAMDA", "LAMBDA")
        greek = f"GREEK {'CAPITAL' if letter[0].isupper() else 'SMALL'} LETTER {letter.upper()}"
        assert called == greek if its.latex.startswith("\\") else drawn[name][0] == letter
        assert drawn[name][1:] == (script or "")
    assert len(set(drawn.values())) == len(SYMBOLS)


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda t: t.id)
def test_what_stands_beside_a_formula_is_well_formed(theorem):
    said = dict(conventions(theorem, MATHML_PRINTER))
    plain = dict(conventions(theorem, Printer(TEXT)))
    assert list(said.values()) == list(plain.values())
    for written, text in zip(said, plain, strict=True):
        shown = "".join(ElementTree.fromstring(f"<p>{inline(written)}</p>").itertext())
        letters = text.replace("_", "").replace(" ", "").replace("star", "⋆").replace("{", "")
        lowered = letters.replace("}", "").translate(str.maketrans("₀₂₃₄⁺", "0234+"))
        assert shown == (lowered if text != "E" else "𝔼")
    if runs := algorithm(theorem, MATHML_PRINTER):
        assert ElementTree.fromstring(f"<p>{inline(runs[1])}</p>").find("math") is not None
    for instance in filter(None, (theorem.witness, theorem.refutation)):
        names = [text for text, _ in symbols(instance, TEXT)]
        found = list(symbols(instance, MATHML))
        assert len({name for name, _ in found}) == len(names) == len(set(names))
        for name, number in found:
            ElementTree.fromstring(value(name, number))


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
    shown = value(
        MATHML.numbered("A", 1), ((Fraction(1), Fraction(-2, 3)), (Fraction(-2, 3), Fraction(4)))
    )
    rows = list(ElementTree.fromstring(shown).iter("mtr"))
    assert ["".join(row.itertext()) for row in rows] == ["1−23", "−234"]


H, J, u, f = T.Operator("H"), T.Operator("J", True), T.Named("u"), T.Function("f", True)


@pytest.mark.parametrize(
    ("tree", "markup"),
    [
        (T.Param("my_rate"), "<msub><mi>my</mi><mi>rate</mi></msub>"),
        (T.Param("g") ** 2, "<msup><mi>g</mi><mn>2</mn></msup>"),
        (T.Param("next_gradient_norm") ** T.Time(shift=1),
         "<msup><mrow><mo>(</mo><msup><mi>g</mi><mo>+</mo></msup><mo>)</mo></mrow>"
         "<mrow><mi>t</mi><mo>+</mo><mn>1</mn></mrow></msup>"),
        (T.norm2(u) ** 2,
         "<msup><mrow><mo>(</mo><msup><mrow><mo>‖</mo><mi>u</mi><mo>‖</mo></mrow><mn>2</mn></msup>"
         "<mo>)</mo></mrow><mn>2</mn></msup>"),
        (T.Inner(u, H.adjoint(J(u))),
         "<mrow><mo>⟨</mo><mrow><mi>u</mi><mo>,</mo><msup><mi>H</mi><mo>*</mo></msup>"
         "<msub><mi>J</mi><mi>b</mi></msub><mi>u</mi></mrow><mo>⟩</mo></mrow>"),
        (T.Along(T.Value(f, T.Named("x")), T.Time(shift=1)),
         "<mi>𝔼</mi><mspace /><msub><mi>f</mi><mi>b</mi></msub><mrow><mo>(</mo><msub><mi>x</mi>"
         "<mrow><mi>t</mi><mo>+</mo><mn>1</mn></mrow></msub><mo>)</mo></mrow>"),
        (T.Const(Fraction(-2, 3)), "<mfrac><mrow><mo>−</mo><mn>2</mn></mrow><mn>3</mn></mfrac>"),
        (0 - T.Param("a"), "<mo>−</mo><mi>a</mi>"),
        (T.Sum(()), "<mn>0</mn>"),
    ],
)  # fmt: skip
def test_trees_by_hand(tree, markup):
    """The elements, without the attributes that only concern their looks."""
    root = ElementTree.fromstring(MATHML_PRINTER.scalar(tree)[0].join(("<math>", "</math>")))
    for element in root.iter():
        element.attrib.clear()
    assert ElementTree.tostring(root, "unicode") == f"<math>{markup}</math>"


def test_a_line_is_broken_before_a_sign_and_not_after_one():
    """`a ≤ -b` has its minus with b."""
    a, b = T.Param("a"), T.Param("b")
    shown = ElementTree.fromstring(formula(a - b <= -b))
    assert ["".join(math.itertext()) for math in shown] == ["a", "−b", "≤−b"]


def test_what_is_no_formula_is_prose():
    assert inline(MATHML.words("a < b")) == (
        '<math displaystyle="true"><mtext>a &lt; b</mtext></math>'
    )
    assert LATEX.words("no step") == r"\text{no step}" and TEXT.words("no step") == "no step"
