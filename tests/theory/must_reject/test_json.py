"""JSON that `encode` cannot have produced: wrong types, unknown names, missing fields, tricks."""

import copy
import json
from fractions import Fraction

import pytest
from small import P_POSITIVE, Q_NONNEGATIVE, make, p, q

from theory.trusted.certificates import Fact, Number, Square
from theory.trusted.statements import Theorem
from theory.trusted.terms import Time
from theory.wire import decode, encode

GOOD = encode(
    make(
        p**2 + q ** Time() >= 0,
        Number(Fraction(1)),
        P_POSITIVE,
        Q_NONNEGATIVE,
        divisors=(Fact("p > 0"),),
    )
)
CLAIM, CERTIFICATE = ("proof", 0, "claim"), ("proof", 0, "certificate")


def changed(path, value):
    """The good document with one place changed; a place that is `...` is removed."""
    document = copy.deepcopy(GOOD)
    node = document
    for step in path[:-1]:
        node = node[step]
    if value is ...:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return document


CASES = [
    ((*CERTIFICATE, "value"), 1.0, "Number.value"),
    ((*CERTIFICATE, "value"), True, "Number.value"),
    ((*CERTIFICATE, "value"), "1", "Number.value"),
    ((*CERTIFICATE, "value"), None, "Number.value"),
    ((*CERTIFICATE, "value"), {"rational": 1}, "not a rational number"),
    ((*CERTIFICATE, "value"), {"rational": "0.1"}, "not a rational number"),
    ((*CERTIFICATE, "value"), {"rational": "1e9"}, "not a rational number"),
    ((*CERTIFICATE, "value"), {"rational": "1/0"}, "not a rational number"),
    ((*CERTIFICATE, "value"), {"rational": " 1"}, "not a rational number"),
    ((*CERTIFICATE, "value"), {"rational": "١"}, "not a rational number"),
    ((*CERTIFICATE, "value"), {"rational": "1_0"}, "not a rational number"),
    ((*CERTIFICATE, "value"), {"rational": "9" * 5000}, "not a rational number"),
    ((*CERTIFICATE, "is"), "Sign", "there is no type 'Sign'"),
    ((*CERTIFICATE, "is"), "Cone", "there is no type 'Cone'"),
    ((*CERTIFICATE, "is"), ["Number"], "there is no type"),
    ((*CERTIFICATE, "is"), {}, "there is no type"),
    ((*CERTIFICATE, "is"), ..., "there is no type 'None'"),
    ((*CERTIFICATE, "is"), "Square", "a Square has the fields ['root']"),
    ((*CERTIFICATE, "extra"), 1, "a Number has the fields ['value']"),
    ((*CERTIFICATE, "value"), ..., "a Number has the fields ['value']"),
    (CERTIFICATE, {"is": "Square", "root": {"is": "Named", "name": "p"}}, "Square.root"),
    (CERTIFICATE, {"is": "Square", "root": {"is": "Scalar"}}, "Square.root"),
    (CERTIFICATE, {"is": "Fact", "name": 1}, "Fact.name"),
    (CERTIFICATE, {"is": "Fact", "name": ["p > 0"]}, "Fact.name"),
    (CERTIFICATE, {"is": "Fact", "name": "p\n> 0"}, "Fact.name"),
    (CERTIFICATE, {"is": "Add", "parts": {"is": "Fact", "name": "p > 0"}}, "Add.parts"),
    (CERTIFICATE, {"is": "Add", "parts": ["p > 0"]}, "Add.parts"),
    (CERTIFICATE, "p > 0", "Step.certificate"),
    ((*CLAIM, "sign"), ">=", "a relation is <=, < or =="),
    ((*CLAIM, "sign"), 0, "Relation.sign"),
    ((*CLAIM, "left"), 0, "Relation.left"),
    (CLAIM, "0 <= 1", "Step.claim"),
    (("kind",), {"is": "Kind", "value": "theorem"}, "not a valid Kind"),
    (("kind",), {"is": "Kind"}, "a Kind has the fields ['value']"),
    (("kind",), {"is": "Kind", "value": []}, "not a valid Kind"),
    (("kind",), {"is": "Status", "value": "proved"}, "Theorem.kind"),
    (("kind",), "identity", "Theorem.kind"),
    (("hypotheses",), {"is": "Fact", "name": "p > 0"}, "Theorem.hypotheses"),
    (("hypotheses", 0, "relation"), "0 < p", "Condition.relation"),
    (("hypotheses", 0, "implicit"), 0, "Condition.implicit"),
    (("dynamics", "algorithm", "epsilon"), float("nan"), "SamSpec.epsilon"),
    (("dynamics", "algorithm", "epsilon"), float("inf"), "SamSpec.epsilon"),
    (("dynamics", "algorithm", "stochastic"), 1, "SamSpec.stochastic"),
    (("conclusion",), "claim", "Theorem.conclusion"),
    (("witness",), {}, "there is no type 'None'"),
    (("id",), "a\x1b[2Jb", "Theorem.id"),
]


@pytest.mark.parametrize(("path", "value", "reason"), CASES)
def test_wrong_data_is_refused_in_one_line(path, value, reason):
    data = json.loads(json.dumps(changed(path, value)))
    with pytest.raises(ValueError) as problem:
        decode(data)
    assert reason in str(problem.value), problem.value
    assert "\n" not in str(problem.value) and len(str(problem.value)) < 300


def test_the_document_that_they_were_made_from_is_good():
    assert isinstance(decode(json.loads(json.dumps(GOOD))), Theorem)


def exponents(node):
    """The places of all powers in a document, with their exponents."""
    if isinstance(node, dict) and node.get("is") == "Power":
        yield node
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from exponents(part)


@pytest.mark.parametrize("exponent", [-1, 65, 10**30, 2.0, True, None, "2"])
def test_exponents(exponent):
    document = copy.deepcopy(GOOD)
    next(exponents(document))["exponent"] = exponent
    with pytest.raises(ValueError, match=r"Power\.exponent|is not an exponent or time"):
        decode(document)


@pytest.mark.parametrize("shift", [-1, 65, True, 1.0, "x", None])
def test_times(shift):
    with pytest.raises(ValueError, match=r"Time\.shift|is not an exponent or time"):
        decode({"is": "Time", "symbolic": True, "shift": shift})


@pytest.mark.parametrize("item", [Fact("p > 0"), Square(p), GOOD])
def test_only_the_languages_own_types_are_encoded(item):
    class Own(type(item)):
        pass

    own = Own(item) if isinstance(item, dict) else Own(**vars(item))
    with pytest.raises(TypeError, match="not part of the language"):
        encode(own)
    with pytest.raises(TypeError, match="not part of the language"):
        encode([1])
