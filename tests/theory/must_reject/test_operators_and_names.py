"""Symmetry that was not stated, and names that are not what they look like."""

import dataclasses
from fractions import Fraction

import pytest
from small import H, f, f_b, make, p, proved, q, refused, u, x, y

import theory
from theory.proving.building import add
from theory.soundness import mutants, tampering
from theory.text.printing import to_latex, to_text
from theory.trusted.algorithms import GD, SamSpec
from theory.trusted.certificates import NOTHING, Fact, Multiple, RuleAt, Square
from theory.trusted.notation import SYMBOLS, step_size
from theory.trusted.statements import Assumption, Condition, Dynamics, Rule
from theory.trusted.terms import (
    Along,
    Const,
    Function,
    IllFormed,
    Inner,
    Mean,
    Named,
    Operator,
    Param,
    Time,
    Value,
    norm2,
    scalar,
)

J, J_b = Operator("J"), Operator("J", sampled=True)
HALF = scalar(1) / 2
SKEW = Assumption("skew", "", "", (Rule("at", (u, y), Inner(u, J(y)).equals(-Inner(y, J(u)))),))
TWICE = Multiple(-step_size, RuleAt("skew", "at", (x, x)))
STEP = norm2(x - step_size * J(x))
SYMMETRY = {
    "a skew game stays where it is": make(
        norm2(x) >= STEP,
        add(TWICE, Multiple(HALF * step_size**2, RuleAt("skew", "at", (x, J(x))))),
        SKEW,
    ),
    "J moves to the other side": make(Inner(J(u), y).equals(Inner(u, J(y))), NOTHING),
    "J* = J": make(Inner(J.adjoint(u), y).equals(Inner(J(u), y)), NOTHING),
    "J is normal": make(norm2(J(u)).equals(norm2(J.adjoint(u))), NOTHING),
    "squares are non-negative": make(Inner(u, J(J(u))) >= 0, NOTHING),
    "squares are norms": make(Inner(u, J(J(u))).equals(norm2(J(u))), NOTHING),
    "operators commute": make(Inner(u, J(H(y))).equals(Inner(u, H(J(y)))), NOTHING),
    "the mean is symmetric": make(Mean(Inner(u, J_b(y))).equals(Inner(J(u), y)), NOTHING),
    "the mean of J J* is J* J": make(
        Mean(norm2(J_b(u))).equals(Mean(norm2(J_b.adjoint(u)))), NOTHING
    ),
    "adjoints in the same order": make(
        Inner(J(H(u)), y).equals(Inner(u, J.adjoint(H(y)))), NOTHING
    ),
}


@pytest.mark.parametrize("said", SYMMETRY)
def test_a_general_operator_is_not_symmetric(said):
    refused(SYMMETRY[said], "differ in")


def test_what_is_true_of_general_operators_is_proved():
    game = make(STEP.equals(norm2(x) + step_size**2 * norm2(J(x))), TWICE, SKEW)
    proved(game)
    for claim in (
        Inner(J(u), y).equals(Inner(u, J.adjoint(y))),
        Inner(J.adjoint(u), y).equals(Inner(u, J(y))),
        Inner(u, J.adjoint(J(u))).equals(norm2(J(u))),
        Inner(J(H(u)), y).equals(Inner(u, H(J.adjoint(y)))),
        Mean(Inner(J_b.adjoint(u), y)).equals(Inner(u, J(y))),
        Inner(H(u), y).equals(Inner(u, H(y))),
    ):
        proved(make(claim, NOTHING))


def test_normal_equations():
    """J*J y = J* u says that the residual u - J y is orthogonal to everything in the image."""
    normal = Assumption(
        "normal equations",
        "",
        "",
        (
            Rule(
                "at",
                (q_ := Named("q"),),
                Inner(q_, J.adjoint(J(y))).equals(Inner(q_, J.adjoint(u))),
            ),
        ),
    )
    residual = u - J(y)
    proved(
        make(
            Inner(J(x), residual).equals(0),
            Multiple(scalar(-1), RuleAt("normal equations", "at", (x,))),
            normal,
        )
    )


def test_one_name_is_one_operator():
    both = Operator("J", symmetric=True)
    for other in (both, Operator("J", sampled=True, symmetric=True)):
        refused(make(Inner(u, J(y)).equals(Inner(u, other(y))), NOTHING), "are written alike")
        held = Condition("h", Inner(u, other(y)) >= 0)
        refused(make(Inner(u, J(y)) >= 0, Fact("h"), held), "are written alike")
    refused(
        make(p >= 0, NOTHING, Condition("h", norm2(both(u)) >= 0), dynamics=Dynamics(GD, J, x_0)),
        "are written alike",
    )
    with pytest.raises(IllFormed, match="H is symmetric: it is its own adjoint"):
        Operator("H", symmetric=True, transposed=True)
    assert H.adjoint is H and J.adjoint.adjoint == J


x_0 = Named("x_0")
LOOK_ALIKE = {
    "an empty one": Param(""),
    "a space": Param(" "),
    "Cyrillic": Param("а"),
    "full width": Param("ａ"),
    "the Hangul filler": Param("L\u3164"),
    "a blank of Braille": Param("L\u2800"),
    "a variation selector": Param("L\ufe0f"),
    "a joiner of graphemes": Param("L\u034f"),
    "a combining accent": Param("a\u0301"),
    "a superscript": Param("p²"),
    "a Greek letter of the table": Param("η"),
    "a Kelvin sign": Param("\u212a"),
    "a formula": Param("f_b(x)"),
    "a sum": Param("p + q"),
    "a command": Param(r"\le"),
    "braces": Param("{p}"),
    "a digit first": Param("2p"),
    "an underscore last": Param("p_"),
    "two underscores": Param("p__q"),
    "an expectation": Param("E"),
    "the time": Param("t"),
    "a power of a name": Param("p^2"),
    "a line break": Param("p\n"),
    "a gradient": Named("∇f_b(x)"),
    "an iterate": Named("x_t"),
    "another iterate": Named("x_1"),
    "a late iterate": Named("x_12"),
    "a next iterate": Named("x_{t+1}"),
    "a sampled vector": Named("x_b"),
}


@pytest.mark.parametrize("said", LOOK_ALIKE)
def test_names_are_identifiers(said):
    item = LOOK_ALIKE[said]
    value = item if isinstance(item, Param) else norm2(item)
    refused(make(value**2 >= 0, Square(value)), "")
    held = Condition("h", value**2 >= 0)
    report = make(p**2 >= 0, Square(p), held)
    refused(report, "the statement: ")


@pytest.mark.parametrize("name", ["f_b", "E", "t", "∇f", "f(x)", "f_t", ""])
def test_functions_and_operators_too(name):
    refused(make(Value(Function(name), x) >= 0, NOTHING), "is no name")
    refused(make(norm2(Operator(name)(x)) >= 0, NOTHING), "is no name")


TWO_THINGS = {
    "a parameter and a vector": (p, norm2(Named("p"))),
    "a parameter and a function": (p, Value(Function("p"), x)),
    "a parameter and an operator": (p, norm2(Operator("p")(x))),
    "a vector and an operator": (norm2(u), norm2(Operator("u")(x))),
    "a function and an operator": (Value(f, x), norm2(Operator("f")(x))),
    "a symbol of the table": (Param("batch_size"), Param("B")),
    "a symbol and an operator": (Param("batch_size"), norm2(Operator("B")(x))),
    "a symbol and a function": (Param("frobenius"), Value(Function("F"), x)),
    "a symbol and a vector": (Param("index"), norm2(Named("k"))),
}


@pytest.mark.parametrize("said", TWO_THINGS)
def test_one_name_is_one_thing(said):
    one, other = TWO_THINGS[said]
    refused(make((one - other) ** 2 >= 0, Square(one - other)), "are written alike")


def test_all_symbols_of_the_table_are_different():
    texts = [s.text for s in SYMBOLS.values()]
    latex = [s.latex for s in SYMBOLS.values()]
    assert len(set(texts)) == len(texts) and len(set(latex)) == len(latex)
    assert not any(set(text) & set("√²³⁴/+ ()") for text in texts)


@pytest.mark.parametrize("name", ["GD", "SGD", "SAM", "normalised SAM"])
def test_an_algorithm_does_not_go_by_the_name_of_another(name):
    other = SamSpec(name, stochastic=name == "GD", perturbed=name == "SGD")
    theorem = make(p**2 >= 0, Square(p), dynamics=Dynamics(other, f, x_0))
    refused(theorem, f"{name} is the name of another algorithm")


def test_the_iterate_at_time_0_is_the_start():
    at_0 = Along(Value(f, x), Time(False, 0))
    refused(
        make(at_0.equals(Value(f, x_0)), NOTHING, dynamics=Dynamics(GD, f, y)),
        "x_0 is the iterate at time 0",
    )


@pytest.mark.parametrize(
    "id", ["", "sam-pl-lineаr", "sam pl", "sam\u3164", "[green]", "../x", "-x"]
)
def test_an_id_is_plain(id):
    refused(dataclasses.replace(make(p**2 >= 0, Square(p)), id=id), "the statement: ")


def test_titles_and_steps_show_every_letter():
    good = make(p**2 >= 0, Square(p))
    for (
        letter
    ) in "\u3164\u115f\u1160\u2800\ufe0f\u034f\uffa0\U0001d159\U000e0101\u200b\u00ad\u202e":
        for changed in ({"title": f"a{letter}"}, {"statement": letter}, {"findings": (letter,)}):
            refused(dataclasses.replace(good, **changed), "a character that does not show")
    proved(dataclasses.replace(good, title="Łojasiewicz, ½|∇f|² ≥ μf, 定理"))


a, k, t = Param("a"), Param("k"), Time(shift=1)
PRINTED = {
    "(|u|²)²": norm2(u) ** 2,
    "((|u|²)²)³": (norm2(u) ** 2) ** 3,
    "(p²)³": (p**2) ** 3,
    "(p/q)²": (p / q) ** 2,
    "(1/2)²": Const(Fraction(1, 2)) ** 2,
    "(-3)²": Const(Fraction(-3)) ** 2,
    "(-p)²": (-p) ** 2,
    "(g⁺)²": Param("next_gradient_norm") ** 2,
    "(E f(x))²": Mean(Value(f, x)) ** 2,
    "(E f_b(x)) f_b(x)": Mean(Value(f_b, x)) * Value(f_b, x),
    "E (f_b(x) f_b(x))": Mean(Value(f_b, x) * Value(f_b, x)),
    "E f(x_{t+1})": Along(Value(f, x), t),
    "E f(x_t)": Along(Value(f, x), Time()),
    "p^(t+1)": p**t,
    "p q": p * q,
    "(p/q) a": (p / q) * a,
    "f(x)²": Value(f, x) ** 2,
    "⟨u, J* y⟩": Inner(u, J.adjoint(y)),
    "⟨u, J_b* J_b y⟩": Inner(u, J_b.adjoint(J_b(y))),
}


@pytest.mark.parametrize("text", PRINTED)
def test_what_is_printed_is_what_is_meant(text):
    assert to_text(PRINTED[text]) == text


def test_latex_says_the_same():
    assert to_latex(norm2(u) ** 2) == r"{\left(\lVert u\rVert^{2}\right)}^{2}"
    assert to_latex(Along(Value(f, x), t)) == r"\mathbb{E}\,f\left(x_{t+1}\right)"
    assert to_latex(Inner(u, J_b.adjoint(y))) == r"\langle u, {J_{b}}^{*} y\rangle"
    assert to_latex(Param("next_gradient_norm") ** 2) == r"{\left(g^+\right)}^{2}"
    assert to_latex(norm2(Named("v_10"))) == r"\lVert v_{10}\rVert^{2}"


@pytest.mark.parametrize("name", ["sam-stability-expansion", "sam-stability-s2-sharp"])
def test_no_operator_changes_its_symmetry_in_one_place(name):
    theorem = theory.get(name)
    found = list(mutants.of_symmetry(theorem))
    assert found
    for mutant in found[:: max(1, len(found) // 10)]:
        refused(mutant.theorem, "are written alike")


def test_an_adjoint_in_a_certificate_is_not_the_operator():
    game = make(STEP.equals(norm2(x) + step_size**2 * norm2(J(x))), TWICE, SKEW)
    other = Multiple(-step_size, RuleAt("skew", "at", (J.adjoint(x), x)))
    refused(dataclasses.replace(game, proof=make(game.proof[0].claim, other).proof), "differ in")
    words = {word for word, _ in tampering.tamperings(J, (), ())}
    assert "adjoint" in words and "adjoint" not in {w for w, _ in tampering.tamperings(H, (), ())}
