"""What the page on trust counts: what of a theorem z3 and Coq are not given."""

import importlib.util
import re
import sys

import pytest

import theory
from theory.opinions.coq_theorem import document
from theory.opinions.goals import Origin
from theory.opinions.obligations import problem


@pytest.fixture(scope="module")
def tables(root):
    pytest.importorskip("mkdocs")
    path = root / "docs" / "generate" / "tables.py"  # the benchmarks have a module of that name
    spec = importlib.util.spec_from_file_location("tables_of_pages", path)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module


@pytest.mark.parametrize(
    ("name", "gone"),
    [("sam-stability-expansion", 1), ("sgd-pl-linear", 1), ("pl-half-to-bare", 0)],
)
def test_a_conclusion_of_which_nothing_is_left(tables, name, gone):
    theorem = theory.get(name)
    assert len(tables.cancelled(theorem)) == gone
    claim = document(theorem).text.rpartition("\nTheorem ")[2].partition("\nProof.")[0]
    assert len(re.findall(r"\(0\)( / \([^=<]*\))? = 0|0 <= \(+0\)", claim)) == gone


@pytest.mark.parametrize("name", ["sgd-pl-linear", "pl-half-to-bare", "lyapunov-stability"])
def test_own_hypotheses_and_steps_of_reasoning(tables, name):
    """Against the origins of the facts, which the file's comments do not carry."""
    theorem = theory.get(name)
    own, supposed = tables.hypotheses(theorem)
    text = document(theorem).text.rpartition("\nTheorem ")[2].partition("\nProof.")[0]
    assert own + supposed == len(re.findall(r"-> \(\*", text))
    facts = {
        (fact.value, fact.sign)
        for obligation in problem(theorem).obligations
        for fact in obligation.facts
        if fact.origin in (Origin.HYPOTHESIS, Origin.RULE)
    }
    assert 0 < own <= len(facts)
    assert (supposed > 0) is (theorem.dynamics is not None)
