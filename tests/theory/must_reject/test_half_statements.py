"""Where Python would decide about a statement, and keep half of it: refused, with the remedy."""

import operator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from small import make, p, q, u, x

from theory import check, registry
from theory.__main__ import main
from theory.trusted.certificates import NOTHING
from theory.trusted.statements import Condition, Rule
from theory.trusted.terms import Const, IllFormed, Param, VectorSum, norm2, scalar

r = Param("r")
TWO = "write `a <= b <= c` as the two relations"
DROPPED = {
    "chain": lambda: p <= q <= r,
    "chain from a number": lambda: 0 <= p <= q,
    "chain to a number": lambda: p <= q < 1,
    "longer chain": lambda: 0 < p < q < r,
    "chain downwards": lambda: p >= q >= r,
    "chain with ==": lambda: p <= q == r,
    "chain with !=": lambda: p <= q != r,
    "brackets": lambda: (p <= q) <= r,
    "brackets behind": lambda: p <= (q <= r),
    "chained equals": lambda: p.equals(q).equals(r),
    "equals of a relation": lambda: p.equals(q <= r),
    "max": lambda: max(p, q),
    "min": lambda: min(p, 1),
    "sorted": lambda: sorted([q, p]),
    "sorted relations": lambda: sorted([p <= q, q <= r]),
    "max of relations": lambda: max(p <= q, q <= r),
    "if": lambda: p if p <= q else q,
    "not": lambda: not p <= q,
    "and": lambda: p <= q and q <= r,
    "or": lambda: p <= q or q <= r,
    "all": lambda: all([p <= q, q <= r]),
    "any": lambda: any([p <= q, q <= r]),
    "filter": lambda: list(filter(None, [p <= q])),
    "bool": lambda: bool(p.equals(q)),
    "truth": lambda: operator.truth(p < q),
    "sum of relations": lambda: scalar(0) + (p <= q),
    "product with a relation": lambda: p * (p <= q),
}
DECIDED = {
    "if": lambda: 1 if p else 2,
    "and": lambda: p and q,
    "or": lambda: 0 * p or q,
    "not": lambda: not p,
    "while of a vector": lambda: u or x,
    "all": lambda: all([p, q]),
    "constant": lambda: bool(Const(Fraction(0))),
    "filter": lambda: list(filter(None, [u, x])),
}


@pytest.mark.parametrize("said", DROPPED)
def test_a_relation_has_no_truth_value(said):
    with pytest.raises(TypeError, match=TWO):
        DROPPED[said]()


def test_an_assertion_states_nothing():
    with pytest.raises(TypeError, match=TWO):
        assert p <= q


@pytest.mark.parametrize("said", DECIDED)
def test_an_expression_has_no_truth_value(said):
    with pytest.raises(TypeError, match="an expression has no truth value"):
        DECIDED[said]()


@pytest.mark.parametrize("said", [p == q, p != q, p in (q, r), (p <= q) == (q >= p)])
def test_what_python_has_decided_is_no_statement(said):
    with pytest.raises(TypeError, match=r"is no statement: .* write left\.equals\(right\)"):
        make(said, NOTHING)
    with pytest.raises(TypeError, match="is no statement"):
        Condition("h", said)
    with pytest.raises(TypeError, match="is no statement"):
        Rule("h", (u,), said)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (lambda: p <= u, "a vector stands where a number should"),
        (lambda: u <= p, "a vector stands where a number should"),
        (lambda: p.equals(u), "a vector stands where a number should"),
        (lambda: p + u, "a vector stands where a number should"),
        (lambda: u * u, "a vector stands where a number should"),
        (lambda: u + p, "a vector is added to vectors only"),
        (lambda: u + 1, "a vector is added to vectors only"),
        (lambda: u <= x, "not supported between"),
        (lambda: p <= 0.5, "0.5 is not exact"),
        (lambda: p >= 0.5, "0.5 is not exact"),
        (lambda: np.float64(0.5) <= p, "is not exact"),
        (lambda: np.int64(3) <= p, "is not exact"),
        (lambda: np.int64(3) * p, "is not exact"),
        (lambda: np.array([1, 2]) <= p, "is not exact"),
        (lambda: p - np.array([1, 2]), "is not exact"),
        (lambda: u / np.float64(2), "is not exact"),
        (lambda: np.float64(2) * u, "is not exact"),
        (lambda: p * Fraction(np.int64(2**40)), "a rational made of int64"),
        (lambda: p <= "q", "is not exact"),
        (lambda: p**0.5, "0.5 is no natural exponent: a root is a parameter"),
        (lambda: p ** Fraction(1, 2), "is no natural exponent"),
        (lambda: p ** np.int64(2), "is no natural exponent"),
        (lambda: p**True, "True is no natural exponent"),
        (lambda: p**q, "is no natural exponent"),
        (lambda: p <= None, "is not exact"),
    ],
)
def test_other_things_are_not_numbers(said, reason):
    with pytest.raises((TypeError, IllFormed), match=reason):
        said()


def test_vectors_are_a_vector_space():
    step = sum([u, x, u])
    assert isinstance(step, VectorSum)
    for left, right in [
        (-u, -1 * u),
        (u * 2, 2 * u),
        (u * p, p * u),
        (u / 2, Fraction(1, 2) * u),
        (u - 0, u),
        (0 - u, -u),
        (step, 2 * u + x),
    ]:
        claim = make(norm2(left - right).equals(0), NOTHING)
        assert check(claim).status.value == "proved"


HEAD = "from attack import false_claim, p, q\nfrom theory.trusted.statements import Condition\n\n"
FILES = {
    "a hypothesis": "h = Condition('h', 0 <= p <= q)\nTHEOREM = false_claim(p >= 0)",
    "a claim": "h = ()\nTHEOREM = false_claim(5 <= p <= q)",
    "a condition of the file": "if p <= q:\n    THEOREM = false_claim(p >= 0)",
    "an equality": "h = ()\nTHEOREM = false_claim(p == q)",
}


@pytest.mark.parametrize("said", FILES)
def test_a_file_is_refused_with_the_line(capfd, monkeypatch, tmp_path, said):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "files"), prepend=":")
    path = tmp_path / "half.py"
    path.write_text(HEAD + FILES[said])
    assert main(["check", str(path)]) == 2
    out, err = capfd.readouterr()
    line = 4 if said in ("a hypothesis", "a condition of the file") else 5
    assert out == "" and err.count("\n") == 1
    assert err.startswith(f"error: {path}: line {line}: TypeError: "), err
    assert ("equals(right)" if said == "an equality" else TWO) in err


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("THEOREM, THEOREMS = get('sgd-pl-linear'), (get('sam-pl-linear'),)", "leaves THEOREM out"),
        ("THEOREMS = (get('sam-pl-linear'),) * 2", "two theorems have the id 'sam-pl-linear'"),
        (
            "THEOREM = replace(get('sam-pl-linear'), statement='SAM always converges')",
            "the id 'sam-pl-linear' is the library's: give your theorem another",
        ),
    ],
)
def test_a_theorem_in_place_of_another(tmp_path, said, reason):
    path = tmp_path / "two.py"
    path.write_text(f"from dataclasses import replace\nfrom theory import get\n{said}\n")
    with pytest.raises(registry.BadTheoremFile, match=reason):
        registry.load_file(path)
