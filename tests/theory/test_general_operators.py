"""Operators that need not be symmetric: what is true of them is proved, what is not is refuted."""

import dataclasses

import pytest
from small import make, u, x, y

import theory
from theory.opinions import examine
from theory.opinions.coq_theorem import document
from theory.proving import witnesses
from theory.proving.building import add, minus
from theory.search.refutation import refute
from theory.text.latex import article
from theory.text.plain import explain
from theory.trusted.certificates import NOTHING, Multiple, Norm, RuleAt
from theory.trusted.notation import step_size
from theory.trusted.statements import Assumption, Rule
from theory.trusted.terms import Inner, Mean, Operator, norm2
from theory.wire import decode, encode

J, J_b = Operator("J"), Operator("J", sampled=True)
SKEW = Assumption("skew", "", "", (Rule("at", (u, y), Inner(u, J(y)).equals(-Inner(y, J(u)))),))
AT_X = RuleAt("skew", "at", (x, x))
STEP = norm2(x - step_size * J(x))
GAME = make(STEP.equals(norm2(x) + step_size**2 * norm2(J(x))), Multiple(-step_size, AT_X), SKEW)
AWAY = make(norm2(x) <= STEP, add(Multiple(step_size, AT_X), Norm(step_size * J(x))), SKEW)
ADJOINT = make(Inner(J_b.adjoint(u), J_b(y)).equals(Inner(u, J_b(J_b(y)))), minus(NOTHING))
TRUE = {"the game": GAME, "the game moves away": AWAY, "adjoints": ADJOINT}
FALSE = {
    "the game does not move away": make(norm2(x) >= STEP, NOTHING, SKEW),
    "symmetric": make(Inner(u, J(y)).equals(Inner(J(u), y)), NOTHING),
    "normal": make(norm2(J(u)).equals(norm2(J.adjoint(u))), NOTHING),
    "squares": make(Inner(u, J(J(u))) >= 0, NOTHING),
    "means": make(Mean(norm2(J_b(u))).equals(Mean(norm2(J_b.adjoint(u)))), NOTHING),
}


@pytest.mark.parametrize("said", TRUE)
@pytest.mark.parametrize("second", ["z3", pytest.param("coq", marks=pytest.mark.slow)])
def test_what_is_true_is_proved_by_all(said, second):
    found = examine(witnesses.completed(TRUE[said]), ("kernel", second)).opinions
    assert {opinion.verdict for opinion in found.values()} <= {"proved", "skipped"}, found


@pytest.mark.parametrize("said", FALSE)
def test_what_is_true_of_symmetric_ones_only_is_refuted(said):
    model = refute(FALSE[said])
    assert model is not None
    refuted = dataclasses.replace(FALSE[said], refutation=witnesses.of_model(model))
    assert theory.check(refuted).status.value == "refuted"


def test_every_export_says_which_operators_are_symmetric():
    theorem = witnesses.completed(GAME)
    assert "J: a linear operator, not assumed symmetric" in explain(theorem)
    assert "$J$: a linear operator, not assumed symmetric." in article(theorem)
    assert "(* J: a linear operator, not assumed symmetric *)" in document(theorem).text
    both = document(witnesses.completed(ADJOINT)).text
    assert "(* J·: the adjoint of J *)" in both  # a star would open or close the comment
    assert decode(encode(theorem)) == theorem
    assert {"is": "Operator", "name": "J", "sampled": False, "symmetric": False,
            "transposed": False} in _all(encode(theorem))  # fmt: skip
    symmetric = theory.get("sam-stability-s2")
    for text in (explain(symmetric), article(symmetric), document(symmetric).text):
        assert "symmetric linear operator" in text and "real inner-product space" in text


def _all(data):
    yield data
    for part in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from _all(part)


def test_data_of_before_the_field_is_refused():
    old = encode(GAME)
    for part in _all(old):
        if isinstance(part, dict) and part.get("is") == "Operator":
            del part["symmetric"]
    with pytest.raises(ValueError, match="a Operator has the fields"):
        decode(old)


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("sam-pl-linear", "SAM: x⁺ = x - η ∇f_b(x + ρ ∇f_b(x)), from x₀"),
        ("sgd-pl-linear", "SGD: x⁺ = x - η ∇f_b(x), from x₀"),
        ("sgd-fourth-moment", "SGD: x⁺ = x - η H_b x, from x₀"),
    ],
)
def test_the_step_is_shown_as_a_formula(name, step):
    assert f"algorithm {step}" in explain(theory.get(name))
    assert f"(* algorithm {step} *)" in document(theory.get(name)).text
    assert r"{x}^{+} = x - \eta" in article(theory.get(name))
