"""Witnesses that witness little: which they are, that it is said, and that the library has none."""

import dataclasses
import io
import json

import pytest
from rich.console import Console
from small import P_POSITIVE, PROVED, H, H_b, f, f_b, make, p, proved, u, x, y

from theory.__main__ import as_json, table
from theory.opinions import examine
from theory.proving import witnesses
from theory.proving.assumptions import ZERO, convex, interpolation, minimiser, positive_semidefinite
from theory.proving.degeneracy import degenerate, remarks
from theory.proving.witnesses import quadratic, witness
from theory.text.latex import article
from theory.text.plain import explain
from theory.trusted.algorithms import SAM, SGD
from theory.trusted.certificates import RuleAt, Square
from theory.trusted.statements import Assumption, Condition, Dynamics, Rule, Status
from theory.trusted.terms import (
    Function,
    Gradient,
    Inner,
    Mean,
    Named,
    Operator,
    Param,
    Value,
    norm2,
)

J = Operator("J")
g_b, v, x_0 = Function("g", sampled=True), Named("v"), Named("x_0")
BOWL, ONE, TWO = quadratic([[1]]), [[[1]]], [[[1]], [[2]]]
TILTED = [quadratic([[1]], [1]), quadratic([[1]], [-1])]
PSD = positive_semidefinite("psd", H_b, "")
UNIT = Condition("unit", norm2(y) <= 1)
IMPOSSIBLE: dict[str, str] = {}  # id -> why every instance is degenerate; none of the library's is


@pytest.mark.parametrize("theorem", PROVED, ids=lambda t: t.id)
def test_no_witness_of_the_library_is_degenerate(theorem):
    found = degenerate(theorem)
    assert bool(found) == (theorem.id in IMPOSSIBLE), found


def about(given, *hypotheses, dynamics=None):
    theorem = make(p**2 >= ZERO, Square(p), *hypotheses)
    return dataclasses.replace(theorem, witness=given, dynamics=dynamics)


def always(relation, *variables):
    return Assumption("rule", "", "", (Rule("at", variables, relation),))


FLAT = always(norm2(J(u)) <= ZERO, u)
SKEW = always(Inner(u, J(v)).equals(-Inner(J(u), v)), u, v)
NOISE = Condition("noise", Mean(norm2(Gradient(f_b, y))) > ZERO)


@pytest.mark.parametrize(
    ("theorem", "said"),
    [
        (about(witness({"p": 0}, {}, ONE), Condition("p >= 0", p >= ZERO)), ["p = 0"]),
        (about(witness({"radius": 0}, {}, ONE), Condition("c", Param("radius") >= 0)), ["ρ = 0"]),
        (about(witness({}, {"y": [0]}, TWO), UNIT), ["y = 0"]),
        (about(witness({}, {}, [[[0]]]), FLAT), ["J = 0"]),
        (about(witness({}, {}, ONE, {}, {"f": [quadratic([[0]])]}), convex("c", f)), ["f = 0"]),
        (
            about(witness({}, {}, ONE, {}, {"f": [quadratic([[0]], [0], 3)]}), convex("c", f)),
            ["f is constant"],
        ),
        (
            about(witness({}, {}, ONE, {}, {"f": [quadratic([[0]], [2], 3)]}), convex("c", f)),
            [],
        ),
        (about(witness({}, {}, ONE), PSD), ["every H_b is the same: no noise"]),
        (about(witness({}, {}, [[[0]], [[0]]]), PSD), ["H_b = 0"]),
        (about(witness({}, {}, [[[1]], [[-1]]]), always(norm2(H(u)) >= ZERO, u)), ["H = 0"]),
        (about(witness({}, {}, TWO), interpolation("low", f_b)), []),
        (about(witness({}, {}, ONE, {}, {"f": [BOWL, BOWL]}), convex("c", f_b)),
         ["every f_b is the same: no noise"]),
        (about(witness({}, {}, ONE, {}, {"f": TILTED}), convex("c", f_b)), []),
        (about(witness({}, {}, ONE, {}, {"f": [BOWL, quadratic([[1]], [0], 1)]}), convex("c", f_b)),
         ["every f_b is the same: no noise"]),
        (about(witness({"p": 0}, {}, (), {"J": [[0]]}, {}), FLAT, Condition("p", p >= ZERO)),
         ["p = 0", "J = 0"]),
        (about(witness({}, {}, ONE, {}, {"f": TILTED}), convex("c", f_b), convex("d", g_b)),
         ["every g_b is the same: no noise"]),
        (about(witness({}, {"y": [0]}, TWO), Condition("c", Value(f, y) >= ZERO)),
         ["∇f(y) = 0"]),
        (about(witness({}, {"y": [0]}, TWO), minimiser("minimiser", f, y)), []),
        (about(witness({}, {"y": [0]}, ONE, {}, {"f": TILTED}), NOISE), []),
        (about(witness({"p": 1}, {}, ONE), P_POSITIVE, dynamics=Dynamics(SGD, H, x_0)),
         ["every H_b is the same: no noise"]),
        (about(witness({"p": 1}, {}, TWO), P_POSITIVE, dynamics=Dynamics(SAM, f, x_0)), []),
        (about(None, P_POSITIVE), []),
        (about(witness({}, {}, []), P_POSITIVE), []),
    ],
)  # fmt: skip
def test_what_is_degenerate(theorem, said):
    assert list(degenerate(theorem)) == said


@pytest.mark.parametrize(
    "hypotheses",
    [
        (SKEW,),
        (convex("class", f_b), UNIT),
        (PSD, UNIT, P_POSITIVE),
        (NOISE, Condition("flat", norm2(Gradient(f, y)) <= ZERO)),
        (Condition("radius", Param("radius") >= ZERO), interpolation("low", f_b)),
        (dataclasses.replace(always(norm2(J(u)).equals(norm2(u)), u), name="isometry"), SKEW),
    ],
)
def test_the_finder_looks_for_one_that_is_not(hypotheses):
    theorem = about(None, *hypotheses)
    found = dataclasses.replace(theorem, witness=witnesses.find(theorem))
    assert degenerate(found) == ()
    proved(found)


def test_one_that_is_degenerate_is_better_than_none():
    theorem = about(None, FLAT)
    found = dataclasses.replace(theorem, witness=witnesses.find(theorem))
    assert degenerate(found) == ("J = 0",)
    proved(found)
    for shown in (explain(found), article(found)):
        assert "it is degenerate: J = 0." in " ".join(shown.replace("$", "").split())


def test_the_witness_is_shown():
    given = witness({"p": "1/3"}, {"y": [2]}, (), {"J": [[[5]], [[7]]]}, {"f": TILTED})
    hypotheses = (P_POSITIVE, Condition("c", norm2(J(y)) + norm2(Gradient(f_b, y)) >= ZERO))
    text = explain(about(given, *hypotheses))
    lines = ["p = 1/3", "y = [2]", "J_1 = [[5]]", "J_2 = [[7]]", "f_2'' = [[1]]", "f_2'(0) = [-1]"]
    assert all(f"   {line}\n" in text for line in lines) and "hold together in it.\n" in text + "\n"
    assert r"f_2'(0) = \begin{pmatrix}-1\end{pmatrix}" in article(about(given, *hypotheses))
    lying = about(witness({"p": -1}, {}, ONE), P_POSITIVE)
    assert "It is none: 'p > 0' fails in the witness." in explain(lying)


def test_check_marks_it():
    """In the table, in a line below it, and in JSON."""
    theorem = make(norm2(J(x)) <= ZERO, RuleAt("rule", "at", (x,)), FLAT)
    theorem = dataclasses.replace(theorem, dynamics=None, witness=witness({}, {}, [[[0]]]))
    verdict = examine(theorem)
    assert verdict.status is Status.PROVED
    console = Console(file=io.StringIO(), width=80)
    console.print(table([verdict]))
    assert "test °" in console.file.getvalue()
    assert remarks([theorem]) == ["° test: its only witness is degenerate: J = 0"]
    assert remarks(PROVED) == []
    (entry,) = json.loads(as_json([verdict]))["theorems"]
    assert entry["degenerate_witness"] == ["J = 0"]
